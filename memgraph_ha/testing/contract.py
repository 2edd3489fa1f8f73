"""What the checks of adapters share: how a broken clause is told, and how facts are waited for."""

from collections.abc import Callable
from typing import TypeVar

import trio

from memgraph_ha.core.facts import Fact

F = TypeVar("F", bound=Fact)


class ContractError(AssertionError):
    """An adapter does not keep its contract; the text names the port, the clause, and what was seen instead."""


def demand(kept: object, port: str, clause: str, seen: object) -> None:
    """Insist on a clause.

    Args:
        kept: Whether it is kept.
        port: Name of the port, as `memgraph_ha.adapters.ports` has it.
        clause: What must be so, as a sentence.
        seen: What was found instead.

    Raises:
        ContractError: It is not kept.
    """
    if not kept:
        raise ContractError(f"{port}: {clause}; seen: {seen}")


class Sink:
    """Takes facts, and lets a check wait for one."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []
        self._more = trio.Event()

    def __call__(self, fact: Fact) -> None:
        """Take a fact; returns at once, as a `Report` must."""
        self.facts.append(fact)
        self._more.set()
        self._more = trio.Event()

    def of(self, kind: type[F]) -> list[F]:
        """Every fact of that kind so far.

        Args:
            kind: Of facts.
        """
        return [fact for fact in self.facts if isinstance(fact, kind)]

    async def first(self, kind: type[F], that: Callable[[F], bool], *, after: int = 0) -> F:
        """Wait for a fact, as long as that takes; see `due`."""
        while True:
            found = next((fact for fact in self.facts[after:] if isinstance(fact, kind) and that(fact)), None)
            if found is not None:
                return found
            await self._more.wait()

    async def due(
        self, kind: type[F], that: Callable[[F], bool], *, within_s: float, port: str, clause: str, after: int = 0
    ) -> F:
        """Demand a fact.

        Args:
            kind: Of facts.
            that: Which of them.
            within_s: For how long, seconds.
            port: Whose contract it is.
            clause: The clause that is broken if it does not come.
            after: How many facts of any kind do not count, because they came before.

        Raises:
            ContractError: It did not come.
        """
        with trio.move_on_after(within_s):
            return await self.first(kind, that, after=after)
        last = self.of(kind)[-1:]
        raise ContractError(f"{port}: {clause} (within {within_s:g} s); last seen: {last[0] if last else 'nothing'}")
