"""The preStop hook: who may call it, until when it waits, and how it ends."""

import pytest
import trio

from memgraph_ha.api import hook
from memgraph_ha.core.requests import Answer, Ask
from tests.api.rig import PASSWORD, USER, SceneControl, served, until
from tests.core.views import HEALTHY, M1

pytestmark = pytest.mark.trio

ACCOUNT = (USER, PASSWORD)


async def test_it_ends_when_the_instance_may_stop() -> None:
    """200 with an empty body, as the predecessor's script wants it; the history knows who asked."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        answer = await at.client.post("/prestop-hook/m1", auth=ACCOUNT)
    assert (answer.status_code, answer.content) == (200, b"")
    assert control.asked == [(Ask.STOP, M1, "preStop hook", "it is stopping")]


@pytest.mark.parametrize("auth", [("", ""), (USER, ""), ("", PASSWORD), (USER, PASSWORD + "x"), (PASSWORD, USER)])
async def test_it_needs_the_account_of_memgraph(auth: tuple[str, str]) -> None:
    """401 and nothing is asked; the predecessor let the default user in with an empty password."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        assert (await at.client.post("/prestop-hook/m1")).status_code == 401
        answer = await at.client.post("/prestop-hook/m1", auth=auth)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
        broken = await at.client.post("/prestop-hook/m1", headers={"Authorization": "Basic %%%"})
        assert broken.status_code == 401
    assert control.asked == []


async def test_without_accounts_loopback_may_call_it_but_no_web_page() -> None:
    """A browser says where a request comes from: a page must not stop an instance."""
    control = SceneControl(HEALTHY)
    async with served(control, accounts=False) as at:
        assert (await at.client.post("/prestop-hook/m1")).status_code == 200
        page = await at.client.post("/prestop-hook/m1", headers={"Origin": "http://elsewhere.example"})
        assert page.status_code == 401
    assert len(control.asked) == 1


async def test_an_unknown_instance_is_404() -> None:
    """The predecessor closed read/write whatever the name was."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        answer = await at.client.post("/prestop-hook/m7", auth=ACCOUNT)
    assert answer.status_code == 404
    assert "m0, m1, m2" in answer.json()["error"]
    assert control.asked == []


async def test_a_refusal_that_may_pass_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook that fails does not keep the pod alive: it is asked again until it may stop."""
    monkeypatch.setattr(hook, "_PAUSE_S", 0.01)
    said = [Answer(request_id=str(n), ok=n == 3, text="no standby is proven") for n in range(4)]
    control = SceneControl(HEALTHY, answers=lambda _ask, _name: said.pop(0))
    async with served(control) as at:
        answer = await at.client.post("/prestop-hook/m0", auth=ACCOUNT)
    assert answer.status_code == 200
    assert len(control.asked) == 4


async def test_it_ends_in_time_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    """504 names what it waited for."""
    monkeypatch.setattr(hook, "_PAUSE_S", 0.01)
    no = Answer(request_id="1", ok=False, text="no standby is proven")
    async with served(SceneControl(HEALTHY, answers=lambda _ask, _name: no), hook_wait_s=0.2) as at:
        answer = await at.client.post("/prestop-hook/m0", auth=ACCOUNT)
        assert answer.status_code == 504
        assert "no standby is proven" in answer.json()["error"]


async def test_a_controller_that_does_not_lead_names_the_one_that_does() -> None:
    """503 at once: waiting here would never end."""
    async with served(SceneControl(HEALTHY, leader="controller-b")) as at:
        answer = await at.client.post("/prestop-hook/m0", auth=ACCOUNT)
    assert (answer.status_code, answer.json()["leader"]) == (503, "controller-b")


async def test_while_nobody_leads_it_waits_for_a_leader(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change of leaders takes seconds; the pod must not go meanwhile."""
    monkeypatch.setattr(hook, "_PAUSE_S", 0.01)
    control = SceneControl(HEALTHY, leader=None)
    async with served(control) as at, trio.open_nursery() as nursery:
        found = []

        async def stop() -> None:
            found.append(await at.client.post("/prestop-hook/m0", auth=ACCOUNT))

        nursery.start_soon(stop)
        await trio.sleep(0.1)
        assert found == []
        control.leader = control.identity
        await until(lambda: bool(found))
        assert found[0].status_code == 200


async def test_leaving_withdraws_the_request() -> None:
    """A pod that was killed at last waits no more: the client's end is noticed at once."""
    control = SceneControl(HEALTHY, answers=lambda _ask, _name: None)
    async with served(control) as at:
        with trio.move_on_after(10) as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: at.client.post("/prestop-hook/m0", auth=ACCOUNT))
                await until(lambda: control.waiting == 1)
                nursery.cancel_scope.cancel()
        assert not scope.cancelled_caught
        await until(lambda: control.withdrawn == [Ask.STOP])


async def test_a_controller_that_ends_tells_its_callers() -> None:
    """They can ask the next leader at once, instead of meeting a reset."""
    control = SceneControl(HEALTHY, answers=lambda _ask, _name: None)
    found = []
    async with served(control) as at, trio.open_nursery() as nursery:

        async def stop() -> None:
            found.append(await at.client.post("/prestop-hook/m0", auth=ACCOUNT, timeout=30))

        nursery.start_soon(stop)
        await until(lambda: control.waiting == 1)
        at.server.cancel()
        await until(lambda: bool(found))
    assert found[0].status_code == 503
    assert "ends" in found[0].json()["error"]
    assert control.withdrawn == [Ask.STOP]
