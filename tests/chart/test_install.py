"""The chart on a real API server: everything is admitted, and what must outlive an upgrade or the release does."""

import base64
import secrets
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from attrs import frozen
from kubernetes import config
from kubernetes.client import ApiClient, AuthorizationV1Api, CoreV1Api

from tests.chart.kit import CHART, EVERYTHING, LITTLE, Helm, Values
from tests.kube.api_server import ApiServer

pytestmark = pytest.mark.kube

NO_OPERATOR: Final[Values] = {"serviceMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}}
"""Prometheus' operator is not installed there: its objects are held against their schemas elsewhere."""

SETS: Final[dict[str, Values]] = {"defaults": {}, "everything": {**EVERYTHING, **NO_OPERATOR}, "little": LITTLE}


@frozen(kw_only=True)
class Place:
    """A namespace that enforces the restricted profile, and release `r` in it.

    Attributes:
        namespace: Its name.
        api: An administrator's access.
        helm: Runs helm with these arguments, and values, if any.
    """

    namespace: str
    api: ApiClient
    helm: Callable[..., str]

    @property
    def core(self) -> Any:
        """The client of the core objects; it also takes bodies as they stand in YAML, which its types do not say."""
        return CoreV1Api(self.api)

    def install(self, values: Values | None = None, *, verb: str = "install") -> str:
        """Install or upgrade the release."""
        return self.helm(verb, "r", str(CHART), values=values or {})

    def secret(self, name: str, key: str) -> str:
        """Read a Secret's text."""
        return base64.b64decode(self.core.read_namespaced_secret(name, self.namespace).data[key]).decode()


@pytest.fixture
def place(own_server: ApiServer, helm: Helm) -> Iterator[Place]:
    """A namespace of the test's own."""
    namespace = f"chart-{secrets.token_hex(4)}"
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    api: Any = config.new_client_from_config(str(own_server.kubeconfig))  # its types do not say that it can be closed
    with api:

        def run(*command: str, values: Values | None = None) -> str:
            return helm.at(own_server.kubeconfig, namespace, *command, values=values)

        made = Place(namespace=namespace, api=api, helm=run)
        made.core.create_namespace({"metadata": {"name": namespace, "labels": enforced}})
        yield made


@pytest.mark.parametrize("values", SETS.values(), ids=SETS)
def test_the_api_server_takes_everything_and_the_restricted_profile_admits_every_pod(
    place: Place, helm: Helm, values: Values
) -> None:
    """Helm installs for good; each pod is then asked for as its StatefulSet, Deployment or test would."""
    place.install(values)
    for name, spec in helm.render(values).pods():
        pod = {"metadata": {"name": name}, "spec": {**spec, "serviceAccountName": "r-memgraph", "volumes": []}}
        claims = {mount["name"] for each in spec["containers"] for mount in each["volumeMounts"]}
        made = {volume["name"]: volume for volume in spec.get("volumes", ())}
        pod["spec"]["volumes"] = [made.get(claim, {"name": claim, "emptyDir": {}}) for claim in {*claims, *made}]
        pod["spec"].pop("priorityClassName", None)  # a class of somebody's own
        place.core.create_namespaced_pod(place.namespace, pod, dry_run="All")


def test_the_restricted_profile_is_really_enforced_there(place: Place) -> None:
    """The test above can fail."""
    pod = {"metadata": {"name": "loose"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    with pytest.raises(Exception, match="violates PodSecurity"):
        place.core.create_namespaced_pod(place.namespace, pod, dry_run="All")


def test_the_notes_name_the_next_two_commands(place: Place) -> None:
    """Whoever installed it types what stands there."""
    said = place.install({"auth": {"enabled": True}})
    assert f"kubectl -n {place.namespace} exec deploy/r-controller -- memgraph-ha status" in said
    assert f"helm -n {place.namespace} test r" in said
    assert f"bolt://r-gateway.{place.namespace}.svc:7687" in said
    assert place.secret("r-auth", "MEMGRAPH_PASSWORD") not in said


def test_an_upgrade_keeps_the_password_and_the_token(place: Place) -> None:
    """A new password would lock the controllers out of Memgraph; a new token the operators out of the API."""
    place.install()
    password, token = place.secret("r-auth", "MEMGRAPH_PASSWORD"), place.secret("r-api", "token")
    place.install({"memgraph": {"replicas": 5}, "controller": {"logLevel": "debug"}}, verb="upgrade")
    assert place.secret("r-auth", "MEMGRAPH_PASSWORD") == password
    assert place.secret("r-api", "token") == token
    assert (len(password), len(token)) == (32, 43)


def test_uninstall_leaves_the_record_and_the_password_and_a_new_install_takes_them_up(place: Place) -> None:
    """The volumes know the password; the record knows who was MAIN."""
    place.install({"auth": {"enabled": True}})
    core = place.core
    core.create_namespaced_config_map(place.namespace, {"metadata": {"name": "r-state"}, "data": {"record.json": "{}"}})
    password = place.secret("r-auth", "MEMGRAPH_PASSWORD")
    place.helm("uninstall", "r")
    left = {each.metadata.name for each in core.list_namespaced_config_map(place.namespace).items}
    assert left - {"kube-root-ca.crt"} == {"r-state"}
    assert {each.metadata.name for each in core.list_namespaced_secret(place.namespace).items} == {"r-auth"}
    place.install({"auth": {"enabled": True}})
    assert place.secret("r-auth", "MEMGRAPH_PASSWORD") == password
    assert f'password = "{password}"' in place.secret("r-auth", "accounts.toml")


def test_two_releases_live_in_one_namespace(place: Place) -> None:
    """Nothing of one is the other's."""
    place.install()
    place.helm("install", "other", str(CHART), values={})
    found = place.core.list_namespaced_service(place.namespace)
    assert {each.metadata.name for each in found.items} == {
        f"{release}{part}"
        for release in ("r", "other")
        for part in ("", "-gateway", "-gateway-read", "-controller", "-controllers")
    }


def may(place: Place, account: str, verb: str, resource: str, name: str = "") -> bool:
    """Ask the API server whether a ServiceAccount may do something."""
    group = {"leases": "coordination.k8s.io", "statefulsets": "apps", "events": "events.k8s.io"}.get(resource, "")
    asked = {"namespace": place.namespace, "verb": verb, "group": group, "resource": resource, "name": name}
    user = f"system:serviceaccount:{place.namespace}:{account}"
    body = {"spec": {"user": user, "resourceAttributes": asked}}
    reviews: Any = AuthorizationV1Api(place.api)
    return bool(reviews.create_subject_access_review(body).status.allowed)


def test_accounts_may_touch_what_is_their_release_s_and_nothing_else(place: Place) -> None:
    """The API server's own answer."""
    place.install()
    assert may(place, "r-controller", "patch", "configmaps", "r-state")
    assert may(place, "r-controller", "patch", "leases", "r-leader")
    assert may(place, "r-controller", "delete", "pods", "r-0")
    assert may(place, "r-controller", "watch", "statefulsets", "r")
    assert not may(place, "r-controller", "patch", "configmaps", "other-state")
    assert not may(place, "r-controller", "patch", "leases", "other-leader")
    assert not may(place, "r-controller", "delete", "configmaps", "r-state")
    assert not may(place, "r-controller", "get", "secrets", "r-auth")
    assert not may(place, "r-controller", "patch", "statefulsets", "r")
    assert may(place, "r-memgraph", "patch", "configmaps", "r-rebuild")
    assert not may(place, "r-memgraph", "get", "configmaps", "r-state")
    assert not may(place, "r-memgraph", "list", "pods")
