"""Everything in the table of observations is held by a test or excused, and the page that lists it is in step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance import table
from tests.conformance.questions import OBSERVATIONS, SECTIONS, holds
from tests.conformance.seen import Seen

CHECK = [sys.executable, "-m", "scripts.conformance_table", "--check"]


def test_the_page_is_in_step() -> None:
    """`--check` finds every observation held or excused, every named test, and the page as it would be written."""
    done = subprocess.run(CHECK, cwd=table.ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def _table(**changed: Seen) -> dict[str, Seen]:
    """Return a table that has one held observation in each section, and those given."""
    lines = {
        f"{section}.x": Seen("seen", elsewhere=("conformance/test_table.py::test_the_page_is_in_step",))
        for section in SECTIONS
    }
    return lines | {name.replace("_", "."): seen for name, seen in changed.items()}


@pytest.mark.parametrize(
    ("seen", "marked", "message"),
    [
        (Seen("unheld"), False, "give it either a test or a reason"),
        (Seen("both", why_not="measured"), True, "give it either a test or a reason"),
        (Seen("gone", elsewhere=("fakes/test_hazards.py::test_gone",)), False, "does not exist"),
        (Seen("gone", elsewhere=("fakes/test_gone.py::test_x",)), False, "does not exist"),
    ],
)
def test_a_table_that_does_not_fit_the_tests_is_refused(seen: Seen, marked: bool, message: str) -> None:
    """Neither test nor reason, both, or a test that is not there."""
    tests = {"Q1.y": ["a test"]} if marked else {}
    with pytest.raises(table.TableError, match=message):
        table.page(_table(Q1_y=seen), tests)


def test_unknown_names_are_refused() -> None:
    """A mark for nothing in the table, an observation of no section, and a section without any."""
    with pytest.raises(table.TableError, match=r"'Q1\.gone' is not in the table"):
        table.page(_table(), {"Q1.gone": ["a test"]})
    with pytest.raises(table.TableError, match="begins with no section"):
        table.page(_table(Q99_x=Seen("seen", why_not="measured")), {})
    with pytest.raises(table.TableError, match="has no observation"):
        table.page({}, {})
    for observations in (("Q99.x",), ()):
        with pytest.raises(ValueError, match="give keys of OBSERVATIONS"):
            holds(*observations)


def test_a_test_without_a_mark_is_refused(tmp_path: Path) -> None:
    """No test can stand beside the table."""
    (tmp_path / "test_new.py").write_text("def test_new() -> None: ...\n", encoding="utf-8")
    with pytest.raises(table.TableError, match="test_new holds nothing"):
        table.marked_tests(tmp_path)


def test_every_question_of_the_transcripts_has_a_section() -> None:
    """Q1 to Q22, the summary and the raw recordings; each observation says something."""
    assert list(SECTIONS) == [*(f"Q{number}" for number in range(1, 23)), "S", "R"]
    assert all(seen.what.strip() for seen in OBSERVATIONS.values())
