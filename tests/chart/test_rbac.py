"""The Roles allow as little as can be written down. That it is enough, and all used, `test_role` shows."""

import pytest

from tests.chart.kit import Helm

pytestmark = pytest.mark.kube

Permission = tuple[str, str, str]
"""API group, resource, verb."""


def allowed(helm: Helm, role: str) -> set[Permission]:
    """List what a Role of the chart allows."""
    return {
        (group, resource, verb)
        for rule in helm.render({}).body("Role", role)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_init_container_may_only_read_and_answer_its_order(helm: Helm) -> None:
    """It shares a pod with the database: whoever gets at its token must not get at the record."""
    assert allowed(helm, "r-memgraph") == {("", "configmaps", "get"), ("", "configmaps", "patch")}
    rules = helm.render({}).body("Role", "r-memgraph")["rules"]
    assert [rule["resourceNames"] for rule in rules] == [["r-rebuild"]]


def test_what_has_one_name_is_allowed_by_that_name(helm: Helm) -> None:
    """Pods come and go, and nothing can be made by name; everything else is bound to one."""
    unnamed = {
        (resource, verb)
        for rule in helm.render({}).body("Role", "r-controller")["rules"]
        if "resourceNames" not in rule
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if resource != "pods"
    }
    assert unnamed == {("configmaps", "create"), ("leases", "create"), ("events", "create"), ("events", "patch")}


def test_nothing_is_asked_for_beyond_the_namespace(helm: Helm) -> None:
    """Unless a caller's token is to be looked up, which only a ClusterRole can allow."""
    assert not helm.render({}).of_kind("ClusterRole")
    assert not helm.render({}).of_kind("ClusterRoleBinding")
    (binding,) = helm.render({"api": {"tokenReview": True}}).of_kind("ClusterRoleBinding")
    assert binding.body["roleRef"]["name"] == "system:auth-delegator"
