"""Whether the name under which a replica is registered leads to the process that is asked over Bolt.

A row is registered by whatever address the platform gives for replication, on Kubernetes a host name; the replica is
asked at its pod's own address. A stale record of the name service makes MAIN connect to somebody else: that row is
``ready`` and takes every commit, while the replica that was asked gets nothing (scenarios C8).
"""

import socket

import trio

from memgraph_ha.core.names import Address
from memgraph_ha.core.topology import Member

RESOLVE_TIMEOUT_S = 1.0
"""How long the name service may take; without its answer nobody can be connected to newly, rightly or wrongly."""


async def leads_elsewhere(member: Member) -> str:
    """Compare where a member's two addresses lead.

    Args:
        member: With its addresses for Bolt and for replication.

    Returns:
        What is wrong, for a person; empty if both lead to one host, or if a name leads nowhere at present: then MAIN
        cannot connect to it newly, and a connection that stands is the one that was judged when it was made.
    """
    bolt, replication = _host(member.bolt), _host(member.replication)
    if bolt == replication:
        return ""
    with trio.move_on_after(RESOLVE_TIMEOUT_S):
        ours, theirs = await _resolve(bolt), await _resolve(replication)
        if ours and theirs and not ours & theirs:
            return f"{replication} leads to {', '.join(sorted(theirs))}, but {member.name} is {', '.join(sorted(ours))}"
    return ""


def _host(address: Address) -> str:
    return address.rpartition(":")[0].strip("[]")


async def _resolve(host: str) -> frozenset[str]:
    try:
        found = await trio.socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return frozenset()
    return frozenset(str(address[0]) for *_rest, address in found)
