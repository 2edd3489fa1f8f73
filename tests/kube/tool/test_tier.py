"""CI's tier of tests on Kubernetes: none may skip itself, and without a cluster nothing is said to have run."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.kube.api_server import ApiServer

_TESTS: Final = """
import pytest

@pytest.fixture
def kube_cluster():
    return 1

def test_on_it(kube_cluster):
    pass

def test_beside_it():
    assert 0

def test_that_skips():
    pytest.skip("no mood")

@pytest.mark.skip(reason="never")
def test_that_is_skipped():
    pass

@pytest.mark.xfail(strict=True)
def test_known():
    assert 0
"""

_TIER: Final = (sys.executable, "-m", "pytest", "-p", "tools.kube.tier")


def _pytest(folder: Path, kubeconfig: Path | None, *more: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "KUBECONFIG"}
    return subprocess.run(
        [*_TIER, "-p", "no:cacheprovider", "-c", os.devnull, *more, folder],
        env=environment | ({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {}),
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.kube
@pytest.mark.parametrize("workers", [(), ("--numprocesses", "2")], ids=["one after the other", "two workers"])
def test_what_skips_itself_fails(tmp_path: Path, kube_api: ApiServer, workers: tuple[str, ...]) -> None:
    """In the test, by a mark, or as a whole file; what ran is counted, and the API server says its version."""
    (tmp_path / "test_some.py").write_text(_TESTS, encoding="utf-8")
    done = _pytest(tmp_path, kube_api.kubeconfig, *workers)
    assert done.returncode == 1, done.stdout
    assert "2 failed, 1 passed, 1 xfailed, 1 error" in done.stdout
    assert "skips itself" in done.stdout
    assert "no mood" in done.stdout
    assert "3 tests ran, 1 of them on the cluster" in done.stdout
    assert '"gitVersion": "v1.34.4"' in done.stdout
    (tmp_path / "test_other.py").write_text('import pytest\npytest.importorskip("not_there")\n', encoding="utf-8")
    done = _pytest(tmp_path, kube_api.kubeconfig)
    assert done.returncode == 2, "an error while collecting: nothing runs"
    assert "test_other.py skips itself" in done.stdout


def test_without_a_cluster_nothing_runs(tmp_path: Path) -> None:
    """The message says what to do; a tier that ran on nothing would prove nothing."""
    (tmp_path / "test_some.py").write_text(_TESTS, encoding="utf-8")
    for kubeconfig in (None, tmp_path / "kubeconfig"):
        done = _pytest(tmp_path, kubeconfig)
        assert done.returncode == pytest.ExitCode.USAGE_ERROR
        assert "up`" in done.stderr
        assert "passed" not in done.stdout
