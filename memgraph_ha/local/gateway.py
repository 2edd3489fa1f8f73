"""The gateway of a `memgraph-ha local`: its port belongs to whoever leads, so it is bound in each term anew."""

import itertools
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.permit import Route
from memgraph_ha.local.leading import Leading
from memgraph_ha.proxy.gateway import RwGateway

_BIND_WITHIN_S: Final = 10.0
"""The leader before us needs milliseconds to give the port up; who still has it then is a stranger."""

_BIND_RETRY_S: Final = 0.05

_HAND_OVER_S: Final = 1.0
"""A controller that lost the lease gives the port up at once; one that still has it after so long stands still."""

_log = structlog.get_logger()


class LeaderGateway:
    """Implements `Gateway`: serves while this controller leads, and has no port otherwise.

    Args:
        make: Makes a gateway that is not bound yet.
        leading: Whether we lead.
        evict: Ends the controller that led before us, if it keeps the port.
    """

    def __init__(self, make: Callable[[], RwGateway], leading: Leading, evict: Callable[[], Awaitable[None]]) -> None:
        self._make, self._leading, self._evict = make, leading, evict
        self._gateway: RwGateway | None = None
        self._route: Route | None = None

    async def serve(self, report: Report, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve in every term of ours, for ever.

        Raises:
            OSError: The port stayed busy for ten seconds.
        """
        task_status.started()
        await self._leading.run_while(lambda: self._serve_term(report))

    def cut_open(self) -> None:
        """Cut every connection that may be inside a transaction: for now, all."""
        if self._gateway is not None:
            self._gateway.cut_open()

    def apply(self, route: Route) -> None:
        """Hand the route to the gateway of this term, now or as soon as it is bound."""
        self._route = route
        if self._gateway is not None:
            self._gateway.apply(route)

    async def _serve_term(self, report: Report) -> None:
        gateway = self._make()
        await self._bind(gateway)
        async with trio.open_nursery() as nursery:
            await nursery.start(gateway.serve, report)
            self._gateway = gateway
            try:
                if self._route is not None:
                    gateway.apply(self._route)
                await trio.sleep_forever()
            finally:
                self._gateway = None
                gateway.apply(Route(permit=None, hold=False, why="this controller does not lead any more"))

    async def _bind(self, gateway: RwGateway) -> None:
        """Take the port; who led before us has it for some milliseconds more, or for good if it stands still.

        Raises:
            OSError: Somebody kept it.
        """
        began_s, evicted = trio.current_time(), False
        for tries in itertools.count():
            try:
                gateway.bind()
            except OSError as error:
                waited_s = trio.current_time() - began_s
                if waited_s >= _BIND_WITHIN_S:
                    raise
                if not tries:
                    _log.warning("the gateway's port is busy", error=str(error))
                if waited_s >= _HAND_OVER_S and not evicted:
                    evicted = True
                    await self._evict()
                await trio.sleep(_BIND_RETRY_S)
            else:
                return
