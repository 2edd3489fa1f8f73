"""Pictures of real clusters: `memgraph-ha local` on a terminal of its own, and every command against it.

The ports are those that a newcomer gets, so nothing else may use them meanwhile.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import neo4j
from attrs import define, field

from memgraph_ha.adapters.datadir import open_data_dir
from scripts.picture_drawing import COLUMNS, Shot, settled
from tests.operate.terminal import Terminal, terminal
from tests.operate.test_doctor import bare_server

Line = tuple[str, ...]

_URL: Final = "http://127.0.0.1:8080"
_GATEWAY: Final = "bolt://127.0.0.1:7687"
_EDGE: Final = "\x1b[34m│"
_TRIES: Final = 60

_ALONE: Final[dict[str, Line]] = {
    "help": ("--help",),
    "help-status": ("status", "--help"),
    "completion": ("completion", "bash"),
    "run": ("run", "--help"),
    "set-aside": ("set-aside", "--help"),
    "demo": ("demo", "--kills", "5"),
    "soak": ("soak", "--faults", "6", "--seed", "11"),
}
"""Pictures of what needs no cluster, or makes its own."""


@define
class Stage:
    """A running `memgraph-ha local`, and the pictures taken of it so far."""

    place: Path
    own: Terminal
    token: str = ""
    shots: list[Shot] = field(factory=list)

    def take(self, name: str, *lines: Line, replies: Sequence[tuple[str, str] | None] = ()) -> None:
        """Type lines one after the other, answer what they ask, and keep what was shown."""
        parts = []
        for number, line in enumerate(lines):
            reply = replies[number] if number < len(replies) else None
            parts.append((tuple(_short(word, self.place) for word in line), self._typed(line, reply)))
        self.shots.append(Shot(name=name, parts=tuple(parts)))

    def settle(self) -> None:
        """Wait until the cluster is healthy."""
        for _ in range(_TRIES):
            with self._terminal("status") as screen:
                if screen.end() == 0:
                    return
        raise TimeoutError(f"the cluster did not become healthy; `local` shows:\n{settled(self.own.shown.decode())}")

    def _terminal(self, *line: str) -> contextlib.AbstractContextManager[Terminal]:
        return terminal(
            None,
            *line,
            columns=COLUMNS,
            TZ="UTC",
            LOGNAME="ada",
            MEMGRAPH_HA_SERVER=_URL,
            MEMGRAPH_HA_TOKEN=self.token,
        )

    def _typed(self, line: Line, reply: tuple[str, str] | None) -> str:
        with self._terminal(*line) as screen:
            if reply is not None:
                screen.until(reply[0])
                screen.type(reply[1])
            screen.end()
            return _short(settled(screen.shown.decode()), self.place)


def shots(place: Path, wanted: Sequence[str]) -> Iterator[Shot]:
    """Take these pictures, or those of them that are named.

    Args:
        place: An empty directory.
        wanted: Names of pictures; empty for all.
    """
    for name, line in _ALONE.items():
        if not wanted or name in wanted:
            yield Shot(name=name, parts=((line, _alone(line)),))
    if not wanted or "doctor-bare" in wanted:
        yield _bare_doctor(place)
    if not wanted or not _ON_STAGE.isdisjoint(wanted):
        yield from (shot for shot in _on_stage(place) if not wanted or shot.name in wanted)


def _alone(line: Line) -> str:
    with terminal(None, *line, columns=COLUMNS, TZ="UTC") as screen:
        while screen.read():  # as long as it takes
            pass
        screen.end()
        return settled(screen.shown.decode())


def _bare_doctor(place: Path) -> Shot:
    """Look at one server without WAL, before trusting it with data."""
    with bare_server(place / "bare", "--storage-wal-enabled=false") as (address, _process):
        shown = _alone(("doctor", "--bolt", address))
    return Shot(name="doctor-bare", parts=((("doctor", "--bolt", address), shown),))


_ON_STAGE: Final = frozenset(
    {"local", "status", "switchover", "restart", "pause", "policy-apply", "instances"}
    | {"reinit", "history", "explain", "doctor", "report"}
)


def _on_stage(place: Path) -> list[Shot]:
    data = place / "orders"
    with terminal(None, "local", "--data", str(data), columns=COLUMNS, TZ="UTC") as own:
        stage = Stage(place, own)
        reader = threading.Thread(target=_keep_reading, args=(own,))
        reader.start()
        try:
            own.until("standby, STRICT_SYNC ready")
            stage.token = (data / "api-token").read_text().strip()
            stage.settle()
            _play(stage, data)
        finally:
            own.send(signal.SIGINT)
            reader.join()
        own.end()
        shown = _short(settled(own.shown.decode()), place)
    return [Shot(name="local", parts=((("local", "--data", "orders"), shown),)), *stage.shots]


def _keep_reading(own: Terminal) -> None:
    while own.read():
        pass


def _play(stage: Stage, data: Path) -> None:
    with neo4j.GraphDatabase.driver(_GATEWAY) as driver:
        driver.execute_query("UNWIND range(1, 1204) AS number CREATE (:Order {number: number})")
    stage.take("status", ("status",))
    stage.take(
        "switchover",
        ("switchover", "--to", "memgraf-1"),
        ("switchover", "--to", "memgraph-1", "--dry-run"),
        ("switchover", "--to", "memgraph-1", "--reason", "kernel update"),
    )
    stage.settle()
    stage.take("restart", ("restart", "memgraph-1"), ("restart", "memgraph-2"), replies=[("[y/N]: ", "n\n")])
    stage.take("pause", ("pause", "--reason", "storage migration"), ("resume",))
    policy, wrong = stage.place / "policy.toml", stage.place / "wrong.toml"
    policy.write_text('data_durability = "required"\nlease_duration_s = 20\n', encoding="utf-8")
    wrong.write_text("drain_s = 5000\n", encoding="utf-8")
    lines = (("policy", "check", str(wrong)), ("policy", "apply", str(policy)))
    stage.take("policy-apply", *lines, replies=[None, ("[y/N]: ", "y\n")])
    stage.settle()
    stage.take("instances", ("instances", "4"), ("instances", "3"), replies=[None, ("[y/N]: ", "y\n")])
    stage.settle()
    note = open_data_dir(data).read_run(next(spec.name for spec in open_data_dir(data).specs() if "-1" in spec.name))
    if note is None:
        raise RuntimeError("MAIN has no process")
    os.kill(note.process.pid, signal.SIGKILL)
    stage.settle()
    stage.take("history", ("history",))
    stage.take("reinit", ("reinit", "memgraph-2"), replies=[("[y/N]: ", "y\n")])
    stage.take("explain", ("explain",))
    stage.settle()
    stage.take("doctor", ("doctor",))
    stage.take("report", ("report", "-o", str(stage.place / "report.tar.gz")))


def _short(text: str, place: Path) -> str:
    """Leave the directory out of every path, and the edge of a box where it is."""
    prefix, lines = f"{place}/", []
    for line in text.split("\n"):
        left, edge, right = line.rpartition(_EDGE)
        gap = " " * (line.count(prefix) * len(prefix)) if edge and left else ""
        lines.append((left + gap + edge + right).replace(prefix, ""))
    return "\n".join(lines)
