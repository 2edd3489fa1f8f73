"""MAIN is lost, and at some step of the next reign whoever is to reign, or a replica, is lost too."""

import contextlib
import functools
import signal
from typing import Final

import pytest
import trio

from memgraph_ha.adapters.process_os import ProcessHandle
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Record
from tests.e2e.cluster import M2, Cluster, Event, Ledger, writing
from tests.e2e.conftest import Making
from tests.e2e.hands import standby_of
from tests.e2e.steps import STEPS, strike

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]

QUICK: Final = "--set=restart_frozen_main_s=2"
"""A MAIN that is frozen before anybody can follow it is restarted so soon; a minute by default."""

LEAPS: Final = 3
"""Of all steps of a reign every so-manieth is struck by SIGSTOP: each costs seconds."""


def _send(ledger: Ledger, victim: ProcessHandle, signum: signal.Signals) -> None:
    """Note the fault before it is done: a write that it leaves in doubt ends later than that."""
    ledger.fault()
    victim.send(signum)


async def _strike_the_next(
    cluster: Cluster, ledger: Ledger, victim: InstanceName, step: int, signum: signal.Signals
) -> Event | None:
    """Kill MAIN, and at a step of the next reign send a signal to another one."""
    before = await cluster.record()
    with contextlib.ExitStack() as stack:
        second: ProcessHandle = stack.enter_context(cluster.held(victim))
        stack.callback(second.send, signal.SIGCONT)
        from_byte = cluster.log.stat().st_size
        ledger.fault()
        await cluster.kill(before.main)
        blow = functools.partial(_send, ledger, second, signum)
        event = await trio.to_thread.run_sync(strike, cluster, from_byte, step, blow)
        if event is not None:
            await cluster.until(
                lambda record: second.ended or (record.opened and record.generation > before.generation + 1),
                f"{victim} is killed, or ended since it is frozen, or the old MAIN reigns beside it",
            )
    await cluster.protected(above=before.generation)
    await ledger.more()
    return event


@pytest.mark.matrix
async def test_kill_the_next_main_at_any_step_of_its_reign(cluster: Cluster) -> None:
    """Both are back in whatever order: one of them reigns, and nothing acknowledged is lost (scenarios B3, D1)."""
    reached: list[Event] = []
    async with writing(cluster) as ledger:
        for step in range(STEPS):
            before = await cluster.protected()
            event = await _strike_the_next(cluster, ledger, standby_of(before), step, signal.SIGKILL)
            if event is None:
                break
            reached.append(event)
    assert {"WriteRecord", "Promote", "CommitNoop", "RegisterReplica"} <= {event["kind"] for event in reached}


@pytest.mark.matrix
async def test_freeze_the_next_main_at_steps_of_its_reign(running: Making) -> None:
    """It is frozen before or after its reign opened: the old MAIN follows, or it is restarted (scenarios A3, B3)."""
    async with running(QUICK) as cluster, writing(cluster, bounded=False) as ledger:
        for step in range(0, STEPS, LEAPS):
            before = await cluster.protected()
            if await _strike_the_next(cluster, ledger, standby_of(before), step, signal.SIGSTOP) is None:
                break
        assert step > LEAPS


@pytest.mark.parametrize("first", [0.0, 0.05, 0.3, 1.0])
async def test_main_then_its_standby(cluster: Cluster, first: float) -> None:
    """MAIN is killed and so much later the standby; both are started again at once (scenario B3)."""
    async with writing(cluster) as ledger:
        before = await cluster.protected()
        ledger.fault()
        await cluster.kill(before.main)
        await trio.sleep(first)
        ledger.fault()
        await cluster.kill(standby_of(before))
        await cluster.protected(above=before.generation)
        await ledger.more()


@pytest.mark.parametrize("pair", ["main and async", "standby and async", "all three"])
async def test_killed_at_the_same_moment(cluster: Cluster, pair: str) -> None:
    """Two or three processes at once, the controller lives: service comes back, nothing is lost (scenarios B2, B5)."""
    async with writing(cluster) as ledger:
        before = await cluster.protected()
        ledger.fault()
        await cluster.kill(*_victims(before, pair))
        if "main" in pair or "all" in pair:
            await cluster.protected(above=before.generation)
        else:
            run = before.standby.run if before.standby else None
            await cluster.until(lambda record: record.standby is not None and record.standby.run != run, "named again")
        await ledger.more()


def _victims(record: Record, pair: str) -> tuple[InstanceName, ...]:
    standby = standby_of(record)
    named = {"main and async": (record.main, M2), "standby and async": (standby, M2)}
    return named.get(pair, (record.main, standby, M2))


async def test_the_standby_dies_then_main(gated: Cluster) -> None:
    """The standby's run changed, so MAIN is waited for, however long it is away (scenario B2)."""
    async with writing(gated) as ledger:
        before = await gated.protected()
        standby = standby_of(before)
        gated.keep_down(before.main)
        ledger.fault()
        await gated.kill(standby)
        await gated.until(lambda record: record.standby is None, "the dead standby is un-named")
        ledger.fault()
        mark = gated.mark()
        await gated.kill(before.main)
        hold = await gated.until_event(since=mark, event="decision", hold="NoSafeCandidate")
        assert "nobody may follow" in str(hold["reason"])
        await trio.sleep(2)  # nobody may be promoted meanwhile
        assert not gated.events(since=mark, event="command", kind="Promote")
        gated.let_up(before.main)
        after = await gated.protected(above=before.generation)
        await ledger.more()
    assert after.main == before.main
