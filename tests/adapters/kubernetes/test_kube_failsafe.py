"""Asking other controllers over real sockets: those that promise, refuse, freeze, or are none of ours."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
import trio
from kubernetes.client import Configuration

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.failsafe import ASK_S, PATH, KubeFailsafe
from memgraph_ha.adapters.lease_note import LeaseNote
from memgraph_ha.api.endpoints import Access
from memgraph_ha.api.server import serve
from memgraph_ha.core.policy import Policy
from memgraph_ha.failsafe.promiser import Question
from memgraph_ha.failsafe.roster import Peer, Roster
from memgraph_ha.failsafe.wire import failsafe_key, read_reply, write_question
from memgraph_ha.runtime.clock import boottime
from tests.api.rig import SceneControl
from tests.core.views import HEALTHY

pytestmark = pytest.mark.trio

KEY = failsafe_key("the token")
POLICY = Policy(lease_duration_s=4, lease_renew_s=0.5, command_deadline_s=1)
NOWHERE = KubeClient(Configuration(host="http://127.0.0.1:1"), namespace="n", clock=boottime)


def _controller(uid: str, key: bytes = KEY) -> KubeFailsafe:
    """One controller's failsafe; the API is out of its reach."""
    return KubeFailsafe(
        NOWHERE, pod=f"pod-{uid}", uid=uid, selector="a=b", port=1, key=key, policy=POLICY, clock=boottime
    )


def _lead(failsafe: KubeFailsafe, peers: dict[str, str], ago_s: float = 2.0) -> float:
    """Let it have renewed the lease with that list so long ago; returns when its term ends by that."""
    listed = tuple(Peer(pod=f"pod-{uid}", uid=uid, address=address) for uid, address in peers.items())
    note = LeaseNote(
        holder="h",
        session="h1",
        term=3,
        renewals=1,
        duration_s=POLICY.lease_duration_s,
        floor=0,
        released=False,
        clean=True,
        controllers=Roster(pod="h", holder="h", peers=listed).to_text(),
    )
    sent_s = boottime() - ago_s
    failsafe.kept(note, sent_s)
    return sent_s + note.duration_s


@asynccontextmanager
async def _served(failsafe: KubeFailsafe | None) -> AsyncIterator[str]:
    """Serve a controller's HTTP while the block runs; gives its address."""
    access = Access(token=None, basic=None, promise=None if failsafe is None else failsafe.promise)

    async def run(*, task_status: trio.TaskStatus[int]) -> None:
        await serve(SceneControl(HEALTHY), host="127.0.0.1", port=0, access=access, task_status=task_status)

    async with trio.open_nursery() as nursery:
        port = await nursery.start(run)
        yield f"127.0.0.1:{port}"
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def _frozen(answer: Callable[[trio.SocketStream], Awaitable[None]] | None = None) -> AsyncIterator[str]:
    """Something that takes connections and answers nothing, or what is given."""

    async def handle(stream: trio.SocketStream) -> None:
        if answer is None:
            await trio.sleep_forever()
        else:
            await answer(stream)

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, handle, listeners)
        yield f"127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def _moved(failsafe: KubeFailsafe, until_s: float, within_s: float) -> bool:
    """Whether promises move the end of the term within that time, while it asks."""
    changed = trio.Event()
    failsafe.on_change(changed.set)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(failsafe.run)
        with trio.move_on_after(within_s):
            await changed.wait()
        nursery.cancel_scope.cancel()
    assert changed.is_set() is (failsafe.until_s(until_s) > until_s)
    return changed.is_set()


async def test_a_term_goes_on_while_its_peers_promise() -> None:
    """And then they do not take the lease; a renewal tells the campaign at once."""
    leader, peer, third = _controller("h"), _controller("a"), _controller("b")
    async with _served(peer) as at, _served(third) as too:
        until_s = _lead(leader, {"a": at, "b": too})
        assert await _moved(leader, until_s, 1.5)
    assert until_s < leader.until_s(until_s) <= boottime() + POLICY.lease_duration_s
    said = peer.forbids(100.0)
    assert said is not None
    assert "we promised" in said


async def test_a_peer_that_leads_promises_nothing() -> None:
    """It has the lease now, so we have not."""
    leader, peer = _controller("h"), _controller("a")
    _lead(peer, {"h": "127.0.0.1:1"}, ago_s=0.0)
    async with _served(peer) as at:
        assert not await _moved(leader, _lead(leader, {"a": at}), 1.0)


@pytest.mark.parametrize("what", ["another pod", "another key", "no failsafe", "nobody"])
async def test_who_is_none_of_ours_promises_nothing(what: str) -> None:
    """Another pod at the address, another release, a controller without a failsafe, and nobody at all."""
    others = {"another pod": _controller("x"), "another key": _controller("a", failsafe_key("other"))}
    leader = _controller("h")
    async with _served(others.get(what)) as at:
        until_s = _lead(leader, {"a": "127.0.0.1:1" if what == "nobody" else at})
        assert not await _moved(leader, until_s, 1.0)


async def test_a_frozen_peer_delays_nobody_and_is_given_up_in_time() -> None:
    """The others have their questions and their say meanwhile; without it nothing goes on."""
    leader, peer = _controller("h"), _controller("a")
    async with _served(peer) as at, _frozen() as frozen:
        until_s = _lead(leader, {"a": at, "b": frozen})
        began_s = boottime()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(leader.run)
            while peer.forbids(100.0) is None:  # noqa: ASYNC110 - it knows no events
                await trio.sleep(0.01)
            assert boottime() - began_s < ASK_S * 0.8
            await trio.sleep(ASK_S * 1.5)
            nursery.cancel_scope.cancel()
        assert leader.until_s(until_s) == until_s


async def test_an_answer_without_an_end_is_none() -> None:
    """Not more is read than any of ours would be long."""
    sent = 0

    async def flood(stream: trio.SocketStream) -> None:
        nonlocal sent
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                await stream.send_all(b"x" * 1024)
                sent += 1024
        except trio.BrokenResourceError:
            pass

    leader = _controller("h")
    async with _frozen(flood) as at:
        assert not await _moved(leader, _lead(leader, {"a": at}), 1.2)
    assert 0 < sent < 50_000_000


async def test_a_question_that_is_not_ours_is_refused_by_http() -> None:
    """With 401, and nothing is promised; where there is no failsafe with 404."""
    peer = _controller("a")
    question = Question(session="h1", term=3, serial=1, to="a", for_s=5.4, reads=False)
    async with _served(peer) as at, _served(None) as none, httpx.AsyncClient(trust_env=False) as client:
        forged = await client.post(f"http://{at}{PATH}", json=write_question(question, failsafe_key("other")))
        assert forged.status_code == 401
        assert "our key" in forged.json()["error"]
        assert peer.forbids(100.0) is None
        good = await client.post(f"http://{at}{PATH}", json=write_question(question, KEY))
        assert read_reply(good.json(), KEY).promised
        assert peer.forbids(100.0) is not None
        assert (await client.post(f"http://{none}{PATH}", json=write_question(question, KEY))).status_code == 404
        assert (await client.post(f"http://{at}{PATH}", json={"more": 1})).status_code == 400
