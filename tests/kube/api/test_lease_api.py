"""The lease on a Lease object of a real API server, among candidates that are killed, frozen and cut off."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trio
from attrs import frozen
from kubernetes.client import CoordinationV1Api

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import NotFoundError
from memgraph_ha.adapters.kubernetes.lease import KubeLease
from memgraph_ha.adapters.ports import Lease
from memgraph_ha.core.policy import Policy
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.testing.lease import check_lease
from tests.adapters.lease_candidate import Candidate, leading, not_leading
from tests.kube.api.asking import client_for
from tests.kube.api.pod_world import namespace_of_its_own
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]

NAME = "r-leader"
POLICY = Policy(lease_duration_s=3, lease_renew_s=0.5, command_deadline_s=1)


def candidate(client: KubeClient, name: str, *, ever: bool = False) -> Candidate:
    """Make one of several candidates; ``ever`` is whether there is a record."""

    async def asked(*, timeout_s: float) -> bool:
        assert timeout_s > 0
        return ever

    labels = {"app.kubernetes.io/instance": "r"}
    lease = KubeLease(client, name=NAME, holder=name, policy=POLICY, clock=boottime, ever=asked, labels=labels)
    return Candidate(lease)


async def leases(client: KubeClient, work: Callable[[CoordinationV1Api], Any]) -> Any:
    """Do one call of the API of leases, as anybody else."""
    return await client.call(lambda api: work(CoordinationV1Api(api)), what="test", timeout_s=10)


async def shown(client: KubeClient) -> Any:
    """Read the Lease."""
    return await leases(client, lambda api: api.read_namespaced_lease(NAME, client.namespace))


_CHILD = """
import sys, trio
from pathlib import Path
from memgraph_ha.adapters.kubernetes.client import connect
from memgraph_ha.adapters.kubernetes.lease import KubeLease
from memgraph_ha.core.policy import Policy
from memgraph_ha.runtime.clock import boottime

def say(fact):
    print("fact", fact.at_s, int(fact.leading), fact.until_s, flush=True)

async def ever(*, timeout_s):
    return False

client = connect(Path(sys.argv[1]), namespace=sys.argv[2], clock=boottime)
policy = Policy(lease_duration_s=3, lease_renew_s=0.5, command_deadline_s=1)
lease = KubeLease(client, name="r-leader", holder="child", policy=policy, clock=boottime, ever=ever, labels={}, floor=7)
trio.run(lease.campaign, say)
"""


@frozen
class Child:
    """Another process that campaigns."""

    process: "subprocess.Popen[str]"

    async def line(self) -> tuple[float, bool, float]:
        """Wait for its next report: when, whether it leads, until when."""
        assert self.process.stdout is not None
        text = ""
        with trio.fail_after(30):
            while not text.startswith("fact"):  # the others are its log
                text = await trio.to_thread.run_sync(self.process.stdout.readline, abandon_on_cancel=True)
        _, at_s, leads, until_s = text.split()
        return float(at_s), leads == "1", float(until_s)

    async def gain(self) -> None:
        """Wait until it leads."""
        while not (await self.line())[1]:
            pass


@contextmanager
def child_of(kube: ApiServer, client: KubeClient) -> Iterator[Child]:
    """Start a process that campaigns with generation floor 7, and kill it in the end."""
    command = [sys.executable, "-c", _CHILD, str(kube.kubeconfig), client.namespace]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield Child(process)
    finally:
        process.kill()
        process.communicate()


async def test_the_contract_is_kept(kube_api: ApiServer) -> None:
    """The lease keeps the contract of `Lease`, with every candidate a controller of its own."""
    async with namespace_of_its_own(client_for(kube_api)) as client:

        def open_lease(name: str) -> Lease:
            return candidate(client_for(kube_api)(client.namespace), name).lease

        await check_lease(open_lease, clock=boottime, duration_s=POLICY.lease_duration_s)


async def test_people_can_read_it(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """The object says who holds it and for how long, and after a release that nobody does."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        one = candidate(client, "r-controller-0")
        nursery.start_soon(one.lease.campaign, one.report)
        await one.until(leading)
        one.lease.raise_floor(4)
        await one.until(lambda seen: seen.floor_generation == 4)
        lease = await shown(client)
        assert lease.spec.holder_identity.startswith("r-controller-0_")
        assert (lease.spec.lease_duration_seconds, lease.spec.lease_transitions) == (3, 0)
        assert lease.metadata.annotations["memgraph-ha/generation"] == "4"
        assert lease.metadata.labels == {"app.kubernetes.io/instance": "r"}
        await one.lease.release()
        lease = await shown(client)
        assert not lease.spec.holder_identity
        assert lease.metadata.annotations["memgraph-ha/released"] == "true"
        nursery.cancel_scope.cancel()


async def test_a_release_is_noticed_within_a_second(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """A graceful stop costs one look of the next leader, not a lease."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        one, two = candidate(client, "one"), candidate(client, "two")
        nursery.start_soon(one.lease.campaign, one.report)
        await one.until(leading)
        nursery.start_soon(two.lease.campaign, two.report)
        await trio.sleep(1)
        began_s = boottime()
        await one.lease.release()
        gained = await two.until(leading, 2)
        assert gained.at_s - began_s < 1
        nursery.cancel_scope.cancel()


async def test_a_deleted_lease_is_put_back_by_its_holder(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """A Lease that somebody deleted, or edited into nonsense, stays with its living holder: nobody is cut off."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        one, two = candidate(client, "one", ever=True), candidate(client, "two", ever=True)
        nursery.start_soon(one.lease.campaign, one.report)
        first = await one.until(leading)
        nursery.start_soon(two.lease.campaign, two.report)
        await trio.sleep(0.5)
        await leases(client, lambda api: api.delete_namespaced_lease(NAME, client.namespace))
        await trio.sleep(1.5)
        nonsense: Any = {"spec": {"holderIdentity": None}, "metadata": {"annotations": {"memgraph-ha/term": "x"}}}
        await leases(client, lambda api: api.patch_namespaced_lease(NAME, client.namespace, nonsense))
        await trio.sleep(1.5)
        assert (await shown(client)).spec.holder_identity.startswith("one_")
        assert not any(map(leading, two.seen))
        assert (one.seen[-1].leading, one.seen[-1].since_s) == (True, first.since_s)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("ever", [True, False])
async def test_an_absent_lease_is_clean_only_without_a_record(
    kube_api: ApiServer, nursery: trio.Nursery, *, ever: bool
) -> None:
    """Where there is a record there was a leader, whose permit may live: the term that begins then says so."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        one = candidate(client, "one", ever=ever)
        began_s = boottime()
        nursery.start_soon(one.lease.campaign, one.report)
        gained = await one.until(leading)
        assert gained.clean is not ever
        if ever:
            assert gained.at_s - began_s > 2 * POLICY.lease_renew_s
        nursery.cancel_scope.cancel()


async def test_a_killed_holder_is_replaced_when_its_lease_is_over(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """After kill -9 of the leader another leads after the lease and one look, not before, and cleanly."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        with child_of(kube_api, client) as child:
            await child.gain()
            two = candidate(client, "two")
            nursery.start_soon(two.lease.campaign, two.report)
            await trio.sleep(1)
            child.process.kill()
            killed_s = boottime()
            gained = await two.until(leading, 6)
            waited_s = gained.at_s - killed_s
            assert POLICY.lease_duration_s - POLICY.lease_renew_s - 0.5 < waited_s < POLICY.lease_duration_s + 1
            assert (gained.clean, gained.floor_generation) == (True, 7)
            nursery.cancel_scope.cancel()


async def test_a_frozen_holder_wakes_up_without_the_lease(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """A process that stood still past its lease says first that it lost it, and stays a follower."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        with child_of(kube_api, client) as child:
            await child.gain()
            two = candidate(client, "two")
            nursery.start_soon(two.lease.campaign, two.report)
            await trio.sleep(1)
            child.process.send_signal(signal.SIGSTOP)
            gained = await two.until(leading, 6)
            child.process.send_signal(signal.SIGCONT)
            last_until_s = 0.0
            while (line := await child.line())[1]:
                last_until_s = line[2]
            assert gained.since_s >= last_until_s > 0
            assert line[0] > last_until_s
            await trio.sleep(1)
            assert two.seen[-1].leading
            nursery.cancel_scope.cancel()


async def test_a_foreign_holder_is_honoured(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """Whatever program holds the Lease by the rules of Kubernetes is waited for until it falls silent."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        spec = {"holderIdentity": "old", "leaseDurationSeconds": 4, "renewTime": "2020-01-01T00:00:00.000001Z"}
        body: Any = {"metadata": {"name": NAME}, "spec": spec}
        await leases(client, lambda api: api.create_namespaced_lease(client.namespace, body))
        one = candidate(client, "one")
        began_s = boottime()
        nursery.start_soon(one.lease.campaign, one.report)
        await trio.sleep(2)
        assert one.lease.leader == "old"
        renewed: Any = {"spec": {"renewTime": "2020-01-01T00:00:01.000000Z"}}
        await leases(client, lambda api: api.patch_namespaced_lease(NAME, client.namespace, renewed))
        gained = await one.until(leading, 8)
        assert gained.at_s - began_s >= 6
        assert gained.clean
        nursery.cancel_scope.cancel()


async def test_a_frozen_api_ends_the_term_in_time(kube_api_alone: ApiServer, nursery: trio.Nursery) -> None:
    """While the API server stands still the term ends when it must, and begins again soon after it goes on."""
    async with namespace_of_its_own(client_for(kube_api_alone)) as client:
        one = candidate(client, "one")
        nursery.start_soon(one.lease.campaign, one.report)
        await one.until(leading)
        with kube_api_alone.frozen():
            lost = await one.until(not_leading, 6)
        last = [seen for seen in one.seen if seen.leading][-1]
        assert 0 <= lost.at_s - last.until_s < 1
        again = await one.until(leading, 5)
        assert again.since_s > lost.at_s
        nursery.cancel_scope.cancel()


async def test_a_short_freeze_of_the_api_is_survived(kube_api_alone: ApiServer, nursery: trio.Nursery) -> None:
    """A connection that hangs is given up in time to renew on another one: the term goes on."""
    async with namespace_of_its_own(client_for(kube_api_alone)) as client:
        one = candidate(client, "one")
        nursery.start_soon(one.lease.campaign, one.report)
        first = await one.until(leading)
        with kube_api_alone.frozen():
            await trio.sleep(1.2)
        await trio.sleep(2.5)
        assert (one.seen[-1].leading, one.seen[-1].since_s) == (True, first.since_s)
        assert all(map(leading, one.seen[1:]))
        nursery.cancel_scope.cancel()


async def test_an_absent_namespace_is_trouble(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """Where nothing can be created the campaign goes on for ever, and reports that it does not lead."""
    client = client_for(kube_api)("does-not-exist")
    one = candidate(client, "one")
    nursery.start_soon(one.lease.campaign, one.report)
    await trio.sleep(1)
    assert not any(map(leading, one.seen))
    with pytest.raises(NotFoundError):
        await shown(client)
    client.close()
    nursery.cancel_scope.cancel()
