"""Every document over HTTP: it is what its schema says, and it says what is so."""

from typing import Any

import pytest
from attrs import evolve
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import validate

from memgraph_ha.api.openapi import operation_id
from memgraph_ha.api.routes import ENDPOINTS
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.rules import RULES
from memgraph_ha.core.topology import RowStatus
from tests.api.pictures import PICTURES
from tests.api.rig import SceneControl, Served, served
from tests.core.changes import frozen, gate_shut, gone, is_main, restarted, rows, scene, standby_row
from tests.core.scenes import ALONE, EMPTY
from tests.core.views import HEALTHY, M0, M1, M2, NOW, WALL, async_row, strict_row

pytestmark = pytest.mark.trio

Document = dict[str, Any]


async def document(at: Served, path: str) -> Document:
    """Read a document that must be there."""
    answer = await at.client.get(path)
    assert answer.status_code == 200, answer.text
    found: Document = answer.json()
    return found


def _strictly(schema: Any) -> Any:
    """Allow no field that the schema does not name: the reference must be whole."""
    if isinstance(schema, list):
        return [_strictly(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: _strictly(value) for name, value in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema:
        found["additionalProperties"] = False
    return found


def instance(picture: Document, name: str) -> Document:
    """One instance of a cluster document."""
    return next(seen for seen in picture["instances"] if seen["name"] == name)


async def test_the_openapi_document_is_valid() -> None:
    """Other people's generators read it: it follows OpenAPI 3.1, and no two operations share an id."""
    async with served(SceneControl(HEALTHY)) as at:
        found = await document(at, "/api/v1/openapi.json")
    validate(found)
    ids = [operation_id(endpoint) for endpoint in ENDPOINTS]
    assert len(ids) == len(set(ids))
    assert {(method.upper(), path) for path, ways in found["paths"].items() for method in ways} == {
        (endpoint.method, endpoint.path) for endpoint in ENDPOINTS
    }


@pytest.mark.parametrize("name", PICTURES)
async def test_every_document_is_what_its_schema_says(name: str) -> None:
    """In every scene, field by field, and no field is missing from the reference."""
    control = SceneControl(PICTURES[name])
    async with served(control) as at:
        control.tick()
        described = await document(at, "/api/v1/openapi.json")
        schemas = _strictly({"components": described["components"]})
        for endpoint in ENDPOINTS:
            if endpoint.method != "GET" or "{" in endpoint.path or endpoint.media != "application/json":
                continue
            found = await document(at, endpoint.path)
            _, schema = endpoint.answers[200]
            assert schema is not None
            OAS31Validator({**schema, **schemas}).validate(found)


async def test_a_controller_before_its_first_look_answers_too() -> None:
    """Nothing is known yet, and every document says so instead of failing."""

    class Starting(SceneControl):
        def now(self) -> Any:
            return evolve(super().now(), view=None, decision=None, holds=(), last_tick_age_s=float("inf"))

    async with served(Starting(HEALTHY)) as at:
        for endpoint in ENDPOINTS:
            if endpoint.method == "GET" and "{" not in endpoint.path:
                answer = await at.client.get(endpoint.path)
                assert answer.status_code == (503 if endpoint.path in ("/livez", "/readyz") else 200), endpoint.path
        picture = await document(at, "/api/v1/cluster")
        assert picture["last_tick_age_s"] is None
        assert picture["instances"] == []
        assert not picture["leading"]
        assert "Starting" in (await at.client.get("/", headers={"Accept": "text/html"})).text


async def test_the_picture_of_a_healthy_cluster() -> None:
    """Reign, standby, gateways, and each instance with its row."""
    async with served(SceneControl(HEALTHY)) as at:
        picture = await document(at, "/api/v1/cluster")
    assert (picture["generation"], picture["main"], picture["standby"]) == (4, "m0", "m1")
    assert picture["leading"]
    assert picture["rw"]["open"]
    assert picture["rw"]["port"] == 7687
    assert picture["holds"] == []
    assert [seen["state"] for seen in picture["instances"]] == ["main", "standby", "replica"]
    assert all(seen["healthy"] for seen in picture["instances"])
    standby = instance(picture, "m1")
    assert standby["row"] == {"name": "m1_7", "mode": "STRICT_SYNC", "status": "ready", "ts": 40, "behind": 0}
    assert standby["lacks"] is None
    assert instance(picture, "m0")["row"] is None
    assert "eligible" in instance(picture, "m2")["lacks"]


async def test_what_nobody_can_safely_take_over_from_is_named() -> None:
    """The hold stands with its guidance, and each instance says what it lacks."""
    async with served(SceneControl(PICTURES["nobody"])) as at:
        picture = await document(at, "/api/v1/cluster")
    hold = picture["decision"]["hold"]
    assert hold["name"] == "NoSafeCandidate"
    assert "--accept-data-loss" in hold["command"]
    assert hold["page"] == "no-safe-candidate.md"
    assert hold["since"] == WALL
    assert picture["loss"]["kind"] == "gone"
    assert not picture["rw"]["open"]
    assert instance(picture, "m0")["lacks"] == "its process is gone"
    assert [present["name"] for present in picture["holds"]] == ["NoSafeCandidate"]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        (RowStatus.REPLICATING, "standby"),
        (RowStatus.RECOVERY, "catching up"),
        (RowStatus.INVALID, "not attached"),
        (RowStatus.HALF, "not attached"),
        (RowStatus.DIVERGED, "diverged"),
    ],
)
async def test_a_replica_stands_as_its_row_does(status: RowStatus, state: str) -> None:
    """Only a row that takes commits is healthy."""
    async with served(SceneControl(HEALTHY.but(standby_row(status)))) as at:
        seen = instance(await document(at, "/api/v1/cluster"), "m1")
    assert seen["state"] == state
    assert seen["healthy"] == (state == "standby")


async def test_an_instance_that_answers_no_more_is_not_healthy() -> None:
    """Its row may be called ready for seconds: that is not enough."""
    async with served(SceneControl(HEALTHY.but(frozen(M2)))) as at:
        seen = instance(await document(at, "/api/v1/cluster"), "m2")
    assert (seen["state"], seen["healthy"]) == ("does not answer", False)
    assert seen["silent_s"] > 3


async def test_a_stray_main_is_no_main() -> None:
    """Two answer as MAIN: only the recorded one counts, in the old document too."""
    async with served(SceneControl(HEALTHY.but(is_main(M2)))) as at:
        picture, old = await document(at, "/api/v1/cluster"), await document(at, "/api/v1/status")
    assert instance(picture, "m2")["state"] == "stray main"
    assert old["cluster_state"]["current_main"] == "m0"
    stray = next(pod for pod in old["pods"] if pod["name"] == "m2")
    assert stray["memgraph_role"] == "main"
    assert "the record names m0" in stray["inconsistency"]["description"]


async def test_the_old_status_says_what_is_so_now() -> None:
    """The predecessor's fields: a main is verified, health comes from Memgraph, registrations from MAIN."""
    lagging = evolve(async_row(status=RowStatus.INVALID), behind=-7)
    control = SceneControl(HEALTHY.but(rows(strict_row(), lagging)))
    control.tick()
    async with served(control) as at:
        state = (await document(at, "/api/v1/status"))["cluster_state"]
    assert state["current_main"] == "m0"
    assert state["current_sync_replica"] == "m1"
    assert (state["total_pods"], state["healthy_pods"], state["unhealthy_pods"]) == (3, 2, 1)
    assert state["sync_replica_healthy"]
    assert [(r["name"], r["pod_name"], r["sync_mode"], r["is_healthy"]) for r in state["replica_registrations"]] == [
        ("m1_7", "m1", "strict_sync", True),
        ("m2", "m2", "async", False),
    ]
    assert state["reconciliation_metrics"]["total_reconciliations"] == 1
    assert state["reconciliation_metrics"]["average_reconciliation_time"] == 4_000_000
    assert state["read_gateway_status"]["connection_stats"]["active_connections"] == 4


async def test_the_old_status_names_no_main_that_is_lost() -> None:
    """The record still says m0; nobody answers there."""
    async with served(SceneControl(HEALTHY.but(gone(M0), gate_shut()), with_reads=False)) as at:
        old = await document(at, "/api/v1/status")
    assert old["cluster_state"]["current_main"] == ""
    assert "read_gateway_status" not in old["cluster_state"]
    lost = next(pod for pod in old["pods"] if pod["name"] == "m0")
    assert lost["state"] == "no process"
    assert not lost["healthy"]
    assert lost["inconsistency"] is not None


async def test_leadership_and_readiness_follow_our_own_clock() -> None:
    """A lease that has run out since the last look is none, whatever the last look said."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        assert (await document(at, "/api/v1/leadership"))["i_am_leader"]
        assert (await at.client.get("/readyz")).text == "OK"
        control.tick_age_s = 9.5  # the lease had 9 s left at the last look
        leadership = await document(at, "/api/v1/leadership")
        assert not leadership["i_am_leader"]
        assert not leadership["leader_match"]
        ready = await at.client.get("/readyz")
        assert (ready.status_code, ready.text) == (503, "Not leader")
        assert (await at.client.get("/livez")).status_code == 200
        picture = await document(at, "/api/v1/cluster")
        assert not picture["rw"]["open"]
        assert "stands still" in picture["rw"]["why"]


async def test_a_loop_that_stands_still_is_not_alive() -> None:
    """Liveness is the loop's, not the web server's; health is the process's."""
    control = SceneControl(HEALTHY, tick_age_s=10.1)
    async with served(control) as at:
        assert (await at.client.get("/livez")).status_code == 503
        assert (await at.client.get("/health")).json()["status"] == "ok"


async def test_a_follower_is_alive_but_not_ready() -> None:
    """Services follow the leader."""
    control = SceneControl(HEALTHY.but(scene(lease=None)), leader="controller-b")
    async with served(control) as at:
        assert (await at.client.get("/livez")).status_code == 200
        assert (await at.client.get("/readyz")).status_code == 503
        leadership = await document(at, "/api/v1/leadership")
        assert leadership["current_leader"] == "controller-b"
        assert leadership["leader_match"]


async def test_history_and_explanation_tell_who_and_why() -> None:
    """The reigns with who asked; every rule with its guard, and the one that decided."""
    async with served(SceneControl(PICTURES["nobody"])) as at:
        history = await document(at, "/api/v1/history")
        told = await document(at, "/api/v1/explain")
        words = await document(at, "/api/v1/rules")
    assert [change["generation"] for change in history["changes"]] == [1, 2, 3, 4]
    assert history["changes"][2]["by"] == "alice"
    assert [line["rule"] for line in told["rules"]] == [rule.id for rule in RULES]
    first = next(line for line in told["rules"] if line["matched"])
    assert (first["rule"], first["hold"]) == ("L90", "NO_SAFE_CANDIDATE".title().replace("_", ""))
    assert all(line["guard"] for line in told["rules"] if not line["matched"])
    assert all(rule[part] for rule in words["rules"] for part in ("summary", "when", "then", "protects", "source"))


async def test_the_runbook_is_served_by_name_only() -> None:
    """The page of any hold, or nothing: a path cannot lead out of the folder."""
    async with served(SceneControl(HEALTHY)) as at:
        for hold in Hold:
            answer = await at.client.get(f"/runbook/{hold.page}")
            assert answer.status_code == 200, hold
            assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
            assert hold.word in answer.text
        for path in ("/runbook/nothing.md", "/runbook/..%2F..%2Fpyproject.toml", "/runbook/"):
            answer = await at.client.get(path)
            assert answer.status_code == 404, path


async def test_reads_name_their_targets_only_while_the_permit_lives() -> None:
    """The gateway for reads, with where it leads."""
    async with served(SceneControl(HEALTHY)) as at:
        ro = (await document(at, "/api/v1/cluster"))["ro"]
    assert ro["port"] == 7688
    assert ro["open"] == bool(ro["targets"])
    assert "m0" not in ro["targets"]
    async with served(SceneControl(EMPTY)) as at:
        assert (await document(at, "/api/v1/cluster"))["ro"]["targets"] == []


async def test_an_unprotected_reign_and_a_returning_instance() -> None:
    """The picture says that there is one copy, and why the other cannot take over yet."""
    async with served(SceneControl(ALONE)) as at:
        picture = await document(at, "/api/v1/cluster")
    assert picture["unprotected"]
    assert picture["standby"] is None
    assert "not the named standby" in instance(picture, "m0")["lacks"]
    assert [present["name"] for present in picture["holds"]] == ["Unprotected"]


async def test_another_run_of_the_standby_may_not_take_over() -> None:
    """It restarted since it was named: the document says what that means."""
    async with served(SceneControl(HEALTHY.but(restarted(M1)))) as at:
        picture = await document(at, "/api/v1/cluster")
    assert instance(picture, "m1")["lacks"] == "its process restarted since: it may lack the last write"
    assert instance(picture, "m1")["answered_s"] == pytest.approx(NOW - (NOW - 0.1) + 0.01, abs=0.001)
