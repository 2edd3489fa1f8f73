"""How `memgraph-ha local` ends when something is wrong: one sentence, an exit code, and no surprise left behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memgraph_ha.adapters.datadir import DataDir, open_data_dir
from memgraph_ha.adapters.process_stop import living_in
from tests.adapters import local_rig as rig

FAKE = str(Path(sys.executable).with_name("memgraph-ha-fake"))
PATIENCE_S = 60

_BUGGY = """
import sys
from pathlib import Path
import memgraph_ha.daemon
from memgraph_ha.adapters.datadir import open_data_dir
from memgraph_ha.cli import main
from memgraph_ha.core.errors import InvariantViolation

def decide(view, real=memgraph_ha.daemon.decide):
    serves = view.record is not None and view.unserved is None
    if serves and len(open_data_dir(Path(sys.argv[3])).controllers()) >= {controllers}:
        raise {error}
    return real(view)

memgraph_ha.daemon.decide = decide
main()
"""


def run(*arguments: str, code: str = "from memgraph_ha.cli import main; main()") -> "subprocess.Popen[str]":
    """Start the command line, or other code in its place."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def ended(datadir: DataDir) -> Iterator[None]:
    """End whatever still runs on a data directory when the block ends, and check that nothing does."""
    try:
        yield
    finally:
        subprocess.run(
            [sys.executable, "-m", "memgraph_ha", "local", "--data", str(datadir.path), "--stop"],
            check=True,
            capture_output=True,
            timeout=PATIENCE_S,
        )
        assert rig.processes(datadir) == []


def until_open(local: "subprocess.Popen[str]") -> None:
    """Wait until a controller says that it serves."""
    assert local.stdout is not None
    for line in local.stdout:
        if "; read/write open" in line:
            return
    raise AssertionError(f"it ended: {local.communicate()[1]}")


def pids(datadir: DataDir) -> list[int]:
    """List the pids of the instances that live."""
    return sorted(each.pid for spec in datadir.specs() for each in living_in(spec.place))


@pytest.mark.parametrize(
    ("error", "named"),
    [
        ('InvariantViolation("rule X99 breaks SINGLE_WRITER")', "InvariantViolation: rule X99 breaks SINGLE_WRITER"),
        ('OSError(5, "Input/output error")', "OSError: [Errno 5] Input/output error"),
    ],
)
def test_a_bug_ends_the_controller_and_not_the_instances(tmp_path: Path, error: str, named: str) -> None:
    """One sentence names the bug, the log and what becomes of the instances, which the next controller adopts."""
    datadir = rig.make_plan(tmp_path, FAKE, count=2, room=2)
    with ended(datadir):
        broken = run("local", "--data", str(datadir.path), code=_BUGGY.format(error=error, controllers=1))
        _, said = broken.communicate(timeout=PATIENCE_S)
        assert broken.returncode == os.EX_SOFTWARE == 70
        assert said.count("\n") == 1
        assert f"by a bug of its own ({named})" in said
        assert f"the traceback is in {datadir.path / 'controller.log'}" in said
        assert "memgraph-0, memgraph-1 run on, on purpose" in said
        assert f"`memgraph-ha local --data {datadir.path} --stop` ends them" in said
        assert "Traceback" in (datadir.path / "controller.log").read_text()

        left = pids(datadir)
        assert len(left) == 2
        with run("local", "--data", str(datadir.path)) as next_one:
            until_open(next_one)
            assert pids(datadir) == left
            next_one.send_signal(signal.SIGINT)
            next_one.communicate(timeout=PATIENCE_S)
            assert next_one.returncode == 0
        assert pids(datadir) == []


def test_a_bug_with_another_controller_there_hands_over(tmp_path: Path) -> None:
    """Where another controller waits, the sentence names it, and it leads over the very same instances."""
    datadir = rig.make_plan(tmp_path, FAKE, count=2, room=2)
    with ended(datadir):
        code = _BUGGY.format(error='RuntimeError("gone")', controllers=2)
        with run("local", "--data", str(datadir.path), code=code) as broken:
            until_open(broken)
            left = pids(datadir)
            with run("local", "--data", str(datadir.path)) as other:
                until_open(other)
                _, said = broken.communicate(timeout=PATIENCE_S)
                assert f"the controller with pid {other.pid} takes them over" in said
                assert pids(datadir) == left
                other.send_signal(signal.SIGTERM)
                other.communicate(timeout=PATIENCE_S)
                assert other.returncode == 0


_FAILS = """\
#!/bin/sh
[ "$1" = --version ] && echo "memgraph version 3.6.1" && exit 0
echo "one thing"
echo "Couldn't load a library" >&2
exit 3
"""


def test_a_first_start_that_fails_leaves_words_and_nothing_else(tmp_path: Path) -> None:
    """What the instances said is in the error itself; no file is named that was removed with the new directory."""
    binary, data = rig.script(tmp_path / "memgraph", _FAILS), tmp_path / "data"
    bases = iter(rig.free_ports(9))
    ports = [f"--{kind}-base={next(bases)}" for kind in ("bolt", "replication", "monitoring", "metrics")]
    command = (
        "local",
        "--data",
        str(data),
        "--memgraph",
        binary,
        "--instances=2",
        f"--port={next(bases)}",
        "--ro-port=0",
        "--http-port=0",
        *ports,
    )
    with run(*command) as first:
        _, said = first.communicate(timeout=PATIENCE_S)
        assert first.returncode == 2
    assert said.count("one thing | Couldn't load a library") == 2
    assert str(data) not in said
    assert not data.exists()

    kept = rig.make_plan(tmp_path, binary, count=2, room=2)  # the next time it is an existing cluster
    with run("local", "--data", str(kept.path)) as again:
        _, said = again.communicate(timeout=PATIENCE_S)
        assert again.returncode == 2
    assert "Couldn't load a library" in said
    assert all(f"{spec.log}" in said and spec.log.exists() for spec in kept.specs())


def test_another_number_of_instances_is_for_who_runs_the_cluster(tmp_path: Path) -> None:
    """Beside a running controller it is refused with the way out; alone it is done before anything starts."""
    datadir = rig.make_plan(tmp_path, FAKE, count=3, room=4)
    with ended(datadir):
        with run("local", "--data", str(datadir.path)) as first:
            until_open(first)
            with run("local", "--data", str(datadir.path), "--instances", "2") as second:
                _, said = second.communicate(timeout=PATIENCE_S)
                assert second.returncode == 2
            assert f"the controller with pid {first.pid} runs this cluster with 3" in said
            assert said.rstrip().endswith("; end that first")
            assert len(pids(datadir)) == 3
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=PATIENCE_S)
        for count in (2, 4):
            with run("local", "--data", str(datadir.path), "--instances", str(count)) as local:
                until_open(local)
                assert len(open_data_dir(datadir.path).specs()) == count
                assert len(pids(open_data_dir(datadir.path))) == count
                local.send_signal(signal.SIGINT)
                local.communicate(timeout=PATIENCE_S)
                assert local.returncode == 0
        assert len(list(datadir.former.iterdir())) == 1
        with run("local", "--data", str(datadir.path), "--instances", "6") as local:
            _, said = local.communicate(timeout=PATIENCE_S)
            assert local.returncode == 2
        assert "is given to" in said
