"""A candidate for a lease, whatever it is kept in, and what it reported."""

from collections.abc import Callable

import trio
from attrs import define, field

from memgraph_ha.adapters.ports import Lease
from memgraph_ha.core.facts import Fact, LeaseSeen


@define
class Candidate:
    """A lease object and what it reported."""

    lease: Lease
    seen: list[LeaseSeen] = field(factory=list)
    news: trio.Event = field(factory=trio.Event)

    def report(self, fact: Fact) -> None:
        """Keep a fact."""
        assert isinstance(fact, LeaseSeen)
        self.seen.append(fact)
        self.news.set()
        self.news = trio.Event()

    async def until(self, wanted: Callable[[LeaseSeen], bool], within_s: float = 5) -> LeaseSeen:
        """Wait for the last report to be as wanted."""
        with trio.fail_after(within_s):
            while not self.seen or not wanted(self.seen[-1]):
                await self.news.wait()
        return self.seen[-1]


def leading(seen: LeaseSeen) -> bool:
    """Whether a report says that we lead."""
    return seen.leading


def not_leading(seen: LeaseSeen) -> bool:
    """Whether a report says that we do not."""
    return not seen.leading
