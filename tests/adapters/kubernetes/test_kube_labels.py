"""What becomes of labels when the wish changes while a patch is on its way, or the API server gives a patch up."""

import json
import socket
import threading
from collections.abc import Callable

import pytest
import trio
from attrs import evolve

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.labels import ROLE, RoleLabels
from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.view import View
from memgraph_ha.runtime.clock import boottime
from tests.adapters.kubernetes.scripted_api import Request, ScriptedApi, send, status
from tests.core.changes import recorded
from tests.core.views import HEALTHY, SceneChange

pytestmark = pytest.mark.trio

POD = json.dumps({"metadata": {"name": "p", "uid": "u", "resourceVersion": "1"}}).encode()
PATCHED = send(200, POD)


def tick(*changes: SceneChange) -> tuple[View, Decision]:
    """Decide on the healthy scene with changes, for MAIN's pod alone."""
    view = HEALTHY.but(*changes).view
    view = evolve(view, observed=evolve(view.observed, seen=view.observed.seen[:1]))
    return view, decide(view)


MAIN_AGAIN, NOBODY = tick(), tick(recorded(main="m9"))


def values(api: ScriptedApi) -> list[str | None]:
    """What each patch set the label to, in order."""
    return [json.loads(request.body)["metadata"]["labels"][ROLE] for request in api.requests]


async def until(done: Callable[[], bool]) -> None:
    """Wait for it, at most ten seconds."""
    with trio.fail_after(10):
        while not done():  # noqa: ASYNC110 - requests arrive on threads
            await trio.sleep(0.01)


async def test_a_wish_that_changes_back_meanwhile_is_granted_again(nursery: trio.Nursery) -> None:
    """A role that was unknown while a patch took it off is put on again, though it is what it was before."""
    arrived, answer = threading.Event(), threading.Event()

    def slowly(request: Request, connection: socket.socket) -> None:
        arrived.set()
        answer.wait(10)
        PATCHED(request, connection)

    with ScriptedApi([PATCHED, slowly, PATCHED]).serving() as api:
        client = KubeClient(api.configuration, namespace="n", clock=boottime)
        keeper = RoleLabels(client)
        nursery.start_soon(keeper.run)
        keeper(*MAIN_AGAIN)
        await until(lambda: len(api.requests) == 1)
        keeper(*NOBODY)
        await until(arrived.is_set)
        keeper(*MAIN_AGAIN)
        answer.set()
        for _tick in range(3):
            await until(lambda: values(api)[-1] == "main" or len(api.requests) > 3)
            keeper(*MAIN_AGAIN)
        assert values(api)[0] == values(api)[-1] == "main"
        assert len(api.requests) > 2
        nursery.cancel_scope.cancel()
        client.close()


async def test_a_patch_that_lost_against_others_is_sent_again(nursery: trio.Nursery) -> None:
    """A conflict is tried again: the API server gives a patch up when the kubelet writes the same pod all the time."""
    with ScriptedApi([status(409, "Conflict"), PATCHED]).serving() as api:
        client = KubeClient(api.configuration, namespace="n", clock=boottime)
        keeper = RoleLabels(client)
        nursery.start_soon(keeper.run)
        keeper(*MAIN_AGAIN)
        await until(lambda: len(api.requests) == 2)
        assert values(api) == ["main", "main"]
        nursery.cancel_scope.cancel()
        client.close()
