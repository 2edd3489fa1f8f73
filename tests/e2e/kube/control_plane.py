"""Faults of the control plane itself: everybody on the cluster feels them, so tests that use them run alone on it."""

import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
from attrs import frozen

from tests.kube.standing_still import standing_still
from tools.kube.cluster import Cluster
from tools.kube.daemons import Daemons
from tools.kube.images import ROOT
from tools.kube.place import Settings
from tools.kube.programs import APISERVER, CONTROLLER_MANAGER, COREDNS, KUBELET, PROXY, SCHEDULER
from tools.kube.run import run

_ENDED_S = 20.0
_ANSWERED_S = 10.0
_UP_S = 120.0
_ETCD = "etcd"
_WATCHING = tuple(program.name for program in (CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, COREDNS))


@frozen
class Plane:
    """The control plane of a cluster.

    Attributes:
        cluster: Whose.
    """

    cluster: Cluster

    def frozen(self) -> AbstractContextManager[None]:
        """Let the API server stand still while the block runs: connections stay, and nothing is answered."""
        return standing_still(self._daemons, APISERVER.name)

    @contextmanager
    def ended(self) -> Iterator[None]:
        """End the API server, and start it again after the block: meanwhile connections to it are refused."""
        try:
            self._daemons.end(APISERVER.name, grace_s=_ENDED_S)
            yield
        finally:
            self._start_store()

    def compact(self) -> int:
        """Throw away all of etcd's history, so that nobody can watch from before this moment; gives its revision.

        (https://etcd.io/docs/v3.4/dev-guide/api_grpc_gateway/)
        """
        revision = self._etcd("maintenance/status", {})["header"]["revision"]
        self._etcd("kv/compaction", {"revision": revision, "physical": True})
        return int(revision)

    @contextmanager
    def restored(self) -> Iterator[float]:
        """Put etcd back to what it held at the beginning of the block when that ends, as from a backup.

        Whatever of Kubernetes watches is started anew, for its versions lie ahead of the store's now
        (https://kubernetes.io/docs/tasks/administer-cluster/configure-upgrade-etcd/#restoring-an-etcd-cluster). Our
        controllers are not: they must find out by themselves. Gives the time of the copy, CLOCK_MONOTONIC.
        """
        there = self.cluster.place.folder(_ETCD)
        copy = there.with_name("etcd-copy")
        self._stopped_store()
        shutil.copytree(there, copy)
        self._start_store()
        try:
            yield time.monotonic()
        finally:
            self._stopped_store()
            shutil.rmtree(there)
            copy.rename(there)
            for name in _WATCHING:
                self._daemons.end(name, grace_s=_ENDED_S)
            self._start_store()

    def _stopped_store(self) -> None:
        for name in (APISERVER.name, _ETCD):
            self._daemons.end(name, grace_s=_ENDED_S)

    def _start_store(self) -> None:
        """Start what does not run, by the tool's own command: these processes must outlive this one."""
        argv = (sys.executable, "-m", "tools.kube", "up", "--state", self.cluster.place.root)
        run(argv, timeout_s=_UP_S, cwd=ROOT)

    def _etcd(self, call: str, asked: dict[str, object]) -> dict[str, dict[str, str]]:
        url = f"http://127.0.0.1:{self._settings.etcd_port}/v3/{call}"
        answer = httpx.post(url, json=asked, timeout=_ANSWERED_S, trust_env=False)
        assert answer.is_success, answer.text
        told: dict[str, dict[str, str]] = answer.json()
        return told

    @property
    def _daemons(self) -> Daemons:
        return Daemons(self.cluster.place)

    @property
    def _settings(self) -> Settings:
        settings = self.cluster.place.settings()
        assert settings is not None, "there is no cluster"
        return settings
