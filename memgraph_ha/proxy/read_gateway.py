"""The read-only gateway as the daemon sees it, and the two gateways as one."""

import socket
from collections.abc import Callable

import trio

from memgraph_ha.core.permit import Permit, ReadPermit, Route
from memgraph_ha.proxy.gateway import RwGateway
from memgraph_ha.proxy.listening import Listening, Report, require_above
from memgraph_ha.proxy.lobby import Limits
from memgraph_ha.proxy.options import PLAIN, Options
from memgraph_ha.proxy.readers import ReadLoop
from memgraph_ha.proxy.sockets import Target


class RoGateway(Listening[ReadLoop]):
    """Relays clients to replicas under ``Route.reads``, and to nobody else (design 8).

    New clients go to the replica with the fewest connections of those that take new ones; if it cannot be reached,
    to the next, each once. With nobody to go to they are reset at once: reads do not wait.

    Args:
        listen: Host and port; port 0 lets the kernel choose.
        max_connections: Most clients altogether; one more is reset. > 0.
        connect_timeout_s: Longest attempt to reach one replica, seconds, > 0.
        clock: The clock of ``Permit.valid_until_s``, seconds, as for `RwGateway`.
        options: What it does besides relaying; nothing by default.

    Raises:
        ValueError: A number is out of range; the message names it.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        *,
        max_connections: int,
        connect_timeout_s: float,
        clock: Callable[[], float],
        options: Options = PLAIN,
    ) -> None:
        require_above(0, max_connections=max_connections, connect_timeout_s=connect_timeout_s)
        super().__init__(listen, options, clock)
        self._limits = Limits(
            hold_max_s=0, hold_max_connections=0, max_connections=max_connections, connect_timeout_s=connect_timeout_s
        )
        self._reads: tuple[ReadPermit, ...] = ()
        self._draining = False

    def _make(self, listener: socket.socket) -> ReadLoop:
        return ReadLoop(listener, self._limits, self._clock, self._options)

    def apply(self, route: Route, *, widen: bool = True) -> None:
        """Take over the reads of a route.

        When this returns, every connection is cut whose permit none of the route's extends.

        Args:
            route: May be the one that holds already, or be applied before `serve`.
            widen: Also begin to use permits that are new.

        Raises:
            ValueError: A permit's address is not ``host:port``; that permit is not used, all else is done.
        """
        self._reads = route.reads
        self._resolver.keep(read.permit for read in self._reads)
        wrong = self._step(widen=widen)
        if wrong is not None:
            raise wrong

    def drain(self) -> None:
        """Accept nobody any more; those that are connected go on until `serve` is cancelled."""
        self._draining = True
        if self._loop is not None:
            self._loop.drain()

    def _push(self) -> None:
        self._step(widen=True)

    def _step(self, *, widen: bool) -> ValueError | None:
        """Bring the loop in step with the reads that can be; what is wrong with one of the others, if anything."""
        loop = self._loop
        if loop is None or self._report is None:
            return None
        wrong = None
        found: list[tuple[ReadPermit, Target | None]] = []
        for read in self._reads:
            try:
                found.append((read, self._target(loop, read.permit)))
            except ValueError as error:
                wrong = error
        loop.apply(found, widen=widen and not self._draining)
        return wrong

    def _target(self, loop: ReadLoop, permit: Permit) -> Target | None:
        return self._resolver.target(permit) if loop.needs_target(permit) else None


class Gateways:
    """The gateways of one process as one: what the daemon calls a `Gateway`.

    Args:
        rw: To MAIN.
        ro: To replicas; None if there is none.
    """

    def __init__(self, rw: RwGateway, ro: RoGateway | None = None) -> None:
        self.rw, self.ro = rw, ro

    def bind(self) -> None:
        """Take both ports, or none.

        Raises:
            OSError: One is busy, not ours, or may not be used.
        """
        self.rw.bind()
        try:
            if self.ro is not None:
                self.ro.bind()
        except OSError:
            self.rw.close()
            raise

    def close(self) -> None:
        """Give the ports back if `serve` was never called; harmless otherwise."""
        self.rw.close()
        if self.ro is not None:
            self.ro.close()

    async def serve(self, report: Report, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and relay until cancelled; facts come from the read/write gateway alone.

        Raises:
            OSError: As `bind`.
        """
        self.bind()
        async with trio.open_nursery() as nursery:
            if self.ro is not None:
                await nursery.start(self.ro.serve, report)
            await nursery.start(self.rw.serve, report)
            task_status.started()

    def apply(self, route: Route) -> None:
        """Take over a route: what it forbids is cut, in both, before anything that it newly allows is let in.

        A replica that is about to be promoted has lost its readers when this returns; one that was MAIN takes
        readers only after the last writer is gone.

        Raises:
            ValueError: An address is not ``host:port``; nothing passes under its permit.
        """
        try:
            if self.ro is not None:
                self.ro.apply(route, widen=False)
        finally:
            try:
                self.rw.apply(route)
            finally:
                if self.ro is not None:
                    self.ro.apply(route)

    def cut_open(self) -> None:
        """See `RwGateway.cut_open`; readers are not concerned."""
        self.rw.cut_open()

    async def drain(self, patience_s: float) -> None:
        """Go out of service gently: see `RwGateway.drain`; readers go on meanwhile.

        Args:
            patience_s: Longest wait, seconds, >= 0.
        """
        if self.ro is not None:
            self.ro.drain()
        await self.rw.drain(patience_s)
