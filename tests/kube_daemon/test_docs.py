"""The reference of the environment says what the code does."""

import subprocess
import sys
from pathlib import Path

from scripts.generate_environment_docs import page
from scripts.in_step import REFERENCE

ROOT = Path(__file__).parents[2]


def test_the_page_is_in_step_with_the_table() -> None:
    """What is committed is what the generator makes; the check says so too."""
    assert (REFERENCE / "environment.md").read_text(encoding="utf-8") == page()
    command = [sys.executable, "-m", "scripts.generate_environment_docs", "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
