"""What cannot be started is refused by a message that names what, where and the way out, and leaves nothing."""

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio

from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.ports_in_use import lock_holder, port_holder, port_is_busy
from memgraph_ha.adapters.process_argv import instance_argv, plan_ports
from memgraph_ha.adapters.process_start import StartError
from tests.adapters import local_rig as rig


async def refusal(datadir: DataDir) -> str:
    """Start and give the message of the refusal; check that nothing runs."""
    with pytest.raises((StartError, DataDirError)) as raised:
        await rig.Watched(datadir).platform.start_all()
    assert rig.processes(datadir) == []
    return str(raised.value)


@pytest.mark.trio
@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        (None, 0o755, "there is no"),
        ("#!/bin/sh\n", 0o644, "may execute"),
        ("no program at all\n", 0o755, "cannot be executed (Exec format error)"),
        ("#!/no/such/interpreter\n", 0o755, "cannot be executed (No such file"),
        ("#!/bin/sh\necho GNU bash, version 5.2.15\n", 0o755, "is no Memgraph: `--version` says 'GNU bash"),
        ("#!/bin/sh\n", 0o755, "is no Memgraph: `--version` says 'nothing'"),
        ("#!/bin/sh\necho libssl.so.3: not found >&2; exit 127\n", 0o755, "failed (127) and said: libssl.so.3"),
    ],
)
async def test_a_missing_or_wrong_binary(tmp_path: Path, text: str | None, mode: int, said: str) -> None:
    """Every kind of wrong binary is named by path, with what is wrong with it and how to give another."""
    path = tmp_path / "memgraph"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    message = await refusal(rig.make_cluster(tmp_path, str(path)))
    assert str(path) in message
    assert said in message
    assert "--memgraph" in message


@pytest.mark.trio
async def test_a_directory_as_binary(tmp_path: Path) -> None:
    """A directory is no binary."""
    assert "not a file" in await refusal(rig.make_cluster(tmp_path, str(tmp_path)))


@pytest.mark.trio
@pytest.mark.parametrize("purpose", ["Bolt", "replication", "monitoring", "metrics"])
async def test_a_busy_port_is_named_with_its_holder(tmp_path: Path, purpose: str) -> None:
    """The message says which port, what for, and which process has it."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    port = dict(datadir.specs()[1].ports.named())[purpose]
    with socket.create_server(("127.0.0.1", port)):
        message = await refusal(datadir)
    assert f"port {port} (memgraph-1's {purpose}) is in use by pid {os.getpid()} (" in message


@pytest.mark.trio
async def test_what_ends_at_once_is_quoted_and_the_others_are_ended(tmp_path: Path) -> None:
    """An instance that ends right after its start fails the start with its last words; the others do not stay."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), arguments=("--stand-in=fails",))
    with pytest.raises(StartError) as raised:
        await rig.Watched(datadir).platform.start_all(settle_s=20)
    assert str(raised.value).count("bad things | Couldn't load a library") == 3
    assert raised.value.logs == tuple(spec.log for spec in datadir.specs())
    assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    """When one of three places cannot be prepared the others do not stay running either."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    (datadir.path / "instances").mkdir()
    datadir.specs()[2].place.write_text("in the way")
    assert str(datadir.specs()[2].place) in await refusal(datadir)


@pytest.mark.trio
async def test_a_data_directory_in_use_is_named_with_its_user(tmp_path: Path) -> None:
    """Another process that holds Memgraph's own lock on a data directory is named."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    spec = datadir.specs()[0]
    (datadir.path / "instances").mkdir()
    datadir.prepare(spec)
    with locked_by_another(spec.data / ".lock", "lockf") as pid:
        assert f"{spec.data} is in use by pid {pid} (" in await refusal(datadir)


@pytest.mark.trio
async def test_a_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-c while the instances settle ends those that were started, whatever they show as their arguments."""
    slow = rig.script(
        tmp_path / "slow",
        '#!/bin/sh\n[ "$1" = --version ] && { echo memgraph version 3.6.1; exit; }\nexec sleep 60\n',
    )
    datadir = rig.make_cluster(tmp_path, slow)
    with trio.move_on_after(0.5) as scope:
        await rig.Watched(datadir).platform.start_all(settle_s=60)
    assert scope.cancelled_caught
    assert psutil.Process().children() == []


@pytest.mark.trio
async def test_a_long_log_is_put_aside(tmp_path: Path) -> None:
    """A log that grew beyond its limit is kept once, and a new one begun."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    (datadir.path / "instances").mkdir()
    datadir.prepare(spec)
    spec.log.touch()
    os.truncate(spec.log, 17 * 1024 * 1024)
    async with rig.running(datadir):
        assert spec.log.read_text() == "found []\n"
        assert spec.log.with_name("memgraph.log.1").stat().st_size == 17 * 1024 * 1024


def test_the_flags_of_an_instance(tmp_path: Path) -> None:
    """Durability, recovery, privacy and the caller's own arguments are on the command line, each flag once."""
    datadir = rig.make_cluster(tmp_path, "/opt/memgraph", arguments=("--fake-seed=1",))
    spec = datadir.specs()[0]
    argv = instance_argv("/opt/memgraph", spec)
    assert argv[0] == "/opt/memgraph"
    assert {
        "--storage-wal-enabled=true",
        "--storage-wal-file-flush-every-n-tx=1",
        "--storage-snapshot-interval-sec=300",
        "--storage-snapshot-on-exit=true",
        "--data-recovery-on-startup=true",
        "--replication-restore-state-on-startup=true",
        "--telemetry-enabled=false",
        "--bolt-address=127.0.0.1",
        f"--init-file={spec.place}/init.cypherl",
        f"--data-directory={spec.place}/data",
        "--fake-seed=1",
    } <= set(argv)
    flags = [argument.partition("=")[0] for argument in argv]
    assert len(set(flags)) == len(flags)


def test_planned_ports_are_those_of_the_design() -> None:
    """Instances count up from the documented first ports."""
    assert [(ports.bolt, ports.replication) for ports in plan_ports(3)] == [
        (17687, 20000),
        (17688, 20001),
        (17689, 20002),
    ]


_LOCKER = """
import fcntl, sys
file = open(sys.argv[1], "w")
getattr(fcntl, sys.argv[2])(file, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def locked_by_another(path: Path, call: str) -> Iterator[int]:
    """Have another process lock a file by flock or lockf, and give its pid."""
    command = [sys.executable, "-c", _LOCKER, path.name, call]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=path.parent) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == "locked\n"
        try:
            yield one.pid
        finally:
            one.kill()


@pytest.mark.parametrize("call", ["flock", "lockf"])
def test_who_holds_a_lock(tmp_path: Path, call: str) -> None:
    """Both kinds of locks are traced to their process; an unlocked and a missing file to nobody."""
    path = tmp_path / "file"
    assert lock_holder(path) is None
    path.touch()
    assert lock_holder(path) is None
    with locked_by_another(path, call) as pid:
        holder = lock_holder(path)
        assert holder is not None
        assert holder.pid == pid
        assert "import fcntl, sys file = open" in holder.command
    assert lock_holder(path) is None


def test_who_waits_for_a_lock_does_not_hold_it(tmp_path: Path) -> None:
    """Of a holder and a waiter the holder is named."""
    path = tmp_path / "file"
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        waiter = subprocess.Popen([sys.executable, "-c", _LOCKER, str(path), "flock"], stdin=subprocess.PIPE)
        try:
            end_s = rig.now_s() + 5
            while f" {waiter.pid} " not in Path("/proc/locks").read_text() and rig.now_s() < end_s:
                time.sleep(0.01)
            holder = lock_holder(path)
        finally:
            waiter.kill()
            waiter.communicate()
    assert holder is not None
    assert holder.pid == os.getpid()


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_who_listens_on_a_port(family: socket.AddressFamily, host: str) -> None:
    """A listening socket of either family is traced to its process; a free port to nobody."""
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        holder = port_holder(port)
        assert holder is not None
        assert holder.pid == os.getpid()
        assert port_is_busy(port, host) if family == socket.AF_INET else True
    assert port_holder(port) is None
    assert not port_is_busy(port)
