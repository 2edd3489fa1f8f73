"""The bench of `decide` runs, and prints target, measured and met for each line."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"^(decide|observe), (3|9) instances, .+ {2,}\d+ +\d+\.\d +\d+\.\d +\d+ +(yes|NO)$")


def test_the_bench_measures_each_step_and_says_whether_the_target_is_met() -> None:
    """Five lines for each size; whether they are met is the bench's to say, not this test's."""
    done = subprocess.run(
        [sys.executable, "bench/decide.py", "--seconds", "0.02"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    head, *lines = done.stdout.splitlines()
    assert head.split() == ["one", "call", "target", "us", "p50", "us", "p99", "us", "calls", "met"]
    assert len(lines) == 10
    assert all(LINE.match(line) for line in lines), done.stdout
