"""What both gateways share on trio's side: a port, a thread that works on it, and what it counted."""

import socket
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from memgraph_ha.core.facts import GateSeen, SentinelBroke
from memgraph_ha.proxy.certificate import follow
from memgraph_ha.proxy.counters import Counters
from memgraph_ha.proxy.loop import Loop
from memgraph_ha.proxy.options import Options
from memgraph_ha.proxy.resolver import Resolver
from memgraph_ha.proxy.sockets import listen

Report = Callable[[GateSeen | SentinelBroke], None]
"""Where facts go; returns at once."""

LoopT = TypeVar("LoopT", bound=Loop)


class Listening(ABC, Generic[LoopT]):
    """A gateway with a port of its own; heirs say what works on it.

    **Resource handling.** `serve` owns the listening socket and every connection; cancelling it resets and closes
    them all. A gateway serves once.

    **Error handling.** What clients or servers do wrong is counted, never raised. `bind` raises OSError. A defect in
    the loop closes everything, then propagates from `serve`.

    Args:
        address: Host and port; port 0 lets the kernel choose.
        options: How clients are received.
        clock: The permits' clock, seconds.
    """

    def __init__(self, address: tuple[str, int], options: Options, clock: Callable[[], float]) -> None:
        self._address = address
        self._options = options
        self._clock = clock
        self._resolver = Resolver(self._push)
        self._loop: LoopT | None = None
        self._report: Report | None = None
        self._token: trio.lowlevel.TrioToken | None = None

    @abstractmethod
    def _make(self, listener: socket.socket) -> LoopT:
        """What works on this listening socket."""

    @abstractmethod
    def _push(self) -> None:
        """Bring the loop in step with the route, if both are there."""

    def _began(self, report: Report) -> None:
        """The loop runs."""

    def _ended(self) -> None:
        """Everything is closed."""

    def bind(self) -> tuple[str, int]:
        """Take the port, so that a busy one is known before anything else starts; `serve` does it otherwise.

        Clients may connect from now on and wait in the kernel's backlog.

        Returns:
            Host and port as bound.

        Raises:
            OSError: The address is busy (``EADDRINUSE``), not ours, or may not be used.
        """
        self._bound()
        return self._address

    def close(self) -> None:
        """Give the port back if `serve` was never called; harmless otherwise."""
        if self._loop is not None:
            self._loop.close()

    def counters(self) -> Counters:
        """What was done so far.

        Raises:
            RuntimeError: Before `bind`.
        """
        if self._loop is None:
            raise RuntimeError("counters: the gateway is not bound yet: call bind() or serve() first")
        return self._loop.counters()

    async def serve(self, report: Report, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and relay until cancelled.

        Args:
            report: Called on the trio thread with what there is to tell. The read/write gateway tells `GateSeen` at
                the start and whenever what may pass has changed, and `SentinelBroke` before the `GateSeen` that
                follows from it; the read-only one tells nothing.
            task_status: Started once clients are accepted.

        Raises:
            OSError: As `bind`.
        """
        loop = self._bound()
        self._report = report
        self._token = trio.lowlevel.current_trio_token()
        try:
            async with trio.open_nursery() as nursery:
                self._resolver.nursery = nursery
                nursery.start_soon(_run, loop)
                if self._options.tls is not None:
                    nursery.start_soon(follow, self._options.tls)
                try:
                    self._began(report)
                    self._push()
                    task_status.started()
                    await trio.sleep_forever()
                finally:
                    self._resolver.nursery = None
                    loop.stop()
        finally:
            loop.close()
            self._ended()
            self._report = None

    def _bound(self) -> LoopT:
        if self._loop is None:
            listener = listen(*self._address)
            host, port = listener.getsockname()[:2]
            self._address = str(host), int(port)
            self._loop = self._make(listener)
        return self._loop


def require_above(least: float, **numbers: float) -> None:
    """Check that numbers are above a bound.

    Raises:
        ValueError: One is not; the message names it.
    """
    for name, value in numbers.items():
        if not value > least:
            raise ValueError(f"{name}: {value} is too small: give a positive number")


async def _run(loop: Loop) -> None:
    """Run a loop on a thread of its own until it is stopped; no cancellation leaves it running."""
    await trio.to_thread.run_sync(loop.run, abandon_on_cancel=False, limiter=trio.CapacityLimiter(1))
