"""The sum of many lives: what counts as worst, and that it can be kept and taken up again."""

from pathlib import Path

import pytest

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.fuzz.outcome import Outcome, Verdict
from memgraph_ha.sim.fuzz.tally import Tally, load, save, to_json

FINE = Outcome(seed=1, verdict=Verdict.WHOLE, faults=(("kill", 2),), rules=(("L30", 1),), acked=10, seconds=60.0)
STUCK = Outcome(seed=2, verdict=Verdict.STUCK, reason="NoSafeCandidate", faults=(("kill", 1),), seconds=30.0)
LATE = Outcome(seed=3, verdict=Verdict.LIVENESS, check="L1", reason="L1: not whole", marks=(("two-mains", 1),))
LOST = Outcome(seed=4, verdict=Verdict.SAFETY, check="S1", reason="S1: m0 lacks 7")


def tally_of(*outcomes: Outcome) -> Tally:
    """Sum them."""
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome)
    return tally


def test_counts_are_summed() -> None:
    """Every table is the sum of the lives' tables."""
    tally = tally_of(FINE, STUCK, FINE)
    assert (tally.runs, tally.faults["kill"], tally.rules["L30"], tally.acked) == (3, 5, 2, 20)
    assert tally.stuck == {"NoSafeCandidate": [2]}
    assert tally.cluster_s == 150.0


@pytest.mark.parametrize(
    ("outcomes", "code"),
    [
        ((FINE, STUCK), Exit.OK),
        ((FINE, LATE), Exit.LIVENESS),
        ((LATE, LOST, FINE), Exit.SAFETY),
        ((LOST, Outcome(seed=5, verdict=Verdict.CHANGED)), Exit.NOT_DETERMINISTIC),
        ((LOST, Outcome(seed=5, verdict=Verdict.BROKEN)), Exit.INTERNAL),
    ],
)
def test_the_worst_find_is_the_exit_code(outcomes: tuple[Outcome, ...], code: Exit) -> None:
    """Waiting for a person after a loss is no find."""
    assert tally_of(*outcomes).exit is code


def test_what_was_kept_is_taken_up_again(tmp_path: Path) -> None:
    """Everything is as it was, finds included."""
    tally, file = tally_of(FINE, STUCK, LATE, LOST), tmp_path / "night.json"
    save(tally, file)
    assert load(file, 0) == tally
    assert load(file, 0).marks["never seen"] == 0
    assert to_json(load(file, 0)) == to_json(tally)


def test_a_campaign_begins_where_nothing_was_kept(tmp_path: Path) -> None:
    """A file that is not there is no error."""
    assert load(tmp_path / "none.json", 7) == Tally(first=7)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "it is no JSON"),
        ("[]", "it is not of schema"),
        ('{"schema": "memgraph-ha/fuzz/1", "runs": "many"}', "cannot be read"),
        ('{"schema": "memgraph-ha/fuzz/1", "first": 5}', "its first seed is 5, not 0"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """The text names the file and what to do."""
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        load(file, 0)
    assert str(caught.value).startswith(f"{file}: ")
