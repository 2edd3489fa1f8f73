"""The chart's templates make objects that the API takes, with what the design asks of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.chart.kit import KUBERNETES, VALUE_SETS, Helm, HelmError, Release, Values, run
from tests.chart.schemas import LOCATION, write_schemas

pytestmark = pytest.mark.kube

EACH_SET: Final = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
LEADS: Final = {"memgraph-ha/leader": "true"}


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the schemas of the API."""
    folder = tmp_path_factory.mktemp("schemas")
    write_schemas(folder)
    return folder


@EACH_SET
def test_lint_finds_nothing(helm: Helm, values: Values) -> None:
    """Warnings count as mistakes."""
    done = helm.lint(values)
    assert done.returncode == 0, done.stdout + done.stderr


def conforms(kubeconform: Path, schemas: Path, text: str) -> str:
    """Hold objects against the schemas; returns what is wrong, or nothing."""
    done = run(
        kubeconform, "-strict", "-summary", f"-kubernetes-version={KUBERNETES}",
        f"-schema-location={schemas}/{LOCATION}", "-",
        given=text,
    )  # fmt: skip
    return done.stdout + done.stderr if done.returncode else ""


@EACH_SET
def test_every_object_has_the_form_that_the_api_asks_for(
    helm: Helm, kubeconform: Path, schemas: Path, values: Values
) -> None:
    """No field is unknown, none of another type, and no kind is without a schema."""
    assert conforms(kubeconform, schemas, helm.render(values).text) == ""


def test_an_unknown_field_would_be_found(helm: Helm, kubeconform: Path, schemas: Path) -> None:
    """The check above can fail."""
    wrong = helm.render({}).text.replace("podManagementPolicy:", "podManagmentPolicy:")
    assert "podManagmentPolicy" in conforms(kubeconform, schemas, wrong)


@EACH_SET
def test_everything_has_the_release_s_name_and_labels(helm: Helm, values: Values) -> None:
    """Two releases in one namespace share no object, and each object says whose it is."""
    predecessor = {"memgraph-gateway", "memgraph-gateway-read", "memgraph-controller"}
    name = values.get("fullnameOverride", "r")
    for each in helm.render(values).objects:
        named = {name, *predecessor} if each.kind == "Service" else {name}
        assert each.name in named or each.name.startswith((f"{name}-", f"db-{name}")), each.name
        assert each.body["metadata"]["labels"]["app.kubernetes.io/instance"] == name
        assert each.body["metadata"]["labels"]["app.kubernetes.io/name"] == "memgraph-ha"


def container(release: Release, kind: str, name: str) -> Mapping[str, Any]:
    """Give the first container of a workload."""
    found: Mapping[str, Any] = release.body(kind, name)["spec"]["template"]["spec"]["containers"][0]
    return found


def test_memgraph_is_durable_starts_as_replica_and_is_found_while_not_ready(helm: Helm) -> None:
    """The flags, the init file and the headless Service of design 5 and 9."""
    release = helm.render({})
    args = container(release, "StatefulSet", "r")["args"]
    assert "--storage-wal-enabled=true" in args
    assert "--storage-wal-file-flush-every-n-tx=1" in args
    assert "--storage-snapshot-on-exit=true" in args
    assert "--data-recovery-on-startup=true" in args
    assert "--telemetry-enabled=false" in args
    assert "--init-file=/etc/memgraph-ha/memgraph/init.cypherl" in args
    assert release.body("ConfigMap", "r-memgraph")["data"]["init.cypherl"] == (
        "SET REPLICATION ROLE TO REPLICA WITH PORT 10000;\n"
    )
    spec = release.body("StatefulSet", "r")["spec"]
    assert spec["podManagementPolicy"] == "Parallel"
    assert spec["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    headless = release.body("Service", spec["serviceName"])["spec"]
    assert headless["clusterIP"] == "None"
    assert headless["publishNotReadyAddresses"] is True
    assert [port["port"] for port in headless["ports"]] == [7687, 10000]


def test_services_for_clients_lead_to_the_leader_and_no_service_leads_clients_to_instances(helm: Helm) -> None:
    """A Service over all instances would let clients write to a replica that was just promoted, or to a stray."""
    release = helm.render({})
    for name, port in (("r-gateway", "gateway"), ("r-gateway-read", "gateway-read"), ("r-controller", "http")):
        spec = release.body("Service", name)["spec"]
        assert spec["selector"]["app.kubernetes.io/component"] == "controller"
        assert LEADS.items() <= spec["selector"].items()
        assert [each["targetPort"] for each in spec["ports"]] == [port]
    to_instances = [
        each.name
        for each in release.of_kind("Service")
        if each.body["spec"]["selector"]["app.kubernetes.io/component"] == "memgraph"
    ]
    assert to_instances == ["r"]


def test_controllers_are_ready_without_leading(helm: Helm) -> None:
    """Or a rollout waits for ever for a second leader, and a budget of disruptions lets no machine be drained."""
    probes = container(helm.render({}), "Deployment", "r-controller")
    assert probes["readinessProbe"]["httpGet"]["path"] == "/livez"
    assert probes["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_the_grace_period_outlasts_the_hook_and_both_are_told_the_same_time(helm: Helm) -> None:
    """A pod that is killed in the middle of a hand-over is a failover."""
    release = helm.render({"memgraph": {"preStop": {"timeoutSeconds": 120}, "shutdownSeconds": 60}})
    assert release.body("StatefulSet", "r")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 180
    for kind, name in (("StatefulSet", "r"), ("Deployment", "r-controller")):
        env = {each["name"]: each.get("value") for each in container(release, kind, name)["env"]}
        assert env["PRESTOP_TIMEOUT_SECONDS"] == "120"


def test_an_upgrade_of_the_chart_alone_restarts_no_instance(helm: Helm) -> None:
    """Nothing in an instance's pod names a version, if the init container's image is given."""
    spec = helm.render({"memgraph": {"initImage": "memgraph-ha:0.0.9"}}).body("StatefulSet", "r")["spec"]
    assert "0.1.0" not in yaml.safe_dump(spec["template"])


def test_the_record_is_no_part_of_the_release(helm: Helm) -> None:
    """Uninstall and install again: it is still known who was MAIN; passwords stay with the volumes that know them."""
    release = helm.render({})
    assert {each.name for each in release.of_kind("ConfigMap")} == {"r-memgraph", "r-policy", "r-test"}
    assert release.body("Secret", "r-auth")["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


def test_a_long_name_is_refused_before_anything_is_made(helm: Helm) -> None:
    """A Service's name has 63 characters at most, so a release's 49."""
    assert helm.render({"fullnameOverride": "n" * 49}).of_kind("Service")
    with pytest.raises(HelmError, match="fullnameOverride"):
        helm.render({"fullnameOverride": "n" * 50})
