"""What a drill is to do, and the ports that it may use."""

import random
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.ports_in_use import port_holder, port_is_busy
from memgraph_ha.adapters.process_argv import plan_ports
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.pauses import FaultKind
from memgraph_ha.runtime.usage import UsageError

DEFAULT_PORT: Final = 7687

FAILOVER_LIMIT: Final = 1_000_000
"""The anti-flap limit of a drill's cluster: out of the way. The default would rightly hold after the fifth kill."""

_SHIFTS: Final = range(50, 12_000, 50)
"""How far the default ports are moved if one is busy: all stay below 32768, from where the kernel takes its own."""

_TRIES: Final = 100
_BASES: Final = {"bolt": 17687, "replication": 20000, "monitoring": 17444, "metrics": 19091}
_LOOPBACK: Final = "127.0.0.1"
_EVERYWHERE: Final = "0.0.0.0"  # noqa: S104 - Memgraph binds its replication port so (semantics 4.6): look there


@frozen(kw_only=True)
class Plan:
    """What a drill is to do.

    Attributes:
        title: What it is called on the screen.
        notes: What else is said before it begins, line by line.
        faults: What is done to MAIN, in order; each after the cluster is protected again.
        writers: How many write meanwhile, at least 1.
        stock: Whether they leave retries to the driver.
        instances: How many instances, 2 to 9.
        memgraph: The binary; None for the bundled fake.
        port: Where the gateway listens; None for 7687, or another if that is busy.
        seed: The pauses between faults are drawn from it.
        settle_s: Shortest and longest pause before each fault, in seconds.
        keep: Whether the evidence is kept though nothing is wrong.
        patience_s: How long the cluster may take to be protected, at first and after each fault.
        trace: Where the controller records; None: nowhere.
    """

    title: str
    faults: tuple[FaultKind, ...]
    notes: tuple[str, ...] = ()
    writers: int = 8
    stock: bool = False
    instances: int = 3
    memgraph: Path | None = None
    port: int | None = None
    seed: int = 0
    settle_s: tuple[float, float] = (0.2, 0.8)
    keep: bool = False
    patience_s: float = 60.0
    trace: Path | None = None


@frozen(kw_only=True)
class Ports:
    """Ports for one cluster.

    Attributes:
        gateway: The read/write gateway's.
        shift: How far the instances' ports are from the defaults of ``memgraph-ha local``.
    """

    gateway: int
    shift: int

    def arguments(self) -> list[str]:
        """Give them as arguments of ``memgraph-ha local``; a drill reads nothing from replicas and asks no API."""
        bases = [f"--{kind}-base={base + self.shift}" for kind, base in _BASES.items()]
        return [f"--port={self.gateway}", "--ro-port=0", "--http-port=0", *bases]


def mix(kills: int, stops: int) -> tuple[FaultKind, ...]:
    """Spread stops evenly among kills."""
    total = kills + stops
    return tuple(
        FaultKind.STOP if (number + 1) * stops // total > number * stops // total else FaultKind.KILL
        for number in range(total)
    )


def choose_ports(instances: int, port: int | None) -> Ports:
    """Find ports that are free now: the defaults, or others if one of them is busy.

    Args:
        instances: How many instances need some.
        port: The gateway's, if the user named it.

    Raises:
        UsageError: The user's port is busy; the text says by whom, as far as can be seen.
        DrillError: No free ports were found.
    """
    if port is not None and port_is_busy(port, _LOOPBACK):
        holder = port_holder(port)
        by = "" if holder is None else f" by {holder}"
        raise UsageError(f"--port {port} is in use{by}; give another, or leave it out and a free one is taken")
    shifts = [0, *random.sample(_SHIFTS, _TRIES)]  # at random, so that two drills that start together differ
    for shift in shifts:
        found = Ports(gateway=DEFAULT_PORT + shift if port is None else port, shift=shift)
        if _are_free(found, instances, given=port is not None):
            return found
    raise DrillError(f"none of {len(shifts)} sets of ports tried is free; end what listens on so many, or give --port")


def _are_free(ports: Ports, instances: int, *, given: bool) -> bool:
    if not given and port_is_busy(ports.gateway, _LOOPBACK):
        return False
    each = plan_ports(instances, **{kind: base + ports.shift for kind, base in _BASES.items()})
    needed = [port for one in each for _, port in one.named()]
    if ports.gateway in needed:
        return False
    return not any(port_is_busy(port, host) for port in needed for host in (_LOOPBACK, _EVERYWHERE))
