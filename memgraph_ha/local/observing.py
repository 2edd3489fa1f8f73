"""`memgraph-ha local --observe-only`: the same daemon beside a cluster, with hands that only pretend.

It reads what the leader reads (the record, the instances over Bolt, the notes of which process runs where), decides as
if it led, and says what it would do. It writes nothing into the data directory but its own log, takes no lease, starts
and ends no process, and has no port.
"""

import os
from collections.abc import Callable
from typing import Final

import structlog
import trio

from memgraph_ha.adapters.accounts import Accounts
from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.adapters.ports import Report
from memgraph_ha.adapters.process_os import alive, incarnation_of
from memgraph_ha.core import Decision, Policy, View
from memgraph_ha.core.facts import MembersSeen
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.core.topology import Member
from memgraph_ha.daemon import Daemon
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.runtime.observing import observer
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder

_LIST_S: Final = 0.1
"""Pause between two looks at which processes run."""

_log = structlog.get_logger()


class Listing:
    """The members, by reading the notes that whoever runs the instances leaves; it touches no process.

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
    return observer(
        policy,
        record=FileRecordStore(datadir.record, boottime, deadline_s=policy.command_deadline_s),
        members=Listing(datadir),
        database=MemgraphDatabase(policy, auth=None, accounts=accounts, clock=boottime),
        watcher=watcher,
        recorder=recorder,
        name=f"observer with pid {os.getpid()}",
    )
