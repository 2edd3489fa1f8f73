"""Building programs: what is built is known to be, and what failed is not."""

import os
import subprocess
from pathlib import Path

import pytest

from tools.kube import builds
from tools.kube.errors import ClusterError
from tools.kube.programs import MODULE, PAUSE, Program

pytestmark = pytest.mark.kube


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is built; Go keeps its own cache, which it would look for in the same place."""
    go = builds.find_go()
    kept = subprocess.run([go, "env", "GOCACHE"], capture_output=True, text=True, check=True, timeout=60, cwd=MODULE)
    monkeypatch.setenv("GOCACHE", kept.stdout.strip())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_a_program_is_built_once(empty_cache: Path) -> None:
    """It runs, nothing else is left in the directory, and a second time Go is not asked."""
    builds.build([PAUSE])
    assert not builds.missing([PAUSE])
    assert builds.directory().is_relative_to(empty_cache)
    assert {each.name for each in builds.directory().iterdir()} == {"pause", "pause.built", "lock"}
    assert os.access(builds.path_of(PAUSE), os.X_OK)
    made = builds.path_of(PAUSE).stat().st_mtime_ns
    builds.build([PAUSE])
    assert builds.path_of(PAUSE).stat().st_mtime_ns == made


@pytest.mark.usefixtures("empty_cache")
def test_a_build_that_fails_says_what_go_said_and_leaves_nothing_that_counts() -> None:
    """Neither of two that were built in one run is taken for built."""
    wrong = Program(name="nothing", package="./nothing")
    with pytest.raises(ClusterError, match=r"(?s)building pause 1, nothing 1 failed after \d+ s .*nothing"):
        builds.build([PAUSE, wrong])
    assert builds.missing([PAUSE, wrong]) == (PAUSE, wrong)
