"""Leaders that go on while nobody can reach the lease, and those that must not, against a real API server."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from memgraph_ha.adapters.kubernetes.client import KubeClient, connect
from memgraph_ha.failsafe.roster import outlasting
from memgraph_ha.runtime.clock import boottime
from tests.free_port import free_port
from tests.kube.api.failsafe_rig import POLICY, Controller, Rig, rig
from tests.kube.api.pod_world import namespace_of_its_own
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]

D = POLICY.lease_duration_s


@asynccontextmanager
async def pair(server: ApiServer) -> AsyncIterator[tuple[Rig, Controller, Controller]]:
    """Two controllers, of which the first leads and has the second in its list."""

    def client(namespace: str) -> KubeClient:
        return connect(Path(server.kubeconfig), namespace=namespace, clock=boottime)

    make: Callable[[str], KubeClient] = client
    async with namespace_of_its_own(make) as made, rig(made, free_port()) as running:
        leader = await running.add()
        await running.until(lambda: leader.leads, 20)
        other = await running.add()

        def listed() -> bool:
            return other.uid in leader.failsafe.annotation()

        await running.until(listed, 20)
        await running.watch(3 * POLICY.lease_renew_s)
        yield running, leader, other


async def test_a_leader_goes_on_while_the_api_is_away(kube_api_alone: ApiServer) -> None:
    """For five lease durations, with no gap; and when it is back, in the same term."""
    async with pair(kube_api_alone) as (running, leader, other):
        term_s = leader.seen[-1].since_s
        with kube_api_alone.frozen():
            await running.watch(5 * D)
            assert leader.leads
            assert leader.left_s > 1.0
        await running.watch(2 * D)
        assert leader.leads
        assert all(seen.leading and seen.since_s == term_s for seen in leader.seen if seen.at_s >= term_s)
        assert not any(seen.leading for seen in other.seen)
        assert running.most == 1


async def test_a_leader_whose_peer_is_silent_closes_in_time(kube_api_alone: ApiServer) -> None:
    """Without its promise the term ends with the lease; and when the API is back somebody leads."""
    async with pair(kube_api_alone) as (running, leader, other):
        with kube_api_alone.frozen():
            other.scope.cancel()
            ends_s = boottime() + D
            await running.until(lambda: not leader.leads, D + 1)
            assert boottime() <= ends_s + 0.1
            await running.watch(D)
            assert not leader.leads
        await running.until(lambda: leader.leads, 3 * D)
        assert running.most == 1


async def test_a_peer_keeps_its_promise_and_then_leads(kube_api_alone: ApiServer) -> None:
    """The leader dies while the API is away: nobody leads until it is back, then the other does."""
    async with pair(kube_api_alone) as (running, leader, other):
        with kube_api_alone.frozen():
            await running.watch(2 * D)
            assert leader.leads
            leader.scope.cancel()
            await running.watch(2 * D)
            assert not other.leads
        await running.until(lambda: other.leads, 3 * D)
        assert running.most == 1


async def test_a_new_controller_leads_when_all_listed_ones_are_gone(kube_api_alone: ApiServer) -> None:
    """It is in no list, so it waits until nothing can have been promised; but not for a quarter of an hour."""
    async with pair(kube_api_alone) as (running, leader, other):
        leader.scope.cancel()
        other.scope.cancel()
        stranger = await running.add()
        await running.watch(2 * D)
        assert not stranger.leads, "those that are listed may only be slow"
        began_s = boottime()
        await running.delete_pod(leader)
        await running.delete_pod(other)
        await running.until(lambda: stranger.leads, outlasting(D) + 20)
        assert boottime() - began_s >= outlasting(D) - 1
        assert running.most == 1
