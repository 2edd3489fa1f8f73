"""Putting the controller of a `memgraph-ha local` together: the daemon on files, processes and gateways."""

import functools
import os
import time
from collections.abc import Callable
from typing import Final

import trio
from attrs import frozen

from memgraph_ha.adapters.accounts import Accounts
from memgraph_ha.adapters.datadir import DataDir
from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.adapters.files_lease import FileLease
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.adapters.process import ProcessPlatform
from memgraph_ha.adapters.process_argv import LOOPBACK
from memgraph_ha.adapters.process_events import RestartPolicy
from memgraph_ha.api.accounting import Accounting
from memgraph_ha.api.endpoints import Access
from memgraph_ha.core import Decision, Policy, View
from memgraph_ha.daemon import Daemon, World
from memgraph_ha.local.control import LocalControl, serve_api
from memgraph_ha.local.eviction import evict_from_ports
from memgraph_ha.local.policies import Policies
from memgraph_ha.proxy.gateway import RwGateway
from memgraph_ha.proxy.read_gateway import Gateways, RoGateway
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.runtime.gateway import LeaderGateway
from memgraph_ha.runtime.leading import Leading, WatchedLease
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder

RESET_AFTER_S: Final = 5.0
"""An instance that lived so long is no crash loop: it is started again at once."""

CONNECT_TIMEOUT_S: Final = 2.0
MAX_CONNECTIONS: Final = 4000


@frozen(kw_only=True)
class Parts:
    """One controller of one data directory, put together but not running.

    Attributes:
        datadir: The cluster.
        platform: Its processes.
        gateway: Its clients.
        daemon: What decides.
        policies: What the operator chose.
        leading: Whether it leads.
        control: What the API sees of it.
        token: What callers of the API's verbs must know.
        accounts: Those of the accounts file, if there is one.
    """

    datadir: DataDir
    platform: ProcessPlatform
    gateway: LeaderGateway
    daemon: Daemon
    policies: Policies
    leading: Leading
    control: LocalControl
    token: str
    accounts: Accounts | None

    async def run(self) -> None:
        """Run everything until cancelled.

        Raises:
            OSError: A gateway's port could not be had.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._follow_policy)
            port = self.datadir.config.http_port
            if port:
                access = Access(token=self.token, basic=None if self.accounts is None else self.accounts.auth)
                serve = functools.partial(serve_api, port=port, access=access)
                nursery.start_soon(serve, self.control, self.leading)
            await self.daemon.run()

    async def _follow_policy(self) -> None:
        """In each term of ours, go by what was kept meanwhile: whoever led before may have been told another policy."""

        async def reread() -> None:
            await self.policies.reread()
            await trio.sleep_forever()

        await self.leading.run_while(reread)


def assemble(
    datadir: DataDir,
    policies: Policies,
    accounts: Accounts | None,
    watcher: Callable[[View, Decision], None],
    recorder: Recorder = NO_RECORDER,
) -> Parts:
    """Put a controller together.

    Args:
        datadir: The cluster.
        policies: The operator's choices.
        accounts: Those of the accounts file, if there is one.
        watcher: Told of every tick.
        recorder: Told of everything that a replay needs.

    Raises:
        DataDirError: The token of the API cannot be read or made.
    """
    policy, config, leading, accounting = policies.in_force, datadir.config, Leading(), Accounting()

    def make_gateways() -> Gateways:
        rw = RwGateway(
            (LOOPBACK, config.rw_port),
            hold_max_s=policy.hold_max_s,
            hold_max_connections=policy.hold_max_connections,
            max_connections=MAX_CONNECTIONS,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            clock=boottime,
        )
        if not config.ro_port:
            return Gateways(rw)
        ro = RoGateway(
            (LOOPBACK, config.ro_port),
            max_connections=MAX_CONNECTIONS,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            clock=boottime,
        )
        return Gateways(rw, ro)

    identity = f"pid {os.getpid()}"
    platform = ProcessPlatform(datadir, clock=boottime, restart=RestartPolicy(reset_after_s=RESET_AFTER_S))
    gateway = LeaderGateway(make_gateways, leading, functools.partial(evict_from_ports, datadir))
    world = World(
        record=FileRecordStore(datadir.record, boottime, deadline_s=policy.command_deadline_s),
        lease=WatchedLease(FileLease(datadir.lease, holder=identity, policy=policy, clock=boottime), leading),
        platform=platform,
        database=MemgraphDatabase(policy, auth=None, accounts=accounts, clock=boottime),
        gateway=gateway,
    )
    daemon = Daemon(
        policy,
        world,
        clock=boottime,
        wall=time.time,
        watcher=watcher,
        accounting=accounting,
        recorder=recorder,
        name=identity,
    )

    def put(policy: Policy) -> None:
        daemon.policy = policy

    policies.serve(put)
    control = LocalControl(
        datadir=datadir,
        identity=identity,
        desk=daemon.desk,
        lease=world.lease,
        platform=platform,
        gateway=gateway,
        rw_port=config.rw_port,
        ro_port=config.ro_port,
        policies=policies,
        accounting=accounting,
    )
    return Parts(
        datadir=datadir,
        platform=platform,
        gateway=gateway,
        daemon=daemon,
        policies=policies,
        leading=leading,
        control=control,
        token=datadir.token(),
        accounts=accounts,
    )
