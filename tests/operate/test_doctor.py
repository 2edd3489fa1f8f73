"""`memgraph-ha doctor`: of a cluster by its API, and of one bare server by asking it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import neo4j
import pytest

from tests.free_port import free_port
from tests.operate import recorded
from tests.operate.peers import listening
from tests.operate.server import Api, says
from tests.operate.terminal import run

FAKE = Path(sys.executable).parent / "memgraph-ha-fake"


@contextmanager
def bare_server(place: Path, *flags: str, **variables: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run one Memgraph (the fake, a real process) for the length of a block; give its address."""
    port = free_port()
    process = subprocess.Popen(
        [
            str(FAKE),
            f"--data-directory={place}",
            "--bolt-address=127.0.0.1",
            f"--bolt-port={port}",
            f"--monitoring-port={free_port()}",
            f"--metrics-port={free_port()}",
            *flags,
        ],
        env=os.environ | variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + 20
        login = (variables["MEMGRAPH_USER"], variables["MEMGRAPH_PASSWORD"]) if variables else None
        with neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{port}", auth=login) as driver:
            while True:
                try:
                    driver.verify_connectivity()
                    break
                except neo4j.exceptions.ServiceUnavailable:
                    assert time.monotonic() < deadline_s
                    assert process.poll() is None
        yield f"127.0.0.1:{port}", process
    finally:
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()


def test_a_cluster(api: Api) -> None:
    """Errors end with 1 and say what to do; warnings alone, and what was not seen, end with 0."""
    done = run(api, "doctor")
    assert done.code == 1
    assert "it runs without a write-ahead log\n" in done.out
    assert "start it with --storage-wal-enabled=true" in done.out
    assert "1 must be mended, 1 should be" in done.out
    mild = [check for check in recorded.DOCTOR["checks"] if check["check"] != "wal"]
    api.scripts["GET", "doctor"] = says(recorded.DOCTOR | {"checks": mild})
    done = run(api, "doctor")
    assert done.code == 0
    assert "fit to be trusted with data, 1 should be" in done.out
    api.scripts["GET", "doctor"] = says(recorded.DOCTOR | {"checks": []})
    assert run(api, "doctor").code == 1


def test_a_bare_server_without_wal(tmp_path: Path) -> None:
    """It says so, what it means and what to do: exit code 1, and the same document as of a cluster."""
    with bare_server(tmp_path, "--storage-wal-enabled=false") as (address, _):
        done = run(None, "doctor", "--bolt", address)
        document = json.loads(run(None, "doctor", "--bolt", address, "--json").out)
    assert done.code == 1
    assert "it runs without a write-ahead log: nothing is replicated" in done.out
    assert "--storage-wal-enabled=true" in done.out
    assert document["schema"] == "memgraph-ha/doctor/1"
    [wal] = [check for check in document["checks"] if check["check"] == "wal"]
    assert (wal["ok"], wal["level"], wal["instance"]) == (False, "error", address)


def test_a_bare_server_as_it_should_be(tmp_path: Path) -> None:
    """With WAL, each commit flushed and an init file there is nothing to mend: exit code 0."""
    init = tmp_path / "init.cypherl"
    init.write_text("", encoding="utf-8")
    flags = (
        "--storage-wal-enabled=true",
        "--storage-snapshot-interval-sec=300",
        "--storage-wal-file-flush-every-n-tx=1",
        f"--init-file={init}",
    )
    with bare_server(tmp_path / "data", *flags) as (address, _):
        done = run(None, "doctor", "--bolt", f"bolt://{address}")
    assert done.code == 0, done.out
    assert "fit to be trusted with data" in done.out
    assert f"it boots with {init}" in done.out


def test_a_bare_server_with_accounts(tmp_path: Path) -> None:
    """Without, or with a wrong password: exit code 4 and what to give; the password is never shown."""
    account = {"MEMGRAPH_USER": "admin", "MEMGRAPH_PASSWORD": "c0rrect-horse"}
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.write_text("c0rrect-horse\n", encoding="utf-8")
    bad.write_text("wr0ng\n", encoding="utf-8")
    with bare_server(tmp_path / "data", "--storage-wal-enabled=true", **account) as (address, _):
        nobody = run(None, "doctor", "--bolt", address)
        wrong = run(None, "doctor", "--bolt", address, "--user", "admin", "--password-file", str(bad))
        right = run(None, "doctor", "--bolt", address, "--user", "admin", "--password-file", str(good))
    assert (nobody.code, wrong.code) == (4, 4)
    assert "--user and --password-file" in nobody.err
    assert "wrong" in wrong.err
    assert "wr0ng" not in wrong.err
    assert right.code == 0, right
    assert "c0rrect" not in right.out + right.err


def test_a_frozen_bare_server(tmp_path: Path) -> None:
    """It is given up after five seconds: exit code 3."""
    with bare_server(tmp_path, "--storage-wal-enabled=true") as (address, process):
        process.send_signal(signal.SIGSTOP)
        done = run(None, "doctor", "--bolt", address)
    assert done.code == 3
    assert "does not answer" in done.err


def test_nobody_or_somebody_else_there() -> None:
    """A refused connection and a server that speaks no Bolt: exit code 3, one line."""
    done = run(None, "doctor", "--bolt", f"127.0.0.1:{free_port()}")
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "see that Memgraph runs there" in done.err
    with listening(b"SSH-2.0-OpenSSH_9.2\r\n") as port:
        done = run(None, "doctor", "--bolt", f"127.0.0.1:{port}")
    assert (done.code, done.err.count("\n")) == (3, 1)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("--bolt", "nonsense"), "give it like 127.0.0.1:7687"),
        (("--bolt", "h:70000"), "give it like 127.0.0.1:7687"),
        (("--bolt", "h:1", "--user", "a"), "go together"),
        (("--user", "a"), "add --bolt"),
        (("--bolt", "h:1", "--user", "a", "--password-file", "/none/p"), "No such file"),
    ],
)
def test_wrong_usage(line: tuple[str, ...], words: str) -> None:
    """It is said before anything is asked: exit code 2."""
    done = run(None, "doctor", *line)
    assert done.code == 2
    assert words in done.err
