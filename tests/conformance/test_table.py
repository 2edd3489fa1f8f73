"""The page that lists every question and its tests is in step with the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.questions import holds

SCRIPT = Path(__file__).parents[2] / "scripts" / "conformance_table.py"


def test_the_table_is_in_step() -> None:
    """`--check` finds every question held or excused, and the page as it would be written."""
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mark_for_an_unknown_question_is_refused() -> None:
    """A typo in a mark cannot go unseen."""
    for questions in (("Q99",), ()):
        with pytest.raises(ValueError, match="give keys of QUESTIONS"):
            holds(*questions)
