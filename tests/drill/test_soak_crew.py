"""The soak's writers and its storm, against a real server process."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio

from memgraph_ha.drill.asking import read_writes
from memgraph_ha.drill.ledger import Outcome, check
from memgraph_ha.drill.soak.crew import Crew, quiet_driver
from memgraph_ha.drill.soak.storm import Storm
from tests.drill.lone_server import LoneServer, lone_server

pytestmark = pytest.mark.filterwarnings("ignore:.*Bolt.__del__.*:pytest.PytestUnraisableExceptionWarning")
"""See `memgraph_ha.drill.soak.crew.quiet_driver`."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoneServer]:
    """A server that is MAIN by itself."""
    with lone_server(tmp_path) as made:
        yield made


def test_all_four_kinds_write_and_stop(server: LoneServer) -> None:
    """Two that keep their sessions and two that open new ones: every write is there once, and no thread stays."""
    crew = Crew(server.address, keeping=2, opening=2)
    crew.start()
    _until(lambda: all(log.count(Outcome.ACKNOWLEDGED) >= 3 for log in crew.logs), crew)
    assert crew.stop() == ()
    found = check(crew.logs, [trio.run(read_writes, server.spec)], [])
    assert found.complaints() == ()
    assert found.attempts == found.acknowledged
    assert found.errors == {}


def test_openers_open_and_keepers_keep(server: LoneServer) -> None:
    """A keeper's local port stays the same from write to write; an opener's never does."""
    seen: dict[str, set[int]] = {}
    for name, keeping, opening in (("keeping", 2, 0), ("opening", 0, 2)):
        crew = Crew(server.address, keeping=keeping, opening=opening)
        watching = _PortWatch(server.port)
        watching.start()
        crew.start()
        _until(lambda crew=crew: all(log.count(Outcome.ACKNOWLEDGED) >= 5 for log in crew.logs), crew)  # type: ignore[misc]
        assert crew.stop() == ()
        seen[name] = watching.end()
    assert len(seen["keeping"]) == 2
    assert len(seen["opening"]) >= 6


def test_the_crew_goes_on_after_a_kill(server: LoneServer) -> None:
    """Every kind finds its way back by itself, and nothing is lost."""
    crew = Crew(server.address, keeping=2, opening=2)
    crew.start()
    _until(lambda: all(log.count(Outcome.ACKNOWLEDGED) >= 2 for log in crew.logs), crew)
    fault_s = time.monotonic()
    server.kill()
    server.start()
    _until(lambda: all((log.last_acknowledged_s or 0.0) > fault_s + 0.1 for log in crew.logs), crew)
    assert crew.stop() == ()
    assert check(crew.logs, [trio.run(read_writes, server.spec)], [fault_s]).complaints() == ()


async def _storm_over(server: LoneServer) -> None:
    storm = Storm(server.port, clients=50)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(storm.run)
        assert await storm.until_all() is not None
        server.kill()
        with trio.fail_after(10):
            while storm.connected:  # noqa: ASYNC110 - fifty tasks count, each for itself
                await trio.sleep(0.01)
        await trio.to_thread.run_sync(server.start)
        assert await storm.until_all() is not None
        nursery.cancel_scope.cancel()
    assert storm.connected == 0
    assert storm.refused > 0


def test_a_storm_comes_back(server: LoneServer) -> None:
    """Fifty clients lose their server at the same moment and are all back when it is."""
    trio.run(_storm_over, server)


def test_only_the_known_defect_of_the_driver_is_kept_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its ``Bolt.__del__`` says nothing; any other object that fails in its end does."""
    passed: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: passed.append(str(unraisable.exc_value)))

    def failing(name: str) -> type:
        def end(_self: object) -> None:
            raise AttributeError(name)

        end.__qualname__ = f"{name}.__del__"
        return type(name, (), {"__del__": end})

    with quiet_driver():
        failing("Bolt")()
        failing("Other")()
    failing("Bolt")()
    assert passed == ["Other", "Bolt"]


class _PortWatch(threading.Thread):
    """Looks at our connections to a port, until told to end."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._port, self._over = port, threading.Event()
        self._seen: set[int] = set()

    def run(self) -> None:
        me = psutil.Process()
        while not self._over.wait(0.01):
            for link in me.net_connections("tcp"):
                if link.raddr and link.raddr.port == self._port and link.status == psutil.CONN_ESTABLISHED:
                    self._seen.add(link.laddr.port)

    def end(self) -> set[int]:
        """Give the local ports that were seen."""
        self._over.set()
        self.join()
        return self._seen


def _until(happened: Callable[[], bool], crew: Crew) -> None:
    end_s = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < end_s, [dict(log.errors) for log in crew.logs]
        time.sleep(0.01)
