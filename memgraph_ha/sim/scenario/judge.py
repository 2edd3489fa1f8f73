"""What a scenario expects beyond the promises: watched while it is played, counted at its end."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import define, field

from memgraph_ha.sim.scenario.errors import UnmetError
from memgraph_ha.sim.scenario.model import Expect, Kind
from memgraph_ha.sim.scenario.triggers import Come, armed

if TYPE_CHECKING:
    from memgraph_ha.sim.scenario.stage import Stage

LOOK_S: Final = 0.01
"""How often it is asked whether something is so, virtual seconds."""

COUNT: Final = re.compile(r"(==|<=|>=|<|>)?\s*(\d+)")
"""How often a command may be sent: ``1``, ``<= 2``."""

COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    "==": operator.eq,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


def parse_count(text: str) -> Callable[[int], bool]:
    """Read how often something may be.

    Raises:
        ValueError: It is no such text; the text says what is.
    """
    found = COUNT.fullmatch(text)
    if found is None:
        raise ValueError("is no count; write e.g. 1, '<= 2' or '>= 1'")
    compare, number = COMPARE[found[1] or "=="], int(found[2])
    return lambda count: compare(count, number)


@define(eq=False)
class Watch:
    """An expectation that is looked at while time passes.

    Attributes:
        expect: Which.
        from_s: Since when; None: its instant has not come.
        due_s: When its instant is, if that is known.
        come: Tells whether it has come, if it is not known.
        over: Nothing more is to be looked at.
    """

    expect: Expect
    from_s: float | None = None
    due_s: float | None = None
    come: Come | None = None
    over: bool = False


@define(eq=False)
class Judge:
    """Watches the expectations of a run."""

    stage: Stage
    watches: list[Watch] = field(init=False, factory=list)

    def __attrs_post_init__(self) -> None:
        """Begin to look at what is expected at an instant of its own, and at what is always or never so."""
        for expect in self.stage.scenario.expects:
            if expect.expression is None:
                continue
            watch = Watch(expect)
            if expect.when is not None and expect.when.at_s is not None:
                watch.due_s = self.stage.origin_s + expect.when.at_s + expect.when.plus_s
            elif expect.when is not None:
                watch.come = armed(self.stage, expect.when, lambda: None)
            elif expect.kind is not Kind.THAT:
                watch.from_s = self.stage.origin_s
            self.watches.append(watch)

    @property
    def looks(self) -> bool:
        """Whether anything is to be looked at before everything is healed."""
        return any(not watch.over and self._awaited(watch) for watch in self.watches)

    def _awaited(self, watch: Watch) -> bool:
        return watch.from_s is not None or watch.due_s is not None or watch.come is not None

    def see_it_through(self, then_s: float) -> None:
        """After the last fault: let time pass until it is over and everything that may still come has come.

        Args:
            then_s: The least time, seconds.

        Raises:
            UnmetError: Something is not so that should be, or the other way round.
        """
        cluster = self.stage.cluster
        until_s = cluster.now + then_s
        for watch in self.watches:
            if not self._awaited(watch) and watch.expect.within_s is not None:
                watch.from_s = cluster.now
        while cluster.now < until_s or self._pending:
            left_s = until_s - cluster.now
            cluster.world.run(min(LOOK_S, left_s) if self.looks and left_s > 0 else LOOK_S if left_s <= 0 else left_s)
            self.look()
        for watch in self.watches:
            if watch.from_s is None and not watch.over:
                self._demand(watch.expect, "when everything is to be healed")
            watch.over = True

    @property
    def _pending(self) -> bool:
        """Whether something may still become true, or its instant come."""
        return any(
            not watch.over
            and self._awaited(watch)
            and (watch.expect.kind is Kind.THAT or watch.from_s is None or watch.expect.within_s is not None)
            for watch in self.watches
        )

    def look(self) -> None:
        """Look at everything whose time has come.

        Raises:
            UnmetError: Something is not so that should be, or the other way round.
        """
        for watch in self.watches:
            if not watch.over:
                self._look(watch)

    def _look(self, watch: Watch) -> None:
        now_s, expect = self.stage.cluster.now, watch.expect
        if watch.from_s is None:
            self._await(watch)
        if watch.from_s is None:
            return
        late = expect.within_s is not None and now_s > watch.from_s + expect.within_s
        if expect.kind is Kind.THAT:
            watch.over = self._holds(expect)
            if not watch.over and (late or expect.within_s is None):
                self._demand(expect, f"within {expect.within_s or 0:g} s")
        elif late:
            watch.over = True
        elif self._holds(expect) is (expect.kind is Kind.NEVER):
            raise UnmetError(f"expected {expect.kind.value} {expect.expression}")

    def _await(self, watch: Watch) -> None:
        now_s, when = self.stage.cluster.now, watch.expect.when
        if watch.due_s is None and watch.come is not None and when is not None:
            if watch.come():
                watch.due_s = now_s + when.plus_s
            elif now_s > self.stage.origin_s + when.within_s:
                raise UnmetError(f"'{when.after or when.once}' did not come within {when.within_s:g} s")
        if watch.due_s is not None and now_s >= watch.due_s:
            watch.from_s = now_s

    def _holds(self, expect: Expect) -> bool:
        try:
            return self.stage.asking(str(expect.expression))(self.stage) is True
        except TypeError as error:
            raise UnmetError(f"{expect.expression} cannot be answered: {error}") from None

    def _demand(self, expect: Expect, when: str) -> None:
        if not self._holds(expect):
            raise UnmetError(f"expected {expect.expression} {when}")

    def at_the_end(self) -> None:
        """Count what is counted over the whole run.

        Raises:
            UnmetError: A hold was not said, a rule did not decide, or a command was sent too often or too rarely.
        """
        fired = {rule for controller in self.stage.controllers for rule in controller.fired}
        said = {hold for controller in self.stage.controllers for hold in controller.holds}
        for expect in self.stage.scenario.expects:
            if expect.says is not None and expect.says not in said:
                raise UnmetError(f"expected that a controller says {expect.says.word}")
            if expect.rule_fired is not None and expect.rule_fired not in fired:
                raise UnmetError(f"expected that rule {expect.rule_fired} decides")
            for command, count in expect.commands:
                sent = self.stage.sent[command]
                if not parse_count(count)(sent):
                    raise UnmetError(f"expected {command} to be sent {count} times, not {sent}")
