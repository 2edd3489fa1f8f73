"""The schemas that kubeconform reads, made from the API's own descriptions: nothing is fetched from a schema server.

Kubernetes describes itself in `api/openapi-spec/swagger.json` of its module, Prometheus' operator in the
CustomResourceDefinitions of its own. Both are turned into JSON schema in which an unknown field is an error: the API
server would only drop it, and nobody would know.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from tests.chart.kit import KUBERNETES, OPERATOR, module

LOCATION: Final = "{{ .ResourceKind }}-{{ .Group }}-{{ .ResourceAPIVersion }}.json"
"""How kubeconform finds the schema of an object, below a directory."""

_DEFINITIONS: Final = "definitions.json"
_TEXT_OR_NUMBER: Final = {"type": ["string", "number"]}
_LOOSE: Final[Mapping[str, dict[str, Any]]] = {
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": _TEXT_OR_NUMBER,
    "io.k8s.apimachinery.pkg.api.resource.Quantity": _TEXT_OR_NUMBER,
}
"""What the description calls text, and the API also takes as a number."""


def write_schemas(folder: Path) -> None:
    """Write the schemas of every object of Kubernetes, and of two of Prometheus' operator, into a directory."""
    swagger = module("k8s.io/kubernetes", f"v{KUBERNETES}") / "api" / "openapi-spec" / "swagger.json"
    definitions = json.loads(swagger.read_text(encoding="utf-8"))["definitions"]
    closed = {name: _LOOSE.get(name) or _closed(each) for name, each in definitions.items()}
    (folder / _DEFINITIONS).write_text(json.dumps({"definitions": closed}), encoding="utf-8")
    for name, each in definitions.items():
        for kind in each.get("x-kubernetes-group-version-kind", ()):
            _write(folder, kind, {"$ref": f"{_DEFINITIONS}#/definitions/{name}"})
    operator = module("github.com/prometheus-operator/prometheus-operator", OPERATOR)
    for plural in ("servicemonitors", "prometheusrules"):
        file = operator / "example" / "prometheus-operator-crd" / f"monitoring.coreos.com_{plural}.yaml"
        spec = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]
        for version in spec["versions"]:
            kind = {"kind": spec["names"]["kind"], "group": spec["group"], "version": version["name"]}
            _write(folder, kind, _closed(version["schema"]["openAPIV3Schema"], root=True))


def _write(folder: Path, kind: Mapping[str, str], schema: Mapping[str, Any]) -> None:
    group = kind["group"] or kind["version"]  # what kubeconform takes for the group of `v1`
    name = f"{kind['kind'].lower()}-{group}-{kind['version']}.json"
    (folder / name).write_text(json.dumps(schema), encoding="utf-8")


def _closed(schema: Any, *, root: bool = False) -> Any:
    """Make unknown fields an error, at every depth; references lead to the file of the definitions."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return _TEXT_OR_NUMBER
    made = {name: _closed(each) for name, each in schema.items() if name != "properties"}
    if "$ref" in made:
        made["$ref"] = f"{_DEFINITIONS}{made['$ref']}"
    if "properties" in schema:
        made["properties"] = {name: _closed(each) for name, each in schema["properties"].items()}
        if not schema.get("x-kubernetes-preserve-unknown-fields"):
            made.setdefault("additionalProperties", False)
    if root:
        made["properties"]["metadata"] = {"type": "object"}  # a CustomResourceDefinition leaves it to the server
    return made
