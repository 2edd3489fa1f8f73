"""Traces of real processes: `memgraph-ha demo --trace` and `memgraph-ha local --trace`."""

import json
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import trio
from click.testing import CliRunner

from memgraph_ha.cli import main
from memgraph_ha.core.facts import RoleSeen
from memgraph_ha.core.record import Record
from memgraph_ha.drill.cluster import LocalCluster
from memgraph_ha.drill.plan import choose_ports
from memgraph_ha.sim.exits import Exit
from memgraph_ha.trace.reading import read_trace
from memgraph_ha.trace.schema import CommandLine, FactLine, Source, TickLine

SECRETS: Final = ("hunter2-of-the-controller", "correct-horse-of-the-app")


def ours(*words: str, within_s: float = 110) -> subprocess.CompletedProcess[str]:
    """Run our command line as a user would."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "memgraph_ha", *words],
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def as_json(*words: str) -> tuple[int, dict[str, Any]]:
    """Run a verb of the simulator, and read what it prints."""
    done = ours("sim", *words, "--json")
    read = json.loads(done.stdout)
    assert isinstance(read, dict)
    return done.returncode, read


@pytest.mark.slow
def test_a_demo_replays_to_identical_decisions_and_a_change_is_pointed_at(tmp_path: Path) -> None:
    """MAIN is killed under load; then a rule is taken out, and a fact is changed: each is found where it matters."""
    trace = tmp_path / "demo.jsonl"
    done = ours("demo", "--kills", "1", "--writers", "2", "--seed", "3", "--trace", str(trace))
    assert done.returncode == 0, done.stdout + done.stderr
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600
    code, read = as_json("replay", str(trace))
    assert (code, read["first"], read["intact"], read["truncated"]) == (Exit.OK, None, True, False)
    assert read["same"] == read["ticks"] > 50

    whole = read_trace(trace)
    assert whole.header.source is Source.LOCAL
    fired = {line.decision.rule for line in whole.lines if isinstance(line, TickLine) and line.decision is not None}
    assert fired >= {"B10", "L30", "O20", "O30", "O50", "A10", "A15", "A20"}

    code, read = as_json("diff", str(trace), "--without", "L30")
    assert (code, read["act"]["then"]["rule"]) == (Exit.DIFFERENT, "L30")

    lines = trace.read_text().splitlines()
    answer = next(
        line
        for line in whole.lines
        if isinstance(line, FactLine) and isinstance(line.fact, RoleSeen) and line.fact.instance == "memgraph-1"
    )
    at = next(index for index, text in enumerate(lines) if f'"seq":{answer.seq},' in text)
    assert '"role":"REPLICA"' in lines[at]
    lines[at] = lines[at].replace('"role":"REPLICA"', '"role":"MAIN"')
    trace.write_text("\n".join([*lines, ""]))
    code, read = as_json("diff", str(trace))
    assert code == Exit.DIFFERENT
    assert read["act"]["seq"] > answer.seq
    assert read["intact"] is False

    told = ours("sim", "explain", str(trace), "--rule", "L30")
    assert told.returncode == 0
    assert "fail_over_to_standby" in told.stdout


async def protected(cluster: LocalCluster, above: int) -> Record:
    """Wait until a reign after that one is open and has a standby."""
    with trio.fail_after(60):
        while True:
            record = await cluster.record()
            if record is not None and record.generation > above and record.opened and record.standby is not None:
                assert cluster.specs
                return record
            await trio.sleep(0.05)


@pytest.mark.slow
@pytest.mark.trio
async def test_no_password_is_in_a_trace(tmp_path: Path) -> None:
    """Accounts are created before the first writes, and again after a failover; the trace has no secret."""
    accounts, trace = tmp_path / "accounts.toml", tmp_path / "local.jsonl"
    accounts.write_text(
        f'[controller]\nuser = "ha"\npassword = "{SECRETS[0]}"\n\n'
        f'[[account]]\nuser = "app"\npassword = "{SECRETS[1]}"\n'
    )
    accounts.chmod(0o600)
    cluster = LocalCluster(tmp_path)
    options = [f"--accounts={accounts}", "--set=users=restore", f"--trace={trace}"]
    try:
        await cluster.start([*choose_ports(3, None).arguments(), *options])
        record = await protected(cluster, above=0)
        handle = cluster.hold(record.main)
        handle.send(signal.SIGKILL)
        handle.close()
        await protected(cluster, above=record.generation)
        await observe(cluster, tmp_path / "observer.jsonl", f"--accounts={accounts}")
    finally:
        with trio.CancelScope(shield=True):
            left = await cluster.stop()
    assert left == ()
    whole = read_trace(trace)
    restored = [line for line in whole.lines if isinstance(line, CommandLine) and "RestoreUsers" in repr(line.command)]
    assert len(restored) >= 2
    text = trace.read_text()
    assert '"RestoreUsers"' in text
    assert [secret for secret in SECRETS if secret in text or secret[:8] in text] == []
    observed = tmp_path / "observer.jsonl"
    assert not any(isinstance(line, CommandLine) for line in read_trace(observed).lines)
    for path in (trace, observed):
        code, read = as_json("replay", str(path))
        assert (code, read["first"], read["intact"]) == (Exit.OK, None, True)
        assert read["ticks"] > 10


def ticks_in(trace: Path) -> int:
    """How many decisions a file that grows holds so far."""
    return trace.read_text().count('"kind":"tick"') if trace.exists() else 0


async def observe(cluster: LocalCluster, trace: Path, accounts: str) -> None:
    """Let an observer watch for a moment, and record."""
    command = ["local", "--data", str(cluster.data), "--observe-only", accounts, "--trace", str(trace)]
    process = await trio.lowlevel.open_process(
        [sys.executable, "-P", "-m", "memgraph_ha", *command], stdout=subprocess.DEVNULL
    )
    try:
        with trio.fail_after(30):
            while ticks_in(trace) < 20:  # noqa: ASYNC110 - a file has no event to wait for
                await trio.sleep(0.1)
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()


@pytest.mark.parametrize("name", ["thesis", "missing/a.jsonl"])
def test_a_trace_that_cannot_be_written_is_a_usage_error(tmp_path: Path, name: str) -> None:
    """Before anything is started: exit code 2, one sentence, and what is there is left alone."""
    (tmp_path / "thesis").write_text("mine")
    path = tmp_path / name
    result = CliRunner().invoke(main, ["local", "--data", str(tmp_path / "data"), "--trace", str(path)])
    assert result.exit_code == Exit.USAGE
    assert f"--trace {path}" in result.stderr
    assert "give a" in result.stderr
    assert (tmp_path / "thesis").read_text() == "mine"
    assert not (tmp_path / "data").exists()
