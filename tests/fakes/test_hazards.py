"""The odds of a DROP under load are those of the recorded table (transcripts Q4, Q5, Q7d, Q7e)."""

from __future__ import annotations

from collections import Counter

import pytest
from attrs import evolve, frozen

from memgraph_ha.fakes.memgraph.hazards import BUSY_COMMITS, Outcome, outcome_of_drop
from memgraph_ha.fakes.memgraph.instance import Instance, RowState
from memgraph_ha.fakes.memgraph.settings import Hazards
from memgraph_ha.fakes.memgraph.virtual import World
from tests.fakes.virtual_helpers import register

DRAWS = 4000
# Six standard deviations of a share in so many draws, at the most.
TOLERANCE = 0.05
NOW_S = 100.0


@frozen
class Case:
    """A line of the recorded table.

    Attributes:
        mode: Of the row that is dropped.
        writers: Clients that write without pause.
        beside: Mode of another row, or "".
        state: State of the dropped row.
        failed_pings: Of the dropped row.
        fenced: Whether its replica follows another MAIN.
        shares: Recorded counts of survival, crash and hang.
    """

    shares: tuple[int, int, int]
    mode: str = "ASYNC"
    writers: int = 8
    beside: str = ""
    state: RowState = RowState.READY
    failed_pings: int = 0
    fenced: bool = False


CASES = {
    "in recovery": Case((0, 81, 0), "STRICT_SYNC", 0, state=RowState.RECOVERY),
    "live ASYNC": Case((0, 5, 5)),
    "live ASYNC beside STRICT_SYNC": Case((2, 5, 3), beside="STRICT_SYNC"),
    "live ASYNC, one writer": Case((7, 3, 0), writers=1),
    "live ASYNC, nobody writes": Case((20, 0, 0), writers=0),
    "dead ASYNC": Case((7, 1, 2), state=RowState.MAYBE_BEHIND, failed_pings=3),
    "dead ASYNC beside STRICT_SYNC": Case((9, 1, 0), beside="STRICT_SYNC", state=RowState.MAYBE_BEHIND, failed_pings=3),
    "fenced ASYNC": Case((2, 1, 7), state=RowState.MAYBE_BEHIND, fenced=True),
    "live STRICT_SYNC": Case((20, 0, 0), "STRICT_SYNC"),
    "live SYNC": Case((20, 0, 0), "SYNC"),
}


def _drops(case: Case, hazards: Hazards) -> Counter[Outcome]:
    """Return how often each outcome is drawn in a MAIN as in the case."""
    world = World(7)
    for name in ("a", "b", "c"):
        world.start(name)
    for name in ("b", "c"):
        world.ask(name, "SET REPLICATION ROLE TO REPLICA WITH PORT 10000")
    register(world, "a", "b", case.mode)
    if case.beside:
        register(world, "a", "c", case.beside)
    instance: Instance = world.hosts["a"].live()
    instance.settings = evolve(instance.settings, hazards=hazards)
    row = instance.rows["b"]
    row.state, row.failed_pings, row.fenced = case.state, case.failed_pings, case.fenced
    for session in range(case.writers):
        instance.recent_commits.extend([(NOW_S - 0.1, session)] * BUSY_COMMITS)
    return Counter(outcome_of_drop(instance, row, NOW_S) for _ in range(DRAWS))


@pytest.mark.parametrize("name", CASES)
def test_the_shares_are_the_recorded_ones(name: str) -> None:
    """Left to chance, survival, crash and hang come as often as they were seen."""
    case = CASES[name]
    drawn = _drops(case, Hazards.AUTO)
    for outcome, seen in zip((Outcome.SURVIVES, Outcome.CRASH, Outcome.HANG), case.shares, strict=True):
        assert drawn[outcome] / DRAWS == pytest.approx(seen / sum(case.shares), abs=TOLERANCE), outcome


@pytest.mark.parametrize("name", CASES)
def test_always_means_whenever_it_was_ever_seen(name: str) -> None:
    """Forced, MAIN survives only where it always did, and ends in the ways it was seen to end."""
    case = CASES[name]
    ways = {way for way, seen in zip((Outcome.CRASH, Outcome.HANG), case.shares[1:], strict=True) if seen}
    assert set(_drops(case, Hazards.ALWAYS)) == (ways or {Outcome.SURVIVES})


@pytest.mark.parametrize("name", CASES)
def test_never_means_never(name: str) -> None:
    """Switched off, MAIN survives."""
    assert set(_drops(CASES[name], Hazards.NEVER)) == {Outcome.SURVIVES}
