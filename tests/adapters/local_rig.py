"""What the tests of the local platform share: a stand-in for Memgraph as a real process, and clusters of it."""

import contextlib
import itertools
import os
import random
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import trio
from attrs import define, field

from memgraph_ha.adapters.datadir import DataDir, open_data_dir
from memgraph_ha.adapters.datadir_config import new_config
from memgraph_ha.adapters.ports_in_use import port_is_busy
from memgraph_ha.adapters.process import ProcessPlatform
from memgraph_ha.adapters.process_argv import InstancePorts, plan_ports
from memgraph_ha.adapters.process_events import EventKind, InstanceEvent, RestartPolicy
from memgraph_ha.core.facts import Fact, MembersSeen
from memgraph_ha.core.names import Incarnation, InstanceName

FAST = RestartPolicy(step_s=0.0)
"""Starts again at once, always."""

M0, M1, M2 = (InstanceName(f"memgraph-{ordinal}") for ordinal in range(3))

_STAND_IN = """\
#!{python} -IS
import os, signal, socket, sys
flags = dict(argument.partition("=")[::2] for argument in sys.argv[1:])
if "--version" in flags:
    print("memgraph version 3.6.1")
    sys.exit()
if flags.get("--stand-in") == "fails":
    print("first words", "bad things", "Couldn't load a library", sep="\\n", file=sys.stderr)
    sys.exit(3)
if flags.get("--stand-in") == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
data = flags["--data-directory"]
print("found", sorted(os.listdir(data)), flush=True)
bolt = socket.create_server((flags["--bolt-address"], int(flags["--bolt-port"])), backlog=64)
signal.pause()
"""


def now_s() -> float:
    """Give the clock that production uses."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def script(path: Path, text: str) -> str:
    """Write an executable and give its path."""
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


def stand_in(place: Path) -> str:
    """Write a program that takes Memgraph's flags, says what its data directory holds, and listens on its Bolt port."""
    return script(place / "memgraph", _STAND_IN.format(python=sys.executable))


def free_ports(count: int) -> list[int]:
    """Find ports on which nobody listens now, below those that the system hands out to anybody who asks for any."""
    tried = random.SystemRandom().sample(range(10_000, 32_000), 50 * count)
    return list(itertools.islice((port for port in tried if not port_is_busy(port)), count))


def make_plan(place: Path, binary: str, *, count: int, room: int) -> DataDir:
    """Make a data directory for so many instances with ports in a row, and room for more."""
    kinds = ("bolt", "replication", "monitoring", "metrics")
    bases = random.SystemRandom().sample(range(10_000, 32_000 - 4 * room, 4 * room + 1), 100)
    base = next(base for base in bases if not any(port_is_busy(base + n) for n in range(4 * room + 1)))
    plan = plan_ports(count, **{kind: base + 1 + room * index for index, kind in enumerate(kinds)})
    config = new_config(plan, rw_port=base, binary=binary)
    return open_data_dir(place / "data", new=lambda: config)


def make_cluster(place: Path, binary: str, *, count: int = 3, arguments: tuple[str, ...] = ()) -> DataDir:
    """Make a data directory for so many instances of this binary."""
    ports = iter(free_ports(4 * count + 1))
    each = [
        InstancePorts(bolt=next(ports), replication=next(ports), monitoring=next(ports), metrics=next(ports))
        for _ in range(count)
    ]
    config = new_config(each, rw_port=next(ports), binary=binary, arguments=arguments)
    return open_data_dir(place / "data", new=lambda: config)


@define
class Watched:
    """A platform, and what it reported."""

    datadir: DataDir
    restart: RestartPolicy = FAST
    platform: ProcessPlatform = field(init=False)
    members: list[MembersSeen] = field(factory=list)
    events: list[InstanceEvent] = field(factory=list)
    news: trio.Event = field(factory=trio.Event)

    def __attrs_post_init__(self) -> None:
        """Make the platform, now that there is somebody to tell."""
        self.platform = ProcessPlatform(self.datadir, clock=now_s, restart=self.restart, notice=self.notice)

    def report(self, fact: Fact) -> None:
        """Keep a fact."""
        assert isinstance(fact, MembersSeen)
        self.members.append(fact)
        self._wake()

    def notice(self, event: InstanceEvent) -> None:
        """Keep an event."""
        self.events.append(event)
        self._wake()

    def incarnation(self, name: InstanceName) -> Incarnation | None:
        """Give the incarnation last reported."""
        return next(each.incarnation for each in self.members[-1].members if each.name == name)

    def pid(self, name: InstanceName) -> int:
        """Give the pid last reported."""
        incarnation = self.incarnation(name)
        assert incarnation is not None
        return int(incarnation.partition(":")[0])

    def of_kind(self, kind: EventKind) -> list[InstanceEvent]:
        """List the events of one kind."""
        return [event for event in self.events if event.kind is kind]

    async def until(self, wanted: Callable[[], object], within_s: float = 5) -> None:
        """Wait for something to be so; asked again after every report."""
        with trio.fail_after(within_s):
            while not wanted():
                await self.news.wait()

    async def replaced(self, name: InstanceName, before: Incarnation | None) -> Incarnation:
        """Wait for another process in an instance's place."""
        await self.until(lambda: self.incarnation(name) not in (None, before))
        incarnation = self.incarnation(name)
        assert incarnation is not None
        return incarnation

    def _wake(self) -> None:
        self.news.set()
        self.news = trio.Event()


@contextlib.asynccontextmanager
async def running(
    datadir: DataDir, restart: RestartPolicy = FAST, *, start: bool = True, stop: bool = True
) -> AsyncIterator[Watched]:
    """Run a platform until the block ends, and then end its instances unless told not to."""
    one = Watched(datadir, restart)
    if start:
        await one.platform.start_all(settle_s=20)  # or less: until all take connections
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(one.platform.watch, one.report)
            await one.until(lambda: one.members)
            yield one
            nursery.cancel_scope.cancel()
    finally:
        if stop:
            with trio.CancelScope(shield=True):
                assert await one.platform.shut_down(0.5) == ()


def processes(datadir: DataDir) -> list[psutil.Process]:
    """List every process that was started on this data directory, zombies of ours included."""
    found = [
        one for one in psutil.process_iter(["cmdline"]) if str(datadir.path) in " ".join(one.info["cmdline"] or [])
    ]
    mine = psutil.Process(os.getpid()).children()
    return found + [one for one in mine if one.status() == psutil.STATUS_ZOMBIE]
