"""The script of the preStop hook, run as kubelet would, against the API that controllers really serve."""

import contextlib
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Final

import pytest
import trio
from attrs import define, evolve, field

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.requests import Answer, Ask
from tests.api.rig import PASSWORD, USER, SceneControl, served, until
from tests.chart.kit import CHART
from tests.core.views import HEALTHY, M1

pytestmark = pytest.mark.trio

SCRIPT: Final = CHART / "files" / "prestop.py"


@define
class Service:
    """What the controllers' Service does: it leads to the controller that is labelled, or to nobody.

    Attributes:
        port: Where it is.
        leads_to: The port of the controller; None: there is none.
        frozen: Whether what it leads to takes connections and never answers.
    """

    port: int
    leads_to: int | None
    frozen: bool = False
    _scopes: list[trio.CancelScope] = field(factory=list)

    async def serve(self, client: trio.SocketStream) -> None:
        """Carry one connection."""
        with trio.CancelScope() as scope, contextlib.suppress(OSError, trio.BrokenResourceError):
            self._scopes.append(scope)
            async with client:
                if self.frozen:
                    await trio.sleep_forever()
                if self.leads_to is None:
                    return
                server = await trio.open_tcp_stream("127.0.0.1", self.leads_to)
                async with server, trio.open_nursery() as nursery:
                    nursery.start_soon(copy, client, server)
                    await copy(server, client)
                    nursery.cancel_scope.cancel()

    def cut(self) -> None:
        """End every connection."""
        for scope in self._scopes:
            scope.cancel()


async def copy(source: trio.SocketStream, sink: trio.SocketStream) -> None:
    """Carry bytes one way until they end."""
    with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async for chunk in source:
            await sink.send_all(chunk)


@contextlib.asynccontextmanager
async def service(leads_to: int | None) -> AsyncIterator[Service]:
    """A Service while the block runs."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    made = Service(port=listener.socket.getsockname()[1], leads_to=leads_to)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.serve_listeners, made.serve, [listener])
        yield made
        nursery.cancel_scope.cancel()


async def hook(
    port: int, *, pod: str = "m1", password: str = PASSWORD, patience_s: float = 2, timeout_s: float = 30
) -> "subprocess.CompletedProcess[bytes]":
    """Run the script as kubelet would, in an environment of its own."""
    environment = {
        "PRESTOP_URL": f"http://127.0.0.1:{port}",
        "POD_NAME": pod,
        "PRESTOP_USER": USER,
        "PRESTOP_PASSWORD": password,
        "PRESTOP_UNANSWERED_SECONDS": str(patience_s),
        "PRESTOP_TIMEOUT_SECONDS": str(timeout_s),
    }
    command = [sys.executable, "-I", "-S", "-B", str(SCRIPT)]
    with trio.fail_after(60):
        return await trio.run_process(command, env=environment, capture_stdout=True, capture_stderr=True, check=False)


def never(_ask: Ask, _instance: InstanceName | None) -> Answer | None:
    """Answer nothing: the request goes on."""
    return None


async def test_it_ends_when_the_controllers_say_so() -> None:
    """Exit code 0, nothing printed, and the request named the pod."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        done = await hook(at.port)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert control.asked == [(Ask.STOP, M1, "preStop hook", "it is stopping")]


async def test_it_waits_for_as_long_as_it_takes() -> None:
    """Longer than it waits between two looks at who leads, and nothing is asked twice."""
    control = SceneControl(HEALTHY, answers=never)
    async with served(control) as at, trio.open_nursery() as nursery:
        results: list[int] = []

        async def run() -> None:
            results.append((await hook(at.port, timeout_s=5)).returncode)

        nursery.start_soon(run)
        await until(lambda: control.waiting == 1)
        await trio.sleep(4)
        assert control.waiting == 1
        assert results == []
    assert results == [1]  # its own time was over
    assert [ask for ask, *_ in control.asked] == [Ask.STOP]
    assert control.withdrawn == [Ask.STOP]


@pytest.mark.parametrize(("pod", "password", "status"), [("m7", PASSWORD, b"404"), ("m1", "another", b"401")])
async def test_a_refusal_is_told_at_once_without_the_password(pod: str, password: str, status: bytes) -> None:
    """Asking again would change nothing; kubelet shows what it prints in an event."""
    async with served(SceneControl(HEALTHY)) as at:
        with trio.fail_after(5):
            done = await hook(at.port, pod=pod, password=password)
    assert done.returncode == 1
    assert status in done.stderr
    assert password.encode() not in done.stderr


async def test_when_nobody_leads_it_gives_up_after_its_patience() -> None:
    """`helm uninstall` ends the controllers too: nobody is left to hand anything over to, and the pod must go."""
    async with service(leads_to=None) as at:
        began_s = trio.current_time()
        done = await hook(at.port, patience_s=2)
        took_s = trio.current_time() - began_s
    assert done.returncode == 1
    assert b"do not answer" in done.stderr
    assert 2 <= took_s < 10


async def test_a_controller_that_does_not_lead_counts_as_nobody() -> None:
    """The Service may still lead to one that lost its lease a moment ago."""
    async with served(SceneControl(evolve(HEALTHY, lease=None), leader="controller-b")) as at:
        done = await hook(at.port, patience_s=1)
    assert done.returncode == 1
    assert b"no controller leads" in done.stderr


async def test_it_asks_the_next_leader_when_its_connection_breaks() -> None:
    """The leader was killed; its successor is asked the same."""
    old, new = SceneControl(HEALTHY, answers=never), SceneControl(HEALTHY, identity="c", leader="c")
    async with served(old) as first, served(new) as second, service(first.port) as at, trio.open_nursery() as nursery:
        results: list[int] = []

        async def run() -> None:
            results.append((await hook(at.port, patience_s=10)).returncode)

        nursery.start_soon(run)
        await until(lambda: old.waiting == 1)
        at.leads_to = second.port
        at.cut()
    assert results == [0]
    assert [ask for ask, *_ in new.asked] == [Ask.STOP]


async def test_it_leaves_a_frozen_leader_when_another_leads() -> None:
    """The frozen one keeps its connections, and would keep the hook for ever."""
    old, new = SceneControl(HEALTHY, answers=never), SceneControl(HEALTHY, identity="c", leader="c")
    async with served(old) as first, served(new) as second, service(first.port) as at, trio.open_nursery() as nursery:
        results: list[int] = []

        async def run() -> None:
            results.append((await hook(at.port, patience_s=20)).returncode)

        nursery.start_soon(run)
        await until(lambda: old.waiting == 1)
        at.leads_to = second.port  # new connections reach the next leader, the old one stays as it is
    assert results == [0]
    assert old.withdrawn == [Ask.STOP]


async def test_a_leader_that_takes_connections_and_never_answers_counts_as_nobody() -> None:
    """Every step has an end of its own."""
    async with service(leads_to=None) as at:
        at.frozen = True
        done = await hook(at.port, patience_s=2)
    assert done.returncode == 1
    assert b"timed out" in done.stderr
