"""The contract of `Lease`: never two at a time, whoever crashed is waited for, whoever released is not."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio
from attrs import define, field

from memgraph_ha.adapters.ports import Lease
from memgraph_ha.core.facts import Fact, LeaseSeen
from memgraph_ha.testing.contract import Sink, demand

PORT: Final = "Lease"

ROUNDS: Final = 2.0
"""For how many terms the holder is watched renewing."""

FLOOR: Final = 7

SLACK_S: Final = 2.0
"""For the machine: how much longer than a term anything may take."""


@define
class _Candidate:
    lease: Lease
    told: Sink = field(factory=Sink)
    scope: trio.CancelScope = field(factory=trio.CancelScope)

    @property
    def last(self) -> LeaseSeen:
        return self.told.of(LeaseSeen)[-1]


async def check_lease(open_lease: Callable[[str], Lease], *, clock: Callable[[], float], duration_s: float) -> None:
    """Check an adapter of `memgraph_ha.adapters.ports.Lease`; takes about six terms.

    Args:
        open_lease: Opens one more candidate for one and the same lease, which nobody has held so far, under a name.
        clock: The clock that the adapter's facts are on, seconds.
        duration_s: How long its terms are, seconds; short ones make the check short.

    Raises:
        ContractError: The first clause that is not kept.
    """
    either = Sink()
    async with (
        trio.open_nursery() as nursery,
        _campaigning(nursery, open_lease("one"), either) as one,
        _campaigning(nursery, open_lease("two"), either) as two,
    ):
        first, second = await _check_gain(one, two, either, clock, duration_s)
        await _check_renewal(first, second, duration_s)
        await _check_floor(first, duration_s)
        await _check_release(first, second, duration_s, clock)
        async with _campaigning(nursery, open_lease("three"), either) as third:
            first.scope.cancel()
            await _check_crash(second, third, duration_s)


@asynccontextmanager
async def _campaigning(nursery: trio.Nursery, lease: Lease, either: Sink) -> AsyncIterator[_Candidate]:
    candidate = _Candidate(lease)

    def report(fact: Fact) -> None:
        candidate.told(fact)
        either(fact)

    async def campaign() -> None:
        with candidate.scope:
            await lease.campaign(report)

    nursery.start_soon(campaign)
    try:
        yield candidate
    finally:
        candidate.scope.cancel()


async def _check_gain(
    one: _Candidate, two: _Candidate, either: Sink, clock: Callable[[], float], duration_s: float
) -> tuple[_Candidate, _Candidate]:
    """Somebody leads soon, and only one."""
    for candidate in (one, two):
        clause = "a campaign reports at once"
        await candidate.told.due(LeaseSeen, lambda _seen: True, within_s=SLACK_S, port=PORT, clause=clause)
    clause = "one of the candidates gains a lease that nobody held"
    await either.due(LeaseSeen, lambda seen: seen.leading, within_s=duration_s + SLACK_S, port=PORT, clause=clause)
    await trio.sleep(duration_s / 4)
    leaders = [candidate for candidate in (one, two) if candidate.last.leading]
    demand(len(leaders) == 1, PORT, "never two hold it at a time", [c.last for c in leaders])
    (first,) = leaders
    seen = first.last
    demand(seen.until_s <= clock() + duration_s, PORT, "a term counts from when it was sent, never longer", seen)
    demand(seen.since_s <= clock(), PORT, "a term began in the past", seen)
    return first, two if first is one else one


async def _check_renewal(first: _Candidate, second: _Candidate, duration_s: float) -> None:
    before = first.last
    await trio.sleep(ROUNDS * duration_s)
    demand(first.last.leading, PORT, "a holder that renews keeps its lease", first.last)
    demand(first.last.until_s > before.until_s, PORT, "a renewal is reported, with its later end", first.last)
    demand(first.last.since_s == before.since_s, PORT, "a renewal begins no new term", first.last)
    demand(
        not any(seen.leading for seen in second.told.of(LeaseSeen)), PORT, "nobody else leads meanwhile", second.last
    )
    named = (first.lease.leader, second.lease.leader)
    demand(named[0] is not None and named[0] == named[1], PORT, "everybody can name the holder", named)


async def _check_floor(first: _Candidate, duration_s: float) -> None:
    first.lease.raise_floor(FLOOR)
    clause = "the highest generation is carried by the next renewal"
    await first.told.due(
        LeaseSeen, lambda seen: seen.floor_generation >= FLOOR, within_s=duration_s + SLACK_S, port=PORT, clause=clause
    )
    first.lease.raise_floor(FLOOR - 1)
    await trio.sleep(duration_s)
    demand(first.last.floor_generation >= FLOOR, PORT, "the highest generation never falls", first.last)


async def _check_release(first: _Candidate, second: _Candidate, duration_s: float, clock: Callable[[], float]) -> None:
    released_s = clock()
    await first.lease.release()
    demand(not first.last.leading, PORT, "who has released says that it does not lead any more", first.last)
    clause = "a lease that was released is gained by another, which does not wait for the term to end"
    gained = await second.told.due(
        LeaseSeen, lambda seen: seen.leading, within_s=duration_s / 2, port=PORT, clause=clause
    )
    demand(gained.since_s >= released_s, PORT, "a term begins only after the one before it has ended", gained)
    demand(gained.clean, PORT, "a released lease is taken cleanly", gained)
    demand(gained.floor_generation >= FLOOR, PORT, "the highest generation outlives its holder", gained)


async def _check_crash(second: _Candidate, third: _Candidate, duration_s: float) -> None:
    """A holder that is gone without a word is waited for: it may still relay until its term is over."""
    await trio.sleep(duration_s / 2)
    second.scope.cancel()
    over_s = second.last.until_s
    clause = "a lease whose holder fell silent is gained by another"
    gained = await third.told.due(
        LeaseSeen, lambda seen: seen.leading, within_s=3 * duration_s + SLACK_S, port=PORT, clause=clause
    )
    demand(gained.since_s >= over_s, PORT, "nobody leads before the term of a silent holder is over", (over_s, gained))
    demand(gained.clean, PORT, "an expired lease is taken cleanly", gained)
