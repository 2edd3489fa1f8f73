"""The metrics: one table, a true exposition, no name lost, and no series that a client could make up."""

import re
from typing import Any

import pytest
from attrs import evolve, fields
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from memgraph_ha.api.metrics import METRICS
from memgraph_ha.core.commands import CommitNoop, WriteRecord
from memgraph_ha.core.facts import CommandEnded, Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import Pause
from memgraph_ha.proxy.counters import Counters, Refusal
from tests.api.pictures import PICTURES
from tests.api.rig import SceneControl, counters, served
from tests.core.changes import a_noop, a_write, gone, recorded, rows, scene
from tests.core.scenes import ALONE, BEGUN
from tests.core.views import HEALTHY, M2, WALL, async_row, strict_row

pytestmark = pytest.mark.trio

PREDECESSOR = [
    "memgraph_controller_reconciliations_total",
    "memgraph_controller_reconciliations_successful_total",
    "memgraph_controller_reconciliations_failed_total",
    "memgraph_controller_reconciliation_duration_seconds",
    "memgraph_controller_last_reconciliation_timestamp",
    "memgraph_cluster_state",
    "memgraph_cluster_main_changes_total",
    "memgraph_cluster_sync_replica_healthy",
    "memgraph_cluster_pods_total",
    "memgraph_cluster_pods_healthy",
    "memgraph_gateway_connections_active",
    "memgraph_gateway_connections_total",
    "memgraph_gateway_bytes_transferred_total",
    "memgraph_gateway_connection_errors_total",
    "memgraph_controller_is_leader",
    "memgraph_controller_leadership_changes_total",
    "memgraph_controller_elections_total",
    "memgraph_controller_errors_total",
    "memgraph_controller_last_error_timestamp",
]
"""The names of inventory 1.3, in its order."""

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(control: SceneControl) -> Samples:
    """Scrape once over HTTP, with Prometheus's own parser."""
    async with served(control) as at:
        answer = await at.client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(answer.text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, /, **labels: str) -> float:
    """One sample, which must be there."""
    return samples[name, frozenset(labels.items())]


def names(samples: Samples) -> set[str]:
    """The names of all samples."""
    return {name for name, _ in samples}


async def test_the_table_keeps_the_rules_of_prometheus() -> None:
    """Counters end in _total, nothing else does; every name once; every help a sentence."""
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    for metric in METRICS:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", metric.name)
        odd = metric.name == "memgraph_cluster_pods_total"  # a gauge of the predecessor: the name is kept
        assert odd or metric.name.endswith("_total") == (metric.kind == "counter"), metric.name
        assert metric.help[0].isupper() or metric.help[0].isdigit(), metric.name
        assert metric.help.endswith("."), metric.name


async def test_every_name_of_the_predecessor_is_there() -> None:
    """All nineteen, with something to say in a cluster that has had an error."""
    control = SceneControl(HEALTHY)
    control.tick()
    control.accounting.note_command(CommandEnded(at_s=1, command=a_noop(HEALTHY), outcome=Outcome.REFUSED), 0.1, WALL)
    control.tick()
    found = names(await scraped(control))
    assert len(PREDECESSOR) == 19
    for name in PREDECESSOR:
        assert name in found or f"{name}_bucket" in found, name
    assert [metric.name for metric in METRICS if metric.since == "predecessor"] == PREDECESSOR


@pytest.mark.parametrize("name", PICTURES)
async def test_what_is_exposed_is_what_the_table_says(name: str) -> None:
    """In every scene: names, types, labels and help; beside it only the process's own."""
    control = SceneControl(PICTURES[name])
    control.tick()
    table = {m.name.removesuffix("_total") if m.kind == "counter" else m.name: m for m in METRICS}
    async with served(control) as at:
        text = (await at.client.get("/metrics")).text
    for family in parse(text):
        if family.name.startswith(("process_", "python_")):
            continue
        metric = table[family.name]
        assert (family.type, family.documentation) == (metric.kind, metric.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), sample


async def test_openmetrics_is_given_to_who_accepts_it() -> None:
    """Prometheus asks for it; it must parse strictly."""
    control = SceneControl(HEALTHY)
    control.tick()
    async with served(control) as at:
        answer = await at.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    parsed = openmetrics.text_string_to_metric_families(answer.text)  # type: ignore[no-untyped-call]  # it has no types
    assert len(list(parsed)) >= len(METRICS)


async def test_a_healthy_cluster_in_numbers() -> None:
    """What a dashboard shows in fair weather."""
    control = SceneControl(HEALTHY)
    control.tick()
    found = await scraped(control)
    assert value(found, "memgraph_cluster_state") == 1
    assert value(found, "memgraph_cluster_sync_replica_healthy") == 1
    assert value(found, "memgraph_cluster_pods_total") == value(found, "memgraph_cluster_pods_healthy") == 3
    assert value(found, "memgraph_controller_is_leader") == 1
    assert value(found, "memgraph_ha_generation") == 4
    assert value(found, "memgraph_ha_rw_open") == 1
    assert value(found, "memgraph_ha_instance_role", instance="m0", role="main") == 1
    assert value(found, "memgraph_ha_instance_role", instance="m1", role="main") == 0
    assert value(found, "memgraph_ha_instance_role", instance="m1", role="replica") == 1
    assert value(found, "memgraph_ha_replica_lag", instance="m1", mode="strict_sync") == 0
    assert value(found, "memgraph_ha_lease_left_seconds") == pytest.approx(8.99)
    assert value(found, "memgraph_ha_loop_age_seconds") == pytest.approx(0.01)
    assert value(found, "memgraph_ha_decisions_total", rule="Z99", name="steady") == 1
    held = {dict(labels)["hold"]: on for (name, labels), on in found.items() if name == "memgraph_ha_hold_active"}
    assert set(held) == {hold.word for hold in Hold}
    assert not any(held.values())


async def test_trouble_in_numbers() -> None:
    """A lagging replica, one without a process, a pause, and its hold."""
    lagging = evolve(async_row(), behind=-1234)
    paused = Pause(by="alice", reason="", at=WALL - 5)
    found = await scraped(SceneControl(HEALTHY.but(rows(strict_row(), lagging), gone(M2), recorded(paused=paused))))
    assert value(found, "memgraph_ha_replica_lag", instance="m2", mode="async") == 1234
    assert value(found, "memgraph_ha_replica_row", instance="m2", status="ready") == 1
    assert value(found, "memgraph_ha_instance_role", instance="m2", role="replica") == 0
    assert value(found, "memgraph_ha_instance_healthy", instance="m2") == 0
    assert value(found, "memgraph_cluster_state") == 0
    assert value(found, "memgraph_cluster_pods_healthy") == 2
    assert value(found, "memgraph_ha_paused") == 1
    assert value(found, "memgraph_ha_hold_active", hold="Paused") == 1


async def test_what_is_not_known_is_absent() -> None:
    """Without a record there is no generation: an alert on absent() works, a made-up 0 would lie."""
    found = names(await scraped(SceneControl(PICTURES["empty"])))
    assert "memgraph_ha_generation" not in found
    assert "memgraph_ha_unprotected" not in found
    assert "memgraph_controller_last_error_timestamp" not in found


async def test_the_leader_gauge_falls() -> None:
    """The predecessor's never did."""
    assert value(await scraped(SceneControl(HEALTHY.but(scene(lease=None)))), "memgraph_controller_is_leader") == 0
    assert value(await scraped(SceneControl(HEALTHY, tick_age_s=20.0)), "memgraph_controller_is_leader") == 0


async def test_both_gateways_are_told_apart_and_summed() -> None:
    """The old names sum, the new ones have the gateway's name."""
    found = await scraped(SceneControl(HEALTHY))
    one = counters()
    assert value(found, "memgraph_gateway_connections_active") == 7
    assert value(found, "memgraph_ha_gateway_active", gateway="rw") == 3
    assert value(found, "memgraph_ha_gateway_active", gateway="ro") == 4
    assert value(found, "memgraph_gateway_connections_total") == 2 * one.accepted
    assert value(found, "memgraph_gateway_bytes_transferred_total", direction="sent") == 2 * one.bytes_to_clients
    refused = {dict(labels)["reason"] for name, labels in found if name == "memgraph_ha_gateway_refused_total"}
    assert refused == {reason.name.lower() for reason in Refusal}


async def test_every_counter_of_a_gateway_is_a_metric() -> None:
    """What the proxy counts must be seen: each number of its snapshot stands somewhere in the exposition."""
    control = SceneControl(HEALTHY)
    found = await scraped(control)
    ours = [(labels, number) for (name, labels), number in found.items() if name.startswith("memgraph_ha_gateway")]
    shown = {number for labels, number in ours if ("gateway", "rw") in labels}
    one: Any = counters()
    for field in fields(Counters):
        if field.type is int:
            assert float(getattr(one, field.name)) in shown, field.name


async def test_reigns_commands_and_errors_are_counted_as_they_happen() -> None:
    """From the first look on: what was in the history before is not counted again."""
    control = SceneControl(HEALTHY)
    control.tick()
    control.scene = BEGUN
    control.tick()
    failed = CommandEnded(at_s=1, command=a_write(HEALTHY), outcome=Outcome.UNKNOWN, detail="no answer")
    control.accounting.note_command(failed, 2.0, WALL)
    control.tick()
    done = CommandEnded(at_s=1, command=a_noop(HEALTHY), outcome=Outcome.DONE)
    control.accounting.note_command(done, 0.02, WALL)
    control.scene = ALONE
    control.tick()
    found = await scraped(control)
    assert value(found, "memgraph_ha_reigns_total", kind="failover") == 1
    assert value(found, "memgraph_ha_reigns_total", kind="switchover") == 0
    assert value(found, "memgraph_cluster_main_changes_total") == 1
    assert value(found, "memgraph_ha_commands_total", command=WriteRecord.__name__, outcome="unknown") == 1
    assert value(found, "memgraph_ha_commands_total", command=CommitNoop.__name__, outcome="done") == 1
    assert value(found, "memgraph_ha_command_duration_seconds_bucket", command="CommitNoop", le="0.01") == 0
    assert value(found, "memgraph_ha_command_duration_seconds_bucket", command="CommitNoop", le="0.025") == 1
    assert value(found, "memgraph_controller_reconciliations_total") == 4
    assert value(found, "memgraph_controller_reconciliations_failed_total") == 1
    assert value(found, "memgraph_controller_reconciliations_successful_total") == 3
    assert value(found, "memgraph_controller_errors_total", type="record") == 1
    assert value(found, "memgraph_controller_errors_total", type="reconciliation") == 1
    assert value(found, "memgraph_controller_last_error_timestamp", type="record") == WALL
    assert value(found, "memgraph_ha_rw_shut_duration_seconds_count") == 1


async def test_requests_are_counted_by_template_only() -> None:
    """A scanner must not make a series per path or method."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        for number in range(50):
            await at.client.get(f"/scan/{number}")
            await at.client.request(f"BREW{number}", "/livez")
        await at.client.get("/runbook/a.md")
        await at.client.get("/runbook/b.md")
        await at.client.get("/livez")
        text = (await at.client.get("/metrics")).text
    found = {
        tuple(sample.labels[name] for name in ("method", "path", "status")): sample.value
        for family in parse(text)
        for sample in family.samples
        if sample.name == "memgraph_ha_api_requests_total"
    }
    assert found == {
        ("GET", "(other)", "404"): 50,
        ("(other)", "/livez", "405"): 50,
        ("GET", "/runbook/{page}", "404"): 2,
        ("GET", "/livez", "200"): 1,
    }
