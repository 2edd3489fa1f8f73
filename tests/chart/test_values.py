"""The values: all described, all held against the schema, and what is wrong is refused by its name."""

import json
import subprocess
import sys
import tomllib
from typing import Any, Final

import jsonschema
import pytest
import yaml

from memgraph_ha.api.documents import plain_policy
from memgraph_ha.core import Policy, parse_policy
from scripts.generate_chart_docs import ValuesError, read_values
from tests.chart.kit import CHART, EVERYTHING, ROOT, VALUE_SETS, Helm, HelmError, Values

TEXT: Final = (CHART / "values.yaml").read_text(encoding="utf-8")
SCHEMA: Final[dict[str, Any]] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
DEFAULTS: Final[dict[str, Any]] = yaml.safe_load(TEXT)


def merged(values: Values, over: Values) -> dict[str, Any]:
    """Lay values over others, as helm does."""
    made = dict(values)
    for name, value in over.items():
        inner = made.get(name)
        made[name] = merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return made


def test_what_is_made_from_the_values_is_in_step() -> None:
    """The reference, the chart's README and the schema of the policy."""
    done = subprocess.run(
        [sys.executable, "-m", "scripts.generate_chart_docs", "--check"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_value_is_described_and_allowed() -> None:
    """A value without a comment, one that the schema does not know, and one that only the schema knows, are found."""
    assert len(read_values(TEXT, SCHEMA)) > 90
    with pytest.raises(ValuesError, match="no comment"):
        read_values(TEXT.replace("  # -- Memgraph's log level.\n", ""), SCHEMA)
    with pytest.raises(ValuesError, match="does not know extra"):
        read_values(TEXT + "\n# -- New.\nextra: 1\n", SCHEMA)
    with pytest.raises(ValuesError, match=r"memgraph\.logLevel, which values\.yaml does not have"):
        read_values(TEXT.replace("  # -- Memgraph's log level.\n  logLevel: WARNING\n", ""), SCHEMA)


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_the_sets_of_the_tests_are_allowed(values: Values) -> None:
    """The schema is a schema, and takes them."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.Draft7Validator(SCHEMA).validate(merged(DEFAULTS, values))


WRONG: Final[dict[str, tuple[Values, str]]] = {
    "unknown name": ({"memgraph": {"replica": 3}}, "replica"),
    "unknown name at the top": ({"replicas": 3}, "replicas"),
    "one instance": ({"memgraph": {"replicas": 1}}, "/memgraph/replicas"),
    "text for a number": ({"memgraph": {"replicas": "3"}}, "/memgraph/replicas"),
    "our own flag": ({"memgraph": {"extraArgs": ["--storage-wal-enabled=false"]}}, "/memgraph/extraArgs/0"),
    "our own flag, gflags' other spelling": (
        {"memgraph": {"extraArgs": ["--nostorage_wal_enabled"]}},
        "/memgraph/extraArgs/0",
    ),
    "TLS without a certificate": ({"gateway": {"tls": {"enabled": True}}}, "/gateway/tls/secretName"),
    "a shared volume": ({"memgraph": {"storage": {"accessModes": ["ReadWriteMany"]}}}, "/memgraph/storage/accessModes"),
    "unknown policy": ({"policy": {"standby_grace": 5}}, "standby_grace"),
    "policy out of range": ({"policy": {"standby_grace_s": 0}}, "/policy/standby_grace_s"),
    "users by policy": ({"policy": {"users": "restore"}}, "users"),
    "a pair of one": ({"policy": {"eligible": ["r-0"]}}, "/policy/eligible"),
    "a control character in a password": ({"auth": {"password": "a\nb"}}, "/auth/password"),
    "a hook longer than the API waits": ({"memgraph": {"preStop": {"timeoutSeconds": 601}}}, "/preStop/timeoutSeconds"),
    "a log level of ours for Memgraph": ({"memgraph": {"logLevel": "info"}}, "/memgraph/logLevel"),
}
EACH_WRONG: Final = pytest.mark.parametrize(("values", "place"), WRONG.values(), ids=WRONG)


@EACH_WRONG
def test_the_schema_refuses(values: Values, place: str) -> None:
    """Each is wrong in one place, which the error names."""
    (error,) = jsonschema.Draft7Validator(SCHEMA).iter_errors(merged(DEFAULTS, values))
    assert place in f"/{'/'.join(map(str, error.absolute_path))} {error.message}"


@pytest.mark.kube
@EACH_WRONG
def test_helm_refuses(helm: Helm, values: Values, place: str) -> None:
    """And says where."""
    with pytest.raises(HelmError) as refused:
        helm.render(values)
    assert place in str(refused.value)


def test_the_schema_of_the_policy_takes_what_the_policy_takes() -> None:
    """Every default, and the field that follows another value is not there."""
    policy = {name: value for name, value in plain_policy(Policy()).items() if name not in {"users", "eligible"}}
    validator = jsonschema.Draft7Validator(SCHEMA["properties"]["policy"])
    validator.validate(policy)
    assert set(SCHEMA["properties"]["policy"]["properties"]) == {*policy, "eligible"}


@pytest.mark.kube
def test_what_was_chosen_reaches_the_controllers_files(helm: Helm) -> None:
    """TOML that they read, whatever stands in a password."""
    release = helm.render(EVERYTHING)
    chosen = tomllib.loads(release.body("ConfigMap", "r-policy")["data"]["policy.toml"])
    assert chosen == {**EVERYTHING["policy"], "users": "restore"}
    parse_policy(chosen)
    accounts = tomllib.loads(release.body("Secret", "r-auth")["stringData"]["accounts.toml"])
    assert accounts["account"] == EVERYTHING["auth"]["applications"]
    assert accounts["controller"]["user"] == DEFAULTS["auth"]["user"]


@pytest.mark.kube
def test_no_policy_is_an_empty_file(helm: Helm) -> None:
    """Every field has its default then."""
    assert tomllib.loads(helm.render({}).body("ConfigMap", "r-policy")["data"]["policy.toml"]) == {}
