"""`memgraph-ha sim mutate`: lists, scores, exits as it says, and goes on where it stopped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from memgraph_ha.sim.cli import sim
from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.mutate.campaign import CONFIG
from memgraph_ha.sim.mutate.sites import mutants_of
from memgraph_ha.sim.mutate.types import refused

ROOT = Path(__file__).parents[3]

CRASH = """
schema = 1
id = "crash"
rules = ["L30"]
[[fault]]
do = "keep-down"
on = "m0"
[[fault]]
at = "+10s"
do = "check"
that = "main == m1 and serves"
"""

TWO = ["--operator", "rule-dropped", "--operator", "act-first", "--file", "rules/__init__.py"]


@pytest.fixture
def crash(tmp_path: Path) -> str:
    """A scenario in which the standby follows a MAIN that dies."""
    path = tmp_path / "crash.toml"
    path.write_text(CRASH, encoding="utf-8")
    return str(path)


def test_the_list_says_what_is_changed() -> None:
    """One line a mutant, in the order of the text; nothing is played."""
    found = CliRunner().invoke(sim, ["mutate", "--list", "--file", "rules/loss.py"])
    assert found.exit_code == Exit.OK
    lines = found.stdout.splitlines()
    assert len(lines) == len(mutants_of("rules/loss.py"))
    assert lines[0].startswith("rules/loss.py:")
    assert any("evolve(kept, standby=None" in line and "standby is kept" in line for line in lines)


def test_a_sample_is_drawn_by_its_seed() -> None:
    """The same seed draws the same mutants, another one others."""

    def drawn(seed: int) -> list[str]:
        found = CliRunner().invoke(sim, ["mutate", "--list", "--sample", "9", "--seed", str(seed)])
        return found.stdout.splitlines()

    assert len(drawn(3)) == 9
    assert drawn(3) == drawn(3) != drawn(4)


def test_a_wrong_file_is_named() -> None:
    """With those that there are."""
    found = CliRunner().invoke(sim, ["mutate", "--file", "rules/nothing.py"])
    assert found.exit_code == Exit.USAGE
    assert "rules/loss.py" in found.stderr


def test_one_mutant_can_be_asked_for() -> None:
    """By its id; one that is none is named."""
    found = CliRunner().invoke(sim, ["mutate", "--list", "--mutant", "rules/__init__.py:L30:act-first"])
    assert [line.split()[0] for line in found.stdout.splitlines()] == ["rules/__init__.py:L30:act-first"]
    found = CliRunner().invoke(sim, ["mutate", "--list", "--mutant", "rules/loss.py:1:nothing"])
    assert found.exit_code == Exit.USAGE
    assert "there is no mutant 'rules/loss.py:1:nothing'" in found.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sample_is_scored_and_resumed(crash: str, tmp_path: Path) -> None:
    """Some are noticed by views, some only by what becomes of the cluster; the second time nothing is played again."""
    kept = tmp_path / "hunt.jsonl"
    arguments = ["mutate", crash, *TWO, "--sample", "6", "--seed", "2", "--resume", str(kept), "--json", "-j", "2"]
    found = CliRunner().invoke(sim, [*arguments, "--least", "1"])
    assert found.exit_code == Exit.OK, found.output
    first = json.loads(found.stdout)
    assert first["score"]["shown"] == 6
    assert {detector["name"] for detector in first["detectors"]} >= {"views"}
    by = {entry["by"]["detector"] for entry in first["mutants"] if "by" in entry}
    assert by <= {"views", "scenarios"}
    assert by
    size = kept.stat().st_size
    again = CliRunner().invoke(sim, [*arguments, "--least", "100"])
    assert kept.stat().st_size == size
    assert {m["id"]: m["fate"] for m in json.loads(again.stdout)["mutants"]} == {
        m["id"]: m["fate"] for m in first["mutants"]
    }
    assert again.exit_code == (Exit.OK if first["score"]["percent"] == 100 else Exit.UNMET)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_promoting_before_the_record_and_forgetting_to_follow_are_noticed(crash: str) -> None:
    """The two mistakes that the issue names for a failover."""
    found = CliRunner().invoke(sim, ["mutate", crash, *TWO, "--json", "--least", "0", "-j", "2"])
    fates = {entry["id"]: entry for entry in json.loads(found.stdout)["mutants"]}
    early = fates["rules/__init__.py:L30:act-first"]
    assert (early["fate"], early["by"]["says"].partition("SINGLE_WRITER")[1]) == ("noticed", "SINGLE_WRITER")
    assert fates["rules/__init__.py:L30:rule-dropped"]["fate"] == "noticed"
    assert fates["rules/__init__.py:K20:rule-dropped"]["fate"] == "survived", "nothing here has triggers"
    assert fates["rules/__init__.py:K20:rule-dropped"]["looked"]["scenarios"] == {"cases": 0, "left": 0}


@pytest.mark.slow
def test_a_scenario_that_fails_by_itself_cannot_judge(tmp_path: Path) -> None:
    """It would notice everything: that is bad usage, and it says which one it is."""
    path = tmp_path / "sour.toml"
    path.write_text(CRASH.replace('id = "crash"', 'id = "sour"').replace("main == m1", "main == m2"), encoding="utf-8")
    found = CliRunner().invoke(sim, ["mutate", str(path), "--sample", "1"])
    assert found.exit_code == Exit.USAGE
    assert "sour cannot judge mutants" in found.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_type_checker_refuses_what_is_no_program(tmp_path: Path) -> None:
    """A guard that only mypy needs is refused; one that decides something is not."""
    found = refused("rules/loss.py", tmp_path, CONFIG)
    known = {m.id: m for m in mutants_of("rules/loss.py")}
    assert found <= set(known)
    said = {(m.function, m.operator, m.before) for m in known.values() if m.id in found}
    assert ("unname_standby", "guard-off", "record is None") in said
    assert ("_own_doubt", "guard-off", "role.run != named.run") not in said
    assert 10 < len(found) < len(known) / 2


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_tests_are_a_detector_too() -> None:
    """Those of a rule notice what is broken in it."""
    arguments = ["--file", "rules/restoring.py", "--tests", "tests/core/test_rules_restoring.py", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "memgraph_ha", "sim", "mutate", *arguments, "--least", "50"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == Exit.OK, done.stderr
    found = json.loads(done.stdout)
    (detector,) = [each for each in found["detectors"] if each["name"] == "tests"]
    assert detector["percent"] > 50
    assert detector["shown"] > 5
