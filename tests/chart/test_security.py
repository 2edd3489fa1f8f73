"""Who may do what in and around the pods: the restricted profile, tokens, secrets, and who reaches which port."""

from typing import Any, Final

import pytest

from tests.chart.kit import EVERYTHING, VALUE_SETS, Helm, Values

pytestmark = pytest.mark.kube

EACH_SET: Final = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
VOLUMES: Final = {"configMap", "emptyDir", "projected", "secret", "downwardAPI"}
"""The volumes of the restricted profile that a pod here may have, beside its claims."""


@EACH_SET
def test_every_pod_satisfies_the_restricted_profile(helm: Helm, values: Values) -> None:
    """As the Pod Security Standards list it, and a read-only root besides."""
    for name, pod in helm.render(values).pods():
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        for volume in pod.get("volumes", ()):
            assert volume.keys() - {"name"} <= VOLUMES, (name, volume)
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            security = container["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert security["readOnlyRootFilesystem"] is True
            assert security["runAsNonRoot"] is True
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert all("hostPort" not in port for port in container.get("ports", ()))
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert "memory" in container["resources"]["limits"]


def test_memgraph_itself_has_no_token_of_the_api(helm: Helm) -> None:
    """Only its init container has one, for the one ConfigMap."""
    pod = helm.render({}).body("StatefulSet", "r")["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    mounted = {
        container["name"]
        for container in (*pod["initContainers"], *pod["containers"])
        for mount in container["volumeMounts"]
        if mount["name"] == "token"
    }
    assert mounted == {"set-aside"}


@EACH_SET
def test_secrets_reach_pods_by_reference_only(helm: Helm, values: Values) -> None:
    """No password stands in a pod's specification, which more people may read than Secrets."""
    release = helm.render(values)
    for name, pod in release.pods():
        for container in (*pod.get("initContainers", ()), *pod["containers"]):
            for variable in container.get("env", ()):
                if any(word in variable["name"] for word in ("PASSWORD", "TOKEN")) and "FILE" not in variable["name"]:
                    given = variable.get("value") in {None, "true", "false"}
                    assert given, (name, variable["name"])


def peers(helm: Helm, policy: str, port: str, values: Values) -> list[dict[str, Any]]:
    """List who may reach a port by a NetworkPolicy; an empty list if anybody may."""
    found: list[dict[str, Any]] = []
    for rule in helm.render(values).body("NetworkPolicy", policy)["spec"]["ingress"]:
        if port in {each["port"] for each in rule["ports"]}:
            found += rule.get("from", [])
    return found


def component(name: str) -> dict[str, Any]:
    """Give the peer that is a component of this release."""
    labels = {
        "app.kubernetes.io/name": "memgraph-ha",
        "app.kubernetes.io/instance": "r",
        "app.kubernetes.io/component": name,
    }
    return {"podSelector": {"matchLabels": labels}}


def test_only_controllers_reach_bolt_of_the_instances_and_only_the_cluster_their_replication(helm: Helm) -> None:
    """Replicas take any password, and whoever speaks to the replication port replicates."""
    assert peers(helm, "r-memgraph", "bolt", {}) == [component("controller")]
    assert peers(helm, "r-memgraph", "replication", {}) == [component("controller"), component("memgraph")]
    assert peers(helm, "r-memgraph", "monitoring", {}) == []
    assert peers(helm, "r-memgraph", "metrics", {}) == []


def test_the_gateways_are_open_until_somebody_is_named(helm: Helm) -> None:
    """And then `helm test` still passes."""
    assert peers(helm, "r-controller", "gateway", {}) == []
    named = peers(helm, "r-controller", "gateway", EVERYTHING)
    assert named == [{"namespaceSelector": {"matchLabels": {"clients": "yes"}}}, component("test")]


def test_the_api_is_open_to_the_release_and_to_who_is_named(helm: Helm) -> None:
    """Prometheus among them, if it is to read the metrics."""
    release = {"app.kubernetes.io/name": "memgraph-ha", "app.kubernetes.io/instance": "r"}
    ours = {"podSelector": {"matchLabels": release}}
    assert peers(helm, "r-controller", "http", {}) == [ours]
    named = peers(helm, "r-controller", "http", EVERYTHING)
    assert named == [ours, {"podSelector": {"matchLabels": {"operator": "yes"}}}, {"namespaceSelector": {}}]


def test_the_hook_s_password_is_there_whether_memgraph_has_users_or_not(helm: Helm) -> None:
    """Without one anybody could ask for MAIN's stop; with one Memgraph makes its user at its start."""
    for values, users in (({}, False), ({"auth": {"enabled": True}}, True)):
        release = helm.render(values)
        pod = release.body("StatefulSet", "r")["spec"]["template"]["spec"]
        names = {variable["name"] for variable in pod["containers"][0]["env"]}
        assert "PRESTOP_PASSWORD" in names
        assert ("MEMGRAPH_PASSWORD" in names) is users
        assert len(release.body("Secret", "r-auth")["stringData"]["MEMGRAPH_PASSWORD"]) == 32
