"""The controller is lost: between any two steps of a reign, beside a second one, frozen for longer than its lease."""

import contextlib
import functools
import os
import signal
from pathlib import Path

import pytest
import trio

from memgraph_ha.core.names import InstanceName
from tests.e2e.bolt import HANDSHAKE, HELLO, dial
from tests.e2e.cluster import PATIENCE_S, Cluster, Event, Ledger, writing
from tests.e2e.steps import STEPS, strike

pytestmark = [pytest.mark.trio, pytest.mark.slow]

ESTABLISHED, CLOSE_WAIT = "01", "08"
"""States of a connection in /proc/net/tcp (include/net/tcp_states.h); MAIN hangs up after it refused a client."""


@pytest.mark.timeout(600)
async def test_kill_the_controller_between_any_two_steps_of_a_reign(cluster: Cluster) -> None:
    """MAIN dies, then the controller at its k-th step, for every k: a new one adopts what lives and ends the work."""
    reached: list[Event] = []
    async with writing(cluster) as ledger:
        for step in range(STEPS):
            before = await cluster.protected()
            from_byte = cluster.log.stat().st_size
            ledger.fault()
            await cluster.kill(before.main)
            blow = functools.partial(_kill, ledger, cluster.controller_pid())
            event = await trio.to_thread.run_sync(strike, cluster, from_byte, step, blow)
            if event is None:
                break
            reached.append(event)
            await cluster.kill_controller()  # reaps it
            await cluster.start()
            await cluster.protected(above=before.generation)
            await ledger.more()
    assert {"WriteRecord", "Promote", "CommitNoop", "RegisterReplica"} <= {event["kind"] for event in reached}
    assert len(reached) >= 2 * 6  # a reign has at least so many commands, each with a beginning and an end


def _kill(ledger: Ledger, pid: int) -> None:
    """Note the fault before it is done: a write that it leaves in doubt ends later than that."""
    ledger.fault()
    os.kill(pid, signal.SIGKILL)


def _pids(cluster: Cluster) -> dict[InstanceName, int]:
    found = {}
    for spec in cluster.local.specs:
        with cluster.held(spec.name) as handle:
            found[spec.name] = handle.identity.pid
    return found


async def test_the_second_controller_takes_over_from_a_killed_one(cluster: Cluster) -> None:
    """One leads and the other waits; the leader killed, the other relays, with the same processes in the same reign."""
    first = cluster.local
    async with writing(cluster) as ledger:
        before, pids = await cluster.record(), _pids(cluster)
        mark = cluster.mark()
        await cluster.start()
        await cluster.until_event(since=mark, event="decision", hold="NotLeading")
        await ledger.more()
        ledger.fault()
        await cluster.kill_controller(first)
        gained = await cluster.until_event(since=mark, event="lease.gained")
        assert "has ended" in str(gained["why"])  # taken at once, not waited for
        await ledger.more()
        after = await cluster.protected()
    assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)
    assert _pids(cluster) == pids


@pytest.mark.parametrize("thawed", [True, False], ids=["thawed", "for good"])
async def test_a_frozen_leader_is_replaced_and_relays_nothing_afterwards(cluster: Cluster, thawed: bool) -> None:
    """SIGSTOP for longer than the lease: the other leads. Continued, the old one relays no byte; else it is ended."""
    first = cluster.local
    async with writing(cluster) as ledger:
        before = await cluster.record()
        mark = cluster.mark()
        await cluster.start()
        await cluster.until_event(since=mark, event="decision", hold="NotLeading")
        held = await dial(cluster.gateway_port)
        async with held:
            await held.send_all(HANDSHAKE)
            assert len(await held.receive_some(4)) == 4
            ledger.fault()
            cluster.freeze_controller(first)
            await held.send_all(HELLO)  # it lies in the frozen one's buffers
            mark = cluster.mark()
            await cluster.until_event(since=mark, event="lease.gained")
            if thawed:
                cluster.thaw_controller(first)
                await cluster.until_event(since=mark, event="lease.lost")
            assert await _all_that_comes(held) == b""
        await ledger.more()
        after = await cluster.protected()
        await cluster.until_true(lambda: cluster.controller_lives(first) is thawed, f"the old one lives: {thawed}")
        assert cluster.controller_lives(cluster.local)
    assert (after.generation, after.main) == (before.generation, before.main)
    assert {event["kind"] for event in cluster.events(since=mark, event="command")} == {"CommitNoop"}


async def test_an_answer_that_waits_in_a_frozen_leader_is_not_relayed(cluster: Cluster) -> None:
    """MAIN answered while the leader stood still: continued after its lease was over, it must not pass that on."""
    first = cluster.local
    main = cluster.spec((await cluster.record()).main)
    mark = cluster.mark()
    await cluster.start()
    await cluster.until_event(since=mark, event="decision", hold="NotLeading")
    known = set(_connections_to(main.ports.bolt))
    held = await dial(cluster.gateway_port)
    async with held:
        await held.send_all(HANDSHAKE)
        assert len(await held.receive_some(4)) == 4
        with cluster.frozen(main.name):
            await held.send_all(HELLO)
            await trio.sleep(0.2)  # it is relayed, and lies in MAIN's buffer
            cluster.freeze_controller(first)
        mark = cluster.mark()
        await cluster.until_true(
            lambda: any(waiting for port, waiting in _connections_to(main.ports.bolt).items() if port not in known),
            "MAIN's answer lies in the frozen leader's buffer",
        )
        await cluster.until_event(since=mark, event="lease.gained")
        cluster.thaw_controller(first)
        assert await _all_that_comes(held) == b""
    await cluster.until_event(since=mark, event="lease.lost")
    await cluster.protected()


def _connections_to(port: int) -> dict[int, int]:
    """List the local ports that are connected to a port, with how many bytes wait there (proc(5), /proc/net/tcp)."""
    found = {}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, queues, *_ = line.split()
        if state in (ESTABLISHED, CLOSE_WAIT) and int(remote.rpartition(":")[2], 16) == port:
            found[int(local.rpartition(":")[2], 16)] = int(queues.rpartition(":")[2], 16)
    return found


async def _all_that_comes(stream: trio.SocketStream) -> bytes:
    """Read until the other side ends; however it ends."""
    found = b""
    with trio.fail_after(PATIENCE_S), contextlib.suppress(trio.BrokenResourceError):
        while data := await stream.receive_some():
            found += data
    return found
