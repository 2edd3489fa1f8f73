"""The controller of a `memgraph-ha local` as the HTTP API sees it, and the server of that API."""

import os
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.datadir import DataDir
from memgraph_ha.adapters.process import ProcessPlatform
from memgraph_ha.adapters.process_argv import LOOPBACK
from memgraph_ha.adapters.process_members import MembersError
from memgraph_ha.api.control import Control, Snapshot
from memgraph_ha.api.endpoints import Access
from memgraph_ha.core import Answer, Policy
from memgraph_ha.local.policies import Policies
from memgraph_ha.runtime.api import serve_steadily
from memgraph_ha.runtime.control import DeskControl
from memgraph_ha.runtime.leading import Leading
from memgraph_ha.runtime.policies import RESTART_FIELDS

_MOST_LOG_BYTES: Final = 256 * 1024


@frozen(kw_only=True)
class LocalControl(DeskControl):
    """Implements `Control`.

    Attributes:
        datadir: The cluster.
        platform: What changes the members.
        policies: The operator's choices.
    """

    datadir: DataDir
    platform: ProcessPlatform
    policies: Policies

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
        return self.snapshot(cluster=str(self.datadir.path), namespace="local", lease_name=self.datadir.lease.name)

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


async def serve_api(control: Control, leading: Leading, *, port: int, access: Access) -> None:
    """Serve the HTTP API in every term of ours, for ever: like the gateways, its port belongs to whoever leads.

    Args:
        control: The controller.
        leading: Whether it leads.
        port: On loopback.
        access: What callers must know.
    """
    await leading.run_while(lambda: serve_steadily(control, host=LOOPBACK, port=port, access=access))
