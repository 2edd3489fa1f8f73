"""What operators, hooks and Kubernetes ask of a controller, on a real API server."""

import os
import signal
import subprocess
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from kubernetes.client import AuthenticationV1TokenRequest, RbacAuthorizationV1Api, V1TokenRequestSpec
from neo4j.exceptions import Neo4jError

from memgraph_ha.core.names import Address
from memgraph_ha.core.record import ChangeKind
from tests.kube.daemon.kubelet import core_of
from tests.kube.daemon.processes import BOLT, RUN, until
from tests.kube.daemon.site import PASSWORD, RELEASE, TOKEN, USER, Site
from tests.kube.daemon.site import ask as ask_bolt

pytestmark = [pytest.mark.kube, pytest.mark.timeout(400)]


@pytest.fixture
def site(make_site: Callable[[str], Site]) -> Site:
    """A release with one controller that takes Kubernetes tokens."""
    made = make_site("")
    made.add_controller(MEMGRAPH_HA_TOKEN_REVIEW="true", LOG_FORMAT="json")  # noqa: S106 - a switch
    made.protected()
    return made


def token_of(site: Site, account: str) -> str:
    """Make a service account, and a token of it."""
    core_of(site.api).create_namespaced_service_account(site.namespace, {"metadata": {"name": account}})
    request = AuthenticationV1TokenRequest(spec=V1TokenRequestSpec(audiences=[]))
    made = core_of(site.api).create_namespaced_service_account_token(account, site.namespace, request)
    return str(made.status.token)


def allow(site: Site, account: str) -> None:
    """Let a service account patch the StatefulSet."""
    rbac: Any = RbacAuthorizationV1Api(site.api)
    rule = {"apiGroups": ["apps"], "resources": ["statefulsets"], "resourceNames": [RELEASE], "verbs": ["patch"]}
    rbac.create_namespaced_role(site.namespace, {"metadata": {"name": "operator"}, "rules": [rule]})
    subject = {"kind": "ServiceAccount", "name": account, "namespace": site.namespace}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"}
    rbac.create_namespaced_role_binding(
        site.namespace, {"metadata": {"name": "operator"}, "roleRef": role, "subjects": [subject]}
    )


def ask(site: Site, verb: str, token: str, body: dict[str, object]) -> httpx.Response:
    """Ask the controller for something."""
    url = f"{site.controllers[0].url}/api/v1/{verb}"
    return httpx.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=60)


def test_a_kubernetes_token_is_good_for_whoever_may_patch_the_statefulset(site: Site) -> None:
    """Nobody's token and a mere pod's are refused with the reason; that of a bound account switches MAIN over."""
    stranger, operator = token_of(site, "stranger"), token_of(site, "operator")
    allow(site, "operator")
    old = site.protected()
    nobody = ask(site, "switchover", "no-token-at-all", {})
    assert (nobody.status_code, "does not know it" in nobody.text) == (401, True)
    refused = ask(site, "switchover", stranger, {})
    assert refused.status_code == 401
    assert f"stranger may not patch statefulsets/{RELEASE}" in refused.json()["error"]
    done = ask(site, "switchover", operator, {"by": "the operator", "wait_s": 50})
    assert done.status_code == 200, done.text
    new = site.protected()
    assert (new.generation, new.history[-1].by) == (old.generation + 1, "the operator")
    log = site.controllers[0].log
    assert not [secret for secret in (stranger, operator, TOKEN, PASSWORD) if secret in log]


def test_the_policy_and_the_number_of_instances_are_set_elsewhere(site: Site) -> None:
    """Both are refused with where: the chart's values, and the StatefulSet."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = site.controllers[0].url
    policy = httpx.put(f"{url}/api/v1/policy", json={"fields": {"failover_limit": 9}}, headers=headers, timeout=10)
    assert (policy.status_code, "policy.toml" in policy.text) == (409, True)
    count = httpx.put(f"{url}/api/v1/instances", json={"count": 5}, headers=headers, timeout=10)
    assert (count.status_code, f"scale statefulset {RELEASE} --replicas=5" in count.text) == (404, True)


def test_readers_reach_a_replica_and_no_writer_does(site: Site) -> None:
    """The second gateway leads to whoever is not MAIN: it answers, and takes no write."""
    leader = site.controllers[0]
    readers, writers = (Address(f"{leader.ip}:{port}") for port in (BOLT + 1, BOLT))
    ask_bolt(writers, "CREATE (:Seen)")
    until(lambda: ask_bolt(readers, "MATCH (n:Seen) RETURN count(n)") == [1], 20, "the write is seen")
    with pytest.raises(Neo4jError):
        ask_bolt(readers, "CREATE (:Seen)")
    metrics = leader.get("/metrics")
    assert metrics is not None
    assert "memgraph_controller_is_leader 1.0" in metrics.text


def test_a_hook_and_the_deletion_of_its_pod_hand_main_over(site: Site) -> None:
    """The hook of MAIN's pod answers when another one is MAIN, before its process is ended; wrong passwords do not."""
    url, old = site.controllers[0].url, site.protected()
    path = f"{url}/prestop-hook/{old.main}"
    assert httpx.post(path, auth=(USER, "wrong"), timeout=10).status_code == 401
    answers: list[tuple[int, str]] = []

    def hook(name: str) -> None:
        status = httpx.post(f"{url}/prestop-hook/{name}", auth=(USER, PASSWORD), timeout=60).status_code
        answers.append((status, site.record().main))

    site.kubelet.prestop = hook
    site.kubelet.delete(old.main, 30)
    until(lambda: bool(answers), 60, "the hook was answered")
    new = site.protected()
    assert answers == [(200, new.main)]
    assert new.main != old.main
    assert new.history[-1].kind is ChangeKind.SWITCHOVER
    until(lambda: site.kubelet.places[old.main].container.running, 60, "the pod is there again")


def test_one_that_only_observes_changes_nothing(site: Site) -> None:
    """It says what would be done beside a leader that stands still; it is not ready, and has no lease and no label."""
    observer = site.add_controller(MEMGRAPH_HA_OBSERVE_ONLY="true")
    until(lambda: "would" in observer.log or "reign" in observer.log, 60, "it says how things stand")
    leader = site.controllers[0]
    answer = observer.get("/readyz")
    assert answer is not None
    assert answer.status_code == 503
    leader.container.signal(signal.SIGSTOP)
    main = site.protected().main
    site.kubelet.held.add(main)
    site.kubelet.places[main].container.signal(signal.SIGKILL)
    until(lambda: "would: WriteRecord" in observer.log, 30, f"it says what it would do\n{observer.log[-2000:]}")
    assert site.record().main == main
    assert observer.name not in site.service.labelled()
    leader.container.signal(signal.SIGCONT)
    site.kubelet.held.clear()
    observer.container.signal(signal.SIGTERM)
    assert observer.container.wait(20) == 0


def test_a_second_controller_on_the_same_ports_says_which(site: Site) -> None:
    """One line, exit code 2; nothing was started."""
    first = site.controllers[0]
    done = subprocess.run(
        [*RUN],
        env={**os.environ, **first.container.environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "HTTP_PORT 8080" in done.stderr
    assert "Traceback" not in done.stderr
