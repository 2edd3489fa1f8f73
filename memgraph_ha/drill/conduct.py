"""Conducting a drill from the first process to the last: start, write, break, read back, stop, look what is left."""

import random
import shutil
import signal
import tempfile
import time
from pathlib import Path
from typing import Final

import trio
from attrs import evolve

from memgraph_ha.drill.cluster import LocalCluster
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.faults import inflict
from memgraph_ha.drill.ledger import Findings, WriterLog, check
from memgraph_ha.drill.pauses import Fault, longest_other_silence, pause_of, pauses_of
from memgraph_ha.drill.plan import FAILOVER_LIMIT, Plan, Ports, choose_ports
from memgraph_ha.drill.report import Report
from memgraph_ha.drill.results import DrillResult
from memgraph_ha.drill.waiting import read_back, until_acknowledged, until_protected
from memgraph_ha.drill.writers import StockWriter, Writer, Writers
from memgraph_ha.local.options import find_binary

LEVEL_MAX_S: Final = 30.0
"""How long the instances may take to become level after the writers have stopped."""

FIRST_WRITE_MAX_S: Final = 10.0
"""How long the writers may take to get the first acknowledgement through a gateway that should be open."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(Exception):  # noqa: N818 - not an error: somebody wished it
    """A signal ended the drill; everything was stopped.

    Attributes:
        signum: Which.
        left: What was left running nevertheless.
        root: Where the evidence is; None if it was removed.
    """

    def __init__(self, signum: int, left: tuple[str, ...], root: Path | None) -> None:
        super().__init__(f"interrupted by {signal.Signals(signum).name}")
        self.signum = signum
        self.left = left
        self.root = root


async def conduct(plan: Plan, report: Report) -> DrillResult:
    """Do a whole drill. SIGINT, SIGTERM and SIGHUP end it in order: nothing is left running.

    Resource handling: makes a directory below the system's place for temporary files, and removes it unless
    something is wrong. Installs signal handlers meanwhile, so it must run in the main thread.

    Args:
        plan: What to do.
        report: Told of everything as it happens, but not of the result.

    Raises:
        Interrupted: By a signal.
        UsageError: The binary or the port that the user named cannot be used; nothing was started.
        DrillError: No free ports; nothing was started.
    """
    binary = find_binary(plan.memgraph)
    ports = choose_ports(plan.instances, plan.port)
    report.opening(plan.title, [*plan.notes, *_circumstances(plan, binary, ports)])
    arguments = [
        f"--instances={plan.instances}",
        *ports.arguments(),
        f"--set=failover_limit={FAILOVER_LIMIT}",
        *(() if plan.memgraph is None else (f"--memgraph={binary}",)),
        *(() if plan.trace is None else (f"--trace={plan.trace.resolve()}",)),
    ]
    root = Path(tempfile.mkdtemp(prefix="memgraph-ha-drill-"))
    drill = _Drill(plan, report, LocalCluster(root))
    caught: list[int] = []
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            work = trio.CancelScope()

            async def end_on_signal() -> None:
                async for signum in signals:
                    caught.append(signum)
                    report.stage("interrupted: stopping everything")
                    work.cancel()

            nursery.start_soon(end_on_signal)
            nursery.start_soon(report.tick)
            with work:
                await drill.run(arguments)
            nursery.cancel_scope.cancel()
    result = drill.result(str(binary))
    keep = plan.keep or bool(result.left if caught else not result.passed)
    if not keep:
        shutil.rmtree(root, ignore_errors=True)
    if caught:
        raise Interrupted(caught[0], result.left, root if keep else None)
    return evolve(result, kept=root if keep else None)


def _circumstances(plan: Plan, binary: Path, ports: Ports) -> list[str]:
    """Say what is run where, as far as it is not what everybody expects."""
    said = [] if plan.memgraph is None else [f"The instances are {binary}."]
    if ports.shift:
        said.append(f"A default port is in use, so others are taken; the gateway's is {ports.gateway}.")
    return said


class _Drill:
    """One drill under way, and what it has found so far."""

    def __init__(self, plan: Plan, report: Report, cluster: LocalCluster) -> None:
        self._plan, self._report, self._cluster = plan, report, cluster
        self._random = random.Random(plan.seed)  # noqa: S311 - pauses, not secrets
        self._writers: Writers | None = None
        self._begun_s = self._ended_s = time.monotonic()
        self._stopped_s = 0.0
        self._faults: list[Fault] = []
        self._sent_s: list[float] = []  # of all faults, also of one that the cluster did not get over
        self._findings: Findings | None = None
        self._level = False
        self._trouble: str | None = None
        self._left: list[str] = []

    async def run(self, arguments: list[str]) -> None:
        """Do everything; trouble ends the faults early, but not the reading back and never the stopping."""
        try:
            try:
                await self._break_things(arguments)
            except DrillError as error:
                self._trouble = str(error)
            await self._stop_writers()
            await self._read_back()
        finally:
            # Whatever happened, also a cancellation: nothing of ours may stay. Each step has its own deadline.
            with trio.CancelScope(shield=True):
                await self._stop_writers()
                self._report.stage("stopping the cluster")
                self._left.extend(await self._cluster.stop())
                self._ended_s = time.monotonic()

    async def _break_things(self, arguments: list[str]) -> None:
        report, cluster, plan = self._report, self._cluster, self._plan
        report.stage("starting the cluster")
        await cluster.start(arguments)
        record = await until_protected(cluster, above=0, within_s=plan.patience_s)
        standby = "nobody" if record.standby is None else record.standby.instance
        took_s = time.monotonic() - self._begun_s
        report.said(f"protected after {took_s:.1f} s: {record.main} is MAIN, {standby} its standby")
        await self._start_writers()
        report.header(tuple(spec.name for spec in cluster.specs), plan.faults)
        for number, kind in enumerate(plan.faults, 1):
            report.stage(f"fault {number} of {len(plan.faults)}: settling")
            await trio.sleep(self._random.uniform(*plan.settle_s))
            report.stage(f"fault {number} of {len(plan.faults)}: until protected again")
            fault = await inflict(cluster, number, kind, within_s=plan.patience_s, sent=self._sent_s.append)
            self._faults.append(fault)
            await self._until_acknowledged(fault.seen_s)
            pause = pause_of(fault, self._logs, time.monotonic())
            report.fault(fault, pause, fault.sent_s - self._begun_s)
        await trio.sleep(self._random.uniform(*plan.settle_s))

    async def _start_writers(self) -> None:
        kind = StockWriter if self._plan.stock else Writer
        writers = self._writers = Writers(self._cluster.gateway, self._plan.writers, kind=kind)
        self._report.count_with(writers.acknowledged)
        self._report.stage("until the first write is acknowledged")
        writers.start()
        await self._until_acknowledged(0.0)
        how = "stock driver's execute_write" if self._plan.stock else "no retries, reconnecting at once"
        self._report.said(f"{self._plan.writers} writers write through {self._cluster.gateway} ({how})")

    async def _until_acknowledged(self, begun_from_s: float) -> None:
        await until_acknowledged(
            self._cluster, lambda: self._logs, begun_from_s=begun_from_s, within_s=FIRST_WRITE_MAX_S
        )

    async def _stop_writers(self) -> None:
        if self._writers is not None and not self._stopped_s:
            self._report.stage("until the writers have ended")
            self._stopped_s = time.monotonic()
            stuck = await trio.to_thread.run_sync(self._writers.stop)
            self._left.extend(f"thread {name} did not end" for name in stuck)

    async def _read_back(self) -> None:
        if self._writers is None:
            return
        self._report.stage("reading back from every instance")
        try:
            readings, self._level = await read_back(self._cluster, within_s=LEVEL_MAX_S)
        except DrillError as error:
            self._trouble = f"{self._trouble}\n{error}" if self._trouble else str(error)
            return
        self._findings = check(self._logs, readings, self._sent_s)

    @property
    def _logs(self) -> list[WriterLog]:
        return [] if self._writers is None else list(self._writers.logs)

    def result(self, binary: str) -> DrillResult:
        """Sum up."""
        pauses = pauses_of(self._faults, self._logs, self._stopped_s)
        return DrillResult(
            binary=binary,
            instances=tuple(spec.name for spec in self._cluster.specs),
            writers=self._plan.writers,
            stock=self._plan.stock,
            seed=self._plan.seed,
            duration_s=self._ended_s - self._begun_s,
            faults_wanted=len(self._plan.faults),
            faults=tuple(self._faults),
            pauses=pauses,
            other_silence_s=longest_other_silence(pauses, self._logs),
            findings=self._findings,
            level=self._level,
            trouble=self._trouble,
            left=tuple(self._left),
            kept=None,
        )
