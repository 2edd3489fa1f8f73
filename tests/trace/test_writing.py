"""The file of a controller that runs: written by a thread, bounded, its owner's alone, and never in the way."""

import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from memgraph_ha.sim.replay.comparing import compare_all
from memgraph_ha.trace import writing
from memgraph_ha.trace.reading import TraceFile, read_trace
from memgraph_ha.trace.recorder import LineRecorder
from memgraph_ha.trace.schema import FooterLine, Ghost, GhostLine, LostLine, Source
from memgraph_ha.trace.writing import PARTS, FileSink, NotOursError
from tests.core.places import NOW
from tests.core.views import HEALTHY
from tests.trace.told import Told

LARGE = 1 << 30


def until(holds: Callable[[], bool], within_s: float = 10.0) -> None:
    """Wait for what a thread does."""
    end_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < end_s, "it does not come"
        time.sleep(0.005)


class Tape:
    """A controller that records into a file."""

    def __init__(self, path: Path, most_bytes: int = LARGE) -> None:
        self.complaints: list[str] = []
        self.sink = FileSink(path, most_bytes=most_bytes, clock=time.monotonic, complain=self.complaints.append)
        recorder = LineRecorder(self.sink, source=Source.LOCAL, clock=time.monotonic, wall=time.time)
        self.told = Told(recorder)
        self.told.hear(HEALTHY.facts())
        self._now_s = NOW

    def turn(self, count: int) -> None:
        """Hear everything again, and decide, that often."""
        for _ in range(count):
            self._now_s += 0.01
            self.told.hear(HEALTHY.facts())
            self.told.tick(self._now_s)


@pytest.fixture
def tape(tmp_path: Path) -> Iterator[Tape]:
    """A controller that records into ``a.jsonl``."""
    made = Tape(tmp_path / "a.jsonl")
    yield made
    made.sink.close()


def test_what_was_recorded_is_in_the_file_and_replays(tape: Tape, tmp_path: Path) -> None:
    """Everything, in order, with a footer, for its owner only."""
    tape.turn(50)
    tape.sink.close()
    path = tmp_path / "a.jsonl"
    trace = read_trace(path)
    found = compare_all(trace.lines)
    assert (found.ticks, found.first, trace.intact) == (50, None, True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_lines_are_in_the_file_soon(tape: Tape, tmp_path: Path) -> None:
    """A controller that is killed loses what it recorded in the last moment only."""
    tape.turn(1)
    until(lambda: (tmp_path / "a.jsonl").read_text().count("\n") > 20)
    assert any(True for _ in TraceFile(tmp_path / "a.jsonl"))


def test_the_oldest_part_goes_when_the_size_is_reached(tmp_path: Path) -> None:
    """All parts together stay within the bound, each replays by itself, and those that another follows say so."""
    most_bytes = 400_000
    tape = Tape(tmp_path / "a.jsonl", most_bytes)
    for _ in range(60):
        tape.turn(10)
        until(lambda: not tape.sink._waiting)
    tape.sink.close()
    paths = sorted(tmp_path.iterdir())
    assert [path.name for path in paths] == ["a.jsonl", "a.jsonl.1", "a.jsonl.2", "a.jsonl.3"]
    assert sum(path.stat().st_size for path in paths) < most_bytes * 1.2
    parts = [read_trace(path) for path in paths]
    assert [part.header.part for part in parts] == sorted((part.header.part for part in parts), reverse=True)
    verdicts = [part.lines[-1].verdict for part in parts if isinstance(part.lines[-1], FooterLine)]
    assert verdicts == ["ended", "continued", "continued", "continued"]
    for part in parts:
        found = compare_all(part.lines)
        assert found.ticks > 10
        assert found.first is None
        assert part.intact


def test_an_older_recording_is_kept(tmp_path: Path) -> None:
    """A controller that is started again with the same option moves what is there aside."""
    path = tmp_path / "a.jsonl"
    for _ in range(PARTS + 1):
        tape = Tape(path)
        tape.turn(1)
        tape.sink.close()
    assert len(list(tmp_path.iterdir())) == PARTS


def test_what_is_no_trace_is_never_touched(tmp_path: Path) -> None:
    """Neither by taking its name nor by moving it aside."""
    path = tmp_path / "a.jsonl"
    path.write_text("my thesis")
    with pytest.raises(NotOursError, match="exists and is no trace; give another path"):
        Tape(path)
    path.rename(tmp_path / "a.jsonl.3")
    with pytest.raises(NotOursError, match=r"a\.jsonl\.3 exists and is no trace"):
        Tape(path)
    assert [each.read_text() for each in tmp_path.iterdir()] == ["my thesis"]


@pytest.mark.parametrize("kind", ["directory", "link"])
def test_what_is_no_file_is_never_touched(tmp_path: Path, kind: str) -> None:
    """Also a link to somebody else's file."""
    path = tmp_path / "a.jsonl"
    if kind == "directory":
        path.mkdir()
    else:
        (tmp_path / "thesis").write_text("mine")
        path.symlink_to(tmp_path / "thesis")
    with pytest.raises((NotOursError, OSError)):
        Tape(path)
    assert kind == "directory" or (tmp_path / "thesis").read_text() == "mine"


def test_two_controllers_do_not_write_one_file(tape: Tape, tmp_path: Path) -> None:
    """The second is told, and the first goes on."""
    with pytest.raises(NotOursError, match="is being written by another process"):
        Tape(tmp_path / "a.jsonl")
    tape.turn(1)
    tape.sink.close()
    assert read_trace(tmp_path / "a.jsonl").intact


class Disk:
    """Files whose disk can be full, or hang."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self.works = threading.Event()
        self.works.set()
        create = writing._create

        def open_file(path: Path) -> Any:
            file = create(path)
            really = file.write

            def write(data: str) -> int:
                self.works.wait(30)
                if self.full:
                    raise OSError(28, "No space left on device")
                return really(data)

            monkeypatch.setattr(file, "write", write, raising=False)
            return file

        monkeypatch.setattr(writing, "_create", open_file)


def test_a_full_disk_costs_a_gap_and_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The controller goes on; when there is room again a new part begins with what is known and what is missing."""
    monkeypatch.setattr(writing, "RETRY_S", 0.1)
    disk = Disk(monkeypatch)
    tape = Tape(tmp_path / "a.jsonl")
    tape.turn(3)
    until(lambda: not tape.sink._waiting)
    disk.full = True
    tape.turn(3)
    until(lambda: bool(tape.complaints))
    assert "No space left on device; the trace has a gap until the disk takes it again" in tape.complaints[0]
    tape.turn(3)
    disk.full = False
    time.sleep(0.15)
    tape.turn(3)
    tape.sink.close()
    now, before = (read_trace(tmp_path / name) for name in ("a.jsonl", "a.jsonl.1"))
    assert any(isinstance(line, LostLine) for line in now.lines)
    for part in (now, before):
        assert compare_all(part.lines).first is None
    assert compare_all(now.lines).ticks == 3


def test_a_bug_of_the_writer_costs_the_trace_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said as a full disk is, and tried again."""
    monkeypatch.setattr(writing, "RETRY_S", 0.05)
    tape = Tape(tmp_path / "a.jsonl")
    until(lambda: not tape.sink._waiting)
    tape.sink.put(GhostLine(t=float("nan"), who="", what=Ghost.NOTE))  # no number that JSON has
    until(lambda: bool(tape.complaints))
    time.sleep(0.1)
    tape.turn(2)
    tape.sink.close()
    assert compare_all(read_trace(tmp_path / "a.jsonl").lines).ticks == 2


def test_a_disk_that_hangs_never_holds_the_controller_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines wait in memory up to a bound; what is beyond is dropped, said, and what follows replays."""
    monkeypatch.setattr(writing, "MOST_WAITING", 200)
    disk = Disk(monkeypatch)
    tape = Tape(tmp_path / "a.jsonl")
    tape.turn(1)
    until(lambda: not tape.sink._waiting)
    disk.works.clear()
    begin_s = time.monotonic()
    tape.turn(100)
    assert time.monotonic() - begin_s < 5
    assert len(tape.sink._waiting) <= 200
    disk.works.set()
    until(lambda: not tape.sink._waiting)
    tape.turn(5)
    tape.sink.close()
    trace = read_trace(tmp_path / "a.jsonl")
    found = compare_all(trace.lines)
    assert any(isinstance(line, LostLine) and line.lines > 100 for line in trace.lines)
    assert found.first is None
    assert 6 <= found.ticks < 100
