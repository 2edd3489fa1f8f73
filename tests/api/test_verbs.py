"""Everything that changes something: who may, what is asked of the controller, and each way in which it is refused."""

from typing import Any

import httpx
import pytest
import trio

from memgraph_ha.api.endpoints import Access
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.requests import Answer, Ask
from tests.api.rig import PASSWORD, TOKEN, USER, SceneControl, served, until
from tests.core.changes import gone
from tests.core.scenes import ADOPTABLE, ALONE, ONLY_DATA
from tests.core.views import HEALTHY, M0, M1, Scene

pytestmark = pytest.mark.trio

NO = Answer(request_id="1", ok=False, text="m2 is not eligible; name one of m0, m1")
CHANGES = [
    ("POST", "/api/v1/switchover"),
    ("POST", "/api/v1/failover"),
    ("POST", "/api/v1/adopt"),
    ("POST", "/api/v1/restart"),
    ("POST", "/api/v1/reinit"),
    ("POST", "/api/v1/pause"),
    ("POST", "/api/v1/resume"),
    ("POST", "/api/v1/admin/reset-connections"),
    ("PUT", "/api/v1/policy"),
    ("PUT", "/api/v1/instances"),
]
WRONG = [
    {},
    {"Authorization": "Bearer"},
    {"Authorization": "Bearer wrong"},
    {"Authorization": f"Bearer {TOKEN[:-1]}"},
    {"Authorization": f"Bearer {TOKEN}x"},
    {"Authorization": f"Basic {TOKEN}"},
    {"Authorization": TOKEN},
    {"Authorization": "Bearer \xff"},
]


@pytest.mark.parametrize(("method", "path"), CHANGES)
async def test_nothing_changes_without_the_token(method: str, path: str) -> None:
    """No token, a wrong one, a part of it, another scheme: 401, and the controller is asked nothing."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        for headers in WRONG:
            raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
            answer = await at.client.request(method, path, headers=raw, json={"target": "m1", "instance": "m1"})
            assert answer.status_code == 401, headers
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert TOKEN not in answer.text
    assert control.asked == []


async def test_a_server_without_a_token_lets_nobody_change_anything() -> None:
    """Also not a caller with an empty one."""
    control = SceneControl(HEALTHY)
    async with served(control, token=None) as at:
        for given in ("Bearer", "Bearer x", "Bearer None"):
            answer = await at.client.post("/api/v1/pause", headers={"Authorization": given})
            assert answer.status_code == 401
            assert "without an API token" in answer.json()["error"]


async def test_another_token_is_good_if_its_review_says_so() -> None:
    """The reviewer is asked of a bearer token that is not ours, with nothing else; its reason is told."""
    judged: list[str] = []

    async def review(token: str) -> str | None:
        judged.append(token)
        return None if token == "known" else "nobody knows it"  # noqa: S105 - made up

    control = SceneControl(HEALTHY)
    async with served(control, review=review) as at:
        for given, status in ((f"Bearer {TOKEN}", 200), ("Bearer known", 200), ("Bearer other", 401), ("Basic x", 401)):
            answer = await at.client.post("/api/v1/pause", headers={"Authorization": given})
            assert answer.status_code == status, given
            if given == "Bearer other":
                assert "as a Kubernetes token: nobody knows it" in answer.json()["error"]
    assert judged == ["known", "other"]
    async with served(control, token=None, review=review) as at:
        answer = await at.client.post("/api/v1/pause", headers={"Authorization": "Bearer known"})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "asked"),
    [
        ("switchover", {}, (Ask.SWITCHOVER, None, "api", "")),
        ("switchover", {"target": "m1", "by": "bob", "reason": "why not"}, (Ask.SWITCHOVER, M1, "bob", "why not")),
        ("failover", {"target": "m1", "accept_data_loss": True}, (Ask.FAILOVER, M1, "api", "")),
        ("adopt", {"instance": "m0"}, (Ask.ADOPT, M0, "api", "")),
        ("restart", {"instance": "m0"}, (Ask.RESTART, M0, "api", "")),
        ("reinit", {"instance": "m1"}, (Ask.REINIT, M1, "api", "")),
        ("pause", {"reason": "møve"}, (Ask.PAUSE, None, "api", "møve")),
        ("resume", {"by": ""}, (Ask.RESUME, None, "api", "")),
    ],
)
async def test_each_verb_asks_the_controller(path: str, body: dict[str, Any], asked: tuple[Any, ...]) -> None:
    """With the instance, who asks and why; the answer is the controller's."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        answer = await at.client.post(f"/api/v1/{path}", headers=at.token, json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"ok": True, "text": f"{asked[0].value} is done"}
    assert control.asked == [asked]


async def test_an_empty_body_is_an_empty_object() -> None:
    """A verb that needs nothing needs no body."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        assert (await at.client.post("/api/v1/resume", headers=at.token)).status_code == 200


async def test_what_is_refused_by_name_is_409_with_the_sentence() -> None:
    """Callers see why, under both names of the field."""
    async with served(SceneControl(HEALTHY, answers=lambda _ask, _name: NO)) as at:
        answer = await at.client.post("/api/v1/switchover", headers=at.token, json={"target": "m2"})
    assert answer.status_code == 409
    assert answer.json() == {"ok": False, "text": NO.text, "error": NO.text}


async def test_a_dry_run_asks_for_nothing() -> None:
    """It says what would be refused, and what a forced failover could lose."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        body: dict[str, Any] = {"target": "m1", "dry_run": True}
        good = await at.client.post("/api/v1/failover", headers=at.token, json=body)
        assert good.status_code == 200
        assert good.json()["ok"]
        assert "everything that m1 lacks" in good.json()["text"]
        control.answers = lambda _ask, _name: NO
        bad = await at.client.post("/api/v1/switchover", headers=at.token, json=body)
        assert (bad.status_code, bad.json()["ok"]) == (200, False)
        assert NO.text in bad.json()["text"]
    assert control.asked == []


@pytest.mark.parametrize(
    ("path", "body", "at", "says"),
    [
        ("adopt", {"instance": "m1"}, ADOPTABLE, "is given up: m0 (0 objects of data set data-set-1), m2"),
        ("adopt", {"instance": "m1"}, ONLY_DATA, "nothing: all others are empty"),
        ("reinit", {"instance": "m1"}, HEALTHY, "what only m1 holds (0 objects of data set data-set-1)"),
        ("reinit", {"instance": "m1"}, HEALTHY.but(gone(M1)), "its data is not known now"),
        ("restart", {"instance": "m0"}, HEALTHY, "its standby takes over first"),
        ("restart", {"instance": "m1"}, ALONE, "no standby is named, so writes wait"),
        ("restart", {"instance": "m2"}, HEALTHY, "clients that read from it"),
        ("pause", {}, HEALTHY, "nobody takes over while it lasts"),
    ],
)
async def test_a_dry_run_says_what_is_at_stake(path: str, body: dict[str, Any], at: Scene, says: str) -> None:
    """Who is about to confirm reads what could be lost, or that nothing can."""
    async with served(SceneControl(at)) as serving:
        answer = await serving.client.post(f"/api/v1/{path}", headers=serving.token, json={**body, "dry_run": True})
    assert says in answer.json()["text"]


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("failover", {"target": "m1"}, "accept_data_loss"),
        ("failover", {"target": "m1", "accept_data_loss": "true"}, "accept_data_loss"),
        ("failover", {"target": "m1", "accept_data_loss": 1}, "accept_data_loss"),
        ("failover", {"accept_data_loss": True}, "target is missing; the instances are m0, m1, m2"),
        ("switchover", {"target": "m9"}, "'m9' is no instance of this cluster; they are m0, m1, m2"),
        ("switchover", {"target": 1}, "1 is no instance"),
        ("switchover", {"target": ["m1"]}, "is no instance"),
        ("switchover", {"instance": "m1"}, "'instance' does not exist; known are"),
        ("switchover", {"dry_run": "yes"}, "neither true nor false"),
        ("switchover", {"wait_s": -1}, "no number from 0 to 600"),
        ("switchover", {"wait_s": 601}, "no number from 0 to 600"),
        ("switchover", {"wait_s": True}, "no number from 0 to 600"),
        ("pause", {"by": "x" * 201}, "201 characters are too many"),
        ("pause", {"reason": "x" * 1001}, "1001 characters"),
        ("pause", {"reason": "a\u001b[2Jb"}, "control characters"),
        ("pause", {"by": "a\nb"}, "control characters"),
        ("pause", {"by": None}, "None is no text"),
    ],
)
async def test_what_is_not_well_formed_is_400_and_named(path: str, body: dict[str, Any], says: str) -> None:
    """Field, value and fix stand in the error; the controller is asked nothing."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        answer = await at.client.post(f"/api/v1/{path}", headers=at.token, json=body)
    assert answer.status_code == 400, answer.text
    assert says in answer.json()["error"]
    assert control.asked == []


@pytest.mark.parametrize(
    "raw",
    [b"{", b"[]", b"null", b'"x"', b"1", b"{'a': 1}", b"\xff\xfe", b'{"wait_s": NaN}', b"[" * 60_000, b'{"a":1}x'],
)
async def test_what_is_no_json_object_is_400(raw: bytes) -> None:
    """Whatever the bytes are, also ones that would overflow a parser's stack."""
    async with served(SceneControl(HEALTHY)) as at:
        answer = await at.client.post("/api/v1/pause", headers=at.token, content=raw)
    assert answer.status_code == 400, answer.text
    assert "JSON" in answer.json()["error"]
    assert len(answer.text) < 500


async def test_who_does_not_lead_says_who_does() -> None:
    """503 names the leader, for verbs and dry runs."""
    control = SceneControl(HEALTHY, leader="controller-b")
    async with served(control) as at:
        for body in ({}, {"dry_run": True}):
            answer = await at.client.post("/api/v1/switchover", headers=at.token, json=body)
            assert answer.status_code == 503
            assert answer.json()["leader"] == "controller-b"
            assert "controller-b" in answer.json()["error"]


async def test_an_answer_that_does_not_come_is_504() -> None:
    """After the caller's own time, with the warning that it may still happen."""
    control = SceneControl(HEALTHY, answers=lambda _ask, _name: None)
    async with served(control) as at:
        answer = await at.client.post("/api/v1/switchover", headers=at.token, json={"wait_s": 0.05})
    assert answer.status_code == 504
    assert "may still happen" in answer.json()["error"]


async def test_many_may_wait_at_once_and_one_who_leaves_withdraws_his_own() -> None:
    """Thirty long polls hinder neither each other nor a read; one that ends early is withdrawn."""
    control = SceneControl(HEALTHY, answers=lambda _ask, _name: None)
    async with served(control) as at, trio.open_nursery() as nursery:
        limits = httpx.Limits(max_connections=100)
        async with httpx.AsyncClient(base_url=str(at.client.base_url), limits=limits) as client:

            async def wait(*, leave: trio.CancelScope | None = None) -> None:
                with leave or trio.CancelScope():
                    await client.post("/api/v1/pause", headers=at.token, json={"wait_s": 60}, timeout=60)

            scope = trio.CancelScope()
            for _ in range(29):
                nursery.start_soon(wait)
            nursery.start_soon(lambda: wait(leave=scope))
            await until(lambda: control.waiting == 30)
            assert (await client.get("/api/v1/cluster")).status_code == 200
            scope.cancel()
            await until(lambda: control.waiting == 29)
            assert control.withdrawn == [Ask.PAUSE]
            nursery.cancel_scope.cancel()


async def test_the_policy_is_changed_as_a_whole_or_not_at_all() -> None:
    """A good field beside a bad one changes nothing; the bad one is named with what is allowed."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        for given, says in (
            ({"drain_s": 3, "failover_limit": 0}, "failover_limit"),
            ({"drain_s": 3, "no_such": 1}, "no_such"),
            ({"data_durability": "maybe"}, "'preferred' and 'required'"),
            ({"eligible": "m0"}, "eligible"),
            ({"lease_duration_s": 3}, "command_deadline_s"),
        ):
            answer = await at.client.put("/api/v1/policy", headers=at.token, json={"fields": given})
            assert answer.status_code == 400
            assert says in answer.json()["error"]
        assert control.policy.drain_s == 2
        answer = await at.client.put("/api/v1/policy", headers=at.token, json={})
        assert answer.status_code == 400


async def test_a_policy_is_shown_tried_and_applied() -> None:
    """A dry run says the same as the change, and which fields need a restart; what was not given stays."""
    control = SceneControl(HEALTHY)
    given = {"drain_s": 5, "lease_duration_s": 20, "eligible": ["m0", "m1"], "data_durability": "required"}
    async with served(control) as at:
        dry = {"fields": given, "dry_run": True}
        tried = (await at.client.put("/api/v1/policy", headers=at.token, json=dry)).json()
        assert control.policy.drain_s == 2
        applied = (await at.client.put("/api/v1/policy", headers=at.token, json={"fields": given})).json()
        assert tried["changed"] == applied["changed"]
        assert {(c["name"], c["needs_restart"]) for c in applied["changed"]} == {
            ("drain_s", False),
            ("lease_duration_s", True),
            ("eligible", False),
            ("data_durability", False),
        }
        shown = (await at.client.get("/api/v1/policy")).json()["fields"]
        values = {field["name"]: field["value"] for field in shown}
        assert {name: values[name] for name in given} == given
        again = (await at.client.put("/api/v1/policy", headers=at.token, json={"fields": given})).json()
        assert (again["text"], again["changed"]) == ("nothing to change", [])
    assert control.policy.eligible == (InstanceName("m0"), InstanceName("m1"))
    assert control.policy.probe_interval_s == 0.2


async def test_a_policy_that_is_set_elsewhere_says_where() -> None:
    """409, as the controller words it."""
    async with served(SceneControl(HEALTHY, fixed_policy=True)) as at:
        answer = await at.client.put("/api/v1/policy", headers=at.token, json={"fields": {"drain_s": 5}})
    assert answer.status_code == 409
    assert "chart" in answer.json()["error"]


async def test_instances_are_changed_where_the_platform_can() -> None:
    """404 where it cannot, 400 for a count that is none, the controller's answer otherwise."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        cannot = await at.client.put("/api/v1/instances", headers=at.token, json={"count": 5})
        assert (cannot.status_code, "StatefulSet" in cannot.json()["error"]) == (404, True)
        for count in (1, 10, 2.5, "3", None, True):
            bad = await at.client.put("/api/v1/instances", headers=at.token, json={"count": count})
            assert bad.status_code == 400, count
        control.members_answer = Answer(request_id="1", ok=True, text="")
        done = await at.client.put("/api/v1/instances", headers=at.token, json={"count": 5})
        assert done.json() == {"ok": True, "text": "there are 5 now"}


async def test_connections_are_reset_as_before_but_not_by_anybody() -> None:
    """The predecessor's fields; the count is that of clients."""
    async with served(SceneControl(HEALTHY)) as at:
        answer = await at.client.post("/api/v1/admin/reset-connections", headers=at.token)
        said = answer.json()
    assert (said["status"], said["connections_reset"]) == ("success", 42)
    assert set(said) == {"status", "connections_reset", "timestamp", "message"}


async def test_no_answer_holds_a_secret() -> None:
    """Not the report, not an error, not the page, whatever was sent with the request."""
    assert TOKEN not in repr(Access(token=TOKEN, basic=(USER, PASSWORD)))
    assert PASSWORD not in repr(Access(token=TOKEN, basic=(USER, PASSWORD)))
    control = SceneControl(HEALTHY)
    control.tick()
    paths = ["/", "/metrics", "/nothing", "/api/v1/report", "/api/v1/cluster", "/api/v1/policy", "/api/v1/openapi.json"]
    async with served(control) as at:
        answers = [await at.client.get(path, headers=at.token) for path in paths]
        answers.append(await at.client.get("/", headers={"Accept": "text/html"}))
        answers.append(await at.client.post("/api/v1/pause", headers=at.token, json={"x": 1}))
        answers.append(await at.client.post("/prestop-hook/m9", auth=(USER, PASSWORD)))
        for answer in answers:
            whole = answer.text + str(answer.headers)
            assert TOKEN not in whole
            assert PASSWORD not in whole
            assert USER not in whole
