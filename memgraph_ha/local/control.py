"""The controller of a `memgraph-ha local` as the HTTP API sees it, and the server of that API."""

import os
import time
from pathlib import Path
from typing import Final

import structlog
import trio
from attrs import field, frozen

from memgraph_ha.adapters.datadir import DataDir
from memgraph_ha.adapters.ports import Lease
from memgraph_ha.adapters.process import ProcessPlatform
from memgraph_ha.adapters.process_argv import LOOPBACK
from memgraph_ha.adapters.process_members import MembersError
from memgraph_ha.api.accounting import Accounting
from memgraph_ha.api.control import Control, Gate, Gateway, Snapshot
from memgraph_ha.api.server import serve
from memgraph_ha.core import Answer, Ask, Policy, at_stake, refusal
from memgraph_ha.core.names import InstanceName
from memgraph_ha.desk import Desk
from memgraph_ha.local.gateway import LeaderGateway
from memgraph_ha.local.leading import Leading
from memgraph_ha.local.options import leaves
from memgraph_ha.local.policies import RESTART_FIELDS, Policies

_MOST_LOG_BYTES: Final = 256 * 1024
_BIND_RETRY_S: Final = 0.25

_log = structlog.get_logger()


@frozen(kw_only=True)
class LocalControl:
    """Implements `Control`.

    Attributes:
        datadir: The cluster.
        identity: Ours, as the lease names us.
        desk: The daemon's.
        lease: Who leads.
        platform: What changes the members.
        gateway: The clients.
        policies: The operator's choices.
        accounting: What the daemon counts.
        started_at: When this process started, wall clock, seconds since 1970.
    """

    datadir: DataDir
    identity: str
    desk: Desk
    lease: Lease
    platform: ProcessPlatform
    gateway: LeaderGateway
    policies: Policies
    accounting: Accounting
    started_at: float = field(factory=time.time)

    @property
    def policy(self) -> Policy:
        """What the operator chose."""
        return self.policies.chosen

    @property
    def restart_fields(self) -> frozenset[str]:
        """See `RESTART_FIELDS`."""
        return RESTART_FIELDS

    def now(self) -> Snapshot:
        """Say how things stand."""
        return Snapshot(
            view=self.desk.view,
            decision=self.desk.decision,
            holds=self.desk.holds(),
            leader=self.lease.leader,
            identity=self.identity,
            cluster=str(self.datadir.path),
            namespace="local",
            lease_name=self.datadir.lease.name,
            started_at=self.started_at,
            now=time.time(),
            observe_only=False,
            last_tick_age_s=self.desk.age_s,
            gateways=self._gateways(),
        )

    def _gateways(self) -> dict[Gate, Gateway]:
        serving, config = self.gateway.serving, self.datadir.config
        if serving is None:
            return {}
        found = {Gate.RW: Gateway(port=config.rw_port, counters=serving.rw.counters())}
        if serving.ro is not None:
            found[Gate.RO] = Gateway(port=config.ro_port, counters=serving.ro.counters())
        return found

    async def ask(self, ask: Ask, instance: InstanceName | None, *, by: str, reason: str, wait_s: float) -> Answer:
        """Ask for something and wait for its end; see `Control.ask`."""
        return await self.desk.ask(ask, instance, by=by, reason=reason, wait_s=wait_s)

    def refusal(self, ask: Ask, instance: InstanceName | None) -> str | None:
        """Say why it would be refused now; see `Control.refusal`."""
        return refusal(self.desk.leading_view(), ask, self.desk.whom(ask, instance))

    def at_stake(self, instance: InstanceName) -> str:
        """Say what a forced failover to that instance could lose."""
        return "unknown: nothing was seen yet" if self.desk.view is None else at_stake(self.desk.view, instance)

    async def apply_policy(self, policy: Policy) -> None:
        """Put another policy in force, and keep it; see `Policies.apply`."""
        await self.policies.apply(policy)

    async def change_members(self, count: int) -> Answer:
        """Grow or shrink the cluster; neither MAIN, its standby nor who may be MAIN ever goes."""
        view = self.desk.leading_view()
        keep = set(view.pair)
        if view.record is not None:
            keep.add(view.record.main)
        try:
            names = await self.platform.change_members(count, keep=keep)
        except MembersError as error:
            return Answer(request_id="", ok=False, text=str(error))
        return Answer(request_id="", ok=True, text=f"the cluster has {len(names)} instances: {', '.join(names)}")

    def reset_connections(self) -> int:
        """Cut every client of both gateways."""
        return self.gateway.reset()

    def log_tail(self, lines: int) -> tuple[str, ...]:
        """Give the last lines of ``controller.log``."""
        return _tail(self.datadir.path / "controller.log", lines)


def _tail(path: Path, lines: int) -> tuple[str, ...]:
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _MOST_LOG_BYTES))
            found = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ()
    whole = found if size <= _MOST_LOG_BYTES else found[1:]
    return tuple(whole[-lines:])


async def serve_api(
    control: Control, leading: Leading, *, port: int, token: str, account: tuple[str, str] | None
) -> None:
    """Serve the HTTP API in every term of ours, for ever: like the gateways, its port belongs to whoever leads.

    Error handling: a port that cannot be had, or a fault of the server, is logged and tried again. It costs the
    operator's view for a while, and must not cost the cluster its controller.

    Args:
        control: The controller.
        leading: Whether it leads.
        port: On loopback.
        token: What callers of verbs must know.
        account: What callers of the preStop hook must know.
    """
    said = ""

    async def serve_term() -> None:
        nonlocal said
        while True:
            try:
                await serve(control, host=LOOPBACK, port=port, token=token, basic_auth=account)
            except* Exception as group:  # noqa: BLE001 - see above
                error = repr(leaves(group)[0])
                if said != error:
                    said = error
                    _log.warning("the HTTP API is not served", port=port, error=error)
            await trio.sleep(_BIND_RETRY_S)

    await leading.run_while(serve_term)
