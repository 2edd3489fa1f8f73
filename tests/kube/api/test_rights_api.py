"""What the Role must allow, and what is said when it does not, against the authorization of a real API server."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field
from kubernetes.client import ApiClient, Configuration, CoreV1Api, RbacAuthorizationV1Api
from kubernetes.config import load_kube_config

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiUnavailableError, ForbiddenError
from memgraph_ha.adapters.kubernetes.events import EventWriter
from memgraph_ha.adapters.kubernetes.labels import LEADER, patch_label
from memgraph_ha.adapters.kubernetes.lease import KubeLease
from memgraph_ha.adapters.kubernetes.record import ConfigMapRecordStore
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import LeaseSeen, Outcome, RecordSeen, RecordTrouble
from memgraph_ha.core.policy import Policy
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.testing.contract import Sink
from memgraph_ha.testing.record_store import FULL
from tests.core.changes import gone
from tests.core.places import M1
from tests.kube.api.asking import client_for, eventually
from tests.kube.api.pod_world import namespace_of_its_own, pod_body
from tests.kube.api.test_events_api import events, statefulset, tick
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]

RULES: list[dict[str, list[str]]] = [
    {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["r-state"], "verbs": ["get", "patch"]},
    {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create"]},
    {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "resourceNames": ["r-leader"],
        "verbs": ["get", "patch"],
    },
    {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["create", "patch"]},
    {"apiGroups": ["apps"], "resources": ["statefulsets"], "resourceNames": ["r"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["patch", "list"]},
]
"""All that the record, the lease, the Events and the labels ask for; the chart's Role must have them."""

POLICY = Policy(lease_duration_s=3, lease_renew_s=0.5, command_deadline_s=1)


@define
class Account:
    """A service account in a namespace of its own, with those rights.

    Attributes:
        admin: May do anything.
        client: The account's.
    """

    admin: KubeClient
    client: KubeClient
    told: Sink = field(factory=Sink)

    async def allow(self, rules: list[dict[str, list[str]]]) -> None:
        """Let the account do exactly this."""
        namespace = self.admin.namespace
        role: Any = {"metadata": {"name": "r"}, "rules": rules}

        def work(api: ApiClient) -> None:
            rbac = RbacAuthorizationV1Api(api)
            if any(
                found.metadata and found.metadata.name == "r" for found in rbac.list_namespaced_role(namespace).items
            ):
                rbac.replace_namespaced_role("r", namespace, role)
                return
            rbac.create_namespaced_role(namespace, role)
            subject = {"kind": "ServiceAccount", "name": "r", "namespace": namespace}
            reference = {"kind": "Role", "name": "r", "apiGroup": "rbac.authorization.k8s.io"}
            binding: Any = {"metadata": {"name": "r"}, "roleRef": reference, "subjects": [subject]}
            rbac.create_namespaced_role_binding(namespace, binding)

        await self.admin.call(work, what="role", timeout_s=10)

    @property
    def store(self) -> ConfigMapRecordStore:
        """Its record."""
        return ConfigMapRecordStore(
            self.client, name="r-state", statefulset="r", labels={"a": "b"}, clock=boottime, deadline_s=3
        )


def with_token(kubeconfig: Path, namespace: str, token: str) -> KubeClient:
    """Make a client that logs in with this token."""
    configuration: Any = Configuration()
    load_kube_config(config_file=str(kubeconfig), client_configuration=configuration)
    configuration.refresh_api_key_hook = None
    configuration.api_key = {"BearerToken": f"Bearer {token}", "authorization": f"Bearer {token}"}
    configuration.cert_file = configuration.key_file = None
    return KubeClient(configuration, namespace=namespace, clock=boottime)


@asynccontextmanager
async def account_on(kube: ApiServer) -> AsyncIterator[Account]:
    """Make an account without any rights."""
    kubeconfig = Path(kube.kubeconfig)

    async with namespace_of_its_own(client_for(kube)) as admin:

        def work(api: ApiClient) -> str:
            core: Any = CoreV1Api(api)
            core.create_namespaced_service_account(admin.namespace, {"metadata": {"name": "r"}})
            asked = {"spec": {"expirationSeconds": 3600}}
            return str(core.create_namespaced_service_account_token("r", admin.namespace, asked).status.token)

        token = await admin.call(work, what="account", timeout_s=10)
        client = with_token(kubeconfig, admin.namespace, token)
        try:
            yield Account(admin, client)
        finally:
            client.close()


async def test_the_role_is_enough(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """With exactly these verbs the record, the lease, the Events and the labels all work."""
    async with account_on(kube_api) as account:
        await account.allow(RULES)
        store, told = account.store, account.told

        async def readable() -> bool:
            return (await store.read()).trouble is None

        await eventually(readable)
        ended = await store.write(WriteRecord(expected=None, record=FULL), told)
        assert ended.outcome is Outcome.DONE
        seen = told.of(RecordSeen)[-1]
        ended = await store.write(WriteRecord(expected=seen.token, record=FULL), told)
        assert ended.outcome is Outcome.DONE
        lease = KubeLease(
            account.client, name="r-leader", holder="p", policy=POLICY, clock=boottime, ever=store.ever, labels={}
        )
        nursery.start_soon(lease.campaign, told)
        clause = "the lease is gained and renewed"
        gained = await told.due(LeaseSeen, lambda fact: fact.leading, within_s=8, port="test", clause=clause)
        await told.due(LeaseSeen, lambda fact: fact.until_s > gained.until_s, within_s=5, port="test", clause=clause)
        await statefulset(account.admin)
        writer = EventWriter(account.client, statefulset="r", reporter="p", clock=boottime, wall=time.time)
        nursery.start_soon(writer.run)
        writer(*tick(gone(M1)))

        async def told_of() -> bool:
            return bool(await events(account.admin))

        await eventually(told_of)
        body = pod_body("c-0", "r", None, {"app": "r"})
        await account.admin.call(
            lambda api: CoreV1Api(api).create_namespaced_pod(account.admin.namespace, body), what="pod", timeout_s=10
        )
        await patch_label(account.client, "c-0", LEADER, "true")
        nursery.cancel_scope.cancel()


async def test_what_is_forbidden_is_named(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """Without rights nothing is changed or led, and each error names the verb, the resource and the fix."""
    async with account_on(kube_api) as account:
        store, told = account.store, account.told
        seen = await store.read()
        assert seen.trouble is RecordTrouble.UNANSWERED
        assert 'get configmaps "r-state": ' in seen.detail
        assert 'cannot get resource "configmaps"' in seen.detail
        assert "grant the verb in the Role" in seen.detail
        ended = await store.write(WriteRecord(expected=seen.token, record=FULL), told)
        assert ended.outcome is Outcome.REFUSED
        assert 'cannot get resource "configmaps"' in ended.detail
        lease = KubeLease(
            account.client, name="r-leader", holder="p", policy=POLICY, clock=boottime, ever=store.ever, labels={}
        )
        nursery.start_soon(lease.campaign, told)
        await trio.sleep(1)
        assert not any(fact.leading for fact in told.of(LeaseSeen))
        nursery.cancel_scope.cancel()


async def test_credentials_that_are_refused_are_named(kube_api: ApiServer) -> None:
    """A token that the API server does not know is no outage: the error says what to check, and not the token."""
    client = with_token(Path(kube_api.kubeconfig), "default", "n0t-a-token")
    with pytest.raises(ForbiddenError, match="check the token") as raised:
        await client.call(lambda api: CoreV1Api(api).list_namespaced_pod("default"), what="list pods", timeout_s=5)
    assert "n0t-a-token" not in f"{raised.value} {raised.value.__cause__}"
    client.close()


async def test_a_server_with_another_certificate_is_not_spoken_to(kube_api: ApiServer) -> None:
    """Nothing, and no token, is sent to a server that cannot show the right certificate."""
    configuration: Any = Configuration()
    load_kube_config(config_file=str(kube_api.kubeconfig), client_configuration=configuration)
    configuration.refresh_api_key_hook = None
    configuration.ssl_ca_cert = "/etc/ssl/certs/ca-certificates.crt"
    configuration.ca_cert_data = None
    client = KubeClient(configuration, namespace="default", clock=boottime)
    with pytest.raises(ApiUnavailableError, match="certificate verify failed") as raised:
        await client.call(lambda api: CoreV1Api(api).list_namespaced_pod("default"), what="list pods", timeout_s=5)
    assert not raised.value.sent
    client.close()
