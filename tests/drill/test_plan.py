"""Plans: which faults in which order, and ports that are really free."""

import contextlib
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.drill.demo import DemoOptions
from memgraph_ha.drill.pauses import FaultKind
from memgraph_ha.drill.plan import DEFAULT_PORT, choose_ports, mix
from memgraph_ha.runtime.usage import UsageError

KILL, STOP = FaultKind.KILL, FaultKind.STOP


@given(st.integers(0, 200), st.integers(0, 200))
def test_stops_are_spread_among_kills(kills: int, stops: int) -> None:
    """As many of each as asked for, and no part of the drill has more than its share."""
    faults = mix(kills, stops)

    assert (faults.count(KILL), faults.count(STOP)) == (kills, stops)
    for done in range(len(faults) + 1):
        assert abs(faults[:done].count(STOP) - stops * done / max(1, len(faults))) < 1


def test_a_busy_default_is_left_alone() -> None:
    """While somebody uses a port of the default set, another set is taken, the gateway's with it."""
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # a cluster that runs beside the tests may use it, which is as good
            taken.bind(("127.0.0.1", 17688))
            taken.listen()
        ports = choose_ports(3, None)

        assert ports.shift > 0
        assert ports.gateway == DEFAULT_PORT + ports.shift
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", ports.gateway))
    assert f"--bolt-base={17687 + ports.shift}" in ports.arguments()
    assert f"--port={ports.gateway}" in ports.arguments()


def test_the_port_that_the_user_named_is_taken() -> None:
    """Only the instances' ports may move then."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free: int = probe.getsockname()[1]

    assert choose_ports(3, free).gateway == free


def test_a_busy_port_that_the_user_named_is_an_error_that_says_who() -> None:
    """Nothing else is taken instead; the message names port, holder and way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"--port {port} is in use by pid {os.getpid()} .*; give another"):
            choose_ports(3, port)


@pytest.mark.parametrize(
    ("field", "value"),
    [("kills", -1), ("stops", 10_001), ("writers", 0), ("writers", 257), ("instances", 1), ("instances", 10)],
)
def test_options_out_of_range_are_named(field: str, value: int) -> None:
    """The error names option, value and range."""
    with pytest.raises(UsageError, match=rf"--{field} {value} is out of range; give \d+ to \d+"):
        DemoOptions(**{field: value})  # type: ignore[arg-type]  # each of these fields is a number


def test_a_seed_makes_the_same_plan() -> None:
    """Without one, two plans differ in their pauses."""
    assert DemoOptions(seed=5).plan() == DemoOptions(seed=5).plan()
    assert DemoOptions().plan().seed != DemoOptions().plan().seed
