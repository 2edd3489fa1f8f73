"""The cluster under a soak: its controllers, its instances by what they are now, its verbs, gates and disks."""

import contextlib
import functools
import shutil
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import httpx
import trio
from attrs import define, field, frozen

from memgraph_ha.adapters.ports_in_use import port_is_busy
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.adapters.process_os import ProcessHandle, find_by_argument
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Record
from memgraph_ha.drill.cluster import LocalCluster
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.faults import SIGNAL_MAX_S, is_stopped
from memgraph_ha.drill.plan import FAILOVER_LIMIT, choose_ports
from memgraph_ha.drill.soak.isolation import mount_small_disk, unmount
from memgraph_ha.drill.soak.plan import Whom
from memgraph_ha.drill.waiting import until_protected
from memgraph_ha.operate.client import Client
from memgraph_ha.operate.documents import Cluster, structured
from memgraph_ha.operate.exits import OperateError
from memgraph_ha.operate.places import Whereabouts

INSTANCES: Final = 3

DISK_MB: Final = 192
"""Size of each instance's disk, where it has one of its own."""

MADE_MAX_S: Final = 60.0
"""How long a new cluster may take to be protected for the first time."""

VERB_S: Final = 40.0
"""How long a verb may take."""

_MOST_RESTARTS: Final = 1000
"""Policy main_restart_limit: out of the way, as the anti-flap limit is."""

_API_PORT: Final = 8080
_EXIT_MAX_S: Final = 10.0
_STOPPED_LOOK_S: Final = 0.001

_GATE: Final = """\
#!/bin/sh
# An instance that can be kept down: while there is a file `down` in its place, it is a process that listens nowhere.
while [ -e "$PWD/down" ]; do sleep 0.02; done
exec {binary} "$@"
"""


class Controller(LocalCluster):
    """One controller of the cluster, as a victim."""

    @property
    def process(self) -> trio.Process:
        """Its process.

        Raises:
            DrillError: It was not started.
        """
        if self._process is None:
            raise DrillError("this controller was not started")
        return self._process

    def hold(self, name: InstanceName) -> ProcessHandle:
        """Take hold of an instance's process, also of one that could not be written down for want of disk.

        Raises:
            DrillError: None lives.
        """
        try:
            return super().hold(name)
        except DrillError:
            spec = next(spec for spec in self.specs if spec.name == name)
            found = map(ProcessHandle.open, find_by_argument(spec.data_argument))
            handle = next((each for each in found if each is not None), None)
            if handle is None:
                raise
            self._note(handle.identity)
            return handle

    async def read_record(self) -> Record | None:
        """Read the record, whether this controller lives or not."""
        return (await self._store.read()).record

    async def end(self, signum: signal.Signals) -> None:
        """Signal it, and reap it.

        Raises:
            DrillError: It did not end.
        """
        self.process.send_signal(signum)
        with trio.move_on_after(_EXIT_MAX_S):
            await self.process.wait()
            return
        raise DrillError(f"controller {self.process.pid} did not end within {_EXIT_MAX_S:g} s of {signum.name}")

    async def freeze(self) -> None:
        """SIGSTOP it, and wait until every thread of it stands still.

        Raises:
            DrillError: It did not.
        """
        self.process.send_signal(signal.SIGSTOP)
        await until_stopped(self.process.pid)

    def thaw(self) -> None:
        """SIGCONT it; does nothing if it has ended."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGCONT)


@frozen(kw_only=True)
class Roles:
    """Who is what now, by the record."""

    main: InstanceName
    standby: InstanceName
    asynchronous: InstanceName

    def of(self, whom: Whom) -> tuple[InstanceName, ...]:
        """Name them.

        Raises:
            DrillError: It is no instance.
        """
        match whom:
            case Whom.MAIN:
                return (self.main,)
            case Whom.STANDBY:
                return (self.standby,)
            case Whom.ASYNC:
                return (self.asynchronous,)
            case Whom.EVERYBODY:
                return (self.main, self.standby, self.asynchronous)
            case Whom.CONTROLLER:
                raise DrillError("the controller is no instance")


@define
class Rig:
    """One cluster in a directory of its own.

    Resource handling: `stop` must be called, whatever happened.

    Attributes:
        root: The directory.
        binary: What runs as an instance.
        isolated: Whether we are in name spaces of our own: then each instance has a small disk.
        controller: The one that leads, or will.
    """

    root: Path
    binary: Path
    isolated: bool
    controller: Controller = field(init=False)
    _arguments: tuple[str, ...] = field(default=(), init=False)
    _disks: list[Path] = field(factory=list, init=False)
    _all: list[Controller] = field(factory=list, init=False)

    async def start(self) -> None:
        """Make the cluster, and start its first controller.

        Raises:
            DrillError: No free ports, or no small disks.
        """
        ports = choose_ports(INSTANCES, None)
        api = _API_PORT + ports.shift
        if port_is_busy(api, "127.0.0.1"):
            raise DrillError(f"port {api} is in use; try again, and others are taken")
        gate = self.root / "memgraph-that-waits"
        gate.write_text(_GATE.format(binary=self.binary))
        gate.chmod(0o755)
        self._arguments = (
            f"--instances={INSTANCES}",
            *ports.arguments(),
            f"--http-port={api}",
            f"--set=failover_limit={FAILOVER_LIMIT}",
            f"--set=main_restart_limit={_MOST_RESTARTS}",
            f"--memgraph={gate}",
        )
        await self.start_controller()
        if self.isolated:
            await self._move_to_small_disks()

    async def _move_to_small_disks(self) -> None:
        """Give each instance a small disk: a new cluster wants its directory empty, so it is made and stopped first."""
        await until_protected(self.controller, above=0, within_s=MADE_MAX_S)
        left = await self.controller.stop()
        if left:
            raise DrillError(f"the new cluster could not be stopped: {'; '.join(left)}")
        self._all.clear()
        for spec in self.controller.specs:
            aside = spec.place.rename(self.root / spec.name)
            spec.place.mkdir()
            await mount_small_disk(spec.place, DISK_MB)
            self._disks.append(spec.place)
            copy = functools.partial(shutil.copytree, aside, spec.place, symlinks=True, dirs_exist_ok=True)
            await trio.to_thread.run_sync(copy)
            await trio.to_thread.run_sync(shutil.rmtree, aside)
        await self.start_controller()

    async def start_controller(self) -> Controller:
        """Start another controller, from now on the one that is looked at; each records into a file of its own."""
        self.controller = Controller(self.root)
        self._all.append(self.controller)
        trace = self.root / f"trace-{len(self._all)}.jsonl"
        await self.controller.start([*self._arguments, f"--trace={trace}"])
        return self.controller

    async def record(self) -> Record | None:
        """Read the record, whether a controller lives or not; None if there is none that can be read now."""
        return await self.controller.read_record()

    async def roles(self) -> Roles:
        """Say who is what by the record.

        Raises:
            DrillError: There is no record.
        """
        record = await self.record()
        if record is None:
            raise DrillError(f"there is no record to tell who is MAIN\n{self.controller.tail()}")
        names = [spec.name for spec in self.controller.specs]
        standby = next(name for name in names[:2] if name != record.main)
        return Roles(
            main=record.main,
            standby=standby,
            asynchronous=next(name for name in names if name not in (record.main, standby)),
        )

    def spec(self, name: InstanceName) -> InstanceSpec:
        """Give an instance's ports and places."""
        return next(spec for spec in self.controller.specs if spec.name == name)

    @contextlib.contextmanager
    def held(self, name: InstanceName) -> Iterator[tuple[ProcessHandle, ...]]:
        """Take hold of an instance's process, and of what it started; at the end none of them is left frozen.

        Raises:
            DrillError: No process lives in its place.
        """
        with contextlib.ExitStack() as stack:
            first = self.controller.hold(name)
            held = (first, *first.session_mates())
            for handle in held:
                stack.callback(handle.close)
                stack.callback(handle.send, signal.SIGCONT)  # before it is let go; one that ended gets nothing
            yield held

    @contextlib.contextmanager
    def kept_down(self, name: InstanceName) -> Iterator[None]:
        """Let no process of an instance start its server meanwhile; one that runs is not touched."""
        gate = self.spec(name).place / "down"
        gate.touch()
        try:
            yield
        finally:
            gate.unlink()

    @property
    def where(self) -> Whereabouts:
        """Where its controller is, and its token."""
        return Whereabouts(data=self.root / "data")

    async def look(self) -> Cluster | None:
        """Ask the controller for the whole picture; None if it does not answer."""
        try:
            async with Client(self.where.find()) as client:
                return structured(Cluster, await client.read("cluster"))
        except OperateError:
            return None

    async def ask(self, verb: str, **body: object) -> str | None:
        """Ask for a verb, and wait for its end.

        Returns:
            Why it was not done; None if it was.
        """
        asked = {**body, "by": "soak", "reason": "a fault by lot", "wait_s": VERB_S}
        try:
            async with Client(self.where.find()) as client:
                await client.change("POST", verb, asked, wait_s=VERB_S)
        except OperateError as error:
            return str(error)
        return None

    async def announce_stop(self, name: InstanceName) -> str | None:
        """Call the preStop hook, as a platform does before it stops an instance.

        Returns:
            Why it may not stop; None if it may.
        """
        try:
            async with httpx.AsyncClient(trust_env=False, timeout=VERB_S) as http:
                answer = await http.post(f"{self.where.find().url}/prestop-hook/{name}")
        except (OperateError, httpx.HTTPError) as error:
            return f"{type(error).__name__}: {error}"
        return None if answer.status_code == httpx.codes.OK else f"{answer.status_code}: {answer.text}"

    def log_mark(self) -> int:
        """Give the size of the controllers' log, for `log_since`."""
        log = self._log
        return log.stat().st_size if log.exists() else 0

    def log_since(self, mark: int) -> Sequence[str]:
        """Give the lines that were logged since; all of them if the log was begun anew meanwhile."""
        if not self._log.exists():
            return ()
        with self._log.open("rb") as file:
            file.seek(mark if mark <= self._log.stat().st_size else 0)
            return file.read().decode(errors="replace").splitlines()

    @property
    def _log(self) -> Path:
        return self.root / "data" / "controller.log"

    async def stop(self) -> tuple[str, ...]:
        """End everything; gives a line for whatever was left."""
        left: list[str] = []
        for controller in self._all:
            controller.thaw()
        if self._all:
            left.extend(await self.controller.stop())
        for controller in self._all[:-1]:
            with trio.move_on_after(_EXIT_MAX_S) as scope:
                await controller.process.wait()
            if scope.cancelled_caught:
                left.append(f"controller {controller.process.pid} did not end")
                controller.process.kill()
        for disk in self._disks:
            await unmount(disk)
        return tuple(left)


async def until_stopped(pid: int) -> None:
    """Wait until every thread of a process stands still, or it is gone.

    Raises:
        DrillError: It does not.
    """
    with trio.move_on_after(SIGNAL_MAX_S):
        while not is_stopped(pid):  # noqa: ASYNC110 - the kernel tells nobody of a stop but the parent
            await trio.sleep(_STOPPED_LOOK_S)
        return
    raise DrillError(f"process {pid} does not stop within {SIGNAL_MAX_S:g} s")
