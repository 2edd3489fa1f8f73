"""Where a replica's name leads, against a name service that answers as told."""

import socket
from typing import Any

import pytest
import trio
import trio.testing

from memgraph_ha.adapters.memgraph.addresses import RESOLVE_TIMEOUT_S, leads_elsewhere
from memgraph_ha.core.names import Address, Incarnation, InstanceName
from memgraph_ha.core.topology import Member

pytestmark = pytest.mark.trio


class Names(trio.abc.HostnameResolver):
    """A name service that knows these names; it never answers for ``slow.test``."""

    def __init__(self, known: dict[str, str]) -> None:
        self.known = known

    async def getaddrinfo(self, host: bytes | None, *others: Any, **named: Any) -> list[Any]:
        """Answer with one address."""
        del others, named
        name = (host or b"").decode()
        if name == "slow.test":
            await trio.sleep_forever()
        if name not in self.known:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (self.known[name], 0))]

    async def getnameinfo(self, sockaddr: object, flags: int) -> tuple[str, str]:
        """Nobody asks for names of addresses."""
        raise NotImplementedError


async def asked(replication: str) -> str:
    """What is found out about a pod at 10.0.0.7 whose rows lead to that name; addresses in digits need no service."""
    trio.socket.set_custom_hostname_resolver(Names({"m1.test": "10.0.0.7", "stale.test": "10.0.0.9"}))
    return await leads_elsewhere(member(replication))


def member(replication: str) -> Member:
    """A pod at 10.0.0.7 whose rows lead to that name."""
    return Member(
        name=InstanceName("m1"),
        bolt=Address("10.0.0.7:7687"),
        replication=Address(f"{replication}:10000"),
        incarnation=Incarnation("uid/1"),
    )


async def test_a_stale_name_is_found_out() -> None:
    """It leads to another pod: MAIN would feed that one, and the proof would be of this one."""
    said = await asked("stale.test")
    assert said == "stale.test leads to 10.0.0.9, but m1 is 10.0.0.7"


@pytest.mark.parametrize("replication", ["10.0.0.7", "m1.test", "nobody.test"])
async def test_a_name_that_is_right_or_leads_nowhere_is_no_fault(replication: str) -> None:
    """Without a name service nobody is connected to newly; what stands was judged when it was made."""
    assert await asked(replication) == ""


async def test_a_name_service_that_hangs_is_not_waited_for(autojump_clock: trio.testing.MockClock) -> None:
    """It may take a second, no more."""
    began_s = autojump_clock.current_time()
    assert await asked("slow.test") == ""
    assert autojump_clock.current_time() - began_s == pytest.approx(RESOLVE_TIMEOUT_S)
