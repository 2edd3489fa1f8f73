"""A real API server for tests: started by the cluster tool, reached by its kubeconfig."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

import pytest
from attrs import frozen

from memgraph_ha.adapters.process_os import ProcessIdentity
from tests.kube.standing_still import standing_still
from tools.kube import builds
from tools.kube.daemons import Daemons
from tools.kube.place import Place
from tools.kube.programs import APISERVER

_ROOT: Final = Path(__file__).parents[2]
_UP_WITHIN_S: Final = 110.0


@frozen(kw_only=True)
class ApiServer:
    """An API server with etcd, and nothing else: no pod ever starts.

    Attributes:
        kubeconfig: How the administrator reaches it.
    """

    kubeconfig: Path

    @property
    def apiserver_pid(self) -> int:
        """The API server's process: to kill, freeze and continue."""
        return self._running(APISERVER.name).pid

    @property
    def etcd_pid(self) -> int:
        """The store's process."""
        return self._running("etcd").pid

    def frozen(self) -> AbstractContextManager[None]:
        """Let the API server stand still while the block runs; its store goes on."""
        return standing_still(self._daemons, APISERVER.name)

    def start(self) -> None:
        """Start what was killed: same data, same port."""
        _tool("up", "--api-only", "--state", self.kubeconfig.parent)

    def _running(self, name: str) -> ProcessIdentity:
        found = self._daemons.running(name)
        assert found is not None, f"{name} does not run"
        return found

    @property
    def _daemons(self) -> Daemons:
        return Daemons(Place(root=self.kubeconfig.parent))


@contextmanager
def api_server(state: Path) -> Iterator[ApiServer]:
    """Run an API server of one's own.

    Args:
        state: Its directory, which need not exist.
    """
    # Building takes many minutes, which no test may wait for; and a tier that skips itself proves nothing.
    if builds.missing([APISERVER]):
        pytest.fail("kube-apiserver is not built; run `python -m tools.kube build`", pytrace=False)
    try:
        _tool("up", "--api-only", "--state", state)
        yield ApiServer(kubeconfig=state / "kubeconfig")
    finally:
        _tool("down", "--state", state)


def _tool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.kube", *(str(argument) for argument in arguments)],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=_UP_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
