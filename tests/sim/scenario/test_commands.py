"""`memgraph-ha sim run` and `memgraph-ha sim list`: what they say, and how they end."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from memgraph_ha.core import RULES
from memgraph_ha.sim.cli import sim
from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.scenario import suite
from memgraph_ha.sim.scenario.verbs import VERBS
from memgraph_ha.sim.search.scenario import Played, SmallScenario
from memgraph_ha.trace.reading import TraceFile
from memgraph_ha.trace.schema import HeaderLine
from tests.sim.scenario.pages import RUN

GOOD = 'schema = 1\nid = "good"\n[timing]\nthen = "0s"\n[[fault]]\nat = "1s"\ndo = "kill"\non = ["m0", "m2"]\n'
BAD = 'schema = 1\nid = "bad"\n[[expect]]\nthat = "main == m1"\n'


def _sim(*args: str | Path) -> Result:
    return CliRunner().invoke(sim, [str(arg) for arg in args])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a scenario that is met in two runs, and one that is not."""
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "bad.toml").write_text(BAD)
    return tmp_path


def test_every_run_gets_a_line_and_the_gravest_ends_it(folder: Path) -> None:
    """What is unmet says what was expected, and how to see more of it."""
    result = _sim("run", "-j1", folder)
    assert result.exit_code == Exit.UNMET
    lines = result.output.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith(("ok", "FAILED"))] == [
        ["FAILED", "bad"],
        ["ok", "good/on=m0"],
        ["ok", "good/on=m2"],
    ]
    assert "expected main == m1" in result.output
    assert "--trace . && memgraph-ha sim render bad.jsonl" in result.output
    assert lines[-1].startswith("3 runs in ")


def test_json_says_the_same(folder: Path) -> None:
    """One document, and nothing else on standard output."""
    document = json.loads(_sim("run", "-j2", folder, "--json").output)
    assert (document["schema"], document["ok"], document["exit"]) == ("memgraph-ha/sim-run/1", False, 1)
    bad, first, _ = document["runs"]
    assert (bad["name"], bad["check"], bad["ok"]) == ("bad", "expect", False)
    assert first["acked"] > 0
    assert first["commands"]["commit-noop"] > 0
    assert first["reigns"] >= 1
    assert set(first) == set(RUN)
    assert set(bad) < set(RUN)


def test_junit_has_a_case_for_each_run(folder: Path) -> None:
    """Failures say what was expected."""
    _sim("run", "-j1", folder, "--junit", folder / "report.xml")
    suite = ET.parse(folder / "report.xml").getroot()  # noqa: S314 - we wrote it
    assert (suite.get("tests"), suite.get("failures")) == ("3", "1")
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["bad"]


def test_a_trace_of_each_run_is_kept(folder: Path) -> None:
    """It is whole, also of the one that failed."""
    _sim("run", "-j1", folder / "bad.toml", "--trace", folder / "traces")
    file = TraceFile(folder / "traces" / "bad.jsonl")
    kinds = {type(line).__name__ for line in file}
    assert {"HeaderLine", "FactLine", "TickLine", "CommandLine", "GhostLine", "FooterLine"} <= kinds
    assert file.intact


def test_the_trace_of_a_run_without_a_rule_says_so(folder: Path) -> None:
    """Its header names the rules that were there."""
    _sim("run", "-j1", folder / "bad.toml", "--without", "Y10", "--trace", folder / "traces")
    header = next(iter(TraceFile(folder / "traces" / "bad.jsonl")))
    assert isinstance(header, HeaderLine)
    assert set(header.rules) == {rule.id for rule in RULES} - {"Y10"}


def test_a_rule_can_be_taken_out_and_a_broken_promise_has_its_own_exit_code() -> None:
    """Beside a frozen MAIN that was not stopped nobody may be promoted: S2."""
    result = _sim("run", "A3-hang", "--without", "O10")
    assert result.exit_code == Exit.SAFETY
    assert "S2: m1 is promoted while m0 lives as MAIN" in result.output


def test_one_run_of_a_sweep_is_chosen_by_its_name(folder: Path) -> None:
    """By id and run; a run that is not there is named with those that are."""
    assert "1 runs" in _sim("run", "A3-wakes-in-the-middle/for=2.3s").output
    result = _sim("run", "A3-wakes-in-the-middle/for=9s")
    assert result.exit_code == Exit.USAGE
    assert "for=2.3s" in result.output
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("run", "Z9"), "is neither a file nor a folder nor a shipped scenario"),
        (("run", "A3", "--without", "X1"), "there is no rule 'X1'"),
        (("list", "Z9"), "is neither a file nor a folder"),
    ],
)
def test_what_is_wrong_with_a_command_line_is_a_usage_error(args: tuple[str, ...], says: str) -> None:
    """Exit code 2, and what would be right."""
    result = _sim(*args)
    assert result.exit_code == Exit.USAGE
    assert says in result.output


def test_a_wrong_file_is_a_usage_error_that_names_it(folder: Path) -> None:
    """File, place and value."""
    (folder / "bad.toml").write_text(GOOD.replace('"kill"', '"explode"'))
    result = _sim("run", folder)
    assert result.exit_code == Exit.USAGE
    assert "bad.toml: fault 1: do 'explode' is no verb" in result.output


def test_list_names_every_file_and_its_rules() -> None:
    """As a table, by rule, and as JSON."""
    assert "A3-hang" in _sim("list", "A3").output
    assert "O10  A3-hang" in _sim("list", "A3", "--rules").output
    document = json.loads(_sim("list", "A3-hang", "--json").output)
    (entry,) = document["scenarios"]
    assert (entry["id"], entry["rules"], entry["catalogue"]) == ("A3-hang", ["O10"], ["A3"])


def test_list_verbs_is_made_from_the_registry() -> None:
    """Every verb is there."""
    output = _sim("list", "--verbs").output
    assert all(name in output for name in VERBS)


SMALL = 'schema = 1\nworld = "small"\nid = "small-one"\ntitle = "Nothing happens"\nstep = []\n'


def test_a_history_of_the_small_world_is_played_by_the_search(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`world = "small"`: what the search finds ends `sim run` like any broken promise, and rules can be left out."""
    (folder / "bad.toml").write_text(SMALL)
    result = _sim("run", folder / "bad.toml")
    assert (result.exit_code, "small world" in result.output) == (Exit.OK, True)
    left_out: list[tuple[str, ...]] = []

    def broken(scenario: SmallScenario) -> Played:
        left_out.append(scenario.without)
        return Played(id=scenario.id, check="S4", text="S4: m1 lacks a write", steps=1, story=("1. m0 dies",))

    monkeypatch.setattr(suite, "play_history", broken)
    result = _sim("run", folder / "bad.toml", "--without", "U10")
    assert (result.exit_code, left_out) == (Exit.SAFETY, [("U10",)])
    assert "S4: m1 lacks a write" in result.output
    assert "1. m0 dies" in result.output


def test_a_wrong_file_of_the_small_world_is_a_usage_error(folder: Path) -> None:
    """With the field that is wrong."""
    (folder / "bad.toml").write_text(SMALL + "colour = 1\n")
    result = _sim("run", folder / "bad.toml")
    assert result.exit_code == Exit.USAGE
    assert "'colour' does not exist" in result.output
