"""Instances are stopped as a rolling restart does it: announced, waited for, SIGTERM, and the next one."""

import signal
from typing import Final

import httpx
import pytest
import trio

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind
from tests.e2e.cluster import M0, M1, M2, PATIENCE_S, Cluster, writing
from tests.e2e.hands import standby_of

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]

HTTP_OFFSET: Final = 14
"""Where `port_arguments` puts the API, from the first port."""


async def announce(cluster: Cluster, name: InstanceName, *, within_s: float = PATIENCE_S) -> int:
    """Call the preStop hook for an instance; gives the status of its answer.

    Args:
        cluster: Whose controller is called.
        name: The instance that is about to be stopped.
        within_s: How long its answer is waited for, once the call was sent.
    """
    patience = httpx.Timeout(PATIENCE_S, read=within_s)
    async with httpx.AsyncClient(timeout=patience, trust_env=False) as client:
        answer = await client.post(f"http://127.0.0.1:{cluster.base + HTTP_OFFSET}/prestop-hook/{name}")
    return answer.status_code


async def stop_in_order(cluster: Cluster, name: InstanceName) -> None:
    """Announce the stop of an instance, then SIGTERM its process, and wait until it has ended."""
    with cluster.held(name) as process:
        assert await announce(cluster, name) == 200
        process.send(signal.SIGTERM)
        with trio.fail_after(PATIENCE_S):
            await process.wait_ended()


@pytest.mark.parametrize("role", ["main", "standby", "async"])
async def test_an_announced_stop_of_each_role(cluster: Cluster, role: str) -> None:
    """MAIN hands over before the answer, the standby loses its name; no write is in doubt (scenario A4)."""
    async with writing(cluster, writers=4, stock=True) as ledger:
        before = await cluster.protected()
        name = {"main": before.main, "standby": standby_of(before), "async": M2}[role]
        await stop_in_order(cluster, name)
        after = await cluster.protected(above=before.generation if role == "main" else before.generation - 1)
        await ledger.more()
        assert not ledger.failed()
    news = [change.kind for change in after.history if change.generation > before.generation]
    assert news == ([ChangeKind.SWITCHOVER] if role == "main" else [])
    assert after.main == (standby_of(before) if role == "main" else before.main)


async def test_two_rolling_restarts_back_to_back(cluster: Cluster) -> None:
    """Instances 2, 1, 0, then all again, each as soon as it is whole: no write is in doubt (scenarios H1, H2)."""
    async with writing(cluster, writers=4, stock=True) as ledger:
        before = await cluster.protected()
        for name in (M2, M1, M0) * 2:
            await stop_in_order(cluster, name)
            await cluster.protected()
            await ledger.more()
        after = await cluster.record()
        assert not ledger.failed()
    news = [change.kind for change in after.history if change.generation > before.generation]
    assert 0 < len(news) <= 4
    assert set(news) == {ChangeKind.SWITCHOVER}


async def test_a_hook_that_is_given_up_and_a_stop_that_nobody_announced(cluster: Cluster) -> None:
    """The hook of MAIN is hung up at once, or nobody leads: SIGTERM without it is a failover (scenario H3)."""
    async with writing(cluster) as ledger:
        before = await cluster.protected()
        with pytest.raises(httpx.ReadTimeout):
            await announce(cluster, before.main, within_s=0.005)
        ledger.fault()
        with cluster.held(before.main) as process:
            process.send(signal.SIGTERM)
        after = await cluster.protected(above=before.generation)
        await ledger.more()
        first = cluster.local
        mark = cluster.mark()
        await cluster.start()
        await cluster.until_event(since=mark, event="decision", hold="NotLeading")
        ledger.fault()
        cluster.freeze_controller(first)
        ledger.fault()
        with cluster.held(after.main) as process:
            process.send(signal.SIGTERM)
        last = await cluster.protected(above=after.generation)
        await ledger.more()
    assert {change.kind for change in last.history if change.generation > before.generation} <= {
        ChangeKind.FAILOVER,
        ChangeKind.REPROMOTE,
        ChangeKind.SWITCHOVER,
    }
