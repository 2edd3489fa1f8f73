"""The record in a file: compare-and-set between real processes, on real disks, with real corruption."""
# ruff: noqa: ASYNC221, ASYNC230, ASYNC240, ASYNC251 - a test is the only task in its loop: blocking delays nobody

import contextlib
import fcntl
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio
from attrs import evolve

from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.adapters.files_atomic import NothingChangedError, in_thread, locked
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import CommandEnded, Fact, Outcome, RecordSeen, RecordTrouble
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName, Token
from memgraph_ha.core.record import Record
from memgraph_ha.core.record_json import SCHEMA
from tests.adapters.first_record import first_record

RECORD = evolve(first_record(InstanceName("memgraph-0")), history=())


def now_s() -> float:
    """Give the clock that production uses."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the record's path in an empty directory."""
    return tmp_path / "record.json"


@pytest.fixture
def store(path: Path) -> FileRecordStore:
    """Give a store with a short deadline."""
    return FileRecordStore(path, now_s, deadline_s=1.0)


async def write(
    store: FileRecordStore, expected: Token | None, record: Record = RECORD
) -> tuple[CommandEnded, RecordSeen]:
    """Write and give the end and the one fact that was read back."""
    facts: list[Fact] = []
    ended = await store.write(WriteRecord(expected=expected, record=record), facts.append)
    (seen,) = facts
    assert isinstance(seen, RecordSeen)
    return ended, seen


@pytest.mark.trio
async def test_no_file_is_no_record(store: FileRecordStore) -> None:
    """A path where nothing stands is no trouble: there is no record."""
    seen = await store.read()
    assert (seen.record, seen.token, seen.trouble) == (None, None, None)


@pytest.mark.trio
async def test_a_created_record_is_read_back_and_private(store: FileRecordStore, path: Path) -> None:
    """Creating reports what is there now, a later read gives the same version, and nobody else may read it."""
    ended, seen = await write(store, None)
    again = await store.read()
    assert ended.outcome is Outcome.DONE
    assert seen.record == again.record == RECORD
    assert seen.token == again.token
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.trio
async def test_creating_never_overwrites(store: FileRecordStore) -> None:
    """A create-only write is refused when there is a record, and reports the one that is there."""
    await write(store, None)
    ended, seen = await write(store, None, evolve(RECORD, generation=9))
    assert ended.outcome is Outcome.REFUSED
    assert seen.record == RECORD


@pytest.mark.trio
async def test_a_stale_version_is_refused(store: FileRecordStore) -> None:
    """A write that expects an overwritten version changes nothing and shows what is there."""
    _, first = await write(store, None)
    _, second = await write(store, first.token, evolve(RECORD, generation=2))
    ended, seen = await write(store, first.token, evolve(RECORD, generation=3))
    assert ended.outcome is Outcome.REFUSED
    assert seen == evolve(second, at_s=seen.at_s)


@pytest.mark.trio
async def test_equal_records_have_different_versions(store: FileRecordStore) -> None:
    """Every write makes a new version, so that A, B, A is not mistaken for A."""
    _, first = await write(store, None)
    _, second = await write(store, first.token)
    assert first.record == second.record
    assert first.token != second.token


@pytest.mark.trio
async def test_a_change_by_hand_is_a_new_version(store: FileRecordStore, path: Path) -> None:
    """What an operator edits is read, and a writer that had not seen it is refused."""
    _, first = await write(store, None)
    path.write_text(path.read_text().replace('"generation": 1', '"generation": 7'))
    ended, seen = await write(store, first.token)
    assert ended.outcome is Outcome.REFUSED
    assert seen.record == evolve(RECORD, generation=7)


@pytest.mark.trio
async def test_a_record_removed_by_hand_is_refused_as_expected_version(store: FileRecordStore, path: Path) -> None:
    """A version that no longer exists cannot be replaced, only created."""
    _, first = await write(store, None)
    path.unlink()
    assert (await write(store, first.token))[0].outcome is Outcome.REFUSED
    assert (await write(store, None))[0].outcome is Outcome.DONE


@pytest.mark.trio
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"write": "x"}', "field record: is missing"),
        (b'{"record": 3}', "field record: 3 is not an object"),
        (b'{"record": {"schema": 1, "cluster": "c"}}', "generation: is missing"),
        (b'{"record": {"schema": 0}}', "schema: 0"),
    ],
)
async def test_garbage_is_invalid_and_stays(store: FileRecordStore, path: Path, content: bytes, said: str) -> None:
    """What is no record of ours is called invalid, with what is wrong, and is never overwritten by a create."""
    path.write_bytes(content)
    ended, seen = await write(store, None)
    assert ended.outcome is Outcome.REFUSED
    assert seen.trouble is RecordTrouble.INVALID
    assert said in seen.detail
    assert path.read_bytes() == content


@pytest.mark.trio
async def test_a_newer_schema_is_told_apart(store: FileRecordStore, path: Path) -> None:
    """A record of a newer version is no corruption: it says to update."""
    path.write_text(json.dumps({"record": {"schema": SCHEMA + 1}}))
    seen = await store.read()
    assert seen.trouble is RecordTrouble.NEWER_SCHEMA
    assert "update memgraph-ha" in seen.detail


@pytest.mark.trio
@pytest.mark.parametrize("kind", ["directory", "pipe", "huge"])
async def test_what_cannot_be_a_record_is_not_even_read(store: FileRecordStore, path: Path, kind: str) -> None:
    """A directory, a pipe without a writer and a terabyte of holes are invalid at once, for reading and writing."""
    if kind == "directory":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.touch()
        os.truncate(path, 2**40)
    ended, seen = await write(store, None)
    assert ended.outcome is Outcome.REFUSED
    assert seen.trouble is RecordTrouble.INVALID
    assert str(path) in seen.detail


@pytest.mark.trio
async def test_a_missing_directory_says_nothing_about_the_record(tmp_path: Path) -> None:
    """When the directory is gone or not mounted the record is unreadable, not absent."""
    store = FileRecordStore(tmp_path / "gone" / "record.json", now_s)
    ended, seen = await write(store, None)
    assert ended.outcome is Outcome.REFUSED
    assert seen.trouble is RecordTrouble.UNREADABLE
    assert str(tmp_path / "gone") in seen.detail


@pytest.mark.trio
async def test_an_unreadable_file_is_unreadable(store: FileRecordStore, path: Path) -> None:
    """An error of the operating system is told with the path."""
    path.symlink_to(path)
    seen = await store.read()
    assert seen.trouble is RecordTrouble.UNREADABLE
    assert str(path) in seen.detail


@pytest.mark.trio
async def test_a_held_lock_ends_the_write_by_its_deadline(store: FileRecordStore, path: Path) -> None:
    """While somebody else sits on the lock nothing is written, nothing hangs, and reading goes on."""
    _, first = await write(store, None)
    with Path(f"{path}.lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        began_s = now_s()
        ended, seen = await write(store, first.token)
        took_s = now_s() - began_s
    assert ended.outcome is Outcome.NOT_SENT
    assert "held by somebody else" in ended.detail
    assert seen.token == first.token
    assert took_s < 1.5
    assert (await write(store, first.token))[0].outcome is Outcome.DONE


@pytest.mark.trio
async def test_a_process_that_stood_still_does_not_write_late(path: Path) -> None:
    """After a pause beyond the deadline the prepared content is dropped, not put in place."""

    def clock() -> float:
        stood_still = any(path.parent.glob(".*.tmp"))  # the new content is written, but not yet in place
        return now_s() + (100 if stood_still else 0)

    store = FileRecordStore(path, clock, deadline_s=1.0)
    ended, _ = await write(store, None)
    assert ended.outcome is Outcome.NOT_SENT
    assert "too late" in ended.detail
    assert not path.exists()


@pytest.mark.trio
async def test_a_hanging_disk_does_not_hang_the_caller() -> None:
    """Blocking work is left behind at its deadline."""
    free = threading.Event()
    began_s = now_s()
    with pytest.raises(trio.TooSlowError):
        await in_thread(free.wait, timeout_s=0.1, limiter=trio.CapacityLimiter(1))
    free.set()
    assert now_s() - began_s < 1.0


def test_a_lock_file_removed_while_waiting_excludes_all_the_same(tmp_path: Path) -> None:
    """Who waited for a lock file that was replaced does not hold a lock that nobody else looks at."""
    path = tmp_path / "lock"
    got: list[str] = []

    def wait() -> None:
        try:
            with locked(path, clock=now_s, until_s=now_s() + 0.5):
                got.append("lock")
        except NothingChangedError:
            got.append("nothing")

    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        first.enter_context(locked(path, clock=now_s, until_s=now_s() + 1))
        waiter = threading.Thread(target=wait)
        waiter.start()
        while sum(each.path == str(path) for each in psutil.Process().open_files()) < 2:
            time.sleep(0.005)  # until it waits for the very file that is held here
        path.unlink()
        second.enter_context(locked(path, clock=now_s, until_s=now_s() + 1))
        first.close()
        waiter.join()
    assert got == ["nothing"]


_RACER = """
import sys, time, trio
from pathlib import Path
from attrs import evolve
from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import Outcome

async def main(path, last):
    store = FileRecordStore(Path(path), lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
    print("ready", flush=True)
    sys.stdin.readline()
    while (seen := await store.read()).record.generation < last:
        new = evolve(seen.record, generation=seen.record.generation + 1)
        ended = await store.write(WriteRecord(expected=seen.token, record=new), lambda fact: None)
        if ended.outcome is Outcome.DONE:
            print(new.generation, flush=True)

trio.run(main, sys.argv[1], int(sys.argv[2]))
"""


def racer(path: Path, last: int) -> "subprocess.Popen[str]":
    """Start a process that, from a line on, counts the record's generation up to ``last`` and prints what it wrote."""
    command = [sys.executable, "-c", _RACER, str(path), str(last)]
    one = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert one.stdout is not None
    assert one.stdout.readline() == "ready\n"
    return one


@pytest.mark.trio
async def test_of_racing_processes_exactly_one_wins_each_version(store: FileRecordStore, path: Path) -> None:
    """Three processes count one record up together: no number is written twice, and none is missing."""
    await write(store, None)
    racers = [racer(path, 300) for _ in range(3)]
    for one in racers:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    won = [[int(line) for line in one.communicate(timeout=60)[0].split()] for one in racers]
    assert [one.returncode for one in racers] == [0, 0, 0]
    assert sorted(number for each in won for number in each) == list(range(2, 301))
    assert all(won), "they did not race"


@pytest.mark.trio
@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_killed_writers_leave_one_whole_version(store: FileRecordStore, path: Path, seed: int) -> None:
    """After kill -9 in the middle of writing the record is whole, usable, and no leftovers pile up."""
    await write(store, None)
    pause = random.Random(seed)
    for _ in range(3):
        one = racer(path, 10**9)
        assert one.stdin is not None
        assert one.stdout is not None
        one.stdin.write("go\n")
        one.stdin.flush()
        one.stdout.readline()
        time.sleep(pause.uniform(0, 0.02))  # any instant will do
        one.send_signal(signal.SIGKILL)
        one.communicate()
        seen = await store.read()
        assert seen.record is not None
        assert seen.record.generation > 1
        assert (await write(store, seen.token, seen.record))[0].outcome is Outcome.DONE
        assert sorted(entry.name for entry in path.parent.iterdir()) == ["record.json", "record.json.lock"]


_LIMITED = """
import resource, sys, time, trio
from pathlib import Path
from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.core.commands import WriteRecord

async def main(path):
    store = FileRecordStore(Path(path), lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
    seen = await store.read()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
    ended = await store.write(WriteRecord(expected=seen.token, record=seen.record), lambda fact: None)
    print(ended.outcome.name, ended.error.name, ended.detail)

trio.run(main, sys.argv[1])
"""


@pytest.mark.trio
async def test_a_file_too_big_for_its_limit_leaves_the_old_version(store: FileRecordStore, path: Path) -> None:
    """A write that the system cuts short is refused, names the file, and leaves the old record and no leftovers."""
    _, first = await write(store, None)
    done = subprocess.run([sys.executable, "-c", _LIMITED, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("REFUSED DISK")
    assert str(path) in done.stdout
    assert (await store.read()).token == first.token
    assert not list(path.parent.glob(".*.tmp"))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=64k", "none", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs leave to mount a small file system")
    yield place
    subprocess.run(["/bin/umount", str(place)], check=True)


@pytest.mark.trio
async def test_a_full_disk_refuses_and_recovers(small_disk: Path) -> None:
    """A full disk refuses the write and keeps the old version; with room again the same write is done."""
    store = FileRecordStore(small_disk / "record.json", now_s)
    _, first = await write(store, None)
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space left"):
        filler.write_bytes(b"x" * 100_000)
    ended, seen = await write(store, first.token)
    assert (ended.outcome, ended.error) == (Outcome.REFUSED, ErrorClass.DISK)
    assert seen.token == first.token
    assert not list(small_disk.glob(".*.tmp"))
    filler.unlink()
    assert (await write(store, first.token))[0].outcome is Outcome.DONE
