"""`memgraph-ha local --observe-only`: the same daemon beside a cluster, with hands that only pretend.

It reads what the leader reads (the record, the instances over Bolt, the notes of which process runs where), decides as
if it led, and says what it would do. It writes nothing into the data directory but its own log, takes no lease, starts
and ends no process, and has no port.
"""

import os
import time
from collections.abc import Callable
from typing import Final

import structlog
import trio
from attrs import define, field

from memgraph_ha.adapters.accounts import Accounts
from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.adapters.ports import Report
from memgraph_ha.adapters.process_os import alive, incarnation_of
from memgraph_ha.core import Decision, Hold, Policy, Route, View
from memgraph_ha.core.commands import Command, CommitNoop, RebuildInstance, StopInstance
from memgraph_ha.core.facts import CommandEnded, GateSeen, LeaseSeen, MembersSeen, NoopSeen, Outcome
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.core.topology import Member
from memgraph_ha.daemon import Daemon, World
from memgraph_ha.local.assembly import boottime
from memgraph_ha.local.screen import headline
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder

_LIST_S: Final = 0.1
"""Pause between two looks at which processes run."""

_REPEATED_AFTER_S: Final = 60.0
"""Decisions that come back within this are not said again: an observer sees the leader's steps half done."""

_log = structlog.get_logger()


class PretendedLease:
    """Implements `Lease` without one: this controller believes that it leads.

    Args:
        policy: ``lease_duration_s`` and ``lease_renew_s``.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._floor = 0

    @property
    def leader(self) -> None:
        """Who really leads is not looked at."""
        return

    async def campaign(self, report: Report) -> None:
        """Report a lease that is renewed for ever."""
        since_s = boottime()
        while True:
            now_s = boottime()
            report(
                LeaseSeen(
                    at_s=now_s,
                    leading=True,
                    until_s=now_s + self._policy.lease_duration_s,
                    since_s=since_s,
                    clean=True,
                    floor_generation=self._floor,
                )
            )
            await trio.sleep(self._policy.lease_renew_s)

    def raise_floor(self, generation: int) -> None:
        """Remember the highest generation seen."""
        self._floor = max(self._floor, generation)

    async def release(self) -> None:
        """Give nothing back."""
        await trio.lowlevel.checkpoint()


class PretendedGateway:
    """Implements `Gateway` without ports: says that it does as it is told."""

    def __init__(self) -> None:
        self._report: Report | None = None
        self._said: tuple[object, bool] | None = None

    async def serve(self, report: Report, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Report what would be let through, for ever."""
        self._report = report
        report(GateSeen(at_s=boottime(), permit=None))
        task_status.started()
        await trio.sleep_forever()

    def apply(self, route: Route) -> None:
        """Take over a route."""
        gate = (route.permit, route.quiet)
        if self._report is not None and gate != self._said:
            self._said = gate
            self._report(GateSeen(at_s=boottime(), permit=route.permit, quiet=route.quiet, settled=route.quiet))

    def cut_open(self) -> None:
        """Cut nobody."""


class ListingPlatform:
    """Implements `Platform` by reading the notes that whoever runs the instances leaves; it touches no process.

    Args:
        datadir: The cluster.
    """

    def __init__(self, datadir: DataDir) -> None:
        self._datadir = datadir

    async def watch(self, report: Report) -> None:
        """Report the members now and after every change, for ever."""
        last: tuple[Member, ...] | None = None
        while True:
            members = await trio.to_thread.run_sync(self._members)
            if members != last:
                last = members
                report(MembersSeen(at_s=boottime(), cluster=self._datadir.config.cluster, members=members))
            await trio.sleep(_LIST_S)

    async def stop(self, command: StopInstance) -> CommandEnded:
        """Refuse: this controller only observes."""
        return await self._refused(command)

    async def rebuild(self, command: RebuildInstance) -> CommandEnded:
        """Likewise."""
        return await self._refused(command)

    async def _refused(self, command: Command) -> CommandEnded:
        await trio.lowlevel.checkpoint()
        return CommandEnded(at_s=boottime(), command=command, outcome=Outcome.REFUSED, detail="only observing")

    def _members(self) -> tuple[Member, ...]:
        try:
            self._datadir = self._datadir.reread()
        except DataDirError as error:
            _log.warning("members are as they were", error=str(error))
        return tuple(
            Member(
                name=spec.name,
                bolt=spec.bolt,
                replication=spec.replication,
                incarnation=self._incarnation(spec.name),
            )
            for spec in self._datadir.specs()
        )

    def _incarnation(self, name: InstanceName) -> Incarnation | None:
        note = self._datadir.read_run(name)
        return None if note is None or not alive(note.process) else incarnation_of(note.process)


@define
class Teller:
    """Says each decision once: what would be done, and what would be waited for.

    Args:
        write: Where lines go.
    """

    write: Callable[[str], None]
    _standing: str = field(default="", init=False)
    _hold: Hold | None = field(default=None, init=False)
    _said_s: dict[tuple[str, str], float] = field(factory=dict, init=False)

    def show(self, view: View, decision: Decision) -> None:
        """Take one tick, once there is something to judge by."""
        if not view.members or view.observed.record is None:
            return
        standing = "" if view.record is None else f"{view.record.generation} {view.record.main} {view.record.standby}"
        if standing != self._standing:
            self._standing = standing
            self._line(headline(view))
        if decision.commands and _taken_for_done(view, decision) is None:
            would = ", ".join(map(_words, decision.commands))
            key = (decision.rule, would)
            fresh = view.now_s - self._said_s.get(key, -_REPEATED_AFTER_S) >= _REPEATED_AFTER_S
            self._said_s[key] = view.now_s
            if fresh:
                self._line(f"would: {would}  ({decision.rule} {decision.name}: {decision.reason})")
        if decision.hold is not self._hold:
            self._hold = decision.hold
            if decision.hold is not None:
                self._line(f"would wait: [{decision.hold.word}] {decision.reason}")

    def _line(self, text: str) -> None:
        self.write(f"{time.strftime('%H:%M:%S')} {text}")


def _words(command: Command) -> str:
    """Say a command in a few words: its kind, and of whom."""
    names = [str(value) for name in ("instance", "replica", "row") if (value := getattr(command, name, None))]
    return " ".join((type(command).__name__, *dict.fromkeys(names)))


def assemble_observer(
    datadir: DataDir,
    policy: Policy,
    accounts: Accounts | None,
    watcher: Callable[[View, Decision], None],
    recorder: Recorder = NO_RECORDER,
) -> Daemon:
    """Put an observer together.

    Args:
        datadir: The cluster.
        policy: By what to decide.
        accounts: With the user to log in as, if Memgraph has users.
        watcher: Told of every tick.
        recorder: Told of everything that a replay needs.
    """
    world = World(
        record=FileRecordStore(datadir.record, boottime, deadline_s=policy.command_deadline_s),
        lease=PretendedLease(policy),
        platform=ListingPlatform(datadir),
        database=MemgraphDatabase(policy, auth=None, accounts=accounts, clock=boottime),
        gateway=PretendedGateway(),
    )

    def look(view: View, decision: Decision) -> None:
        watcher(view, decision)
        taken = _taken_for_done(view, decision)
        if taken is not None:
            daemon.report(taken)

    daemon = Daemon(
        policy,
        world,
        clock=boottime,
        wall=time.time,
        watcher=look,
        observe_only=True,
        recorder=recorder,
        name=f"observer with pid {os.getpid()}",
    )
    return daemon


def _taken_for_done(view: View, decision: Decision) -> NoopSeen | None:
    """Believe the leader that it made the first commit of an open reign, and proved whom the record names.

    An observer cannot see that, and would want to do it before everything else, for ever.
    """
    record, role = view.record, view.main_role
    wants = any(isinstance(command, CommitNoop) for command in decision.commands)
    if not wants or record is None or role is None or not record.opened or view.noop_in_reign is not None:
        return None
    return NoopSeen(
        at_s=view.now_s,
        asked_at_s=view.now_s,
        instance=record.main,
        run=role.run,
        generation=record.generation,
        outcome=Outcome.DONE,
        witness=record.standby,
    )
