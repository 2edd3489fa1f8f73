"""As many random lives as CI has time for: the rest is a night of `memgraph-ha sim fuzz`."""

import pytest

from memgraph_ha.sim.fuzz.campaign import Plan, conduct
from memgraph_ha.sim.fuzz.outcome import Outcome
from memgraph_ha.sim.fuzz.report import again, never_seen
from memgraph_ha.sim.fuzz.tally import Tally

RUNS = 200

RARE = 12
"""So many of the situations may not come up in so few lives."""


def quiet(_tally: Tally, _outcome: Outcome) -> None:
    """Hear nothing."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_two_hundred_lives_keep_every_promise() -> None:
    """Two at a time; each find is told with the command that shows it again."""
    tally = conduct(Plan(first=70_000, runs=RUNS, jobs=2), quiet)
    assert [again(outcome) for outcome in tally.finds] == []
    assert tally.runs == RUNS
    assert len(never_seen(tally)) <= RARE
    assert tally.failovers > RUNS / 4
