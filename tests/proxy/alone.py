"""A gateway as a process of its own: prints its port, then each fact.

Usage: python -m tests.proxy.alone MAIN_PORT VALID_UNTIL_S [FILE_LIMIT]
"""

import functools
import resource
import sys
import time

import trio

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.permit import Permit, Route
from memgraph_ha.proxy import RwGateway


async def _serve(main_port: int, valid_until_s: float) -> None:
    clock = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    gateway = RwGateway(
        ("127.0.0.1", 0),
        hold_max_s=30,
        hold_max_connections=1000,
        max_connections=20_000,
        connect_timeout_s=2,
        clock=clock,
    )
    _, port = gateway.bind()
    permit = Permit(
        instance=InstanceName("memgraph-0"),
        address=Address(f"127.0.0.1:{main_port}"),
        run=RunId("run-1"),
        incarnation=Incarnation("pod-1"),
        generation=1,
        valid_until_s=valid_until_s,
    )
    gateway.apply(Route(permit=permit, hold=True, why="alone"))
    print(port, flush=True)  # noqa: T201 - the protocol with the test
    await gateway.serve(lambda fact: print(fact, flush=True))  # noqa: T201 - likewise


if __name__ == "__main__":
    if len(sys.argv) > 3:
        resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[3]), int(sys.argv[3])))
    trio.run(_serve, int(sys.argv[1]), float(sys.argv[2]))
