"""An API server and its store, from the first command to the last trace."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memgraph_ha.adapters.ports_in_use import port_is_busy
from tests.kube.api_server import api_server
from tools.kube.cluster import Cluster
from tools.kube.daemons import Daemons
from tools.kube.place import Place

pytestmark = pytest.mark.kube


def test_it_comes_back_with_its_data_and_goes_without_a_trace(tmp_path: Path) -> None:
    """Killed, it starts again on the same port with what it knew; afterwards no process, port or file is left."""
    state = tmp_path / "state"
    with api_server(state) as server:
        cluster = Cluster(state)
        cluster.api.create("/api/v1/namespaces", {"metadata": {"name": "kept"}})
        os.kill(server.apiserver_pid, signal.SIGKILL)
        os.kill(server.etcd_pid, signal.SIGKILL)
        server.start()
        assert cluster.api.get("/api/v1/namespaces/kept").is_success
        standing, settings = cluster.standing(), cluster.place.settings()
        assert standing is not None
        assert settings is not None
        assert not standing.stopped
    assert not tuple(Daemons(Place(root=state)).strays())
    assert not state.exists()
    assert not any(port_is_busy(port) for port in (settings.api_port, settings.etcd_port, settings.etcd_peer_port))


def test_a_busy_port_is_named_with_who_holds_it(tmp_path: Path) -> None:
    """Two clusters want one port: the second says who has it, and starts nothing."""
    with api_server(tmp_path / "first") as server:
        settings = Cluster(tmp_path / "first").place.settings()
        assert settings is not None
        second = tmp_path / "second"
        wish = ("--api-only", "--state", str(second), "--port", str(settings.api_port))
        done = subprocess.run(
            [sys.executable, "-m", "tools.kube", "up", *wish],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=Path(__file__).parents[3],
        )
        assert done.returncode == 1
        assert (
            f"port {settings.api_port}, which kube-apiserver needs, is held by pid {server.apiserver_pid}"
            in done.stderr
        )
        assert not tuple(Daemons(Place(root=second)).strays())


def test_two_at_a_time_start_one(tmp_path: Path) -> None:
    """Two starts of the same directory at once give one cluster."""
    state = tmp_path / "state"
    argv = [sys.executable, "-m", "tools.kube", "up", "--api-only", "--state", str(state)]
    with api_server(state) as server:
        os.kill(server.apiserver_pid, signal.SIGKILL)
        both = [
            subprocess.Popen(argv, cwd=Path(__file__).parents[3], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for _ in range(2)
        ]
        assert [each.wait(100) for each in both] == [0, 0]
        living = {identity.pid for identity in Daemons(Place(root=state)).strays()}
        assert living == {server.apiserver_pid, server.etcd_pid}
