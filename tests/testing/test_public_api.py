"""The public names stay what they are; a typed program of somebody else's checks against them, a wrong one does not."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from memgraph_ha.core import View
from tests.core.corpus import BASES
from tests.docs.pages import DOCS, read
from tests.testing import consumer, public_api


def test_the_public_names_are_those_of_the_snapshot() -> None:
    """What differs is either a mistake, or a new version: then run `python -m tests.testing.public_api`."""
    kept = public_api.SNAPSHOT.read_text(encoding="utf-8").splitlines()
    now = public_api.text().splitlines()
    assert sorted(set(kept) - set(now)) == [], "promised, and gone or changed"
    assert sorted(set(now) - set(kept)) == [], "not promised before"


def test_the_page_names_what_the_core_exports() -> None:
    """The block at the head of the page can be imported as it stands, and nothing on it is missing from ``__all__``."""
    block = read(DOCS / "explanation" / "contract.md").fences[0].text
    named = {word.strip() for word in block.partition("(")[2].partition(")")[0].split(",") if word.strip()}
    assert len(named) > 15
    assert named <= set(public_api.exported(public_api.MODULES[0]))


def test_the_wheel_says_that_it_is_typed() -> None:
    """`py.typed` lies in the package."""
    assert files("memgraph_ha").joinpath("py.typed").is_file()


@pytest.mark.parametrize("name", list(BASES))
def test_the_consumer_runs(name: str) -> None:
    """Its types hold at run time too: it names what is asked for at every step of a failover, and what rules lack."""
    scene = BASES[name]
    view: View = scene.view
    asked = consumer.asked(view)
    assert all(asked)
    assert consumer.why_not(view, "N10")


MISTAKES = {
    "observe(Observed(), 'm0 is down')": "arg-type",
    "decide(Observed())": "arg-type",
    "parse_record(b'{}')": "arg-type",
    "Policy(frozen_conut=3)": "call-arg",
    "decide(view).comands": "attr-defined",
    "decide(view).route.permit.instance": "union-attr",
}
"""A line of a program to the error code that a type checker must give."""


@pytest.mark.slow
def test_a_wrong_program_is_refused(tmp_path: Path) -> None:
    """Each mistake is found by mypy, and nothing else is: types are exported as they are."""
    imports = "from memgraph_ha.core import Observed, Policy, View, decide, observe, parse_record"
    lines = [imports, "def use(view: View) -> None:", *(f"    {line}" for line in MISTAKES)]
    program = tmp_path / "program.py"
    program.write_text("\n".join(lines) + "\n", encoding="utf-8")
    options = ["--strict", "--no-error-summary", "--no-pretty", "--config-file=", f"--cache-dir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(program)],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        cwd=tmp_path,
    )
    found = [line.rpartition("[")[2].rstrip("]") for line in done.stdout.splitlines() if ": error:" in line]
    assert found == list(MISTAKES.values()), done.stdout
