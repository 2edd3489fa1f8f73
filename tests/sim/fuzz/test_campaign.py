"""Life after life: until there were enough, time is over, or enough was found; and taken up again."""

import itertools
from pathlib import Path

import pytest

from memgraph_ha.sim.fuzz import campaign
from memgraph_ha.sim.fuzz.campaign import Plan, conduct
from memgraph_ha.sim.fuzz.outcome import Outcome, Verdict
from memgraph_ha.sim.fuzz.tally import Tally


def fake(seed: int, *, twice: bool = False) -> Outcome:
    """A life of a minute; each fifth fails."""
    del twice
    verdict = Verdict.LIVENESS if seed % 5 == 4 else Verdict.WHOLE
    return Outcome(seed=seed, verdict=verdict, check="L1", seconds=60.0)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "live", fake)


def quiet(_tally: Tally, _outcome: Outcome) -> None:
    """Hear nothing."""


def test_it_ends_after_so_many_lives() -> None:
    """Those of the seeds from the first on."""
    seeds: list[int] = []
    tally = conduct(Plan(first=5, runs=4), lambda _sum, outcome: seeds.append(outcome.seed))
    assert (tally.first, tally.runs, seeds) == (5, 4, [5, 6, 7, 8])


def test_it_ends_after_so_many_finds() -> None:
    """The rest of the lives is not played."""
    tally = conduct(Plan(runs=1000, finds=2), quiet)
    assert (tally.runs, [outcome.seed for outcome in tally.finds]) == (10, [4, 9])


def test_it_ends_when_time_is_over() -> None:
    """No further life is begun."""
    ticks = itertools.count()
    tally = conduct(Plan(runs=1000, time_s=7.0, finds=1000, clock=lambda: float(next(ticks))), quiet)
    assert 1 < tally.runs <= 7
    assert tally.wall_s >= 7.0
    assert tally.cluster_hours_per_s == pytest.approx(tally.runs / 60 / tally.wall_s)


def test_it_is_taken_up_where_it_ended(tmp_path: Path) -> None:
    """Two halves are the same as the whole, finds included; and a third begins nothing."""
    file = tmp_path / "night.json"
    conduct(Plan(runs=7, file=file), quiet)
    seeds: list[int] = []
    second = conduct(Plan(runs=12, file=file), lambda _sum, outcome: seeds.append(outcome.seed))
    whole = conduct(Plan(runs=12), quiet)
    assert seeds == [7, 8, 9, 10, 11]
    assert (second.runs, second.finds, second.cluster_s) == (whole.runs, whole.finds, whole.cluster_s)
    assert conduct(Plan(runs=12, file=file), lambda _sum, outcome: seeds.append(outcome.seed)).runs == 12
    assert len(seeds) == 5


def test_ctrl_c_ends_it_and_what_was_played_counts(tmp_path: Path) -> None:
    """It can be taken up again from there."""
    file = tmp_path / "night.json"

    def press(_tally: Tally, outcome: Outcome) -> None:
        if outcome.seed == 3:
            raise KeyboardInterrupt

    tally = conduct(Plan(runs=100, file=file), press)
    assert (tally.runs, tally.interrupted) == (4, True)
    assert conduct(Plan(runs=6, file=file), quiet).runs == 6
