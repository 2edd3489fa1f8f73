"""The client in threads: deadlines that hold, requests that are sent once, and what the answers mean."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from kubernetes.client import ApiClient, CoreV1Api, V1ConfigMap

from memgraph_ha.adapters.kubernetes import client as client_module
from memgraph_ha.adapters.kubernetes.asking import ask
from memgraph_ha.adapters.kubernetes.client import KubeClient, connect, own_namespace
from memgraph_ha.adapters.kubernetes.errors import (
    ApiError,
    ApiUnavailableError,
    ConflictError,
    ForbiddenError,
    GoneError,
    KubeConfigError,
    NotFoundError,
    RejectedError,
    ThrottledError,
)
from tests.adapters.kubernetes.scripted_api import Request, ScriptedApi, config_map, hang_up, send, silence, status


def now_s() -> float:
    """Give the clock that production uses."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def client_of(api: ScriptedApi, clock: Callable[[], float] = now_s) -> KubeClient:
    """Make a client of a scripted server."""
    return KubeClient(api.configuration, namespace="n", clock=clock)


def get(api: ApiClient) -> V1ConfigMap:
    """Read a ConfigMap."""
    return CoreV1Api(api).read_namespaced_config_map("c", "n")


def slow_get(api: ApiClient) -> V1ConfigMap:
    """Read a ConfigMap after a while, so that several calls are under way at once."""
    time.sleep(0.2)
    return get(api)


def patch(api: ApiClient) -> V1ConfigMap:
    """Change a ConfigMap by compare-and-set."""
    return CoreV1Api(api).patch_namespaced_config_map("c", "n", {"metadata": {"resourceVersion": "6"}})


@pytest.fixture(autouse=True)
def _no_threads_left() -> Iterator[None]:
    """Every test ends with no thread of its own still in a call, even those that were left behind."""
    yield
    until_s = now_s() + 3
    while _busy() and now_s() < until_s:
        time.sleep(0.02)
    assert not _busy()


def _busy() -> list[threading.Thread]:
    """Give the worker threads that still do something; trio names a thread after its work while it works."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("kubernetes: ")]


@pytest.mark.trio
async def test_connections_are_used_again() -> None:
    """Calls one after the other share one connection, also after an answer that is a refusal."""
    with ScriptedApi([config_map(), status(404, "NotFound"), config_map("8")]).serving() as api:
        client = client_of(api)
        assert (await client.call(get, what="get", timeout_s=2)).metadata.uid == "u"  # type: ignore[union-attr]
        with pytest.raises(NotFoundError):
            await client.call(get, what="get", timeout_s=2)
        await client.call(get, what="get", timeout_s=2)
        client.close()
        assert (len(api.requests), api.connections) == (3, 1)


@pytest.mark.trio
async def test_a_connection_that_was_idle_for_long_is_not_used_again() -> None:
    """After half a minute of idleness a new connection is made: a load balancer may have forgotten the old one."""
    skipped_s = 0.0
    with ScriptedApi([config_map()]).serving() as api:
        client = client_of(api, lambda: now_s() + skipped_s)
        await client.call(get, what="get", timeout_s=2)
        skipped_s = 31.0
        await client.call(get, what="get", timeout_s=2)
        assert api.connections == 2
        client.close()


@pytest.mark.trio
@pytest.mark.parametrize("work", [get, patch])
async def test_a_frozen_server_is_left_at_the_deadline(work: Callable[[ApiClient], Any]) -> None:
    """A request without an answer ends at its deadline, may have been done, and was sent exactly once."""
    with ScriptedApi([silence]).serving() as api:
        began_s = now_s()
        with pytest.raises(ApiUnavailableError, match="get c: no answer in time") as raised:
            await client_of(api).call(work, what="get c", timeout_s=0.4)
        assert 0.4 <= now_s() - began_s < 1.5
        assert raised.value.sent
        assert len(api.requests) == 1


@pytest.mark.trio
async def test_a_trickling_answer_is_left_at_the_deadline() -> None:
    """A server that sends a byte now and then defeats every time-out on reading, but not the deadline."""

    def trickle(_request: object, connection: Any) -> None:
        send(200, b"", promised=10_000)(None, connection)
        for _ in range(100):
            time.sleep(0.1)
            connection.sendall(b" ")

    with ScriptedApi([trickle]).serving() as api:
        began_s = now_s()
        with pytest.raises(ApiUnavailableError, match="no answer in time"):
            await client_of(api).call(get, what="get", timeout_s=0.5)
        assert now_s() - began_s < 2


@pytest.mark.trio
async def test_a_hanging_call_delays_no_other() -> None:
    """Ten calls hang, and the eleventh is answered at once: each has a connection and a thread of its own."""
    failed = []

    async def hang(client: KubeClient) -> None:
        with pytest.raises(ApiUnavailableError):
            await client.call(get, what="get", timeout_s=3)
        failed.append(True)

    with ScriptedApi([*[silence] * 10, config_map()]).serving() as api:
        client = client_of(api)
        async with trio.open_nursery() as hanging:
            for _ in range(10):
                hanging.start_soon(hang, client)
            while len(api.requests) < 10:  # noqa: ASYNC110 - they arrive in threads of the server
                await trio.sleep(0.01)
            began_s = now_s()
            await client.call(get, what="get", timeout_s=2)
            assert now_s() - began_s < 1.5
        assert len(failed) == 10


@pytest.mark.trio
async def test_one_dead_connection_tells_of_the_others() -> None:
    """After a server behind a balancer died, one time-out is the price, not one for each connection that was kept."""
    api = ScriptedApi([silence])

    def old_ones_are_deaf(request: Request, connection: socket.socket) -> None:
        if connection not in old:
            config_map()(request, connection)

    old: list[socket.socket] = []
    api.script = [old_ones_are_deaf]
    with api.serving():
        client = client_of(api)
        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(lambda: client.call(slow_get, what="get", timeout_s=3))
        old += api.accepted
        assert len(old) == 5
        with pytest.raises(ApiUnavailableError):
            await client.call(get, what="get", timeout_s=0.5)
        await client.call(get, what="get", timeout_s=2)


@pytest.mark.trio
async def test_cancelling_ends_the_thread() -> None:
    """A call that is cancelled wakes its thread: a watch of minutes ends at once."""
    with ScriptedApi([silence]).serving() as api:
        client = client_of(api)
        with trio.move_on_after(0.3) as scope:
            await client.call(get, what="get", timeout_s=300)
        assert scope.cancelled_caught
        await trio.sleep(0.3)
        assert not _busy()


@pytest.mark.trio
@pytest.mark.parametrize("work", [get, patch])
async def test_a_lost_answer_is_not_asked_for_again(work: Callable[[ApiClient], Any]) -> None:
    """A connection that ends without an answer leaves the outcome open; repeating it would hide that it was done."""
    with ScriptedApi([hang_up, config_map()]).serving() as api:
        with pytest.raises(ApiUnavailableError) as raised:
            await client_of(api).call(work, what="c", timeout_s=2)
        assert raised.value.sent
        assert len(api.requests) == 1


@pytest.mark.trio
async def test_a_cut_off_answer_is_no_answer() -> None:
    """An answer that ends in the middle is unavailability, not an object."""
    half = send(200, b'{"kind": "ConfigMap"', "Content-Type: application/json", promised=500)

    def half_and_over(request: Any, connection: Any) -> None:
        half(request, connection)
        hang_up(request, connection)

    with ScriptedApi([half_and_over]).serving() as api, pytest.raises(ApiUnavailableError) as raised:
        await client_of(api).call(get, what="get", timeout_s=2)
    assert raised.value.sent


@pytest.mark.trio
async def test_nobody_there_means_not_sent() -> None:
    """Where nobody listens nothing was changed, and the caller is told so."""
    with ScriptedApi([silence]).serving() as api:
        configuration = api.configuration
    client = KubeClient(configuration, namespace="n", clock=now_s)
    with pytest.raises(ApiUnavailableError, match="efused") as raised:
        await client.call(patch, what="patch", timeout_s=2)
    assert not raised.value.sent


@pytest.mark.trio
async def test_nothing_is_sent_after_the_deadline() -> None:
    """A process that stood still between deciding and sending sends nothing any more."""
    skipped_s = 0.0

    def stand_still(api: ApiClient) -> V1ConfigMap:
        nonlocal skipped_s
        skipped_s = 60.0  # as if the machine had slept for a minute right here
        return patch(api)

    with ScriptedApi([config_map()]).serving() as api:
        client = client_of(api, lambda: now_s() + skipped_s)
        with pytest.raises(ApiUnavailableError, match="too late to send") as raised:
            await client.call(stand_still, what="patch", timeout_s=2)
        assert not raised.value.sent
        assert api.requests == []


@pytest.mark.trio
async def test_nothing_is_sent_after_the_caller_left() -> None:
    """A thread that is slow to begin finds that nobody waits for it, and sends nothing."""
    going = threading.Event()

    def late(api: ApiClient) -> V1ConfigMap:
        going.wait(5)
        return patch(api)

    with ScriptedApi([config_map()]).serving() as api:
        with pytest.raises(ApiUnavailableError, match="not connected in time") as raised:
            await client_of(api).call(late, what="patch", timeout_s=0.2)
        assert not raised.value.sent
        assert _busy()
        going.set()
        await trio.sleep(0.3)
        assert api.requests == []


@pytest.mark.trio
async def test_what_is_throttled_is_sent_again_when_the_server_says() -> None:
    """429 with Retry-After is waited for within the deadline, and nobody else is delayed by it."""
    throttled = status(429, "TooManyRequests", "slow down", "Retry-After: 1")
    with ScriptedApi([throttled, config_map()]).serving() as api:
        began_s = now_s()
        await client_of(api).call(patch, what="patch", timeout_s=5)
        assert 1 <= now_s() - began_s < 4
        assert len(api.requests) == 2


@pytest.mark.trio
async def test_throttling_beyond_the_deadline_ends_the_call_at_once() -> None:
    """Where the server says to come back after the deadline, waiting is of no use; nothing was changed."""
    with ScriptedApi([status(429, "TooManyRequests", "slow down", "Retry-After: 60")]).serving() as api:
        began_s = now_s()
        with pytest.raises(ThrottledError) as raised:
            await client_of(api).call(patch, what="patch", timeout_s=10)
        assert now_s() - began_s < 5
        assert (raised.value.retry_after_s, raised.value.sent) == (60, False)


@pytest.mark.trio
@pytest.mark.parametrize(
    ("answer", "kind", "text"),
    [
        (status(404, "NotFound", 'configmaps "c" not found'), NotFoundError, 'configmaps "c" not found'),
        (status(409, "Conflict"), ConflictError, "scripted"),
        (status(409, "AlreadyExists"), ConflictError, "scripted"),
        (status(410, "Expired"), GoneError, "scripted"),
        (status(422, "Invalid"), RejectedError, "scripted"),
        (status(413, "RequestEntityTooLarge"), RejectedError, "scripted"),
        (
            status(403, "Forbidden", 'User "r" cannot patch resource "configmaps"'),
            ForbiddenError,
            "grant the verb in the Role",
        ),
        (status(403, "Forbidden", "exceeded quota"), ForbiddenError, "exceeded quota"),
        (status(401, "Unauthorized"), ForbiddenError, "check the token"),
        (status(500, "InternalError", "etcdserver: request timed out"), ApiUnavailableError, "etcdserver"),
        (status(503, "ServiceUnavailable"), ApiUnavailableError, "503 ServiceUnavailable"),
        (status(504, "Timeout"), ApiUnavailableError, "504 Timeout"),
        (send(404, b"404 page not found\n"), ApiUnavailableError, "not from the API server: '404 page not found'"),
        (send(403, b"<html>sign in</html>"), ApiUnavailableError, "not from the API server"),
        (send(409, b'{"kind": "Pod"}'), ApiUnavailableError, "not from the API server"),
        (send(302, b"", "Location: http://127.0.0.1:1/"), ApiUnavailableError, "302"),
    ],
)
async def test_what_answers_mean(answer: Callable[..., None], kind: type[ApiError], text: str) -> None:
    """Only a Status of the API server itself says something about an object; all else is no answer."""
    with ScriptedApi([answer]).serving() as api, pytest.raises(ApiError) as raised:
        await client_of(api).call(patch, what="patch c", timeout_s=2)
    assert type(raised.value) is kind
    assert text in str(raised.value)


@pytest.mark.trio
@pytest.mark.parametrize("body", [b"{}", b'{"metadata": {"name": "c"}}', b'{"metadata": []}', b"[]", b"<html>"])
async def test_an_object_is_an_object(body: bytes) -> None:
    """A success whose answer is no object of the API (a portal's, say) is no answer."""
    with ScriptedApi([send(200, body, "Content-Type: application/json")]).serving() as api:
        with pytest.raises(ApiUnavailableError, match='get configmaps "c": ') as raised:
            await ask(client_of(api), "GET", "/c", what='configmaps "c"', timeout_s=2)
        assert raised.value.sent


@pytest.mark.trio
async def test_no_secret_is_in_an_error() -> None:
    """The token that goes out with every request comes back in no error."""
    with ScriptedApi([status(500, "InternalError"), hang_up]).serving() as api:
        configuration = api.configuration
        configuration.api_key["BearerToken"] = "Bearer s3cr3t"
        client = KubeClient(configuration, namespace="n", clock=now_s)
        for _ in range(2):
            with pytest.raises(ApiUnavailableError) as raised:
                await client.call(get, what="get", timeout_s=2)
            cause = raised.value.__cause__
            assert "s3cr3t" not in f"{raised.value!r} {cause!r} {cause}"


def test_a_bad_kubeconfig_is_named(tmp_path: Path) -> None:
    """A file that is missing, or is none, stops the start and is named; so is a pod without an account."""
    with pytest.raises(KubeConfigError, match="absent"):
        connect(tmp_path / "absent", namespace="n", clock=now_s)
    broken = tmp_path / "broken"
    broken.write_text("{nonsense")
    with pytest.raises(KubeConfigError, match="broken"):
        connect(broken, namespace="n", clock=now_s)
    with pytest.raises(KubeConfigError, match="service account"):
        connect(None, namespace="n", clock=now_s)


def test_the_own_namespace_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod's namespace stands in a file that every pod has; elsewhere there is none."""
    monkeypatch.setattr(client_module, "NAMESPACE_FILE", tmp_path / "namespace")
    assert own_namespace() is None
    (tmp_path / "namespace").write_text("team-a\n")
    assert own_namespace() == "team-a"
