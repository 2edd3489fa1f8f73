"""Putting the controller of a `memgraph-ha run` together: the daemon on Kubernetes, Memgraph and gateways."""

import time
from collections.abc import Awaitable, Callable

import structlog
import trio
from attrs import frozen

from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.adapters.ports import Lease, Platform, RecordStore
from memgraph_ha.api.accounting import Accounting
from memgraph_ha.api.endpoints import Access, Promise, Review
from memgraph_ha.core import Decision, View
from memgraph_ha.daemon import Daemon, Watcher, World
from memgraph_ha.kube.control import KubeControl
from memgraph_ha.kube.options import RunOptions
from memgraph_ha.kube.output import Log
from memgraph_ha.proxy.gateway import RwGateway
from memgraph_ha.proxy.read_gateway import Gateways, RoGateway
from memgraph_ha.runtime.api import serve_steadily
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.runtime.gateway import LeaderGateway
from memgraph_ha.runtime.leading import Leading, WatchedLease
from memgraph_ha.runtime.observing import PretendedLease, Teller, observer
from memgraph_ha.trace.recorder import Recorder

_log = structlog.get_logger("memgraph_ha.kube")

Task = Callable[[], Awaitable[None]]
"""Something that runs beside the daemon, for ever."""


@frozen(kw_only=True)
class Cluster:
    """What Kubernetes is to one controller.

    Attributes:
        record: Where the record lives.
        lease: Who leads.
        platform: The pods.
        leading: Whether we lead; the lease is to tell it.
        watchers: Told of every tick; each returns at once.
        tasks: What runs beside the daemon.
        review: Judges Kubernetes tokens; None: they are not taken.
        promise: Answers the other controllers while nobody can reach the lease; None: there is no failsafe.
    """

    record: RecordStore
    lease: Lease
    platform: Platform
    leading: Leading
    watchers: tuple[Watcher, ...] = ()
    tasks: tuple[Task, ...] = ()
    review: Review | None = None
    promise: Promise | None = None


@frozen(kw_only=True)
class Parts:
    """One controller, put together but not running.

    Attributes:
        options: What it was told.
        daemon: What decides.
        gateway: Its clients; None if it only observes.
        control: What the API sees of it.
        access: What callers of the API must know.
        tasks: What runs beside.
    """

    options: RunOptions
    daemon: Daemon
    gateway: LeaderGateway | None
    control: KubeControl
    access: Access
    tasks: tuple[Task, ...]

    async def run(self) -> None:
        """Run everything until cancelled.

        Raises:
            OSError: A gateway's port could not be had.
        """
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._serve_api)
            for task in self.tasks:
                nursery.start_soon(task)
            await self.daemon.run()

    async def _serve_api(self) -> None:
        options = self.options
        await serve_steadily(
            self.control,
            host=options.http_host,
            port=options.http_port,
            access=self.access,
            hook_wait_s=options.prestop_s,
        )

    @property
    def serving(self) -> bool:
        """Whether clients are led here now."""
        return self.gateway is not None and self.gateway.serving is not None

    async def drain(self) -> None:
        """Let our clients' open transactions end, if we serve any."""
        _log.info("told to end", drain_s=self.options.policy.drain_s)
        if self.gateway is not None:
            await self.gateway.drain(self.options.policy.drain_s)
        _log.info("drained")


def assemble(options: RunOptions, cluster: Cluster, log: Log, recorder: Recorder) -> Parts:
    """Put a controller together.

    Args:
        options: What it was told.
        cluster: What Kubernetes is to it.
        log: Its log.
        recorder: Told of everything that a replay needs.
    """
    accounting = Accounting()
    database = MemgraphDatabase(options.policy, auth=None, accounts=options.accounts, clock=boottime)
    lease: Lease
    if options.observe_only:
        gateway, lease = None, PretendedLease(options.policy)
        teller = Teller(lambda line: _log.info("observed", line=line), timed=False)
        daemon = observer(
            options.policy,
            record=cluster.record,
            members=cluster.platform,
            database=database,
            watcher=teller.show,
            recorder=recorder,
            name=options.pod,
            accounting=accounting,
        )
    else:
        gateway = LeaderGateway(lambda: make_gateways(options), cluster.leading)
        lease = WatchedLease(cluster.lease, cluster.leading)
        world = World(record=cluster.record, lease=lease, platform=cluster.platform, database=database, gateway=gateway)
        daemon = Daemon(
            options.policy,
            world,
            clock=boottime,
            wall=time.time,
            watcher=_all(cluster.watchers),
            accounting=accounting,
            recorder=recorder,
            name=options.pod,
        )
    control = KubeControl(
        identity=options.pod,
        desk=daemon.desk,
        lease=lease,
        gateway=gateway,
        rw_port=options.gateways.rw[1],
        ro_port=0 if options.gateways.ro is None else options.gateways.ro[1],
        accounting=accounting,
        options=options,
        log=log,
    )
    return Parts(
        options=options,
        daemon=daemon,
        gateway=gateway,
        control=control,
        access=Access(token=options.token, basic=options.hook, review=cluster.review, promise=cluster.promise),
        tasks=() if options.observe_only else cluster.tasks,
    )


def make_gateways(options: RunOptions) -> Gateways:
    """Make gateways that are not bound yet."""
    told, policy = options.gateways, options.policy
    rw = RwGateway(
        told.rw,
        hold_max_s=policy.hold_max_s,
        hold_max_connections=policy.hold_max_connections,
        max_connections=told.max_connections,
        connect_timeout_s=told.connect_timeout_s,
        clock=boottime,
        options=told.options,
    )
    if told.ro is None:
        return Gateways(rw)
    ro = RoGateway(
        told.ro,
        max_connections=told.max_connections,
        connect_timeout_s=told.connect_timeout_s,
        clock=boottime,
        options=told.options,
    )
    return Gateways(rw, ro)


def _all(watchers: tuple[Watcher, ...]) -> Watcher:
    def watch(view: View, decision: Decision) -> None:
        for watcher in watchers:
            watcher(view, decision)

    return watch
