"""The standby is lost: killed, frozen, frozen for a moment again and again; writes come back, nobody fails over."""

import pytest
import trio

from memgraph_ha.core.record import Record
from tests.e2e.cluster import Cluster, writing
from tests.e2e.held import Held

pytestmark = pytest.mark.trio

ROUNDS = 100
"""How often a replica is frozen and continued."""

FROZEN_S, BETWEEN_S = 0.6, 0.05
"""Longer than ``probe_timeout_s``, so that probes are given up; shorter than ``frozen_standby_s``."""


async def test_kill_standby(cluster: Cluster) -> None:
    """SIGKILL for the standby: its name goes before anything else, its successor is proven, MAIN stays."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        assert before.standby is not None
        run = before.standby.run
        ledger.fault()
        await cluster.kill(before.standby.instance)
        after = await cluster.until(
            lambda record: record.standby is not None and record.standby.run != run, "another run is named"
        )
        await ledger.more()
    assert (after.generation, after.main) == (before.generation, before.main)
    assert after.standby is not None
    assert after.standby.instance == before.standby.instance


@pytest.mark.slow
async def test_freeze_standby(cluster: Cluster) -> None:
    """SIGSTOP for the standby: it is un-named, then restarted, which ends the stall of MAIN's commits."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        assert before.standby is not None
        ledger.fault()
        mark = cluster.mark()
        with cluster.frozen(before.standby.instance) as frozen_one:
            await cluster.until(lambda record: record.standby is None, "the frozen standby is un-named")
            await cluster.until_true(lambda: frozen_one.ended, "the frozen standby is ended")
            await ledger.more()
        after = await cluster.until(lambda record: record.standby is not None, "a standby is named again")
    assert after.generation == before.generation
    rules = [event["rule"] for event in cluster.events(since=mark, event="command")]
    assert rules.index("U10") < rules.index("F10")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_hundred_frozen_moments_leave_nothing_behind(cluster: Cluster) -> None:
    """After 100 rounds of SIGSTOP and SIGCONT the controller holds as many threads, sockets and files as before."""
    before, pid = await cluster.protected(), cluster.controller_pid()
    assert before.standby is not None
    replicas = [spec.name for spec in cluster.local.specs if spec.name != before.main]
    usual = await Held.usually_by(pid)
    mark = cluster.mark()
    for number in range(ROUNDS):
        with cluster.frozen(replicas[number % len(replicas)]):
            await trio.sleep(FROZEN_S)
        await trio.sleep(BETWEEN_S)

    def settled(record: Record) -> bool:
        return record.standby is not None and Held.by(pid).at_most(usual)

    after = await cluster.until(settled, f"the controller holds no more than {usual}; it holds {Held.by(pid)}")
    assert (after.generation, after.main) == (before.generation, before.main)
    assert not cluster.events(since=mark, event="command", kind="StopInstance")
