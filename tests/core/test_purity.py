"""The core needs nothing but attrs and the pure standard library: alone on the path, and in a fresh environment."""

import json
import os
import shutil
import subprocess
import sys
import venv
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = {
    "asyncio",
    "datetime",
    "logging",
    "multiprocessing",
    "random",
    "select",
    "socket",
    "subprocess",
    "threading",
}
"""What would let a clock, chance or I/O in; attrs itself imports some of the standard library."""


def run(python: str, *arguments: str, path: Path, flags: tuple[str, ...] = ()) -> str:
    """Run a program that sees that path only."""
    done = subprocess.run(
        [python, *flags, *arguments],
        cwd=path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(path), "PYTHONWARNINGS": "error"},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def alone(tmp_path: Path) -> Path:
    """A folder with a copy of memgraph_ha, the example, and attrs: nothing else that was ever installed."""
    shutil.copytree(ROOT / "memgraph_ha", tmp_path / "memgraph_ha")
    shutil.copy(ROOT / "examples" / "by_hand.py", tmp_path)
    for package in ("attr", "attrs"):
        spec = find_spec(package)
        assert spec is not None
        assert spec.origin is not None
        shutil.copytree(Path(spec.origin).parent, tmp_path / package)
    return tmp_path


def check_story(output: str) -> None:
    """The example tells a failover from m0 to m1, and why it waited."""
    rules = [line.split()[0] for line in output.splitlines() if line.startswith(" " * 11) and line[11:12].isupper()]
    story = [rule for rule in rules if rule in {"L10", "L30", "O20", "O30", "O40", "O50"}]
    explained = ["L30", "O20"]
    assert story == ["L10", *explained, "L10", "L30", "O20", "O30", "O40", "O50"]
    assert "its last answer is older than the cut of the gateways" in output
    assert "read/write goes to m1 (m1 is MAIN in reign 2)" in output


def test_the_example_runs_with_only_attrs_on_the_path(alone: Path) -> None:
    """Without site-packages, `examples/by_hand.py` plays its failover to the end."""
    check_story(run(sys.executable, "by_hand.py", path=alone, flags=("-S",)))


def test_importing_the_core_pulls_in_nothing_else(alone: Path) -> None:
    """Besides itself and attrs only the standard library is imported, and of that nothing that could act or wait."""
    program = (
        "import sys, json, attr; before = set(sys.modules); import memgraph_ha.core; "
        "print(json.dumps([sorted(set(sys.modules) - before), sorted(sys.modules)]))"
    )
    new, everything = json.loads(run(sys.executable, "-c", program, path=alone, flags=("-S",)))
    roots = {name.partition(".")[0] for name in new}
    assert roots - {"memgraph_ha", "attr", "attrs"} <= set(sys.stdlib_module_names)
    assert roots & FORBIDDEN == set()
    assert {"memgraph_ha.core.decide", "memgraph_ha.core.rules.loss"} <= set(new)
    outside = {name.partition(".")[0] for name in everything} - set(sys.stdlib_module_names) - {"__main__"}
    assert outside == {"memgraph_ha", "attr", "attrs"}


@pytest.mark.slow
def test_the_example_runs_in_a_fresh_environment_with_attrs(tmp_path: Path) -> None:
    """What a newcomer does: a new environment, `pip install attrs`, and run the example."""
    shutil.copytree(ROOT / "memgraph_ha", tmp_path / "memgraph_ha")
    shutil.copy(ROOT / "examples" / "by_hand.py", tmp_path)
    venv.create(tmp_path / "env", with_pip=True)
    python = str(tmp_path / "env" / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "--quiet", "attrs"], check=True, timeout=110, capture_output=True)
    installed = json.loads(
        subprocess.run(
            [python, "-m", "pip", "list", "--format=json"], check=True, capture_output=True, text=True, timeout=60
        ).stdout
    )
    assert {package["name"] for package in installed} <= {"attrs", "pip", "setuptools"}
    check_story(run(python, "by_hand.py", path=tmp_path))
