"""The contract of `Gateway`: bytes pass under a permit, to the process that it names, and not one after it."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

import trio
from attrs import define, evolve, field

from memgraph_ha.adapters.ports import Gateway
from memgraph_ha.core.facts import GateSeen
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.permit import Permit, Route
from memgraph_ha.testing.contract import Sink, demand

PORT: Final = "Gateway"

LONG_S: Final = 60.0
SHORT_S: Final = 1.5
"""How long permits last: one that does not lapse during the check, one that does."""

PATIENCE_S: Final = 5.0
"""How long anything may take that must happen."""

SILENCE_S: Final = 0.5
"""For how long nothing must happen."""

SHUT: Final = Route(permit=None, hold=False, why="the check shuts it")
HELD: Final = Route(permit=None, hold=True, why="the check holds clients")


@define
class _Main:
    """A server that answers with its own name, and remembers what it was told."""

    name: str
    port: int = 0
    heard: list[bytes] = field(factory=list)

    async def serve(self, stream: trio.SocketStream) -> None:
        try:
            async for chunk in stream:
                self.heard.append(bytes(chunk))
                await stream.send_all(self.name.encode() + b":" + chunk)
        except trio.BrokenResourceError:
            return


async def check_gateway(
    gateway: Gateway, *, address: Callable[[], tuple[str, int]], clock: Callable[[], float], holds: bool = True
) -> None:
    """Check an adapter of `memgraph_ha.adapters.ports.Gateway`. Its Bolt is any bytes: it must not interpret them.

    Args:
        gateway: Nobody serves it yet.
        address: Where clients find it, asked for once it serves.
        clock: The clock of a permit's end, seconds.
        holds: Whether it claims to hold clients while there is no permit.

    Raises:
        ContractError: The first clause that is not kept.
    """
    told = Sink()
    async with trio.open_nursery() as nursery:
        mains = (_Main("a"), _Main("b"))
        for main in mains:
            listeners = await nursery.start(partial(trio.serve_tcp, main.serve, 0, host="127.0.0.1"))
            main.port = listeners[0].socket.getsockname()[1]
        await nursery.start(gateway.serve, told)
        first = _permit(mains[0], 1, clock() + LONG_S)
        await _check_shut(gateway, address)
        await _check_moves(gateway, address, told, first, _permit(mains[1], 2, clock() + LONG_S))
        await _check_shutting(gateway, address, told, mains[0], evolve(first, generation=3))
        await _check_lapse(gateway, address, _permit(mains[0], 4, clock() + SHORT_S))
        if holds:
            await _check_holding(gateway, address, _permit(mains[0], 5, clock() + LONG_S))
        gateway.apply(SHUT)
        nursery.cancel_scope.cancel()


def _permit(main: _Main, generation: int, until_s: float) -> Permit:
    return Permit(
        instance=InstanceName(main.name),
        address=Address(f"127.0.0.1:{main.port}"),
        run=RunId(f"run of {main.name}"),
        incarnation=Incarnation(main.name),
        generation=generation,
        valid_until_s=until_s,
    )


def _open(permit: Permit) -> Route:
    return Route(permit=permit, hold=False, why="the check opens it")


async def _check_shut(gateway: Gateway, address: Callable[[], tuple[str, int]]) -> None:
    gateway.apply(SHUT)
    async with _client(address) as client:
        said = await _ask(client, b"1")
        demand(said is None, PORT, "without a permit nobody is answered", said)


async def _check_moves(
    gateway: Gateway, address: Callable[[], tuple[str, int]], told: Sink, first: Permit, second: Permit
) -> None:
    """To MAIN, and to the next MAIN; a renewal is no move."""
    gateway.apply(_open(first))
    clause = "the permit that holds is reported"
    await told.due(GateSeen, lambda seen: seen.permit == first, within_s=PATIENCE_S, port=PORT, clause=clause)
    async with _client(address) as client:
        said = await _ask(client, b"1")
        demand(said == b"a:1", PORT, "under a permit bytes pass both ways, unchanged, to MAIN", said)
        gateway.apply(_open(evolve(first, valid_until_s=first.valid_until_s + 1)))
        said = await _ask(client, b"2")
        demand(said == b"a:2", PORT, "a renewed permit cuts nobody", said)
        gateway.apply(_open(second))
        said = await _ask(client, b"3")
        demand(said is None, PORT, "whoever is connected to another MAIN is cut", said)
    async with _client(address) as client:
        said = await _ask(client, b"4")
        demand(said == b"b:4", PORT, "who comes then is let through to the MAIN that the permit names", said)


async def _check_shutting(
    gateway: Gateway, address: Callable[[], tuple[str, int]], told: Sink, main: _Main, permit: Permit
) -> None:
    gateway.apply(_open(permit))
    async with _client(address) as client:
        said = await _ask(client, b"before")
        demand(said == b"a:before", PORT, "a later reign of an earlier MAIN is served as any other", said)
        came = len(told.facts)
        gateway.apply(SHUT)
        said = await _ask(client, b"after")
        demand(said is None, PORT, "once a narrower route is applied no byte passes any more", said)
        demand(b"after" not in main.heard, PORT, "nor does one reach MAIN", main.heard)
    clause = "that nothing passes any more is reported"
    await told.due(
        GateSeen, lambda seen: seen.permit is None, within_s=PATIENCE_S, port=PORT, clause=clause, after=came
    )


async def _check_lapse(gateway: Gateway, address: Callable[[], tuple[str, int]], permit: Permit) -> None:
    gateway.apply(_open(permit))
    async with _client(address) as client:
        said = await _ask(client, b"1")
        demand(said == b"a:1", PORT, "a permit is good until its end", said)
        await trio.sleep(SHORT_S)
        said = await _ask(client, b"2")
        demand(said is None, PORT, "a permit that has lapsed lets nothing through, with nobody there to say so", said)


async def _check_holding(gateway: Gateway, address: Callable[[], tuple[str, int]], permit: Permit) -> None:
    gateway.apply(HELD)
    async with _client(address) as client:
        with trio.move_on_after(SILENCE_S):
            said = await _ask(client, b"1", within_s=LONG_S)
            demand(kept=False, port=PORT, clause="a client that is held is neither answered nor sent away", seen=said)
        gateway.apply(_open(permit))
        said = await _read(client, PATIENCE_S)
        demand(said == b"a:1", PORT, "a client that was held is let through with all that it has said", said)


@asynccontextmanager
async def _client(address: Callable[[], tuple[str, int]]) -> AsyncIterator[trio.SocketStream | None]:
    """A connection, or None if even that is refused."""
    host, port = address()
    try:
        stream = await trio.open_tcp_stream(host, port)
    except OSError:
        yield None
        return
    async with stream:
        yield stream


async def _ask(client: trio.SocketStream | None, said: bytes, within_s: float = PATIENCE_S) -> bytes | None:
    """Say something; the answer, or None if there is none."""
    if client is None:
        return None
    try:
        await client.send_all(said)
    except trio.BrokenResourceError:
        return None
    return await _read(client, within_s)


async def _read(client: trio.SocketStream | None, within_s: float) -> bytes | None:
    """What comes next; None if it is the end, or nothing in time."""
    if client is None:
        return None
    with trio.move_on_after(within_s):
        try:
            return bytes(await client.receive_some(1000)) or None
        except trio.BrokenResourceError:
            return None
    return None
