"""The contract of `RecordStore`: linearizable reads, writes by compare-and-set only, and nothing of a record lost."""

from collections.abc import Callable
from typing import Final

import trio
from attrs import evolve

from memgraph_ha.adapters.ports import RecordStore
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import CommandEnded, Outcome, RecordSeen
from memgraph_ha.core.names import InstanceName, RowName, RunId, Token
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Record, Standby
from memgraph_ha.testing.contract import Sink, demand

PORT: Final = "RecordStore"

RIVALS: Final = 8
"""How many writes meet over one version."""

M0, M1, M2 = (InstanceName(name) for name in ("m0", "m1", "m2"))

FULL: Final = Record(
    cluster="contract",
    generation=7,
    main=M0,
    main_run=RunId("run 1"),
    opened=True,
    standby=Standby(instance=M1, run=RunId("run 2"), row=RowName("m1_4")),
    fallback=None,
    unprotected=False,
    row_seq=4,
    rebuild=frozenset({M2}),
    database_uuid="8ccf6784-7d5b-4d39-8a9a-0000000000aa",
    level=((M0, 7), (M1, 6)),
    history=(
        Change(
            generation=7,
            main=M0,
            previous=M1,
            kind=ChangeKind.FAILOVER,
            standby=None,
            rule="L30",
            reason='it is "lost": \u00fc \u2192 {}',
            at=1.7e9,
        ),
    ),
)
"""A record with something in every kind of field."""


async def check_record_store(open_store: Callable[[], RecordStore]) -> None:
    """Check an adapter of `memgraph_ha.adapters.ports.RecordStore`.

    Args:
        open_store: Opens one more client of one and the same store, which is empty at first: as another controller
            would on another machine.

    Raises:
        ContractError: The first clause that is not kept.
    """
    one, other = open_store(), open_store()
    first = await _check_creation(one, other)
    second = await _check_swaps(one, other, first)
    await _check_race([open_store() for _ in range(RIVALS)], second)
    await _check_contents(one, other)


async def _check_creation(one: RecordStore, other: RecordStore) -> Token:
    for client in (one, other):
        seen = await client.read()
        nothing = (seen.record, seen.token, seen.trouble) == (None, None, None)
        demand(nothing, PORT, "an empty store says that there is no record, and no trouble", seen)
    ended, seen = await _write(one, None, FULL)
    demand(ended.outcome is Outcome.DONE, PORT, "a record can be created where there is none", ended)
    demand(seen.record == FULL and seen.token is not None, PORT, "a write reports what is there afterwards", seen)
    again = await other.read()
    same = (again.record, again.token) == (seen.record, seen.token)
    demand(same, PORT, "what one client has written, every other reads at once, under the same version", again)
    ended, shown = await _write(other, None, evolve(FULL, generation=8))
    demand(ended.outcome is Outcome.REFUSED, PORT, "creating never overwrites", ended)
    demand(shown.record == FULL, PORT, "a refused write reports what is there instead", shown)
    return _token(shown)


async def _check_swaps(one: RecordStore, other: RecordStore, first: Token) -> Token:
    ended, seen = await _write(other, first, evolve(FULL, generation=8))
    demand(ended.outcome is Outcome.DONE, PORT, "any client may write over the version that it read", ended)
    demand(seen.token not in (None, first), PORT, "each write makes a new version", seen)
    ended, shown = await _write(one, first, evolve(FULL, generation=9))
    demand(ended.outcome is Outcome.REFUSED, PORT, "a write over an older version is refused", ended)
    left = (shown.record, shown.token) == (seen.record, seen.token)
    demand(left, PORT, "a refused write changes nothing", shown)
    ended, back = await _write(one, _token(seen), FULL)
    demand(ended.outcome is Outcome.DONE, PORT, "an earlier record may come again", ended)
    anew = back.token not in (None, first, seen.token)
    demand(anew, PORT, "a record that comes again has a version of its own: A, B, A is not A", back)
    return _token(back)


async def _check_race(clients: list[RecordStore], token: Token) -> None:
    """Whoever meets others over one version: one wins, and everybody can tell who."""
    ends: dict[int, CommandEnded] = {}

    async def write(place: int, client: RecordStore) -> None:
        ends[place], _seen = await _write(client, token, evolve(FULL, generation=100 + place))

    async with trio.open_nursery() as nursery:
        for place, client in enumerate(clients):
            nursery.start_soon(write, place, client)
    outcomes = {place: end.outcome for place, end in sorted(ends.items())}
    won = [place for place, outcome in outcomes.items() if outcome is Outcome.DONE]
    sure = Outcome.UNKNOWN not in outcomes.values()
    demand(len(won) == 1 or (not won and not sure), PORT, "of writes over one version exactly one is done", outcomes)
    left = await clients[0].read()
    written = None if left.record is None else left.record.generation - 100
    mine = written in won if won else outcomes.get(written or 0) is Outcome.UNKNOWN
    demand(mine, PORT, "what is there after a race is what its winner wrote", (outcomes, left))


async def _check_contents(one: RecordStore, other: RecordStore) -> None:
    """Every field comes back as it was written, the empty ones too."""
    bare = evolve(FULL, standby=None, rebuild=frozenset(), level=(), history=(), unprotected=True)
    behind = evolve(FULL, opened=False, standby=None, fallback=Fallback(instance=M1, run=None), main_run=None)
    for record in (bare, behind, FULL):
        ended, _seen = await _write(one, _token(await one.read()), record)
        demand(ended.outcome is Outcome.DONE, PORT, "a write over the version just read is done", ended)
        back = await other.read()
        demand(back.record == record, PORT, "every field of a record comes back as it was written", back)


async def _write(store: RecordStore, expected: Token | None, record: Record) -> tuple[CommandEnded, RecordSeen]:
    sink, command = Sink(), WriteRecord(expected=expected, record=record)
    ended = await store.write(command, sink)
    demand(ended.command == command, PORT, "the end of a command says of which", ended)
    seen = sink.of(RecordSeen)
    demand(
        len(seen) == 1 == len(sink.facts), PORT, "a write reports what it read back, once, before it ends", sink.facts
    )
    return ended, seen[0]


def _token(seen: RecordSeen) -> Token:
    demand(seen.token is not None, PORT, "a record that is there has a version", seen)
    return Token(str(seen.token))
