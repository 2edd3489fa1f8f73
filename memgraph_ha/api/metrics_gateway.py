"""The metrics of the gateways: what each counted, by its name (``rw``, ``ro``)."""

from collections.abc import Callable, Iterator
from typing import Final

from memgraph_ha.api.control import GatewayCounters
from memgraph_ha.api.metric import COUNTER, GAUGE, Metric, Sample, Scrape, counted


def _gateway(name: str, kind: str, text: str, value: Callable[[GatewayCounters], float]) -> Metric:
    def values(found: Scrape) -> dict[str, float]:
        return {gate.value: value(gateway.counters) for gate, gateway in found.snapshot.gateways.items()}

    return Metric(name=name, kind=kind, labels=("gateway",), help=text, values=counted(values))


def _refusals(found: Scrape) -> Iterator[Sample]:
    for gate, gateway in found.snapshot.gateways.items():
        for reason, count in gateway.counters.refused.items():
            yield (gate.value, reason.name.lower()), float(count)


def _bytes(found: Scrape) -> Iterator[Sample]:
    for gate, gateway in found.snapshot.gateways.items():
        yield (gate.value, "sent"), float(gateway.counters.bytes_to_clients)
        yield (gate.value, "received"), float(gateway.counters.bytes_to_main)


GATEWAY_METRICS: Final[tuple[Metric, ...]] = (
    _gateway("memgraph_ha_gateway_active", GAUGE, "Connections relayed now.", lambda c: c.active_now),
    _gateway("memgraph_ha_gateway_held", GAUGE, "Clients that wait for a permit now.", lambda c: c.held_now),
    _gateway("memgraph_ha_gateway_dialling", GAUGE, "Clients being connected now.", lambda c: c.dialling_now),
    _gateway("memgraph_ha_gateway_accepted_total", COUNTER, "Connections accepted.", lambda c: c.accepted),
    _gateway("memgraph_ha_gateway_relayed_total", COUNTER, "Clients that reached an instance.", lambda c: c.relayed),
    _gateway("memgraph_ha_gateway_waited_total", COUNTER, "Clients that had to wait.", lambda c: c.held),
    _gateway("memgraph_ha_gateway_released_total", COUNTER, "Clients relayed after a wait.", lambda c: c.released),
    _gateway("memgraph_ha_gateway_hung_up_total", COUNTER, "Clients that left while they waited.", lambda c: c.hung_up),
    _gateway("memgraph_ha_gateway_cut_total", COUNTER, "Relayed connections that the gateway reset.", lambda c: c.cut),
    Metric(
        name="memgraph_ha_gateway_refused_total",
        kind=COUNTER,
        labels=("gateway", "reason"),
        help="Connections reset before they reached an instance, by reason.",
        values=_refusals,
    ),
    _gateway(
        "memgraph_ha_gateway_dial_failures_total",
        COUNTER,
        "Attempts to connect a client to an instance that failed.",
        lambda c: c.dial_failures,
    ),
    _gateway(
        "memgraph_ha_gateway_sentinel_breaks_total",
        COUNTER,
        "Times an instance was found gone by the gateway's own connection.",
        lambda c: c.sentinel_breaks,
    ),
    _gateway(
        "memgraph_ha_gateway_accept_pauses_total",
        COUNTER,
        "Times accepting was suspended for want of file descriptors or memory.",
        lambda c: c.accept_pauses,
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
