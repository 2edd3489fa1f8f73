"""The Roles allow what the code calls, and nothing else."""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.chart.kit import ROOT, Helm

pytestmark = pytest.mark.kube

INIT_CONTAINER: Final = ROOT / "memgraph_ha" / "kube" / "set_aside.py"
CODE: Final = (ROOT / "memgraph_ha" / "adapters" / "kubernetes", ROOT / "memgraph_ha" / "kube")
GROUPS: Final = {
    "configmaps": "",
    "events": "events.k8s.io",
    "leases": "coordination.k8s.io",
    "pods": "",
    "statefulsets": "apps",
}
"""The API groups of the resources that may be asked for."""

VERBS: Final = {"read": "get", "replace": "update"}
"""Words of the client's methods that are not the API's verbs."""

METHOD: Final = re.compile(r"^(read|list|create|patch|replace|delete)_namespaced_([a-z_]+)$")
"""A method of the client library."""

PATH: Final = re.compile(r"/namespaces/[^/]*/([a-z]+)\b")
"""The path of an object or a list, in a request of our own (`adapters/kubernetes/raw.py`)."""

RAW: Final = {"POST": {"create"}, "PATCH": {"patch"}, "DELETE": {"delete"}, "GET": {"get"}}
"""What such a request is to the API."""

Permission = tuple[str, str, str]
"""API group, resource, verb."""


def calls(files: Iterator[Path]) -> set[Permission]:
    """List what the code asks the API for, by the library's methods and by requests of its own."""
    found: set[Permission] = set()
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        asked = (*by_methods(tree), *by_requests(tree))
        found |= {(GROUPS[resource], resource, verb) for resource, verb in asked}
    return found


def by_methods(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """List resources and verbs by the names of the library's methods."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (match := METHOD.match(node.attr)):
            word, singular = match.groups()
            yield singular.replace("_", "") + "s", VERBS.get(word, word)


def by_requests(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """List resources and verbs by the paths and methods that stand in a file. One that watches lists, too."""
    words = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    paths = ["".join(map(part, node.values)) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    resources = {match[1] for path in paths if (match := PATH.search(path))}
    verbs = set[str]().union(*(RAW[word] for word in words if word in RAW))
    if "watch" in words:
        verbs = verbs - {"get"} | {"list", "watch"}
    yield from itertools.product(sorted(resources), sorted(verbs))


def part(node: ast.expr) -> str:
    """Give the text of a part of an f-string; what is put in is left open."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"


def allowed(helm: Helm, role: str) -> set[Permission]:
    """List what a Role of the chart allows."""
    return {
        (group, resource, verb)
        for rule in helm.render({}).body("Role", role)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_controllers_may_do_what_they_do_and_nothing_else(helm: Helm) -> None:
    """Each verb is needed, and none is missing. That they suffice is shown on a real API server as well."""
    files = (file for folder in CODE for file in folder.rglob("*.py") if file != INIT_CONTAINER)
    assert allowed(helm, "r-controller") == calls(files)


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
