"""As many random lives as CI has time for: the rest is a night of `memgraph-ha sim fuzz`."""

import pytest

from memgraph_ha.sim.fuzz.campaign import Plan, conduct
from memgraph_ha.sim.fuzz.outcome import Outcome
from memgraph_ha.sim.fuzz.report import again, never_seen
from memgraph_ha.sim.fuzz.tally import Tally

FIRST = 504_000
RUNS = 100

RARE = 15
"""So many of the situations may not come up in so few lives."""


def quiet(_tally: Tally, _outcome: Outcome) -> None:
    """Hear nothing."""


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_lives_keep_every_promise() -> None:
    """Two at a time, half of them on Kubernetes; each find is told with the command that shows it again."""
    tally = conduct(Plan(first=FIRST, runs=RUNS, jobs=2), quiet)
    assert [again(outcome) for outcome in tally.finds] == []
    assert tally.runs == RUNS
    assert len(never_seen(tally)) <= RARE
    assert tally.failovers > RUNS / 4
