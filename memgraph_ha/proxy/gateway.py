"""The read/write gateway as the daemon sees it: routes in, facts out, on trio."""

import socket
from collections.abc import Callable

import trio

from memgraph_ha.core.facts import GateSeen, SentinelBroke
from memgraph_ha.core.permit import Permit, Route
from memgraph_ha.proxy.engine import Engine
from memgraph_ha.proxy.listening import Listening, Report, require_above
from memgraph_ha.proxy.lobby import Limits
from memgraph_ha.proxy.options import PLAIN, Options
from memgraph_ha.proxy.sockets import Target


class RwGateway(Listening[Engine]):
    """Relays clients to MAIN while, and only while, a permit says so (design 7, 8).

    The bytes are moved by a thread (`Engine`); this class feeds it routes and turns what it finds into facts.

    Args:
        listen: Host and port; port 0 lets the kernel choose.
        hold_max_s: Longest time a client is held while there is no permit, seconds, > 0.
        hold_max_connections: Most clients held so; one more is reset. >= 0.
        max_connections: Most clients altogether; one more is reset. > 0.
        connect_timeout_s: Longest attempt to reach MAIN, seconds, > 0; the client then waits again.
        options: What it does besides relaying; nothing by default.
        clock: The clock of ``Permit.valid_until_s``, seconds; one that counts suspend (``CLOCK_BOOTTIME``). Called
            for each chunk that is relayed, on another thread.

    Raises:
        ValueError: A number is out of range; the message names it.
    """

    def __init__(
        self,
        listen: tuple[str, int],
        *,
        hold_max_s: float,
        hold_max_connections: int,
        max_connections: int,
        connect_timeout_s: float,
        clock: Callable[[], float],
        options: Options = PLAIN,
    ) -> None:
        require_above(0, hold_max_s=hold_max_s, max_connections=max_connections, connect_timeout_s=connect_timeout_s)
        require_above(-1, hold_max_connections=hold_max_connections)
        super().__init__(listen, options, clock)
        self._limits = Limits(
            hold_max_s=hold_max_s,
            hold_max_connections=hold_max_connections,
            max_connections=max_connections,
            connect_timeout_s=connect_timeout_s,
        )
        self._route: Route | None = None
        self._told: tuple[Permit | None, bool, bool] = (None, False, False)
        self._settled = trio.Event()

    def _make(self, listener: socket.socket) -> Engine:
        return Engine(listener, self._limits, self._clock, self._notified, self._options)

    def _began(self, report: Report) -> None:
        report(GateSeen(at_s=self._clock(), permit=None))

    def _ended(self) -> None:
        self._tell_gate()

    def apply(self, route: Route) -> None:
        """Take over a route.

        When this returns, everything that the route forbids has been cut: no byte passes under another permit. In a
        quiet moment connections stay, but no transaction begins any more, and new clients are held (decision 0005).
        A name in the permit's address is resolved once per permit; until then nobody is let in.

        Args:
            route: May be the one that holds already, or be applied before `serve`.

        Raises:
            ValueError: The permit's address is not ``host:port``; everything is cut first.
        """
        self._route = route
        self._push()

    def cut_open(self) -> None:
        """In a quiet moment, cut whoever is inside a transaction that only its client can end, or may be.

        For when MAIN has ended the open transactions by force: their locks last until the client's next message or
        the end of its connection (transcripts Q22). Connections between transactions stay, and so do those that
        wait for an answer of MAIN.
        """
        if self._loop is not None:
            self._loop.cut_open()

    async def drain(self, patience_s: float) -> None:
        """Go out of service gently: accept nobody, begin no transaction, and wait for those that are open.

        Call it while `serve` runs, then cancel that, which closes everything. Returns at once if nothing passes.

        Args:
            patience_s: Longest wait, seconds, >= 0. Connections that cannot be read (TLS that passes through) are
                waited for as long, for they may have answers due.
        """
        engine = self._loop
        if engine is None:
            return
        engine.drain()
        self._tell_gate()
        with trio.move_on_after(patience_s):
            while engine.quiet and not engine.settled:
                await self._settled.wait()

    def _push(self) -> None:
        """Bring the engine in step with the route."""
        engine, route = self._loop, self._route
        if engine is None or route is None or self._report is None:
            return
        permit = route.permit
        target: Target | None = None
        self._resolver.keep(() if permit is None else (permit,))
        if permit is not None and engine.needs_target(permit):
            try:
                target = self._resolver.target(permit)
            except ValueError:
                engine.apply(None, None, hold=route.hold)
                self._tell_gate()
                raise
        engine.apply(permit, target, hold=route.hold, quiet=route.quiet)
        self._tell_gate()

    def _notified(self, at_s: float, broken: Permit | None) -> None:
        """The engine, on its own thread, shut by itself."""
        if self._token is not None:
            self._token.run_sync_soon(self._tell, at_s, broken)

    def _tell(self, at_s: float, broken: Permit | None) -> None:
        if broken is not None and self._report is not None:
            self._report(SentinelBroke(at_s=at_s, instance=broken.instance, run=broken.run))
        self._tell_gate()

    def _tell_gate(self) -> None:
        """Report what may pass, as it is now: what the engine's thread said may be old by the time it is heard."""
        engine = self._loop
        shut = (None, False, False)
        gate = shut if engine is None else (engine.permit, engine.quiet, engine.settled)
        if gate != self._told and self._report is not None:
            self._told = gate
            self._report(GateSeen(at_s=self._clock(), permit=gate[0], quiet=gate[1], settled=gate[2]))
        self._settled.set()
        self._settled = trio.Event()
