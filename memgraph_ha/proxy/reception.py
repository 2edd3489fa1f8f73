"""What a new client has to pass before it is let in: its source's rate, a PROXY header, a TLS handshake."""

import logging
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from memgraph_ha.proxy import proxy_protocol
from memgraph_ha.proxy.counters import Refusal, Tally
from memgraph_ha.proxy.options import Options
from memgraph_ha.proxy.poller import IN, OUT, Poller
from memgraph_ha.proxy.proxy_protocol import Endpoints, HeaderError
from memgraph_ha.proxy.source_limit import SourceLimit
from memgraph_ha.proxy.tls import NotTlsError, TlsSocket

HANDSHAKES_AT_ONCE: Final = 4
"""Handshakes that go on in one round: each may cost a signature (RSA of 4096 bits: about 5 ms), and whoever is being
relayed, or applies a route, waits for the round."""

Admit = Callable[[socket.socket, bytes, float], None]
"""Told of a client that has passed: its connection, what MAIN is to be told of it first, and the time."""

log = logging.getLogger(__name__)


class Caller:
    """A client that has not passed yet.

    Attributes:
        fd: Its descriptor.
        sock: Its connection, as it came.
        tls: The same, once the TLS handshake has begun.
        since: When it came, on the gateway's clock.
        host: Where it comes from, numeric.
        header: As much of its PROXY header as has come.
        ends: Its connection as the PROXY header said, if it did.
    """

    __slots__ = ("ends", "fd", "header", "host", "since", "sock", "tls")

    def __init__(self, sock: socket.socket, host: str, since: float) -> None:
        self.fd = sock.fileno()
        self.sock = sock
        self.tls: TlsSocket | None = None
        self.since = since
        self.host = host
        self.header = b""
        self.ends: Endpoints | None = None


class Reception:
    """Receives new clients, under the engine's lock; it knows nothing of permits.

    Args:
        poller: The engine's.
        options: What has to be passed.
        tally: The engine's.
        clock: The engine's, seconds.
        admit: See `Admit`.
        stir: Called when `tick` has something to do before the engine sleeps.
    """

    def __init__(
        self,
        poller: Poller,
        options: Options,
        tally: Tally,
        clock: Callable[[], float],
        *,
        admit: Admit,
        stir: Callable[[], None],
    ) -> None:
        self._poller = poller
        self._options = options
        self._tally = tally
        self._clock = clock
        self._admit = admit
        self._stir = stir
        self._plain = not (options.source_rate_per_s or options.tls or options.accept_proxy or options.send_proxy)
        rate = options.source_rate_per_s
        self._limit = SourceLimit(rate, options.source_burst) if rate else None
        self._callers: OrderedDict[int, Caller] = OrderedDict()
        self._shaking: OrderedDict[int, tuple[Caller, TlsSocket]] = OrderedDict()

    @property
    def callers(self) -> int:
        """Clients being received now."""
        return len(self._callers)

    @property
    def wake_at(self) -> float:
        """When somebody's time is up, at the earliest."""
        if not self._callers:
            return float("inf")
        return next(iter(self._callers.values())).since + self._options.greeting_timeout_s

    def receive(self, sock: socket.socket, host: str, now: float) -> None:
        """Let a client pass, refuse it, or wait for what it has to say first.

        Args:
            sock: Its connection, non-blocking.
            host: Where it comes from, numeric.
            now: The time.
        """
        if self._plain:
            self._admit(sock, b"", now)
            return
        caller = Caller(sock, host, now)
        if self._options.accept_proxy:
            self._callers[caller.fd] = caller
            self._poller.watch(caller.fd, IN, lambda _mask: self._read_header(caller))
        else:
            self._go_on(caller, now)

    def tick(self, now: float) -> None:
        """Refuse whoever took too long, and go on with some of the handshakes."""
        while self._callers and now >= self.wake_at:
            self._refuse(next(iter(self._callers.values())), Refusal.GREETING_EXPIRED)
        for _ in range(min(HANDSHAKES_AT_ONCE, len(self._shaking))):
            _, (caller, tls) = self._shaking.popitem(last=False)
            self._shake(caller, tls)
        if self._shaking:
            self._stir()

    def end(self) -> None:
        """Reset whoever is being received."""
        for caller in self._callers.values():
            self._poller.abort(caller.tls or caller.sock)
        self._callers.clear()
        self._shaking.clear()

    def _read_header(self, caller: Caller) -> None:
        """Read on in a PROXY header, and not a byte further: the rest belongs to whoever is next."""
        try:
            while lacks := proxy_protocol.missing(caller.header):
                chunk = caller.sock.recv(lacks)
                if not chunk:
                    self._left(caller)
                    return
                caller.header += chunk
            caller.ends = proxy_protocol.parse(caller.header)
        except BlockingIOError:
            return
        except OSError:
            self._left(caller)
        except HeaderError as error:
            self._refuse(caller, Refusal.NO_HEADER, error)
        else:
            if caller.ends is not None:
                caller.host = caller.ends.source[0]
            self._go_on(caller, self._clock())

    def _go_on(self, caller: Caller, now: float) -> None:
        """It is known now whom we deal with."""
        if self._limit is not None and not self._limit.take(caller.host, now):
            self._refuse(caller, Refusal.RATE)
        elif self._options.tls is None:
            self._pass(caller, now)
        else:
            self._begin_tls(caller, self._options.tls.context)

    def _begin_tls(self, caller: Caller, context: ssl.SSLContext) -> None:
        tls = TlsSocket(caller.sock, context)
        caller.tls = tls
        self._callers[caller.fd] = caller
        self._poller.watch(caller.fd, IN, lambda _mask: self._queue(caller, tls))

    def _queue(self, caller: Caller, tls: TlsSocket) -> None:
        """Something can be read or written: the handshake can go on, in its turn."""
        self._shaking[caller.fd] = caller, tls
        self._stir()

    def _shake(self, caller: Caller, tls: TlsSocket) -> None:
        try:
            done = tls.handshake()
        except NotTlsError as error:
            self._refuse(caller, Refusal.NOT_TLS, error)
        except (EOFError, ConnectionError):
            self._left(caller)
        except OSError as error:
            self._refuse(caller, Refusal.TLS_FAILED, error)
        else:
            if done:
                self._pass(caller, self._clock())
            else:
                self._poller.change(caller.fd, IN if tls.flushed else OUT)

    def _pass(self, caller: Caller, now: float) -> None:
        preface = b""
        if self._options.send_proxy:
            try:
                preface = proxy_protocol.build(caller.ends or _own_ends(caller.tls or caller.sock))
            except OSError:
                self._left(caller)
                return
        self._forget(caller)
        self._admit(caller.tls or caller.sock, preface, now)

    def _refuse(self, caller: Caller, why: Refusal, error: Exception | None = None) -> None:
        self._tally.refused[why] += 1
        if error is not None:
            log.debug("refused a client that comes from %s: %s", caller.host, error)
        self._forget(caller)
        if caller.tls is not None and why is Refusal.TLS_FAILED:
            self._poller.close(caller.tls)  # a reset could overtake the alert that tells why
        else:
            self._poller.abort(caller.tls or caller.sock)

    def _left(self, caller: Caller) -> None:
        self._tally.hung_up += 1
        self._forget(caller)
        self._poller.close(caller.tls or caller.sock)

    def _forget(self, caller: Caller) -> None:
        if self._callers.pop(caller.fd, None) is not None:
            self._shaking.pop(caller.fd, None)
            self._poller.forget(caller.fd)


def _own_ends(sock: socket.socket) -> Endpoints:
    """Both ends of a connection, as the kernel knows them."""
    source, destination = sock.getpeername(), sock.getsockname()
    return Endpoints(source=(str(source[0]), source[1]), destination=(str(destination[0]), destination[1]))
