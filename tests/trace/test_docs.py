"""The pages about traces: made from the code, and tried command by command."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from memgraph_ha.cli import main
from memgraph_ha.sim.exits import Exit
from tests.docs.pages import ROOT, read
from tests.sim.replay.lives import life
from tests.sim.replay.story import failover
from tests.trace.told import write_lines

TUTORIAL = ROOT / "docs" / "tutorial" / "replay-your-incident.md"

SEED = 1
"""A life in which MAIN is lost."""


def test_the_reference_is_in_step_with_the_code() -> None:
    """Whoever changes a line, a fact or a decision makes the page again (`make docs`)."""
    command = [sys.executable, "-m", "scripts.generate_trace_docs", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("verb", ["replay", "explain"])
def test_every_field_of_the_outputs_is_in_the_reference(tmp_path: Path, verb: str) -> None:
    """Whoever reads them by a program finds each by its name."""
    path = write_lines(tmp_path / "incident.jsonl", failover())
    result = CliRunner().invoke(main, ["sim", verb, str(path), "--json"])
    section = read(ROOT / "docs" / "reference" / "trace.md").text.partition("## What the tools print")[2]
    missing = [name for name in json.loads(result.stdout) if name != "schema" and f"`{name}`" not in section]
    assert missing == []


def tried(line: str, folder: Path) -> int:
    """Run a line of the tutorial as a reader would, with our program on the path."""
    ours = Path(sys.executable).parent
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=folder,
        env={"PATH": f"{ours}:/usr/bin:/bin", "HOME": str(folder), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode in (Exit.USAGE, Exit.INTERNAL):
        pytest.fail(f"{line}: {done.stderr}")
    return done.returncode


def lines_of_the_tutorial() -> list[str]:
    """Every line after a prompt, but that which runs until ctrl-c."""
    shown = [line for fence in read(TUTORIAL).fences if fence.language == "console" for line in fence.text.splitlines()]
    typed = [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
    assert len(typed) > 8
    return [line for line in typed if "ha local" not in line]


DIFFERENT = ("--without L30", "changed.jsonl")
"""What the tutorial says to end with exit code 6."""


def try_all(folder: Path, lines: list[str]) -> None:
    """Run them in order; each ends as the page says."""
    for line in lines:
        wanted = Exit.DIFFERENT if "sim diff" in line and any(each in line for each in DIFFERENT) else Exit.OK
        assert tried(line, folder) == wanted, line


def test_every_command_of_the_tutorial_does_what_it_says(tmp_path: Path) -> None:
    """On the trace of a simulated cluster, in the order of the page."""
    write_lines(tmp_path / "incident.jsonl", life(SEED))
    try_all(tmp_path, [line for line in lines_of_the_tutorial() if "ha demo" not in line])


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_the_whole_tutorial_with_real_processes(tmp_path: Path) -> None:
    """From the demo that makes the incident to the last diff."""
    lines = lines_of_the_tutorial()
    assert lines[0].startswith("memgraph-ha demo --kills 2 --trace")
    try_all(tmp_path, lines)
