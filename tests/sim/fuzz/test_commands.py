"""`sim fuzz` and `sim shrink` on the command line: what they print, write, and how they end."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from memgraph_ha.sim.cli import sim
from memgraph_ha.sim.commands import fuzz, shrink
from memgraph_ha.sim.fuzz import campaign
from memgraph_ha.sim.fuzz.outcome import Outcome, Verdict
from memgraph_ha.sim.fuzz.shrink import Symptom
from memgraph_ha.sim.fuzz.swarm import draw
from memgraph_ha.sim.scenario.dump import dump
from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.model import Fault, Scenario

SMALL = Scenario(id="fuzz-4", faults=(Fault(do="kill", args={"on": "main"}),))
LOST = Outcome(seed=4, verdict=Verdict.SAFETY, check="S1", reason="S1: m0 lacks 7\nand more", faults=(("kill", 3),))


def ran(*words: str) -> Result:
    """Call it."""
    return CliRunner().invoke(sim, list(words))


def life(seed: int, *, twice: bool = False) -> Outcome:
    """A life that loses a write if its seed is 4."""
    del twice
    fine = Outcome(seed=seed, verdict=Verdict.WHOLE, seconds=90.0, acked=10, marks=(("two-mains", 1),))
    return LOST if seed == 4 else fine


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lives that take no time, and a shrinker that knows the answer."""
    monkeypatch.setattr(campaign, "live", life)
    for module in (fuzz, shrink):
        monkeypatch.setattr(module, "make_small", lambda *_given: (SMALL, Symptom(check="S1"), 17))


def test_nothing_found(tmp_path: Path) -> None:
    """Exit code 0, the figures, and which situations never came up; nothing is written."""
    result = ran("fuzz", "--runs", "3", "-j", "1", "--out", str(tmp_path / "finds"))
    assert result.exit_code == 0, result.output
    assert "3 lives: seeds 0 to 2" in result.output
    assert "30 acknowledged writes" in result.output
    assert "0 finds" in result.output
    assert not (tmp_path / "finds").exists()


def test_a_find_is_written_and_said(tmp_path: Path) -> None:
    """Exit code 3, the reason, the command that repeats it, and a scenario file that can be played."""
    result = ran("fuzz", "--runs", "6", "-j", "1", "--out", str(tmp_path))
    assert result.exit_code == 3, result.output
    assert "safety: seed 4" in result.output
    assert "S1: m0 lacks 7" in result.output
    assert "memgraph-ha sim fuzz --seed 4 --runs 1" in result.output
    (again,) = load(tmp_path / "s1-fuzz-4.toml")
    assert again.faults == SMALL.faults
    assert f"memgraph-ha sim run {tmp_path / 's1-fuzz-4.toml'}" in result.output


def test_json_says_the_same(tmp_path: Path) -> None:
    """One object on standard output and nothing else there."""
    result = ran("fuzz", "--runs", "6", "-j", "1", "--json", "--out", str(tmp_path))
    document = json.loads(result.stdout)
    assert (document["schema"], document["runs"], document["exit"]) == ("memgraph-ha/fuzz/1", 6, 3)
    assert [find["seed"] for find in document["finds"]] == [4]
    assert document["scenarios"] == {"4": str(tmp_path / "s1-fuzz-4.toml")}
    assert "two-mains" not in document["marks_never_seen"]
    assert "promoted-exact" in document["marks_never_seen"]
    assert "L30" in document["rules_never_fired"]


def test_a_situation_that_never_came_up_can_be_demanded(tmp_path: Path) -> None:
    """``--all-marks``: a night that came upon too little is red, although nothing was found."""
    result = ran("fuzz", "--runs", "3", "-j", "1", "--all-marks", "--out", str(tmp_path))
    assert result.exit_code == 1


def test_a_campaign_is_kept_and_taken_up(tmp_path: Path) -> None:
    """``--resume``: the second call plays only what is missing; another first seed is refused."""
    file = str(tmp_path / "night.json")
    assert ran("fuzz", "--runs", "2", "-j", "1", "--resume", file).exit_code == 0
    assert "4 lives" in ran("fuzz", "--runs", "4", "-j", "1", "--resume", file).output
    refused = ran("fuzz", "--seed", "9", "--runs", "4", "-j", "1", "--resume", file)
    assert refused.exit_code == 2
    assert "its first seed is 0, not 9" in refused.output


@pytest.mark.parametrize("words", [("--time", "10 minutes"), ("--runs", "0"), ("--seed", "-1"), ("--jobs", "0")])
def test_a_wrong_option_is_refused(words: tuple[str, str]) -> None:
    """Exit code 2, and the option is named."""
    result = ran("fuzz", *words)
    assert result.exit_code == 2
    assert words[0] in result.output


def test_shrinking_a_file(tmp_path: Path) -> None:
    """What was made of it is written and said."""
    file = tmp_path / "large.toml"
    file.write_text(dump(draw(4)))
    result = ran("shrink", str(file), "--out", str(tmp_path / "small"))
    assert result.exit_code == 0, result.output
    assert f"{len(draw(4).faults)} faults to 1 in 17 tries" in result.output
    assert load(tmp_path / "small" / "s1-fuzz-4.toml")[0].faults == SMALL.faults


def test_shrinking_a_seed_as_json(tmp_path: Path) -> None:
    """One object on standard output."""
    document = json.loads(ran("shrink", "--seed", "4", "--json", "--out", str(tmp_path)).stdout)
    assert document == {
        "schema": "memgraph-ha/shrink/1",
        "file": str(tmp_path / "s1-fuzz-4.toml"),
        "check": "S1",
        "hold": None,
        "tries": 17,
        "faults": {"before": len(draw(4).faults), "after": 1},
    }


def test_shrinking_what_does_not_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1 and a sentence."""
    monkeypatch.setattr(shrink, "make_small", lambda *_given: (SMALL, None, 1))
    result = ran("shrink", "--seed", "4")
    assert result.exit_code == 1
    assert "fuzz-4 does not fail" in result.output


def test_shrinking_needs_one_thing(tmp_path: Path) -> None:
    """A file or a seed, not both, not none; and a file that can be read."""
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("schema = 1\nid = 'wrong'\nnonsense = 3\n")
    for words in ((), ("--seed", "4", str(wrong)), (str(wrong),)):
        assert ran("shrink", *words).exit_code == 2


@pytest.mark.parametrize("verb", ["fuzz", "shrink"])
def test_help_has_examples_and_exit_codes(verb: str) -> None:
    """Whoever meets it knows what to type, and what its end means."""
    result = ran(verb, "--help")
    assert result.exit_code == 0
    assert f"memgraph-ha sim {verb} " in result.output
    assert "Exit codes" in result.output
