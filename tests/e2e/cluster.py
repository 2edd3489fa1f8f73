"""One `memgraph-ha local` as a test sees it: processes to signal, files to read, a ledger to settle.

What the drill already knows how to do (start, wait, read back, stop, look what is left) is the drill's; here is what
only a test wants: an instance that is kept down, a wiped directory, the controller as a victim, a second one, the log.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import trio
from attrs import define, field

from memgraph_ha.adapters.ports_in_use import port_is_busy
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.adapters.process_os import ProcessHandle
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Record
from memgraph_ha.drill.cluster import POLL_S, LocalCluster
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.faults import is_stopped
from memgraph_ha.drill.ledger import Findings, check
from memgraph_ha.drill.waiting import history_line, read_back, until_protected
from memgraph_ha.drill.writers import StockWriter, Writer, Writers

M0, M1, M2 = (InstanceName(f"memgraph-{ordinal}") for ordinal in range(3))

PATIENCE_S: Final = 60.0
"""How long a cluster may take for anything: the machine is shared, and speed is not what is tested here."""

BLOCK: Final = 15
"""Ports of one cluster of three: the gateways', the API's, and four of each instance."""

_WRAPPER: Final = """\
#!/bin/sh
# An instance that can be kept down: while there is a file `down` in its place, it is a process that listens nowhere.
while [ -e "$PWD/down" ]; do sleep 0.02; done
exec {binary} "$@"
"""

Event = Mapping[str, object]


def command_line(*arguments: str) -> list[str]:
    """Run this very installation's command line."""
    return [sys.executable, "-P", "-m", "memgraph_ha", *arguments]


def free_block() -> int:
    """Find the first of `BLOCK` neighbouring ports on which nobody listens, below those the kernel gives out."""
    for base in random.sample(range(21_000, 32_000, BLOCK), 100):
        if not any(port_is_busy(base + offset, "0.0.0.0") for offset in range(BLOCK)):  # noqa: S104 - looks, binds not
            return base
    raise AssertionError("no block of free ports was found in 100 tries")


def port_arguments(base: int) -> list[str]:
    """Give a block of ports as arguments of ``memgraph-ha local``."""
    kinds = ("bolt", "replication", "monitoring", "metrics")
    return [
        f"--port={base}",
        f"--ro-port={base + 13}",
        f"--http-port={base + 14}",
        *(f"--{kind}-base={base + 1 + 3 * index}" for index, kind in enumerate(kinds)),
    ]


@define
class Cluster:
    """A cluster in a directory of its own.

    Resource handling: `stop` must be called, whatever happened; it ends every process and says what was left.

    Attributes:
        root: The directory; the data directory is ``root/data``.
        base: Its first port.
        gated: Whether its instances can be kept down (`keep_down`).
        arguments: Further arguments of every ``memgraph-ha local``.
        local: The controller that is looked at, the latest that was started.
    """

    root: Path
    gated: bool = False
    arguments: tuple[str, ...] = ()
    base: int = field(factory=free_block)
    local: LocalCluster = field(init=False)
    _all: list[LocalCluster] = field(factory=list, init=False)

    def __attrs_post_init__(self) -> None:
        """Look at the directory, also before anything runs in it."""
        self.local = LocalCluster(self.root)

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.local.data

    @property
    def log(self) -> Path:
        """The controllers' log."""
        return self.data / "controller.log"

    @property
    def gateway_port(self) -> int:
        """Where clients write."""
        return self.base

    async def start(self) -> None:
        """Start a controller, which makes the cluster if there is none; another one may be running."""
        binary = [f"--memgraph={self._wrapper()}"] if self.gated else []
        self.local = LocalCluster(self.root)
        self._all.append(self.local)
        await self.local.start([*port_arguments(self.base), "--set=failover_limit=1000", *binary, *self.arguments])

    async def protected(self, *, above: int = 0) -> Record:
        """Wait for an open reign after ``above``, with a named standby and every instance in its role."""
        return await until_protected(self.local, above=above, within_s=PATIENCE_S)

    async def record(self) -> Record:
        """Read the record, which must be there."""
        found = await self.local.record()
        assert found is not None, self.local.tail()
        return found

    async def until(self, wanted: Callable[[Record], object], what: str, *, within_s: float = PATIENCE_S) -> Record:
        """Wait until the record is as wanted."""
        record = None
        with trio.move_on_after(within_s):
            while True:
                record = await self.local.record()
                if record is not None and wanted(record):
                    return record
                await trio.sleep(POLL_S)
        last = "there is no record" if record is None else f"{record}\nlast: {history_line(record)}"
        raise DrillError(f"not so within {within_s:g} s: {what}\n{last}\n{self.local.tail()}")

    def spec(self, name: InstanceName) -> InstanceSpec:
        """Give an instance's ports and places."""
        return next(spec for spec in self.local.specs if spec.name == name)

    @contextlib.contextmanager
    def held(self, name: InstanceName) -> Iterator[ProcessHandle]:
        """Take hold of an instance's present process."""
        handle = self.local.hold(self.spec(name).name)
        try:
            yield handle
        finally:
            handle.close()

    async def kill(self, *names: InstanceName) -> None:
        """SIGKILL instances at the same moment, and wait until they ended."""
        with contextlib.ExitStack() as stack:
            handles = [stack.enter_context(self.held(name)) for name in names]
            for handle in handles:
                handle.send(signal.SIGKILL)
            with trio.fail_after(5):
                for handle in handles:
                    await handle.wait_ended()

    @contextlib.contextmanager
    def frozen(self, name: InstanceName) -> Iterator[ProcessHandle]:
        """SIGSTOP an instance's present process; at the end that very process, if it lives, goes on."""
        with self.held(name) as handle:
            handle.send(signal.SIGSTOP)
            try:
                _wait_stopped(handle.identity.pid)
                yield handle
            finally:
                handle.send(signal.SIGCONT)

    def keep_down(self, *names: InstanceName) -> None:
        """Let no process of these instances start its server before `let_up`; those that run are not touched."""
        assert self.gated
        for name in names:
            (self.spec(name).place / "down").touch()

    def let_up(self, name: InstanceName) -> None:
        """Let an instance start."""
        (self.spec(name).place / "down").unlink()

    def wipe(self, name: InstanceName) -> None:
        """Lose an instance's volume; it must be down."""
        shutil.rmtree(self.spec(name).data)

    def controller_pid(self, local: LocalCluster | None = None) -> int:
        """Give a controller's pid."""
        return _process(local or self.local).pid

    def controller_lives(self, local: LocalCluster) -> bool:
        """Whether a controller has not ended."""
        return _process(local).poll() is None

    async def kill_controller(self, local: LocalCluster | None = None) -> None:
        """SIGKILL a controller and reap it."""
        await self._end_controller(signal.SIGKILL, local or self.local)

    async def end_controller(self, local: LocalCluster | None = None) -> int:
        """SIGTERM a controller, as an init system does it; gives its exit code."""
        return await self._end_controller(signal.SIGTERM, local or self.local)

    async def _end_controller(self, signum: signal.Signals, local: LocalCluster) -> int:
        process = _process(local)
        process.send_signal(signum)
        with trio.fail_after(PATIENCE_S):
            return await process.wait()

    def freeze_controller(self, local: LocalCluster) -> None:
        """SIGSTOP a controller, and wait until every thread of it stands still."""
        os.kill(_process(local).pid, signal.SIGSTOP)
        _wait_stopped(_process(local).pid)

    def thaw_controller(self, local: LocalCluster) -> None:
        """SIGCONT it."""
        os.kill(_process(local).pid, signal.SIGCONT)

    def events(self, *, since: int = 0, **wanted: object) -> list[Event]:
        """List what the controllers logged from that line on, whose fields are as wanted."""
        return [event for event in self._logged()[since:] if all(event.get(k) == v for k, v in wanted.items())]

    def mark(self) -> int:
        """Give the number of lines logged so far, for ``since``."""
        return len(self._logged())

    def said(self) -> str:
        """Give all that controllers printed, and all that they logged."""
        printed = (self.root / "local.out").read_text(errors="replace")
        return printed + (self.log.read_text(errors="replace") if self.log.exists() else "")

    async def until_event(self, *, since: int = 0, within_s: float = PATIENCE_S, **wanted: object) -> Event:
        """Wait until something is logged."""
        with trio.move_on_after(within_s):
            while True:
                found = self.events(since=since, **wanted)
                if found:
                    return found[0]
                await trio.sleep(POLL_S)
        raise DrillError(f"not logged within {within_s:g} s: {wanted}\n{self.local.tail()}")

    async def until_true(
        self, wanted: Callable[[], Awaitable[bool] | bool], what: str, *, within_s: float = PATIENCE_S
    ) -> None:
        """Wait for anything else."""
        with trio.move_on_after(within_s):
            while True:
                found = wanted()
                if found if isinstance(found, bool) else await found:
                    return
                await trio.sleep(POLL_S)
        raise DrillError(f"not so within {within_s:g} s: {what}\n{self.local.tail()}")

    def _logged(self) -> list[Event]:
        if not self.log.exists():
            return []
        found = []
        for line in self.log.read_text(errors="replace").splitlines(keepends=True):
            if line.endswith("}\n"):  # else it is being written, or a full disk cut it short
                found.append(json.loads(line))  # noqa: PERF401 - room for the reason
        return found

    def _wrapper(self) -> Path:
        path = self.root / "memgraph-that-waits"
        if not path.exists():
            path.write_text(_WRAPPER.format(binary=Path(sys.executable).parent / "memgraph-ha-fake"))
            path.chmod(0o755)
        return path

    async def stop(self) -> list[str]:
        """End everything; gives a line for whatever was left, and for each traceback in a log."""
        left: list[str] = []
        for local in self._all:
            process = _process(local)
            if process.returncode is None:
                process.send_signal(signal.SIGCONT)
        for local in self._all[-1:]:
            left.extend(await local.stop())
        for local in self._all[:-1]:
            with trio.move_on_after(5) as scope:
                await _process(local).wait()
            if scope.cancelled_caught:
                left.append(f"controller {_process(local).pid} did not end")
                _process(local).kill()
        return [*left, *tracebacks(self.root)]


def _process(local: LocalCluster) -> trio.Process:
    process = local._process
    assert process is not None
    return process


def _wait_stopped(pid: int) -> None:
    end_s = time.monotonic() + 5
    while not is_stopped(pid):
        assert time.monotonic() < end_s, f"process {pid} does not stop"
        time.sleep(0.001)  # the kernel tells nobody of a stop but the parent


def tracebacks(root: Path) -> list[str]:
    """Name every traceback in a log below a directory."""
    logs = [*root.rglob("*.log"), *root.rglob("*.out"), *root.rglob("*.log.1")]
    return [
        f"{log} holds a traceback:\n{text[max(0, at - 500) : at + 3000]}"
        for log in logs
        if (at := (text := log.read_text(errors="replace")).find("Traceback")) >= 0
    ]


@define
class Ledger:
    """Writers at work, and what must be true of their writes in the end."""

    cluster: Cluster
    writers: Writers
    faults_s: list[float] = field(factory=list)
    findings: Findings | None = None

    def fault(self) -> None:
        """Note that a fault comes now: each may leave every writer in doubt about one write."""
        self.faults_s.append(time.monotonic())

    def failed(self) -> Mapping[str, int]:
        """Count the errors with which writes ended for whoever made them, by their words."""
        return sum((log.errors for log in self.writers.logs), Counter[str]())

    async def more(self, count: int = 20) -> None:
        """Wait until so many writes, begun from now on, are acknowledged."""
        begun_s, before = time.monotonic(), self.writers.acknowledged()
        extra = len(self.writers.logs)  # those that are on their way now
        await self.cluster.until_true(
            lambda: self.writers.acknowledged() >= before + count + extra,
            f"{count} more writes; acknowledged since {begun_s:.1f}: {self.writers.acknowledged() - before}",
        )


@contextlib.asynccontextmanager
async def writing(
    cluster: Cluster, *, writers: int = 2, bounded: bool = True, stock: bool = False
) -> AsyncIterator[Ledger]:
    """Write through the gateway while the block runs; then every acknowledged write is on every instance.

    On leaving, the cluster must be able to become level: whoever is down must come back by itself.

    Args:
        cluster: Open for writes.
        writers: How many write at once.
        bounded: Whether each fault may leave each writer in doubt about one write only.
        stock: Whether they write in managed transactions, which the driver retries.
    """
    ledger = Ledger(cluster, Writers(cluster.local.gateway, writers, kind=StockWriter if stock else Writer))
    ledger.writers.start()
    try:
        await ledger.more()
        yield ledger
    finally:
        with trio.CancelScope(shield=True):
            stuck = await trio.to_thread.run_sync(ledger.writers.stop)
    assert not stuck, stuck
    readings, level = await read_back(cluster.local, within_s=PATIENCE_S)
    found = ledger.findings = check(ledger.writers.logs, readings, ledger.faults_s)
    wrong = [each for each in found.complaints() if bounded or each not in found.over_bound]
    assert not wrong, "\n".join((*wrong, cluster.local.tail()))
    assert level, cluster.local.tail()
