"""The data directory: what survives, what is cut, what is an error (semantics 1; issue, Bad input)."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from attrs import evolve

from memgraph_ha.fakes.memgraph.disk import (
    Append,
    Disk,
    Mark,
    Put,
    SetAside,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotPart,
    StorageError,
    Transaction,
    Verdict,
    Write,
)
from memgraph_ha.fakes.memgraph.durability import CorruptionError, DataDirectory, DirectoryInUseError
from memgraph_ha.fakes.memgraph.settings import Settings
from memgraph_ha.fakes.memgraph.virtual import World


def _open(folder: Path) -> DataDirectory:
    return DataDirectory(folder, Settings())


def _transaction(number: int, *, committed: bool = True) -> Transaction:
    payload = f'[["+node",{number},["N"],{{"text":"line\\nbreak"}}]]'.encode()
    return Transaction(epoch="e", previous=2 * number - 2, timestamp=2 * number, payload=payload, committed=committed)


WRITES: tuple[Write, ...] = (
    Put("replication", {"role": "main", "rows": {}}),
    Append(_transaction(1), sync=True),
    Append(_transaction(2, committed=False)),
    Append(Verdict(4, commit=True)),
    SnapshotBegin("20260101000000000000_timestamp_4", {"ldt": 4, "epoch": "e"}),
    SnapshotPart("20260101000000000000_timestamp_4", {"key": "nodes", "items": [1, 2]}),
    SnapshotEnd("20260101000000000000_timestamp_4", None, 3),
    Append(_transaction(3)),
)


def test_files_say_the_same_as_the_value(tmp_path: Path) -> None:
    """After the same writes and a restart, the directory holds what the `Disk` value holds."""
    directory, disk = _open(tmp_path), Disk()
    directory.write(WRITES)
    for write in WRITES:
        disk.apply(write)
    directory.close()
    again = _open(tmp_path)
    assert again.stores == disk.stores
    assert again.newest_snapshot() == disk.newest_snapshot()
    assert [each for each in again.read_log() if each.timestamp > 4] == disk.log
    again.close()


def test_directory_in_use_is_refused(tmp_path: Path) -> None:
    """A second process on the same directory is refused by name, as Memgraph does."""
    directory = _open(tmp_path)
    with pytest.raises(DirectoryInUseError, match="Couldn't lock the storage directory"):
        _open(tmp_path)
    directory.close()
    _open(tmp_path).close()


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_torn_tail_is_cut_and_noted(tmp_path: Path, cut: int) -> None:
    """A record that a crash cut short is taken away; everything before it is there."""
    directory = _open(tmp_path)
    directory.write((Append(_transaction(1)), Append(_transaction(2))))
    directory.close()
    file = next((tmp_path / "wal").glob("*.log"))
    os.truncate(file, file.stat().st_size - cut)
    again = _open(tmp_path)
    assert list(again.read_log()) == [_transaction(1)]
    assert "cut a torn record" in again.notes[0]
    again.write((Append(_transaction(2)),))
    again.close()
    last = _open(tmp_path)
    assert list(last.read_log()) == [_transaction(1), _transaction(2)]
    last.close()


def test_damage_in_the_middle_is_an_error_that_names_file_and_offset(tmp_path: Path) -> None:
    """A damaged record with others behind it is not a crash's doing: the start is refused."""
    directory = _open(tmp_path)
    directory.write((Append(_transaction(1)), Append(_transaction(2))))
    directory.close()
    file = next((tmp_path / "wal").glob("*.log"))
    content = bytearray(file.read_bytes())
    content[20] ^= 0xFF
    file.write_bytes(content)
    again = _open(tmp_path)
    with pytest.raises(CorruptionError, match=r"0000000001\.log, offset 0: .*checksum"):
        list(again.read_log())
    again.close()


def test_damaged_snapshot_is_an_error_that_names_the_line(tmp_path: Path) -> None:
    """A snapshot whose line does not match its checksum is refused by file and line."""
    directory = _open(tmp_path)
    directory.write(WRITES)
    directory.close()
    file = next((tmp_path / "snapshots").iterdir())
    file.write_bytes(file.read_bytes().replace(b"nodes", b"nodez"))
    again = _open(tmp_path)
    with pytest.raises(CorruptionError, match="line 2"):
        again.newest_snapshot()
    again.close()


def test_unfinished_snapshot_is_forgotten(tmp_path: Path) -> None:
    """A snapshot that a crash interrupted is not read back."""
    directory = _open(tmp_path)
    directory.write(WRITES[:2])
    directory.write((SnapshotBegin("20260101000000000000_timestamp_9", {"ldt": 9}),))
    directory.close()
    again = _open(tmp_path)
    assert again.newest_snapshot() is None
    assert list((tmp_path / "snapshots").iterdir()) == []
    again.close()


def test_snapshot_that_supersedes_moves_the_rest_aside(tmp_path: Path) -> None:
    """A recovered replica keeps its former files under `.old_<ns>` (semantics 1)."""
    directory = _open(tmp_path)
    directory.write(WRITES)
    name = "20270101000000000000_timestamp_8"
    directory.write((SnapshotBegin(name, {"ldt": 8}), SnapshotEnd(name, 77, 3)))
    directory.close()
    again = _open(tmp_path)
    assert list(again.read_log()) == []
    assert [found for found, _ in again.list_snapshots()] == [name]
    assert len(list((tmp_path / "wal" / ".old_77").iterdir())) == 1
    assert len(list((tmp_path / "snapshots" / ".old_77").iterdir())) == 1
    again.close()


def test_set_aside_moves_data_to_backup(tmp_path: Path) -> None:
    """`--data-recovery-on-startup=false` moves the data to `.backup`, nothing is deleted (semantics 5)."""
    directory = _open(tmp_path)
    directory.write(WRITES)
    directory.write((SetAside(),))
    assert list(directory.read_log()) == []
    assert len(list((tmp_path / ".backup" / "wal").iterdir())) == 1
    directory.close()


def test_snapshots_bound_what_is_kept(tmp_path: Path) -> None:
    """Only so many snapshots stay, and log files that all of them cover go away."""
    for number in range(1, 6):
        directory = _open(tmp_path)
        list(directory.read_log())
        name = f"2026010100000000000{number}_timestamp_{2 * number}"
        directory.write((Append(_transaction(number)), SnapshotBegin(name, {"ldt": 2 * number})))
        directory.write((SnapshotEnd(name, None, 2),))
        directory.close()
    assert len(list((tmp_path / "snapshots").iterdir())) == 2
    assert len(list((tmp_path / "wal").glob("*.log"))) == 1


def test_write_that_the_disk_does_not_take_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-written record is taken back, and the next one stands right behind the last good one."""
    directory = _open(tmp_path)
    directory.write((Append(_transaction(1)),))
    real = os.write

    def half(file: int, data: bytes) -> int:
        if len(data) > 10:
            return real(file, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(StorageError, match="No space left on device"):
        directory.write((Append(_transaction(2)),))
    monkeypatch.undo()
    directory.write((Append(_transaction(3)),))
    directory.close()
    again = _open(tmp_path)
    assert list(again.read_log()) == [_transaction(1), _transaction(3)]
    again.close()


def test_mark_survives_the_process_and_is_for_one_transaction(tmp_path: Path) -> None:
    """The mark of a two-phase commit is there after a crash, for that epoch and timestamp only."""
    directory = _open(tmp_path)
    assert not directory.marked(_transaction(0))
    directory.write((Append(_transaction(1, committed=False)), Mark("e", 2)))
    again = _reopened_after_a_crash(tmp_path, directory)
    assert again.marked(_transaction(1))
    assert not again.marked(_transaction(2))
    assert not again.marked(evolve(_transaction(1), epoch="f"))
    again.close()


def _reopened_after_a_crash(folder: Path, directory: DataDirectory) -> DataDirectory:
    """Open the files that a process left behind without closing anything."""
    copy = folder.parent / "copy"
    shutil.copytree(folder, copy)
    directory.close()
    return _open(copy)


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        ((), 0),
        ((Mark("e", 2),), 1),
        ((Mark("f", 2),), 0),
        ((Append(Verdict(2, commit=True)),), 1),
        ((Append(Verdict(2, commit=False)), Mark("e", 2)), 0),
        ((Append(_transaction(2)),), 2),
        ((Append(_transaction(2, committed=False)),), 1),
        ((Append(_transaction(1)),), 1),
    ],
)
def test_which_prepared_transactions_count(writes: tuple[Write, ...], expected: int) -> None:
    """A prepared one counts by its verdict, by MAIN's mark, or because another one builds on it."""
    world = World()
    host = world.start("a")
    for write in (Append(_transaction(1, committed=False)), *writes):
        host.disk.apply(write)
    world.kill("a")
    world.start("a")
    assert world.ask("a", "MATCH (n:N) RETURN count(n)") == [[expected]]


def test_power_cut_loses_what_was_not_forced_and_a_kill_does_not() -> None:
    """Unforced records survive the process, not the machine (semantics 3.1)."""
    for power_cut, left in ((False, 2), (True, 1)):
        disk = Disk()
        disk.apply(Append(_transaction(1), sync=True))
        disk.apply(Append(_transaction(2)))
        disk.crash(power_cut=power_cut)
        assert len(disk.log) == left
