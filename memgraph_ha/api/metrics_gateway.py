"""The metrics of the gateways: what each counted, by its name (``rw``, ``ro``)."""

from collections.abc import Callable, Iterator
from typing import Final

from memgraph_ha.api.control import GatewayCounters
from memgraph_ha.api.metric import COUNTER, GAUGE, Metric, Sample, Scrape, counted


def _gateway(name: str, text: str, value: Callable[[GatewayCounters], float]) -> Metric:
    def values(found: Scrape) -> dict[str, float]:
        return {gate.value: value(gateway.counters) for gate, gateway in found.snapshot.gateways.items()}

    kind = COUNTER if name.endswith("_total") else GAUGE
    full = f"memgraph_ha_gateway_{name}"
    return Metric(name=full, kind=kind, labels=("gateway",), help=text, values=counted(values))


def _refusals(found: Scrape) -> Iterator[Sample]:
    for gate, gateway in found.snapshot.gateways.items():
        for reason, count in gateway.counters.refused.items():
            yield (gate.value, reason.name.lower()), float(count)


def _relayed_to(found: Scrape) -> Iterator[Sample]:
    for gate, gateway in found.snapshot.gateways.items():
        for instance, count in gateway.counters.relayed_to_now.items():
            yield (gate.value, instance), float(count)


def _bytes(found: Scrape) -> Iterator[Sample]:
    for gate, gateway in found.snapshot.gateways.items():
        yield (gate.value, "sent"), float(gateway.counters.bytes_to_clients)
        yield (gate.value, "received"), float(gateway.counters.bytes_to_main)


_TABLE: Final[tuple[tuple[str, str, Callable[[GatewayCounters], float]], ...]] = (
    ("active", "Connections relayed now.", lambda c: c.active_now),
    ("inside", "Of the active, inside a transaction, as far as their messages tell.", lambda c: c.inside_now),
    ("unknown", "Of the active, not readable (TLS passes through, or not Bolt).", lambda c: c.unknown_now),
    ("holding", "Of the active, kept from sending by a quiet moment.", lambda c: c.holding_now),
    ("held", "Clients that wait for a permit now.", lambda c: c.held_now),
    ("dialling", "Clients being connected to an instance now.", lambda c: c.dialling_now),
    ("receiving", "Clients in their PROXY header or TLS handshake now.", lambda c: c.received_now),
    ("accepted_total", "Connections accepted, refused ones included.", lambda c: c.accepted),
    ("relayed_total", "Clients that reached an instance.", lambda c: c.relayed),
    ("waited_total", "Clients that had to wait.", lambda c: c.held),
    ("released_total", "Clients that reached an instance after waiting.", lambda c: c.released),
    ("hung_up_total", "Clients that left while they waited.", lambda c: c.hung_up),
    ("cut_total", "Relayed connections that the gateway reset.", lambda c: c.cut),
    ("cut_open_total", "Of these, for a transaction that a quiet moment ended by force.", lambda c: c.cut_open),
    ("idled_total", "Relayed connections reset because nothing passed on them for too long.", lambda c: c.idled),
    ("dial_failures_total", "Attempts to connect a client to an instance that failed.", lambda c: c.dial_failures),
    ("sentinel_breaks_total", "Times an instance was found gone by the sentinel.", lambda c: c.sentinel_breaks),
    ("accept_pauses_total", "Times accepting paused for want of descriptors or memory.", lambda c: c.accept_pauses),
)
"""What ends in ``_total`` is a counter, the others are gauges."""

GATEWAY_METRICS: Final[tuple[Metric, ...]] = (
    *(_gateway(name, text, value) for name, text, value in _TABLE),
    Metric(
        name="memgraph_ha_gateway_refused_total",
        kind=COUNTER,
        labels=("gateway", "reason"),
        help="Connections reset before they reached an instance, by reason.",
        values=_refusals,
    ),
    Metric(
        name="memgraph_ha_gateway_relayed_to",
        kind=GAUGE,
        labels=("gateway", "instance"),
        help="Connections relayed now, by the instance that they lead to.",
        values=_relayed_to,
    ),
    Metric(
        name="memgraph_ha_gateway_bytes_total",
        kind=COUNTER,
        labels=("gateway", "direction"),
        help="Bytes relayed: `sent` to clients, `received` from them.",
        values=_bytes,
    ),
)
"""Every metric of a gateway."""
