"""The alerts: each fires on its cause and not before, is quiet on a healthy cluster, and has a page in the runbook."""

import copy
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from attrs import frozen

from memgraph_ha.api.metrics import METRICS
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.proxy.counters import Refusal
from tests.chart.kit import CHART, ROOT, Helm, run

FROM: Final = 'job="r-controllers",namespace="db"'
BASE: Final = "http://r-controller.db.svc:8080/runbook/"
RULES: Final = (CHART / "templates" / "_alerts.tpl").read_text(encoding="utf-8")
HEALTHY: Final[Mapping[str, str]] = {
    'up{%s,pod="c-0"}': "1x240",
    'up{%s,pod="c-1"}': "1x240",
    'memgraph_controller_is_leader{%s,pod="c-0"}': "1x240",
    'memgraph_controller_is_leader{%s,pod="c-1"}': "0x240",
    'memgraph_ha_rw_open{%s,pod="c-0"}': "1x240",
    'memgraph_ha_rw_open{%s,pod="c-1"}': "0x240",
    'memgraph_ha_unprotected{%s,pod="c-0"}': "0x240",
    'memgraph_ha_paused{%s,pod="c-0"}': "0x240",
    'memgraph_ha_hold_active{%s,pod="c-0",hold="NoSafeCandidate"}': "0x240",
    'memgraph_ha_hold_active{%s,pod="c-1",hold="NotLeading"}': "1x240",
    'memgraph_ha_reigns_total{%s,pod="c-0",kind="failover"}': "0x240",
    'memgraph_ha_reigns_total{%s,pod="c-0",kind="switchover"}': "0+1x240",
    'memgraph_ha_instance_healthy{%s,pod="c-0",instance="r-1"}': "1x240",
    'memgraph_ha_instance_healthy{%s,pod="c-1",instance="r-1"}': "0x240",
    'memgraph_ha_replica_lag{%s,pod="c-0",instance="r-1",mode="strict_sync"}': "0x240",
    'memgraph_ha_loop_age_seconds{%s,pod="c-0"}': "0.1x240",
    'memgraph_ha_gateway_refused_total{%s,pod="c-0",gateway="rw",reason="limit"}': "5x240",
}
"""Two controllers, a sample a minute for four hours: what they say of a cluster that is well. A controller that does
not lead may think what it likes."""


@frozen(kw_only=True)
class Case:
    """A cause, and the alert that it must set off.

    Attributes:
        alert: Its name.
        change: What is otherwise than in a healthy cluster: series to samples, None for a series that is missing.
        after: When it must fire; a sample earlier it must not.
        labels: Which labels it has besides severity and cluster.
        says: Its summary.
        page: Its page in the runbook.
        severity: How bad it is.
    """

    alert: str
    change: Mapping[str, str | None]
    after: str
    labels: Mapping[str, str] = {}
    says: str
    page: str
    severity: str = "warning"


def on(pod: str, **more: str) -> dict[str, str]:
    """Give the labels of an alert about a series of a controller."""
    return {"job": "r-controllers", "namespace": "db", "pod": pod, **more}


def held(hold: str) -> Mapping[str, str | None]:
    """Let the leader name a hold."""
    return {f'memgraph_ha_hold_active{{%s,pod="c-0",hold="{hold}"}}': "1x240"}


CASES: Final = (
    Case(
        alert="MemgraphHaNoLeader",
        change={'memgraph_controller_is_leader{%s,pod="c-0"}': "0x240"},
        after="1m",
        says="no controller leads",
        page="not-leading.md",
        severity="critical",
    ),
    Case(
        alert="MemgraphHaNoLeader",
        change=dict.fromkeys(name for name in HEALTHY if name.startswith("memgraph_controller_is_leader")),
        after="1m",
        labels={"job": "r-controllers", "namespace": "db"},
        says="no controller leads",
        page="not-leading.md",
        severity="critical",
    ),
    Case(
        alert="MemgraphHaTwoLeaders",
        change={'memgraph_controller_is_leader{%s,pod="c-1"}': "1x240"},
        after="1m",
        says="more than one controller says that it leads",
        page="unclean-lease.md",
        severity="critical",
    ),
    Case(
        alert="MemgraphHaControllerMissing",
        change={'up{%s,pod="c-1"}': "0x240"},
        after="5m",
        says="fewer controllers than there should be",
        page="not-leading.md",
    ),
    Case(
        alert="MemgraphHaControllerMissing",
        change=dict.fromkeys(name for name in HEALTHY if name.startswith("up")),
        after="5m",
        says="fewer controllers than there should be",
        page="not-leading.md",
    ),
    Case(
        alert="MemgraphHaWritesShut",
        change={'memgraph_ha_rw_open{%s,pod="c-0"}': "0x240"},
        after="1m",
        labels=on("c-0"),
        says="writes are shut",
        page="looking.md",
        severity="critical",
    ),
    Case(
        alert="MemgraphHaUnprotected",
        change={'memgraph_ha_unprotected{%s,pod="c-0"}': "1x240"},
        after="2m",
        labels=on("c-0"),
        says="MAIN has the only certain copy",
        page="unprotected.md",
    ),
    Case(
        alert="MemgraphHaWaitsForHuman",
        change=held("NoSafeCandidate"),
        after="1m",
        labels=on("c-0", hold="NoSafeCandidate"),
        says="writes wait for a human (NoSafeCandidate)",
        page="no-safe-candidate.md",
        severity="critical",
    ),
    Case(
        alert="MemgraphHaNeedsRepair",
        change=held("DivergedReplica"),
        after="15m",
        labels=on("c-0", hold="DivergedReplica"),
        says="something is wrong that does not stop writes (DivergedReplica)",
        page="diverged-replica.md",
    ),
    Case(
        alert="MemgraphHaStuck",
        change=held("CatchingUp"),
        after="10m",
        labels=on("c-0", hold="CatchingUp"),
        says="something takes far longer than it should (CatchingUp)",
        page="catching-up.md",
    ),
    Case(
        alert="MemgraphHaPaused",
        change={'memgraph_ha_paused{%s,pod="c-0"}': "1x240"},
        after="1h",
        labels=on("c-0"),
        says="paused for an hour",
        page="paused.md",
    ),
    Case(
        alert="MemgraphHaFailsOverRepeatedly",
        change={'memgraph_ha_reigns_total{%s,pod="c-0",kind="failover"}': "0x60 1x10 2x10 3x160"},
        after="83m",
        says="MAIN was lost three times within an hour",
        page="flapping.md",
    ),
    Case(
        alert="MemgraphHaInstanceUnhealthy",
        change={'memgraph_ha_instance_healthy{%s,pod="c-0",instance="r-1"}': "0x240"},
        after="5m",
        labels=on("c-0", instance="r-1"),
        says="an instance is not healthy (r-1)",
        page="replica-missing.md",
    ),
    Case(
        alert="MemgraphHaReplicaBehind",
        change={'memgraph_ha_replica_lag{%s,pod="c-0",instance="r-1",mode="strict_sync"}': "1001x240"},
        after="10m",
        labels=on("c-0", instance="r-1", mode="strict_sync"),
        says="a replica stays behind (r-1)",
        page="replica-missing.md",
    ),
    Case(
        alert="MemgraphHaLoopSlow",
        change={'memgraph_ha_loop_age_seconds{%s,pod="c-0"}': "3x240"},
        after="1m",
        labels=on("c-0"),
        says="a controller's loop stands still (c-0)",
        page="tilt.md",
    ),
    Case(
        alert="MemgraphHaClientsRefused",
        change={'memgraph_ha_gateway_refused_total{%s,pod="c-0",gateway="rw",reason="limit"}': "0+1x240"},
        after="6m",
        labels={"gateway": "rw", "reason": "limit"},
        says="clients are refused by a limit (limit)",
        page="looking.md",
    ),
)


def rules(helm: Helm) -> dict[str, Any]:
    """Give the rules as Prometheus reads them, from the PrometheusRule."""
    (found,) = helm.render({"prometheusRule": {"enabled": True}}).of_kind("PrometheusRule")
    spec: dict[str, Any] = copy.deepcopy(found.body["spec"])
    return spec


def named(text: str) -> set[str]:
    """List the metrics that an expression names."""
    return set(re.findall(r"\b(memgraph_[a-z_]+)\{", text))


def known() -> set[str]:
    """List every metric as Prometheus stores it."""
    parts = {"histogram": ("_bucket", "_sum", "_count")}
    return {metric.name + part for metric in METRICS for part in parts.get(metric.kind, ("",))}


def minutes(time: str, less: int = 0) -> str:
    """Give a time in minutes, so many earlier."""
    whole = int(time[:-1]) * (60 if time.endswith("h") else 1)
    return f"{whole - less}m"


def promtool_test(case: Case) -> dict[str, Any]:
    """Write a case as promtool reads it: quiet one sample before, the one alert at its time."""
    series = {**HEALTHY, **case.change}
    fires = {
        "exp_labels": {"severity": case.severity, "cluster": "r", **case.labels},
        "exp_annotations": {"summary": f"db/r: {case.says}", "runbook_url": BASE + case.page},
    }
    return {
        "interval": "1m",
        "input_series": [{"series": name % FROM, "values": values} for name, values in series.items() if values],
        "alert_rule_test": [
            {"eval_time": minutes(case.after, less=1), "alertname": case.alert, "exp_alerts": []},
            {"eval_time": minutes(case.after), "alertname": case.alert, "exp_alerts": [fires]},
        ],
    }


def tried(helm: Helm, promtool: Path, folder: Path, tests: list[dict[str, Any]]) -> str:
    """Let promtool try the rules; returns what is wrong, or nothing. Descriptions are left to `check rules`."""
    spec = rules(helm)
    for rule in spec["groups"][0]["rules"]:
        del rule["annotations"]["description"]
    (folder / "rules.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
    (folder / "tests.yaml").write_text(
        yaml.safe_dump({"rule_files": ["rules.yaml"], "evaluation_interval": "1m", "tests": tests}), encoding="utf-8"
    )
    done = run(promtool, "test", "rules", folder / "tests.yaml")
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.kube
def test_prometheus_takes_the_rules(helm: Helm, promtool: Path, tmp_path: Path) -> None:
    """Expressions and templates are well formed."""
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rules(helm)), encoding="utf-8")
    done = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.kube
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_an_alert_fires_on_its_cause_and_not_before_its_time(
    helm: Helm, promtool: Path, tmp_path: Path, case: Case
) -> None:
    """Promtool plays the samples."""
    assert tried(helm, promtool, tmp_path, [promtool_test(case)]) == ""


@pytest.mark.kube
def test_a_healthy_cluster_sets_off_nothing(helm: Helm, promtool: Path, tmp_path: Path) -> None:
    """Not even a switchover a minute, and not by what a controller says that does not lead."""
    series = [{"series": name % FROM, "values": values} for name, values in HEALTHY.items()]
    quiet = [{"eval_time": "3h", "alertname": case.alert, "exp_alerts": []} for case in CASES]
    test = {"interval": "1m", "input_series": series, "alert_rule_test": quiet}
    assert tried(helm, promtool, tmp_path, [test]) == ""


@pytest.mark.kube
def test_every_alert_is_tried(helm: Helm) -> None:
    """No alert without a case."""
    assert {rule["alert"] for rule in rules(helm)["groups"][0]["rules"]} == {case.alert for case in CASES}


def test_every_page_is_there() -> None:
    """A link that leads nowhere at 3 a.m. is worse than none."""
    pages = {path.name for path in (ROOT / "docs" / "runbook").iterdir()}
    assert set(re.findall(r"page: ([a-z-]+\.md)", RULES)) | {case.page for case in CASES} <= pages


def test_every_hold_sets_off_exactly_one_alert() -> None:
    """A new hold must be given a place; three alerts speak of holds by name, and three have metrics of their own."""
    own = ["NotLeading", "Paused", "Unprotected"]
    by_name = [word for words in re.findall(r'hold=~"([A-Za-z|]+)"', RULES) for word in words.split("|")]
    assert sorted(own + by_name) == sorted(hold.word for hold in Hold)


@pytest.mark.parametrize("hold", Hold, ids=lambda hold: hold.word)
def test_the_page_of_a_hold_follows_from_its_name(hold: Hold) -> None:
    """The alerts' link is made from the label: what their template does gives the page's name."""
    assert re.sub("([a-z])([A-Z])", r"\1-\2", hold.word).lower() + ".md" == hold.page


def test_every_metric_and_label_is_known() -> None:
    """A misspelt metric never fires."""
    assert named(RULES.replace(" {{- .from -}}", "")) <= known()
    assert {kind.value for kind in ChangeKind} >= {"failover", "fallback", "forced", "repromote"}
    assert {each.name.lower() for each in Refusal} >= {"limit", "rate", "hold_full"}


def test_the_reference_lists_every_alert_as_it_is() -> None:
    """Name, severity, time and words, in the order of the rules."""
    fields = r"- alert: (\w+)\n  expr: .*\n  for: (\w+)\n  severity: (\w+)\n  summary: ([^({\n]+)"
    rules = [(name, severity, after, says.strip()) for name, after, severity, says in re.findall(fields, RULES)]
    page = (ROOT / "docs" / "reference" / "alerts.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \| (\w+) \| (\w+) \| ([^|]+) \|", page, re.MULTILINE)
    assert listed == rules
    assert len(listed) == len({case.alert for case in CASES})
