"""The bench of a trace's cost runs, and says whether its targets are met."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_bench_measures_with_and_without() -> None:
    """Whether its targets are met is the bench's to say, not this test's."""
    done = subprocess.run(
        [sys.executable, "bench/trace.py", "--seconds", "0.3"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[:3]] == ["one turn of the loop", "without a recorder", "with one"]
    assert lines[3].startswith("a turn costs ")
    assert lines[4].endswith((": yes", ": NO"))
    assert "MB an hour" in lines[5]
