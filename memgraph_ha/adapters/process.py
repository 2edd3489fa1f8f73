"""The platform of `memgraph-ha local`: instances as processes of this machine, kept alive as a kubelet does it."""

import functools
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final

import structlog
import trio

from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.files_atomic import Clock, NothingChangedError
from memgraph_ha.adapters.ports import Report
from memgraph_ha.adapters.process_argv import LOOPBACK, InstanceSpec
from memgraph_ha.adapters.process_events import EventKind, InstanceEvent, Notice, RestartPolicy
from memgraph_ha.adapters.process_instance import Instance
from memgraph_ha.adapters.process_members import MembersError, alone, clear_strays, rewrite
from memgraph_ha.adapters.process_os import alive, incarnation_of
from memgraph_ha.adapters.process_rebuild import Kept, measure
from memgraph_ha.adapters.process_start import StartError, check_binary, check_data, check_ports
from memgraph_ha.adapters.process_stop import end_processes, living_in
from memgraph_ha.core.commands import Command, RebuildInstance, StopInstance
from memgraph_ha.core.facts import CommandEnded, MembersSeen, Outcome
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.topology import Member

_STOP_WITHIN_S: Final = 0.1
"""So long is waited for the end of a killed MAIN before the next step of a reign (design 4)."""

_REBUILD_WITHIN_S: Final = 2.0
"""So long is waited for the end of a process that is rebuilt: with the lock before it less than any deadline."""

_LEAVE_WITHIN_S: Final = 10.0
"""How long an instance that is a member no more has for its last snapshot."""

_SETTLE_LOOK_S: Final = 0.02

_log = structlog.get_logger()


def log_event(event: InstanceEvent) -> None:
    """Write an event to the log: the default `Notice`."""
    level = _log.warning if event.kind in (EventKind.ENDED, EventKind.NOT_STARTED) else _log.info
    level(f"instance.{event.kind.value.replace(' ', '_')}", instance=event.instance, detail=event.detail)


class ProcessPlatform:
    """Implements `Platform` on processes: finds, starts, watches and ends the instances of a data directory.

    Instances run in sessions of their own and outlive this process; the next controller adopts them. Several
    controllers may run on one data directory at the same time: each watches all instances, and whichever is first
    starts one that ended.

    Resource handling: one pidfd per instance. Error handling: `watch` and `stop` raise nothing; what hinders a start
    is told to ``notice`` and tried again.

    Args:
        datadir: Whose instances.
        clock: Seconds on CLOCK_BOOTTIME.
        restart: How fast an instance that ended is started again; None for the defaults of `RestartPolicy`.
        notice: Called with what an operator wants to read; by default it goes to the log.
    """

    def __init__(
        self,
        datadir: DataDir,
        *,
        clock: Clock,
        restart: RestartPolicy | None = None,
        notice: Notice = log_event,
    ) -> None:
        self._datadir = datadir
        self._clock = clock
        self._news = trio.Event()
        self._make: Callable[[InstanceSpec], Instance] = functools.partial(
            Instance, datadir, clock=clock, restart=restart or RestartPolicy(), changed=self._changed, notice=notice
        )
        self._instances = {spec.name: self._make(spec) for spec in datadir.specs()}

    async def start_all(self, *, settle_s: float = 1.0) -> None:
        """Adopt the instances that live and start the others.

        Args:
            settle_s: Watch those that were started for so long, or until they take connections: who ends in this
                time will not work at all.

        Raises:
            StartError: The binary is missing or wrong, a port is busy, or an instance ended at once. Nothing that
                was started here is left running.
            DataDirError: A place cannot be prepared.
        """
        await self._end(await self._reread(), _LEAVE_WITHIN_S)
        started: list[Instance] = []
        problems: dict[Path, str] = {}
        good = False
        try:
            await self._start_missing(started)
            async with trio.open_nursery() as nursery:
                for each in started:
                    nursery.start_soon(self._settle, each, settle_s, problems)
            good = not problems
        finally:
            if not good:
                with trio.CancelScope(shield=True):
                    await self._end(started, grace_s=0)
        if problems:
            logs = tuple(sorted(problems))
            raise StartError("; ".join(problems[log] for log in logs), logs)

    async def _start_missing(self, started: list[Instance]) -> None:
        for each in self._instances.values():
            await self._ensure(each, start=False)
        missing = [each for each in self._instances.values() if each.process is None]
        if not missing:
            return
        specs = [each.spec for each in missing]
        await check_binary(self._datadir.config.binary)
        check_data(specs)
        check_ports(specs)
        for each in missing:
            if await self._ensure(each, start=True):
                started.append(each)  # noqa: PERF401 - one that fails must not hide those before it

    async def _ensure(self, instance: Instance, *, start: bool) -> bool:
        try:
            return await instance.ensure(start=start)
        except (OSError, NothingChangedError) as error:
            raise StartError(f"{instance.spec.name} in {instance.spec.place} cannot be started: {error}") from error

    async def watch(self, report: Report) -> None:
        """Keep every instance alive and report the members now and after every change, for ever."""
        gone = await self._reread()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._clear_up, gone)
            supervised: tuple[Instance, ...] = ()
            while True:
                news = self._news
                for each in self._instances.values():
                    if each not in supervised:
                        nursery.start_soon(each.supervise)
                supervised = tuple(self._instances.values())
                report(self._seen())
                await news.wait()

    async def change_members(self, count: int, *, keep: Collection[InstanceName] = ()) -> tuple[InstanceName, ...]:
        """Have another number of instances from now on; `watch` reports and starts them. For who leads only.

        New ones get the next ordinals and ports, and start empty. Those to be removed are the last: they are reported
        no more at once, then ended, and their places kept in ``former``.

        Args:
            count: How many, at least 2: the first two are those that may be MAIN.
            keep: Who must stay, e.g. policy ``eligible``.

        Returns:
            The names of all members.

        Raises:
            MembersError: It cannot be done; nothing was changed.
        """
        async with alone(self._datadir, self._clock):
            gone = await self._reread()
            await self._leave(gone)
            if count != len(self._instances):
                gone = self._adopt(await rewrite(self._datadir, count, keep))
                await self._leave(gone)
        return tuple(self._instances)

    async def aside(self, name: InstanceName) -> Kept:
        """Measure what rebuilds of an instance put aside, for a human to look at or to delete."""
        instance = self._instances.get(name)
        return Kept(count=0, bytes=0) if instance is None else await trio.to_thread.run_sync(instance.kept)

    async def former(self) -> Kept:
        """Measure what former members left, for a human to look at or to delete."""
        return await trio.to_thread.run_sync(measure, self._datadir.former)

    async def rebuild(self, command: RebuildInstance) -> CommandEnded:
        """End that incarnation by SIGKILL and put what it stored aside; `watch` starts it again, with nothing.

        ``DONE`` once its data is aside, also if it was done before. ``REFUSED`` if there is no such instance, if it is
        another incarnation by now, or if the disk does not take it; then nothing was touched. ``UNKNOWN`` if it does
        not end or its data cannot be moved: that is finished before it is started again, by whomsoever.
        """
        instance = self._instances.get(command.instance)
        if instance is None:
            return self._ended(command, Outcome.REFUSED, f"there is no instance {command.instance}")
        ended = await instance.rebuild(command.incarnation, command.generation, within_s=_REBUILD_WITHIN_S)
        return self._ended(command, ended.outcome, ended.detail)

    async def stop(self, command: StopInstance) -> CommandEnded:
        """End that incarnation by SIGKILL, and wait up to 100 ms for its end. It is then started again by `watch`.

        ``DONE`` if it is gone, also if it was already gone or replaced; ``UNKNOWN`` if it is still there;
        ``REFUSED`` if there is no such instance.
        """
        instance = self._instances.get(command.instance)
        if instance is None:
            return self._ended(command, Outcome.REFUSED, f"there is no instance {command.instance}")
        try:
            gone = await instance.kill(command.incarnation, within_s=_STOP_WITHIN_S)
        except PermissionError as error:
            return self._ended(command, Outcome.UNKNOWN, f"not allowed: {error}")
        if gone:
            return self._ended(command, Outcome.DONE, "")
        return self._ended(command, Outcome.UNKNOWN, f"still there after {_STOP_WITHIN_S:g} s")

    async def shut_down(self, grace_s: float) -> tuple[InstanceName, ...]:
        """End every instance, and start none any more. Another controller on this directory would start them again.

        Args:
            grace_s: How long they have to write their snapshots and go before SIGKILL.

        Returns:
            Those that would not end: the kernel or another user keeps them. Normally none.
        """
        await self._end(self._instances.values(), grace_s)
        return tuple(name for name, each in self._instances.items() if living_in(each.spec.place))

    async def _end(self, instances: Iterable[Instance], grace_s: float) -> None:
        chosen = tuple(instances)
        for each in chosen:
            await each.retire()
        found = {one for each in chosen for one in living_in(each.spec.place)}
        # Ours even where the binary became something else that does not show its arguments.
        found.update(each.process for each in chosen if each.process is not None)
        await end_processes(found, grace_s)
        for each in chosen:
            each.bury_if_ended()

    async def _reread(self) -> tuple[Instance, ...]:
        """Follow ``cluster.json``, which another controller may have changed; give those that are members no more."""
        try:
            return self._adopt(await trio.to_thread.run_sync(self._datadir.reread))
        except DataDirError as error:
            _log.warning("members are as they were", error=str(error))
            return ()

    def _adopt(self, datadir: DataDir) -> tuple[Instance, ...]:
        before, self._datadir = self._instances, datadir
        self._instances = {spec.name: before.get(spec.name) or self._make(spec) for spec in datadir.specs()}
        if tuple(before) != tuple(self._instances):
            self._changed()
        return tuple(each for name, each in before.items() if name not in self._instances)

    async def _leave(self, gone: Iterable[Instance]) -> None:
        """End those that are members no more, and put their places away, and those of earlier ones."""
        await self._end(gone, _LEAVE_WITHIN_S)
        await clear_strays(self._datadir, _LEAVE_WITHIN_S)

    async def _clear_up(self, gone: Iterable[Instance]) -> None:
        """Finish what another controller began when it changed the members."""
        try:
            async with alone(self._datadir, self._clock):
                gone = (*gone, *await self._reread())
                await self._leave(gone)
        except MembersError as error:
            _log.warning("former members were not cleared up", error=str(error))

    async def _settle(self, instance: Instance, settle_s: float, problems: dict[Path, str]) -> None:
        """Wait until an instance takes connections, or has lived so long; add to the problems if it ended before.

        Args:
            instance: Which.
            settle_s: How long.
            problems: By the log that says more, which may be removed before anybody reads of it.
        """
        process = instance.process
        with trio.move_on_after(settle_s):
            while process is not None and alive(process):
                try:
                    stream = await trio.open_tcp_stream(LOOPBACK, instance.spec.ports.bolt)
                except OSError:
                    await trio.sleep(_SETTLE_LOOK_S)
                else:
                    await stream.aclose()
                    return
        if process is not None and not alive(process):
            said = instance.last_words() or "nothing"
            problems[instance.spec.log] = f"{instance.spec.name} ended right after its start; its last words: {said}"

    def _seen(self) -> MembersSeen:
        members = tuple(
            Member(
                name=name,
                bolt=each.spec.bolt,
                replication=each.spec.replication,
                incarnation=None if each.process is None else incarnation_of(each.process),
            )
            for name, each in self._instances.items()
        )
        return MembersSeen(at_s=self._clock(), cluster=self._datadir.config.cluster, members=members)

    def _changed(self) -> None:
        self._news.set()
        self._news = trio.Event()

    def _ended(self, command: Command, outcome: Outcome, detail: str) -> CommandEnded:
        return CommandEnded(at_s=self._clock(), command=command, outcome=outcome, detail=detail)
