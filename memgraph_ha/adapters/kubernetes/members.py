"""Which instances there are, by what the API shows of one StatefulSet and its pods. Pure.

A member is a place, not a pod: it stays while its pod is replaced, and has then no process. Members are every pod that
the StatefulSet wants, and every pod beyond that whose process still runs: a MAIN that is scaled away is to hand over
first, and nobody is forgotten while it may still acknowledge writes.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import field, frozen

from memgraph_ha.adapters.kubernetes.pods import Pod, StatefulSet
from memgraph_ha.core.names import Address, InstanceName
from memgraph_ha.core.topology import Member

NOWHERE: Final = "255.255.255.255"
"""Where an instance is whose address is not known: the kernel refuses every connection to it at once, and sends nothing
(RFC 919; net/ipv4/tcp_ipv4.c, ``tcp_v4_connect``). A name that leads nowhere would be asked for again and again, also
in every search domain of the cluster, where it might lead somewhere."""


@frozen(kw_only=True)
class Ports:
    """Where an instance listens in its pod; each 1 to 65535.

    Attributes:
        bolt: For clients and the controller.
        replication: For MAIN.
    """

    bolt: int = 7687
    replication: int = 10000


@frozen(kw_only=True)
class Listing:
    """Who there is, and where everybody was last.

    Attributes:
        members: In ordinal order.
        leaving: The pods whose process runs and whose end was asked for, in ordinal order.
        addresses: The last address of every member that ever had one, while nobody else has it.
        counted: The UIDs of the pods that count.
    """

    members: tuple[Member, ...] = ()
    leaving: tuple[Pod, ...] = ()
    addresses: Mapping[str, str] = field(factory=dict)
    counted: frozenset[str] = frozenset()


def make_listing(statefulset: StatefulSet, pods: Iterable[Pod], ports: Ports, *, before: Listing) -> Listing:
    """Say who there is.

    An instance without a pod keeps its last address for replication: MAIN's row to it is still its own, and is
    replaced when the next address is known, not before. But nobody is looked for at an address that may be somebody
    else's by now: its Bolt address is `NOWHERE`.

    A pod that counted before counts on, whoever owns it now: if the StatefulSet is made anew around its living pods
    (``--cascade=orphan``), they have no owner for a moment, and nobody is gone.

    Args:
        statefulset: The living one.
        pods: Whatever pods there are; those of others are left out, whatever their labels say.
        ports: Where instances listen.
        before: The last listing.
    """
    ours = {
        pod.name: pod
        for pod in pods
        if statefulset.ordinal(pod.name) is not None and (pod.owner == statefulset.uid or pod.uid in before.counted)
    }
    names = {*statefulset.wanted(), *(pod.name for pod in ours.values() if pod.incarnation is not None)}
    order = sorted(names, key=lambda name: statefulset.ordinal(name) or 0)
    addresses = _addresses([ours[name] for name in order if name in ours], order, before.addresses)
    return Listing(
        members=tuple(_member(name, ours.get(name), addresses.get(name, ""), ports) for name in order),
        leaving=tuple(
            pod
            for pod in map(ours.get, order)
            if pod is not None and pod.grace_s is not None and pod.incarnation is not None
        ),
        addresses=addresses,
        counted=frozenset(pod.uid for pod in ours.values()),
    )


def _addresses(pods: list[Pod], names: list[str], before: Mapping[str, str]) -> dict[str, str]:
    """Give each of these names the address that is its own, or was last; never one address to two of them.

    A pod whose process ended keeps its address in the API, while the network may have given it to another pod.
    """
    found: dict[str, str] = {}
    claims = [(pod.name, pod.ip) for pod in pods if pod.incarnation is not None]
    claims += [(pod.name, pod.ip) for pod in pods if pod.incarnation is None]
    claims += [(name, before.get(name, "")) for name in names]
    for name, ip in claims:
        if ip and name not in found and ip not in found.values():
            found[name] = ip
    return found


def _member(name: str, pod: Pod | None, ip: str, ports: Ports) -> Member:
    present = pod is not None and pod.ip != "" and pod.ip == ip
    return Member(
        name=InstanceName(name),
        bolt=_join(ip if present else NOWHERE, ports.bolt),
        replication=_join(ip or NOWHERE, ports.replication),
        incarnation=pod.incarnation if pod is not None and present else None,
        keeps_address=False,
    )


def _join(host: str, port: int) -> Address:
    return Address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
