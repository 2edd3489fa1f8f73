"""The gateways of one controller: only the leader relays, so their ports are bound in each term of it anew.

Who does not lead has no port: the kernel refuses its clients at once, and they, or the Service in front, try the next.
On one machine the ports are the same for all controllers of a cluster, and belong to whoever leads.
"""

import itertools
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
import trio

from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.permit import Route
from memgraph_ha.proxy.read_gateway import Gateways
from memgraph_ha.runtime.leading import Leading

_BIND_WITHIN_S: Final = 10.0
"""The leader before us needs milliseconds to give the port up; who still has it then is a stranger."""

_BIND_RETRY_S: Final = 0.05

_HAND_OVER_S: Final = 1.0
"""A controller that lost the lease gives the port up at once; one that still has it after so long stands still."""

_log = structlog.get_logger()


class LeaderGateway:
    """Implements `Gateway`: serves while this controller leads, and has no ports otherwise.

    Args:
        make: Makes gateways that are not bound yet.
        leading: Whether we lead.
        evict: Ends the controller that led before us, if it keeps the port; None where it had a port of its own.
    """

    def __init__(
        self, make: Callable[[], Gateways], leading: Leading, evict: Callable[[], Awaitable[None]] | None = None
    ) -> None:
        self._make, self._leading, self._evict = make, leading, evict
        self._gateway: Gateways | None = None
        self._route: Route | None = None

    async def serve(self, report: Report, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve in every term of ours, for ever.

        Raises:
            OSError: The port stayed busy for ten seconds.
        """
        task_status.started()
        await self._leading.run_while(lambda: self._serve_term(report))

    @property
    def serving(self) -> Gateways | None:
        """The gateways of this term; None while they are not bound."""
        return self._gateway

    def reset(self) -> int:
        """Cut every connection that is relayed; who waits goes on waiting, and who was cut may come back at once.

        Returns:
            How many there were.
        """
        gateway = self._gateway
        if gateway is None:
            return 0
        count = sum(each.counters().active_now for each in (gateway.rw, gateway.ro) if each is not None)
        gateway.apply(Route(permit=None, hold=True, why="every connection is cut by order"))
        if self._route is not None:
            gateway.apply(self._route)
        return count

    def cut_open(self) -> None:
        """In a quiet moment, cut who is inside a transaction that only its client can end, or may be."""
        if self._gateway is not None:
            self._gateway.cut_open()

    async def drain(self, patience_s: float) -> None:
        """Go out of service gently, if we serve: accept nobody, and let open transactions end.

        Args:
            patience_s: Longest wait, seconds, >= 0.
        """
        if self._gateway is not None:
            await self._gateway.drain(patience_s)

    def apply(self, route: Route) -> None:
        """Hand the route to the gateway of this term, now or as soon as it is bound."""
        self._route = route
        if self._gateway is not None:
            self._gateway.apply(route)

    async def _serve_term(self, report: Report) -> None:
        gateway = self._make()
        await self._bind(gateway)
        if (route := self._route) is not None:
            gateway.apply(route)  # so that the first client is already held, or served
        async with trio.open_nursery() as nursery:
            await nursery.start(gateway.serve, report)
            self._gateway = gateway
            try:
                if self._route is not None and self._route is not route:
                    gateway.apply(self._route)
                await trio.sleep_forever()
            finally:
                self._gateway = None
                gateway.apply(Route(permit=None, hold=False, why="this controller does not lead any more"))

    async def _bind(self, gateway: Gateways) -> None:
        """Take the ports; who led before us has them for some milliseconds more, or for good if it stands still.

        Raises:
            OSError: Somebody kept one.
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
                if waited_s >= _HAND_OVER_S and not evicted and self._evict is not None:
                    evicted = True
                    await self._evict()
                await trio.sleep(_BIND_RETRY_S)
            else:
                return
