"""Traps: something happens right before, or right after, the n-th command of a kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from attrs import define, field

from memgraph_ha.core.commands import Command


@define(eq=False, kw_only=True)
class Trap:
    """Set with `Controller.trap`; springs once.

    Attributes:
        act: What happens.
        kind: Of which commands, by the name of the class, such as ``Promote``; None: of all.
        nth: At which of them, from 1, counted from when it was set.
        when: Before it is sent, or after its end was filed.
        where: Only commands for which this holds count.
        sprung: It has happened.
    """

    act: Callable[[Command], None]
    kind: str | None = None
    nth: int = 1
    when: Literal["before", "after"] = "before"
    where: Callable[[Command], bool] = field(default=lambda _command: True)
    sprung: bool = False

    def meet(self, command: Command, when: Literal["before", "after"]) -> None:
        """Count a command, and spring if it is the one."""
        fits = when == self.when and self.kind in (None, type(command).__name__) and self.where(command)
        if self.sprung or not fits:
            return
        self.nth -= 1
        if self.nth == 0:
            self.sprung = True
            self.act(command)
