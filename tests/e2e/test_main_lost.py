"""MAIN is lost: killed, frozen, killed again; writers go on and nothing acknowledged is lost."""

import pytest
import trio

from memgraph_ha.core.record import ChangeKind
from tests.e2e.bolt import HANDSHAKE, dial
from tests.e2e.cluster import M0, M1, PATIENCE_S, Cluster, writing

pytestmark = pytest.mark.trio


async def test_kill_main(cluster: Cluster) -> None:
    """SIGKILL for MAIN: another reign opens, the killed one comes back as a replica, nothing is lost."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        ledger.fault()
        await cluster.kill(before.main)
        record = await cluster.protected(above=before.generation)
        await ledger.more()
    assert record.history[-1].kind in (ChangeKind.FAILOVER, ChangeKind.REPROMOTE)
    assert record.generation == before.generation + 1


@pytest.mark.slow
async def test_freeze_main(cluster: Cluster) -> None:
    """SIGSTOP for MAIN: the standby takes over, the frozen process is killed before that, and it returns as replica."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        ledger.fault()
        with cluster.frozen(before.main) as frozen:
            record = await cluster.protected(above=before.generation)
            assert frozen.ended
            await ledger.more()
    assert record.main != before.main
    assert [change.kind for change in record.history[-1:]] == [ChangeKind.FAILOVER]


async def test_a_raw_socket_is_held_during_a_failover(gated: Cluster) -> None:
    """A socket opened while there is no MAIN gets its Bolt handshake when the next reign opens, not a refusal."""
    before = await gated.record()
    gated.keep_down(M0, M1)
    await gated.kill(M0, M1)
    await gated.until_event(event="route", open=False)
    stream = await dial(gated.gateway_port)
    async with stream:
        await stream.send_all(HANDSHAKE)
        with trio.move_on_after(0.5):
            pytest.fail(f"answered while nobody reigned: {await stream.receive_some()!r}")
        gated.let_up(before.main)
        with trio.fail_after(PATIENCE_S):
            answer = await stream.receive_some()
    assert len(answer) == 4
    assert answer != bytes(4)
    gated.let_up(M1)
    after = await gated.protected(above=before.generation)
    assert after.generation == before.generation + 1
