"""A cluster from its first process to its last trace: up, down, and what can be said about it."""

import fcntl
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.ports_in_use import port_holder, port_is_busy
from tools.kube import builds, network, packages
from tools.kube.api import Api
from tools.kube.control_plane import CONTROLLER_MANAGER_PORT, SCHEDULER_PORT, ControlPlane, server_version
from tools.kube.daemons import Daemons
from tools.kube.errors import ClusterError
from tools.kube.node import FIXED_PORTS, Node
from tools.kube.place import Place, Settings, new_token
from tools.kube.programs import APISERVER, CLUSTER
from tools.kube.say import say, step

_LOOPBACK: Final = "127.0.0.1"
_API_PORT: Final = 6443
_FREE_FROM: Final = 25000
_FREE_COUNT: Final = 7000
_LOCKED_FOR_S: Final = 3600.0
"""The other one may be building."""

_POLL_S: Final = 0.5

_STORE: Final = (APISERVER.name, "etcd")
_CONTROLLERS: Final = ("kube-scheduler", "kube-controller-manager")
_ENDED_WITHIN_S: Final = 20.0
_PORT_FREE_WITHIN_S: Final = 30.0


@frozen(kw_only=True)
class Standing:
    """What `status` tells of a cluster.

    Attributes:
        kubeconfig: How to reach it.
        version: What its API server says it is; None if it does not answer.
        running: The names and pids of its processes that live.
        stopped: The names of those that should live and do not.
    """

    kubeconfig: Path
    version: str | None
    running: tuple[tuple[str, int], ...]
    stopped: tuple[str, ...]


class Cluster:
    """One cluster, by its state directory.

    Args:
        state: The directory; made by `up`, removed by `down`.
    """

    def __init__(self, state: Path) -> None:
        self._place = Place(root=state.absolute())
        self._daemons = Daemons(self._place)

    @property
    def place(self) -> Place:
        """Its directory."""
        return self._place

    @property
    def kubeconfig(self) -> Path:
        """Where the administrator's kubeconfig is."""
        return self._place.kubeconfig

    @property
    def api(self) -> Api:
        """The administrator's requests.

        Raises:
            ClusterError: There is no cluster here.
        """
        settings = self._place.settings()
        if settings is None:
            raise ClusterError(f"no cluster in {self._place.root}; start one with `up`")
        return Api(self._place, settings)

    def up(self, *, api_only: bool, api_port: int | None = None, install: bool = False) -> None:
        """Start what does not run yet; a second time changes nothing.

        Args:
            api_only: Only etcd and the API server: no root, no node, no pods; any number side by side.
            api_port: The API server's port; None: the one it had, else 6443, or a free one if ``api_only``.
            install: Whether Debian packages that are missing may be installed: for a full cluster also those that
                the tests on it need.

        Raises:
            ClusterError: Says what is in the way and what to do.
        """
        if not api_only and os.geteuid() != 0:
            raise ClusterError("a node needs root (network namespaces, mounts, cgroups): use sudo, or --api-only")
        with self._locked():
            settings = self._settings(api_only=api_only, api_port=api_port)
            packages.ensure(_needed(api_only=api_only, install=install), install=install)
            builds.build((APISERVER,) if api_only else CLUSTER)
            self._refuse_busy_ports(settings)
            if not api_only:
                with step("network"):
                    network.ensure()
            plane = ControlPlane(self._place, settings, self._daemons)
            plane.start_store()
            if not api_only:
                plane.start_controllers()
                Node(self._place, self._daemons, plane.api).start()
            say(f"Kubernetes {server_version(plane.api)} is up at {settings.server}")

    def down(self) -> None:
        """End everything and remove every trace; does nothing if there is nothing.

        Raises:
            ClusterError: Something cannot be ended or removed; says what.
        """
        if not self._place.root.exists():
            return
        with self._locked():
            settings = self._place.settings()
            if settings is not None and not settings.api_only:
                plane = ControlPlane(self._place, settings, self._daemons)
                Node(self._place, self._daemons, plane.api).stop()
                for name in _CONTROLLERS:
                    self._daemons.end(name, grace_s=_ENDED_WITHIN_S)
            with step("ending the API server and etcd"):
                for name in _STORE:
                    self._daemons.end(name, grace_s=_ENDED_WITHIN_S)
                self._daemons.end_strays()
            if settings is not None and not settings.api_only:
                Node.remove_traces(self._place)
                network.remove()
            if settings is not None:
                _wait_ports_free(settings)
            with step("removing its files"):
                shutil.rmtree(self._place.root)
        say("the cluster is gone")

    def standing(self) -> Standing | None:
        """Look at it; None if there is none here.

        Raises:
            ClusterError: Its directory is damaged.
        """
        settings = self._place.settings()
        if settings is None:
            return None
        plane = ControlPlane(self._place, settings, self._daemons)
        names = _STORE if settings.api_only else (*_STORE, *_CONTROLLERS, *Node.DAEMONS)
        found = {name: self._daemons.running(name) for name in names}
        return Standing(
            kubeconfig=self.kubeconfig,
            version=server_version(plane.api) if plane.api.answers("/readyz") else None,
            running=tuple((name, identity.pid) for name, identity in found.items() if identity is not None),
            stopped=tuple(name for name, identity in found.items() if identity is None),
        )

    def _settings(self, *, api_only: bool, api_port: int | None) -> Settings:
        settings = self._place.settings()
        if settings is None:
            etcd_port, peer_port, free_port = _free_ports(3)
            settings = Settings(
                address=_LOOPBACK if api_only else network.ADDRESS,
                api_port=api_port or (free_port if api_only else _API_PORT),
                etcd_port=etcd_port,
                etcd_peer_port=peer_port,
                api_only=api_only,
                token=new_token(),
            )
            self._place.save(settings)
        if settings.api_only != api_only or api_port not in {None, settings.api_port}:
            kind = "--api-only" if settings.api_only else "a full cluster"
            raise ClusterError(
                f"{self._place.root} holds {kind} on port {settings.api_port}; end it with `down`, or choose another"
                " directory with --state"
            )
        return settings

    def _refuse_busy_ports(self, settings: Settings) -> None:
        wanted = [
            ("etcd", _LOOPBACK, settings.etcd_port),
            ("etcd", _LOOPBACK, settings.etcd_peer_port),
            (APISERVER.name, settings.address, settings.api_port),
        ]
        if not settings.api_only:
            wanted += [("kube-controller-manager", _LOOPBACK, CONTROLLER_MANAGER_PORT)]
            wanted += [("kube-scheduler", _LOOPBACK, SCHEDULER_PORT)]
            wanted += [(name, _LOOPBACK, port) for name, port in FIXED_PORTS]
        for name, address, port in wanted:
            if self._daemons.running(name) is None and _is_busy(port, address):
                holder = port_holder(port)
                by = "a process of another user" if holder is None else str(holder)
                raise ClusterError(f"port {port}, which {name} needs, is held by {by}; end it, or `down` its cluster")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep another `up` or `down` of the same directory waiting."""
        end_s = time.monotonic() + _LOCKED_FOR_S
        while (lock := self._lock()) is None:
            if time.monotonic() >= end_s:
                raise ClusterError(f"another up or down of {self._place.root} did not end in {_LOCKED_FOR_S:g} s")
            time.sleep(_POLL_S)
        try:
            yield
        finally:
            os.close(lock)

    def _lock(self) -> int | None:
        """Lock the directory itself; None if somebody else has it."""
        root = self._place.root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # A `down` may have removed it meanwhile; what was locked then is nowhere any more.
            if root.stat().st_ino == os.fstat(lock).st_ino:
                return lock
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(lock)
        return None


def _needed(*, api_only: bool, install: bool) -> Mapping[str, str]:
    if api_only:
        return packages.API
    return packages.TESTS if install else packages.NODE


def _is_busy(port: int, address: str) -> bool:
    try:
        return port_is_busy(port, address)
    except OSError:
        return False  # the bridge's address is not there yet, so nobody can hold a port of it


def _free_ports(count: int) -> list[int]:
    """Draw ports that are free now, below those that the kernel gives to connections (32768 and up)."""
    with ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            one = stack.enter_context(socket.socket())
            with suppress(OSError):
                one.bind((_LOOPBACK, _FREE_FROM + secrets.randbelow(_FREE_COUNT)))
                found.append(one.getsockname()[1])
        return found


def _wait_ports_free(settings: Settings) -> None:
    """Wait for ports that the kernel still holds: the next start would fail on them."""
    end_s = time.monotonic() + _PORT_FREE_WITHIN_S
    for port in (settings.api_port, settings.etcd_port, settings.etcd_peer_port):
        while _is_busy(port, _LOOPBACK) and time.monotonic() < end_s:
            time.sleep(_POLL_S)
