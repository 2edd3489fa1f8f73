"""What the command line cannot do: exit code 2, one line that names what, where and the way out, nothing left."""

import contextlib
import fcntl
import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from memgraph_ha.adapters.process_os import command_line as arguments_of
from memgraph_ha.adapters.process_os import pids
from tests.e2e.cluster import Cluster, command_line, free_block, port_arguments
from tests.e2e.conftest import Making

ENDS_WITHIN_S = 60


def slow(*values: object) -> ParameterSet:
    """Leave a case to the slow tier: each starts a Python of its own, and is like its neighbours."""
    return pytest.param(*values, marks=pytest.mark.slow)


def refused(data: Path, *arguments: str) -> str:
    """Run ``memgraph-ha local``, which must refuse as a usage error and leave nothing running; gives what it said."""
    done = subprocess.run(
        command_line("local", "--data", str(data), *arguments),
        capture_output=True,
        text=True,
        timeout=ENDS_WITHIN_S,
        check=False,
    )
    assert done.returncode == 2, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stdout + done.stderr
    assert not [pid for pid in pids() if any(str(data) in each for each in arguments_of(pid))]
    return done.stderr


def assert_named(said: str, *fragments: object) -> None:
    """One line says all of that."""
    assert len(said.splitlines()) == 1, said
    assert said.startswith("memgraph-ha: "), said
    for each in fragments:
        assert str(each) in said


@contextlib.contextmanager
def listening(port: int) -> Iterator[None]:
    """Be the stranger on a port."""
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", port))
        stranger.listen()
        yield


@pytest.mark.parametrize(
    ("offset", "purpose", "way_out"),
    [
        (0, "read/write gateway", "--port"),
        (2, "memgraph-1's Bolt", "--data"),
        (6, "memgraph-2's replication", "--data"),
    ],
    ids=["gateway", "bolt", "replication"],
)
def test_busy_port(tmp_path: Path, offset: int, purpose: str, way_out: str) -> None:
    """The port, what it is for and who has it are named; what was begun is taken back, so that a second try works."""
    base, data = free_block(), tmp_path / "data"
    with listening(base + offset):
        said = refused(data, *port_arguments(base))
    assert_named(said, f"port {base + offset}", purpose, f"pid {os.getpid()}", way_out)
    assert not data.exists()


@pytest.mark.parametrize(
    ("settings", "fragments"),
    [
        (["--set=failover_limit=0"], ["failover_limit", "0", "1 to"]),
        slow(["--set=failover_limit=many"], ["failover_limit", "'many'", "a whole number"]),
        slow(["--set=probe_interval_s=nan"], ["probe_interval_s", "nan", "0.02 to 10"]),
        (["--set=data_durability=maybe"], ["data_durability", "'maybe'", "'preferred' and 'required'"]),
        slow(["--set=no_such_field=1"], ["no_such_field", "known are", "failover_limit"]),
        slow(["--set=failover_limit"], ["'failover_limit'", "field=value"]),
        slow(["--set=eligible=['memgraph-0']"], ["eligible", "memgraph-0", "two"]),
        slow(["--set=command_deadline_s=9.5"], ["command_deadline_s", "9.5", "lease_duration_s"]),
        slow(["--policy=/no/such/file.toml"], ["/no/such/file.toml"]),
    ],
    ids=lambda value: value[0].lstrip("-") if value[0].startswith("--") else "",
)
def test_wrong_policy(tmp_path: Path, settings: Sequence[str], fragments: Sequence[str]) -> None:
    """Field, value and what is allowed."""
    data = tmp_path / "data"
    assert_named(refused(data, *settings), *fragments)
    assert not data.exists()


@pytest.mark.parametrize(
    ("binary", "fragments"),
    [
        ("/no/such/memgraph", ["/no/such/memgraph", "does not exist", "--memgraph"]),
        slow("/etc/passwd", ["/etc/passwd", "cannot be executed"]),
        ("/bin/ls", ["no Memgraph", "--memgraph"]),
    ],
)
def test_wrong_binary(tmp_path: Path, binary: str, fragments: Sequence[str]) -> None:
    """The path, what is wrong with it, and the option to give."""
    data = tmp_path / "data"
    assert_named(refused(data, f"--memgraph={binary}", *port_arguments(free_block())), *fragments)
    assert not data.exists()


def test_a_binary_that_knows_no_version(tmp_path: Path) -> None:
    """What it said, and that it failed."""
    broken = tmp_path / "memgraph"
    broken.write_text("#!/bin/sh\necho no GLIBC\nexit 127\n")
    broken.chmod(0o755)
    said = refused(tmp_path / "data", f"--memgraph={broken}", *port_arguments(free_block()))
    assert_named(said, "--version` failed (127)", "no GLIBC", "--memgraph")


def test_a_binary_that_ends_at_once(tmp_path: Path) -> None:
    """Whatever says the right version but dies at its start: its last words are passed on."""
    liar = tmp_path / "memgraph"
    liar.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo "memgraph version 3.6.1" && exit\necho "no GLIBC"\nexit 3\n'
    )
    liar.chmod(0o755)
    data = tmp_path / "data"
    said = refused(data, f"--memgraph={liar}", *port_arguments(free_block()))
    assert_named(said, "memgraph-0 ended right after its start", "no GLIBC")
    assert not data.exists()


def test_a_file_for_a_data_directory(tmp_path: Path) -> None:
    """It is named, and left as it is."""
    file = tmp_path / "data"
    file.write_text("mine")
    assert_named(refused(file), file, "is a file", "--data")
    assert file.read_text() == "mine"


def test_a_strangers_directory(tmp_path: Path) -> None:
    """A directory that holds something else is left as it is."""
    (tmp_path / "thesis.tex").write_text("mine")
    assert_named(refused(tmp_path), tmp_path, "thesis.tex", "--data")
    assert [entry.name for entry in tmp_path.iterdir()] == ["thesis.tex"]


def test_an_unwritable_place() -> None:
    """A directory that cannot be made, also by root."""
    assert_named(refused(Path("/proc/memgraph-ha")), "/proc/memgraph-ha", "--data")


@pytest.mark.parametrize("content", ["{", *map(slow, ["", "[]", '{"schema": 1}', '{"schema": 99}'])])
def test_a_cluster_file_that_makes_no_sense(tmp_path: Path, content: str) -> None:
    """It is named and left as it is."""
    file = tmp_path / "cluster.json"
    file.write_text(content)
    assert_named(refused(tmp_path), file, "--data")
    assert file.read_text() == content


def test_nothing_to_stop(tmp_path: Path) -> None:
    """``--stop`` where there is no cluster says so and makes none."""
    assert_named(refused(tmp_path / "data", "--stop"), tmp_path / "data", "no cluster")
    assert not (tmp_path / "data").exists()


@pytest.mark.slow
@pytest.mark.trio
async def test_a_cluster_that_was_made_differently_or_is_in_use(running: Making) -> None:
    """Options that contradict the cluster, and a stranger on an instance's data, are refused; then it starts again."""
    async with running() as cluster:
        assert await cluster.local.stop() == ()
        assert_named(refused(cluster.data, "--instances=5"), "--instances 5", "3", "--data")
        assert_named(refused(cluster.data, f"--port={cluster.base + 1}"), f"--port {cluster.base + 1}", cluster.base)
        _refused_while_locked(cluster)
        await cluster.start()
        await cluster.protected(above=1)


def _refused_while_locked(cluster: Cluster) -> None:
    """Hold the lock that a Memgraph holds on its data directory."""
    data = cluster.local.specs[1].data
    with (data / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        assert_named(refused(cluster.data), data, "in use", f"pid {os.getpid()}", "--data")
