"""The chart's Role is what controllers live by on a real API server: it suffices, and nothing of it is for nothing."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
import yaml
from kubernetes.client import CoreV1Api, CustomObjectsApi

from tests.chart.kit import Helm, Release
from tests.chart.recorder import Asked, Recorder
from tests.kube.api_server import ApiServer
from tests.kube.daemon.kubelet import core_of
from tests.kube.daemon.processes import Controller, until
from tests.kube.daemon.site import RELEASE, TOKEN, Site

pytestmark = [pytest.mark.kube, pytest.mark.timeout(400)]

RULES: Final = ("rbac.authorization.k8s.io", "v1")
DONE_S: Final = 60.0


@pytest.fixture
def release(helm: Helm) -> Release:
    """The chart under the site's name."""
    return helm.render({"fullnameOverride": RELEASE})


@pytest.fixture
def recorder(own_server: ApiServer, tmp_path: Path, release: Release) -> Iterator[tuple[Site, Recorder, Path]]:
    """A site, and the way to its API server as the chart's ServiceAccount of the controllers."""
    site = Site.make(own_server, tmp_path)
    try:
        core: Any = CoreV1Api(site.api)
        rbac: Any = CustomObjectsApi(site.api)
        account = f"{RELEASE}-controller"
        core.create_namespaced_service_account(site.namespace, {"metadata": {"name": account}})
        for kind, plural in (("Role", "roles"), ("RoleBinding", "rolebindings")):
            body = dict(release.body(kind, account))
            for subject in body.get("subjects", ()):
                subject["namespace"] = site.namespace
            rbac.create_namespaced_custom_object(*RULES, site.namespace, plural, body)
        asked = {"spec": {"expirationSeconds": 3600}}
        token = core.create_namespaced_service_account_token(account, site.namespace, asked).status.token
        cluster = yaml.safe_load(own_server.kubeconfig.read_text("utf-8"))["clusters"][0]["cluster"]
        made = Recorder(server=cluster["server"], authority=Path(cluster["certificate-authority"]), token=token)
        kubeconfig = tmp_path / "as-the-account"
        with made.serving(kubeconfig):
            yield site, made, kubeconfig
            site.close()
    finally:
        site.close()


def allowed(release: Release) -> set[Asked]:
    """List what the Role allows, each name by itself."""
    return {
        Asked(group=group, resource=resource, verb=verb, name=name)
        for rule in release.body("Role", f"{RELEASE}-controller")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames", [""])
    }


def counted(asked: set[Asked]) -> set[Asked]:
    """Forget names where the Role does: of pods and of Events, and of what is made."""
    forget = {"pods", "events"}
    return {
        Asked(
            group=each.group,
            resource=each.resource,
            verb=each.verb,
            name="" if each.resource in forget or each.verb == "create" else each.name,
        )
        for each in asked
    }


def ask(controller: Controller, verb: str, body: dict[str, object]) -> None:
    """Ask a controller for something."""
    url, headers = f"{controller.url}/api/v1/{verb}", {"Authorization": f"Bearer {TOKEN}"}
    httpx.post(url, json=body, headers=headers, timeout=60)


def told(site: Site, hold: str) -> int:
    """Count how often Events told of a hold."""
    events = core_of(site.api).list_namespaced_event(site.namespace).items
    return max((each.series.count if each.series else 1 for each in events if f" {hold}:" in each.message), default=0)


def test_the_role_suffices_and_each_verb_of_it_is_used(recorder: tuple[Site, Recorder, Path], release: Release) -> None:
    """Two controllers: first reign, standby, MAIN lost, a replica given up, two pauses, the leader ended."""
    site, seen, kubeconfig = recorder
    for _ in range(2):
        site.add_controller(KUBECONFIG=str(kubeconfig))
    first = site.protected()
    site.kubelet.delete(first.main, 0)
    until(lambda: site.record().generation > first.generation, DONE_S, f"another reign begins\n{site.tail()}")
    site.protected()
    leader = site.leader()
    # Nobody plays the init container here, so that its order is carried out is not waited for.
    ask(leader, "reinit", {"instance": f"{RELEASE}-2", "wait_s": 5})
    for count in (1, 2):  # what happens again is one Event, counted up
        ask(leader, "pause", {"reason": "to see it told"})
        until(lambda count=count: told(site, "Paused") >= count, DONE_S, f"the pause is told {count} times")
        ask(leader, "resume", {})
    leader.container.end()
    site.leader()
    wanted = allowed(release)

    def used() -> bool:
        return counted(seen.asked) >= wanted

    with contextlib.suppress(AssertionError):
        until(used, DONE_S, "everything that the Role allows is used")
    assert seen.refused == []
    assert counted(seen.asked) == wanted, site.tail()
