"""`--observe-only`: the same daemon beside a cluster, with hands that only pretend.

It reads what the leader reads, decides as if it led, and says what it would do; it takes no lease and has no port.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

import trio
from attrs import define, field

from memgraph_ha.adapters.ports import Database, RecordStore, Report
from memgraph_ha.api.accounting import Accounting
from memgraph_ha.core import Decision, Hold, Policy, Route, View
from memgraph_ha.core.commands import Command, CommitNoop, RebuildInstance, StopInstance
from memgraph_ha.core.facts import CommandEnded, GateSeen, LeaseSeen, NoopSeen, Outcome
from memgraph_ha.daemon import Daemon, World
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.trace.recorder import Recorder

_REPEATED_AFTER_S: Final = 60.0
"""Decisions that come back within this are not said again: an observer sees the leader's steps half done."""


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


class Watching(Protocol):
    """The part of `Platform` that only looks."""

    async def watch(self, report: Report) -> None:
        """As `Platform.watch`."""
        ...


class PretendedPlatform:
    """Implements `Platform` by what another one sees; it stops and rebuilds nothing.

    Args:
        seen: Whose members are reported.
    """

    def __init__(self, seen: Watching) -> None:
        self._seen = seen

    async def watch(self, report: Report) -> None:
        """Report what the other one sees, for ever."""
        await self._seen.watch(report)

    async def stop(self, command: StopInstance) -> CommandEnded:
        """Refuse: this controller only observes."""
        return await self._refused(command)

    async def rebuild(self, command: RebuildInstance) -> CommandEnded:
        """Likewise."""
        return await self._refused(command)

    async def _refused(self, command: Command) -> CommandEnded:
        await trio.lowlevel.checkpoint()
        return CommandEnded(at_s=boottime(), command=command, outcome=Outcome.REFUSED, detail="only observing")


def headline(view: View) -> str:
    """One sentence about the whole cluster: the reign, its standby, and whether read/write is open."""
    record = view.record
    if record is None:
        return "no reign yet"
    standby = "no standby" if record.standby is None else f"standby {record.standby.instance}"
    open_ = "read/write open" if view.unserved is None else f"read/write shut: {view.unserved}"
    unprotected = ", UNPROTECTED" if record.unprotected else ""
    return f"reign {record.generation}: {record.main} is MAIN, {standby}{unprotected}; {open_}"


@define
class Teller:
    """Says each decision once: what would be done, and what would be waited for.

    Args:
        write: Where lines go.
        timed: Whether each begins with the time of day.
    """

    write: Callable[[str], None]
    timed: bool = True
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
        self.write(f"{time.strftime('%H:%M:%S')} {text}" if self.timed else text)


def _words(command: Command) -> str:
    """Say a command in a few words: its kind, and of whom."""
    names = [str(value) for name in ("instance", "replica", "row") if (value := getattr(command, name, None))]
    return " ".join((type(command).__name__, *dict.fromkeys(names)))


def observer(
    policy: Policy,
    *,
    record: RecordStore,
    members: Watching,
    database: Database,
    watcher: Callable[[View, Decision], None],
    recorder: Recorder,
    name: str,
    accounting: Accounting | None = None,
) -> Daemon:
    """Put a daemon together that only looks.

    Args:
        policy: By what to decide.
        record: Only read.
        members: What the platform sees.
        database: Only probed.
        watcher: Told of every tick.
        recorder: Told of everything that a replay needs.
        name: What the recorder calls it.
        accounting: Counts its ticks.
    """
    world = World(
        record=record,
        lease=PretendedLease(policy),
        platform=PretendedPlatform(members),
        database=database,
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
        accounting=accounting,
        observe_only=True,
        recorder=recorder,
        name=name,
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
