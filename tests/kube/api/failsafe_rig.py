"""Controllers with pods, leases and HTTP of their own on one API server, in one process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from attrs import define, field
from kubernetes.client import CoreV1Api

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.failsafe import KubeFailsafe
from memgraph_ha.adapters.kubernetes.lease import KubeLease
from memgraph_ha.api.endpoints import Access
from memgraph_ha.api.server import serve
from memgraph_ha.core.facts import Fact, LeaseSeen
from memgraph_ha.core.policy import Policy
from memgraph_ha.failsafe.wire import failsafe_key
from memgraph_ha.runtime.clock import boottime
from tests.api.rig import SceneControl
from tests.core.views import HEALTHY

LABELS: Final = {"app.kubernetes.io/component": "controller", "app.kubernetes.io/instance": "r"}
SELECTOR: Final = ",".join(f"{name}={value}" for name, value in LABELS.items())
POLICY: Final = Policy(lease_duration_s=3, lease_renew_s=0.5, command_deadline_s=1)


@define(eq=False)
class Controller:
    """One controller: what it reports of the lease, and what ends it."""

    pod: str
    uid: str
    failsafe: KubeFailsafe
    lease: KubeLease
    seen: list[LeaseSeen] = field(factory=list)
    scope: trio.CancelScope = field(factory=trio.CancelScope)

    def report(self, fact: Fact) -> None:
        """Keep a fact."""
        assert isinstance(fact, LeaseSeen)
        self.seen.append(fact)

    @property
    def leads(self) -> bool:
        """Whether it may relay now, by what it reported last."""
        return not self.scope.cancel_called and bool(self.seen) and self.seen[-1].leading and self.left_s > 0

    @property
    def left_s(self) -> float:
        """What is left of its term."""
        return self.seen[-1].until_s - boottime()


@define(eq=False)
class Rig:
    """Several controllers of one release.

    Attributes:
        most: The most that led at once, whenever anybody looked.
    """

    client: KubeClient
    nursery: trio.Nursery
    port: int
    controllers: list[Controller] = field(factory=list)
    most: int = 0

    async def add(self) -> Controller:
        """Start a controller in a pod of its own."""
        number = len(self.controllers) + 1
        name, address = f"controller-{number}", f"127.0.0.{100 + number}"
        uid = await self._make_pod(name, address)
        failsafe = KubeFailsafe(
            self.client,
            pod=name,
            uid=uid,
            selector=SELECTOR,
            port=self.port,
            key=failsafe_key("the token of all"),
            policy=POLICY,
            clock=boottime,
        )

        async def ever(*, timeout_s: float) -> bool:
            assert timeout_s > 0
            return True

        lease = KubeLease(
            self.client,
            name="r-leader",
            holder=name,
            policy=POLICY,
            clock=boottime,
            ever=ever,
            labels=LABELS,
            failsafe=failsafe,
        )
        controller = Controller(pod=name, uid=uid, failsafe=failsafe, lease=lease)
        self.controllers.append(controller)
        await self.nursery.start(self._run, controller, address)
        return controller

    async def delete_pod(self, controller: Controller) -> None:
        """Let the API forget its pod, as a kubelet does when nothing of it runs any more."""
        await self._core(
            lambda api: api.delete_namespaced_pod(controller.pod, self.client.namespace, grace_period_seconds=0)
        )

    async def until(self, true: Any, within_s: float) -> None:
        """Wait until something is so, and watch how many lead meanwhile."""
        with trio.fail_after(within_s):
            while True:
                self.most = max(self.most, sum(controller.leads for controller in self.controllers))
                if true():
                    return
                await trio.sleep(0.02)

    async def watch(self, seconds: float) -> None:
        """Let time pass, and watch how many lead."""
        ends_s = boottime() + seconds
        await self.until(lambda: boottime() >= ends_s, seconds + 5)

    async def _run(self, controller: Controller, address: str, *, task_status: trio.TaskStatus[None]) -> None:
        access = Access(token=None, basic=None, promise=controller.failsafe.promise)
        with controller.scope:
            async with trio.open_nursery() as nursery:

                async def serving(*, task_status: trio.TaskStatus[int]) -> None:
                    control = SceneControl(HEALTHY)
                    await serve(control, host=address, port=self.port, access=access, task_status=task_status)

                await nursery.start(serving)
                nursery.start_soon(controller.failsafe.run)
                nursery.start_soon(controller.lease.campaign, controller.report)
                task_status.started()

    async def _make_pod(self, name: str, address: str) -> str:
        body = {"metadata": {"name": name, "labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        made = await self._core(lambda api: api.create_namespaced_pod(self.client.namespace, body))
        status = {"status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}]}}
        await self._core(lambda api: api.patch_namespaced_pod_status(name, self.client.namespace, status))
        return str(made.metadata.uid)

    async def _core(self, work: Any) -> Any:
        return await self.client.call(lambda api: work(CoreV1Api(api)), what="test", timeout_s=20)


@asynccontextmanager
async def rig(client: KubeClient, port: int) -> AsyncIterator[Rig]:
    """Run controllers while the block runs."""
    async with trio.open_nursery() as nursery:
        yield Rig(client, nursery, port)
        nursery.cancel_scope.cancel()
