"""Whole transfers through a whole gateway: large, slow, both ways at once, and next to each other."""

import hashlib
import random

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio

from tests.proxy.harness import ask, echo, gateway, main_server, permit, receive_exactly, until, was_reset

pytestmark = pytest.mark.trio

BLOCK = random.Random(1).randbytes(1 << 20)


async def _send_blocks(stream: trio.SocketStream, count: int, salt: bytes) -> bytes:
    """Send so many megabytes, each different, then the end; returns their hash."""
    summed = hashlib.blake2b()
    for number in range(count):
        block = salt + number.to_bytes(4, "big") + BLOCK
        summed.update(block)
        await stream.send_all(block)
    await stream.send_eof()
    return summed.digest()


async def _hash(stream: trio.SocketStream) -> bytes:
    summed = hashlib.blake2b()
    async for chunk in stream:
        summed.update(chunk)
    return summed.digest()


async def test_128_megabytes_each_way_at_once_are_exact() -> None:
    """Two large streams through one connection, compared by hash, ended by half-closes."""
    results: dict[str, bytes] = {}

    async def both(stream: trio.SocketStream, me: str) -> None:
        async def send() -> None:
            results[f"{me} sent"] = await _send_blocks(stream, 128, me.encode())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(send)
            results[f"{me} got"] = await _hash(stream)

    async with main_server() as main, gateway() as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as client, trio.open_nursery() as nursery:
            await client.send_all(b"!")
            server = await main.client()
            assert await server.receive_some(1) == b"!"
            nursery.start_soon(both, client, "client")
            nursery.start_soon(both, server, "main")
        assert results["client sent"] == results["main got"]
        assert results["main sent"] == results["client got"]
        await gate.until(lambda now: now.active_now == 0)
        assert gate.counters.bytes_to_main == 1 + 128 * (len(BLOCK) + len("client") + 4)
        assert gate.counters.cut == 0


async def test_a_client_that_never_reads_costs_no_memory_and_disturbs_nobody() -> None:
    """MAIN is made to wait; the process does not grow; another client is served as ever."""
    progress = [0]

    async def flood(stream: trio.SocketStream) -> None:
        kind = await stream.receive_some(1)
        while kind == b"F":
            await stream.send_all(BLOCK)
            progress[0] += 1
        await stream.send_all(kind)

    async with main_server(flood) as main, gateway() as gate:
        gate.apply(permit(main.port))
        before = psutil.Process().memory_info().rss
        stuck = [await gate.connect() for _ in range(8)]
        for stream in stuck:
            await stream.send_all(b"F")
        await until(lambda: progress[0] >= 8)
        last = -1
        while last != progress[0]:
            last = progress[0]
            async with await gate.connect() as lively:
                assert await ask(lively, b"x") == b"x"
            await trio.sleep(0.05)
        assert psutil.Process().memory_info().rss - before < 30 << 20
        # The kernel's own buffers on the way take about 20 megabytes for each connection; there it ends.
        assert progress[0] < 8 * 40
        for stream in stuck:
            await receive_exactly(stream, 1 << 20)


async def test_a_reset_in_the_middle_of_a_large_transfer_reaches_the_other_side() -> None:
    """MAIN goes away in the middle of an answer: the client sees a reset, after an exact beginning."""

    async def break_off(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        for _ in range(20):
            await stream.send_all(BLOCK)
        stream.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER
        await stream.aclose()

    async with main_server(break_off) as main, gateway() as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as client:
            await client.send_all(b"?")
            assert await receive_exactly(client, len(BLOCK)) == BLOCK
            assert await was_reset(client)
        await gate.until(lambda now: now.active_now == 0)


async def test_many_clients_at_once_get_their_own_bytes() -> None:
    """100 connections with messages of all sizes never see each other's."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port))

        async def talk(number: int) -> None:
            chance = random.Random(number)
            async with await gate.connect() as client:
                for _ in range(20):
                    message = chance.randbytes(chance.choice([1, 10, 1000, 70_000]))
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(client.send_all, message)
                        assert await receive_exactly(client, len(message)) == message

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(talk, number)
        await gate.until(lambda now: now.active_now == 0)
        assert gate.counters.bytes_to_main == gate.counters.bytes_to_clients


async def test_a_question_that_outlasts_its_asker_is_cancelled_at_main() -> None:
    """A client that vanishes while MAIN works is a reset or an end of stream for MAIN, at once."""
    async with main_server() as main, gateway() as gate:
        gate.apply(permit(main.port))
        client = await gate.connect()
        await client.send_all(b"RUN")
        server = await main.client()
        assert await server.receive_some(10) == b"RUN"
        await client.aclose()
        with trio.fail_after(5):
            assert await server.receive_some(10) == b""
        with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
            await _send_for_ever(server)  # the first goes out before anyone can know; the answer to it is a reset
        await until(lambda: gate.counters.active_now == 0)


async def _send_for_ever(stream: trio.SocketStream) -> None:
    while True:
        await stream.send_all(b"too late")
