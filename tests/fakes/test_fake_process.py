"""`memgraph-ha-fake` as a process of its own: start, stop, kill -9, bad input (issue, parts 3 and Bad input)."""

from __future__ import annotations

import resource
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import neo4j
import pytest
from neo4j.exceptions import ClientError, DatabaseError, ServiceUnavailable

from tests.fakes.processes import EXECUTABLE, HOST, Processes
from tests.free_port import free_port

NOOP = "CREATE (n:X) DELETE n"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*EXECUTABLE, *arguments], capture_output=True, text=True, timeout=30, check=False)


def test_version_flag_prints_the_version() -> None:
    """`--version` prints the version that is played and ends."""
    assert _run("--version").stdout == "3.6.1\n"
    assert _run("--version", "--fake-version=3.9.0").stdout == "3.9.0\n"


def test_unknown_flag_aborts_the_start() -> None:
    """An unknown flag ends the process with 1 and gflags' words."""
    done = _run("--no-such-flag=1")
    assert (done.returncode, done.stderr) == (1, "ERROR: unknown command line flag 'no-such-flag'\n")


def test_data_directory_in_use_is_refused(processes: Processes) -> None:
    """A second process on the directory of a running one ends with a message, the first goes on."""
    first = processes.start("a")
    second = processes.new("b")
    second.launch(f"--data-directory={first.data}")
    assert "Couldn't lock the storage directory" in second.stderr()
    assert second.wait() == 1
    assert first.query("SHOW REPLICATION ROLE") == [["main"]]


def test_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    """A data directory below a file is named in the error."""
    (tmp_path / "file").write_text("")
    done = _run(f"--data-directory={tmp_path}/file/data")
    assert done.returncode == 1
    assert f"{tmp_path}/file/data" in done.stderr
    assert "Traceback" not in done.stderr


def test_busy_bolt_port_is_refused(processes: Processes) -> None:
    """A Bolt port that somebody else has ends the start."""
    first = processes.start("a")
    second = processes.new("b")
    second.bolt = first.bolt
    second.launch()
    text = second.stderr()
    assert second.wait() == 1
    assert str(first.bolt) in text
    assert "Traceback" not in text


def test_acknowledged_writes_survive_kill_9(processes: Processes) -> None:
    """What was acknowledged is there after SIGKILL, with and without a snapshot between."""
    fake = processes.start("a")
    for number in range(30):
        fake.query("CREATE (:N {i: $i})", i=number)
        if number == 10:
            fake.query("CREATE SNAPSHOT")
    fake.kill()
    fake.start()
    assert fake.query("MATCH (n:N) RETURN count(n), sum(n.i)") == [[30, 435]]


def test_sigterm_ends_with_0_and_leaves_a_snapshot(processes: Processes) -> None:
    """SIGTERM ends gracefully, with a snapshot if the flag says so."""
    fake = processes.start("a", "--storage-snapshot-on-exit=true")
    fake.query("CREATE (:N)")
    assert fake.stop() == 0
    assert len(list((fake.data / "snapshots").glob("*_timestamp_*"))) == 1
    fake.start()
    assert fake.query("MATCH (n) RETURN count(n)") == [[1]]


def test_run_id_is_one_per_process(processes: Processes) -> None:
    """Every summary carries the same run_id until the process is another one (Q16)."""
    fake = processes.start("a")

    def run_ids() -> set[str]:
        found = set()
        for query in ("RETURN 1", "SHOW REPLICATION ROLE", NOOP):
            with neo4j.GraphDatabase.driver(fake.address) as driver, driver.session() as session:
                found.add(str(session.run(query).consume().metadata["run_id"]))
        return found

    first = run_ids()
    assert len(first) == 1
    fake.kill()
    fake.start()
    assert len(run_ids()) == 1
    assert run_ids() != first


def test_init_file_runs_before_bolt_and_data_file_after(processes: Processes) -> None:
    """With the init file the first answer is `replica`; a file that is not there is passed over (Q1)."""
    fake = processes.new("a")
    data_file = fake.folder / "data.cypherl"
    data_file.write_text("CREATE (:FromFile);\n")
    fake.start(fake.init_file(), f"--init-data-file={data_file}")
    assert fake.query("SHOW REPLICATION ROLE") == [["replica"]]
    assert fake.query("MATCH (n) RETURN count(n)") == [[0]]
    fake.kill()
    fresh = processes.new("b")
    fresh.start("--init-file=/nowhere/init.cypherl", f"--init-data-file={data_file}")
    fresh.until("MATCH (n:FromFile) RETURN count(n)", [[1]])
    assert "Could not find init file /nowhere/init.cypherl" in fresh.log.read_text()


def test_users_of_the_environment_are_checked(processes: Processes) -> None:
    """MEMGRAPH_USER and MEMGRAPH_PASSWORD make a user; a wrong password is Unauthenticated (Q2)."""
    fake = processes.new("a")
    fake.start(environment={"MEMGRAPH_USER": "admin", "MEMGRAPH_PASSWORD": "secret"})
    with neo4j.GraphDatabase.driver(fake.address, auth=("admin", "secret")) as driver, driver.session() as session:
        assert session.run("SHOW CURRENT USER").single(strict=True).value() == "admin"
    with neo4j.GraphDatabase.driver(fake.address, auth=("admin", "wrong")) as driver:
        with pytest.raises(ClientError) as caught:
            driver.verify_connectivity()
        assert caught.value.code == "Memgraph.ClientError.Security.Unauthenticated"
    assert b"secret" not in (fake.data / "auth" / "users.json").read_bytes()


def test_full_disk_fails_commits_and_the_process_lives(processes: Processes) -> None:
    """When the log cannot grow the commit errors, nothing acknowledged is lost, reads go on."""
    fake = processes.new("a")
    limit = 60_000
    fake.start(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    acknowledged, refusal = 0, ""
    with neo4j.GraphDatabase.driver(fake.address) as driver, driver.session() as session:
        try:
            for _ in range(1000):
                session.run("CREATE (:N {text: $text})", text="x" * 1000).consume()
                acknowledged += 1
        except DatabaseError as error:
            refusal = str(error)
        assert session.run("MATCH (n) RETURN count(n)").single(strict=True).value() == acknowledged
    assert "Couldn't write the transaction to the WAL" in refusal
    assert acknowledged > 10
    fake.kill()
    fake.start()
    assert fake.query("MATCH (n) RETURN count(n)") == [[acknowledged]]


def test_damaged_log_refuses_the_start(processes: Processes) -> None:
    """A record damaged in the middle of the log ends the start and names file and offset."""
    fake = processes.start("a")
    for _ in range(3):
        fake.query("CREATE (:N)")
    fake.kill()
    file = next((fake.data / "wal").glob("*.log"))
    content = bytearray(file.read_bytes())
    content[12] ^= 0xFF
    file.write_bytes(content)
    fake.launch()
    text = fake.stderr()
    assert fake.wait() == 1
    assert f"{file}, offset 0" in text
    assert "Traceback" not in text


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 64, b"MGF1" + b"\xff" * 8, b"MGF1\x00\x00"])
def test_garbage_on_the_replication_port_is_dropped(processes: Processes, garbage: bytes) -> None:
    """Bytes that are no frame end their own connection and nothing else."""
    fake = processes.start("a")
    fake.become_replica()
    with socket.create_connection((HOST, fake.replication), timeout=10) as connection:
        connection.sendall(garbage)
        with suppress(OSError):  # it may have hung up before
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b""
    assert fake.query("SHOW REPLICATION ROLE") == [["replica"]]


def test_ports_beside_bolt_are_bound_and_not_needed(processes: Processes) -> None:
    """A monitoring port that somebody else has is no reason not to start (semantics 9.5)."""
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        fake = processes.new("a")
        fake.start(f"--monitoring-port={taken.getsockname()[1]}")
        assert fake.query("SHOW VERSION") == [["3.6.1"]]
    assert "Cannot bind the monitoring port" in fake.log.read_text()


def test_replica_that_cannot_bind_its_port_does_not_start(processes: Processes) -> None:
    """A stored REPLICA whose replication port is taken aborts its start (scenarios 1.7)."""
    fake = processes.start("a")
    fake.become_replica()
    fake.kill()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((HOST, fake.replication))
        taken.listen()
        fake.launch()
        assert f"cannot bind replication port {fake.replication}" in fake.stderr()
        assert fake.wait() == 1


def test_second_of_two_flags_wins_and_show_config_tells(processes: Processes) -> None:
    """SHOW CONFIG shows the value in force."""
    port = free_port()
    fake = processes.start("a", "--storage-wal-file-flush-every-n-tx=1", f"--metrics-port={port}")
    rows = {row[0]: row[2] for row in fake.query("SHOW CONFIG")}
    assert (rows["storage_wal_file_flush_every_n_tx"], rows["metrics_port"]) == ("1", str(port))


def test_dies_of_a_real_signal_when_a_drop_kills_it(processes: Processes) -> None:
    """A crash by DROP in `recovery` is a SIGSEGV of the process, and leaves a good directory (Q5)."""
    main, replica = processes.start("a"), processes.start("b")
    replica.become_replica()
    main.query("UNWIND range(1, 20000) AS i CREATE (:N {i: i})")
    main.query("CREATE SNAPSHOT")
    main.kill()
    main.start()
    main.register(replica)
    replica.send(signal.SIGSTOP)
    assert main.status("b") == "recovery"
    with pytest.raises(ServiceUnavailable):
        main.query("DROP REPLICA b")
    assert main.wait() == -signal.SIGSEGV
    main.start()
    assert main.query("SHOW REPLICAS") == []
    assert main.query("MATCH (n) RETURN count(n)") == [[20000]]


@pytest.mark.parametrize(("version", "expected"), [("3.6.1", b"\x00\x00\x03\x04"), ("3.12.0", b"\x00\x00\x04\x04")])
def test_bolt_versions_follow_the_version_that_is_played(processes: Processes, version: str, expected: bytes) -> None:
    """An offer of 4.4 to 4.2 leads to 4.3, from Memgraph 3.12 to 4.4 (raw recording a; semantics 0.1)."""
    fake = processes.start("a", f"--fake-version={version}")
    with socket.create_connection((HOST, fake.bolt), timeout=10) as connection:
        connection.sendall(bytes.fromhex("6060b017") + b"\x00\x02\x04\x04" + bytes(12))
        assert connection.recv(4) == expected
