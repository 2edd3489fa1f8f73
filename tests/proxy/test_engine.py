"""The engine driven by hand, without its thread: what it does between two looks at its sockets."""

import contextlib
import select
import socket
from collections.abc import Iterator

import pytest

from memgraph_ha.core.permit import Permit
from memgraph_ha.proxy.engine import Engine
from memgraph_ha.proxy.lobby import Limits
from memgraph_ha.proxy.poller import abort
from memgraph_ha.proxy.sockets import Target, listen, numeric_target, split_address
from tests.proxy.harness import HOST, Clock, permit
from tests.proxy.rig import tcp_pair


class ByHand:
    """An engine that runs only when told, and a MAIN that is a bare listening socket."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.broken: list[Permit | None] = []
        self.listener = listen(HOST, 0)
        self.address = self.listener.getsockname()
        limits = Limits(hold_max_s=30, hold_max_connections=10, max_connections=100, connect_timeout_s=2)
        self.engine = Engine(self.listener, limits, self.clock, lambda _at_s, broken: self.broken.append(broken))
        self.main = socket.create_server((HOST, 0))
        self.main.settimeout(5)
        self.target = Target(socket.AF_INET, HOST, self.main.getsockname()[1])
        self.permit = permit(self.target.port)
        self.sockets: list[socket.socket] = []

    def accept(self) -> socket.socket:
        """Take MAIN's next connection."""
        sock, _ = self.main.accept()
        self.sockets.append(sock)
        return sock

    def connect(self) -> socket.socket:
        """A client, whose connection has arrived at the engine's socket."""
        sock = socket.create_connection(self.address)
        self.sockets.append(sock)
        assert select.select([self.listener], [], [], 5)[0]
        return sock


@contextlib.contextmanager
def by_hand() -> Iterator[ByHand]:
    """An engine for one test."""
    made = ByHand()
    try:
        yield made
    finally:
        made.engine.close()
        made.main.close()
        for sock in made.sockets:
            sock.close()


def test_a_client_is_not_linked_when_the_sentinel_was_lost_since_the_last_look() -> None:
    """MAIN died and something answers on its port already: the check is at the link, not at the next event."""
    with by_hand() as made:
        made.engine.apply(made.permit, made.target, hold=True)
        made.engine._tidy()
        abort(made.accept())
        made.connect().send(b"not for you")
        made.engine._tidy()
        counters = made.engine.counters()
        assert (counters.active_now, counters.held_now, counters.relayed) == (0, 1, 0)
        stranger = made.accept()
        assert _ends(stranger)


def _ends(sock: socket.socket) -> bool:
    """Whether a connection brought nothing and was reset."""
    sock.settimeout(5)
    with pytest.raises(ConnectionResetError):
        sock.recv(100)
    return True


def test_nothing_is_linked_under_a_permit_that_has_lapsed_since_the_dial_began() -> None:
    """The permit is asked again when the connection to MAIN stands, before the first byte."""
    with by_hand() as made:
        made.engine.apply(made.permit, made.target, hold=True)
        made.engine._tidy()
        made.clock.ahead_s = 61
        near, far = tcp_pair()
        made.sockets += [near, far]
        assert not made.engine.link(near, far)
        assert made.engine.permit is None
        assert made.broken == [None]
        assert made.engine.counters().active_now == 0


def test_a_route_that_arrives_after_the_end_changes_nothing() -> None:
    """The daemon's last route may come when the gateway is already closed."""
    with by_hand() as made:
        made.engine.close()
        made.engine.apply(made.permit, made.target, hold=True)
        assert made.engine.permit is None
        made.engine.stop()
        made.engine.close()


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("10.0.0.1:7687", ("10.0.0.1", 7687)),
        ("[::1]:1", ("::1", 1)),
        ("memgraph-0.svc:65535", ("memgraph-0.svc", 65535)),
    ],
)
def test_addresses_are_taken_apart(address: str, parts: tuple[str, int]) -> None:
    """Host and port, also of IPv6 addresses in brackets."""
    assert split_address(address) == parts


@pytest.mark.parametrize("address", ["", "host", ":1", "host:", "host:0", "host:65536", "host:+1", "host:1x", "host:¹"])
def test_what_is_no_address_is_named(address: str) -> None:
    """The message quotes it."""
    with pytest.raises(ValueError, match="is not host:port") as caught:
        split_address(address)
    assert repr(address) in str(caught.value)


def test_numeric_addresses_need_no_resolver() -> None:
    """Both families; a name is left to the resolver."""
    assert numeric_target("127.0.0.1", 1) == Target(socket.AF_INET, "127.0.0.1", 1)
    assert numeric_target("::1", 2) == Target(socket.AF_INET6, "::1", 2)
    assert numeric_target("localhost", 3) is None
