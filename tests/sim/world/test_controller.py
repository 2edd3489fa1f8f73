"""A controller in the world: what a recorder is told, determinism, and which facts it decides on at once."""

import hashlib
import os
import subprocess
import sys

import pytest

from memgraph_ha.core.facts import CommandEnded
from memgraph_ha.sim.world.line import Line
from memgraph_ha.sim.world.news import News
from memgraph_ha.trace.recorder import LineRecorder, ListSink
from memgraph_ha.trace.schema import CommandLine, FactLine, Ghost, GhostLine, Source, StartLine, TickLine
from tests.sim.world.setting import M0, M1, whole


def _history(seed: int) -> list[str]:
    cluster, leader, _ = whole(seed, writers=2)
    cluster.net.lossy(leader.name, M0, 0.2)
    cluster.kill(M0)
    cluster.world.run(5)
    leader.crash()
    cluster.world.run(15)
    return cluster.trace


def digest(seed: int) -> str:
    """Fingerprint of a history with a failover and a change of leader."""
    return hashlib.sha256("\n".join(_history(seed)).encode()).hexdigest()


def test_the_same_seed_is_the_same_history_under_another_hash_seed() -> None:
    """And another seed is another one."""
    code = "from tests.sim.world.test_controller import digest; print(digest(7))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert digest(7) == digest(7) == other.stdout.strip()
    assert digest(7) != digest(8)


def test_one_purpose_does_not_shift_the_dice_of_another() -> None:
    """Taking out one fault leaves the chance of the others as it was."""
    first, _, _ = whole(3)
    second, _, _ = whole(3)
    for _ in range(5):
        first.dice("faults").random()
        first.api.manners(None)
    assert first.dice("platform").random() == second.dice("platform").random()
    assert first.dice("platform").random() != first.dice("clients").random()


def test_a_recorder_is_told_of_everything() -> None:
    """Facts before the ticks that they caused, commands of their ticks, and what only the simulator can know."""
    sink = ListSink()
    now = [0.0]
    recorder = LineRecorder(sink, source=Source.SIMULATOR, clock=lambda: now[0], seed=1)
    cluster, leader, other = whole(1, writers=2, recorder=recorder)
    cluster.keep_down(M0)
    cluster.world.run(5)
    lines = sink.lines
    assert {line.who for line in lines if isinstance(line, StartLine)} == {leader.name, other.name}
    assert any(isinstance(line, FactLine) and line.who == other.name for line in lines)
    ticks = {line.seq: line for line in lines if isinstance(line, TickLine)}
    commands = [line for line in lines if isinstance(line, CommandLine)]
    for line in commands:
        decision = ticks[line.by].decision
        assert decision is not None
        assert line.command in decision.commands
    ghosts = [line for line in lines if isinstance(line, GhostLine)]
    told = {line.what for line in ghosts}
    assert {Ghost.INSTANCE, Ghost.WRITES, Ghost.GATE, Ghost.LANDED} <= told
    landed = [dict(line.data) for line in ghosts if line.what is Ghost.LANDED]
    promoted = [data for data in landed if data["command"] == "Promote" and data["instance"] == M1]
    assert [data["lacks"] for data in promoted] == [0]
    assert [data["led"] for data in promoted] == [True]
    roles = [dict(line.data).get("role") for line in ghosts if line.what is Ghost.INSTANCE and line.who == M1]
    assert roles[-1] == "MAIN"


def test_a_recorder_changes_nothing() -> None:
    """The history is the same with and without one."""
    recorder = LineRecorder(ListSink(), source=Source.SIMULATOR, clock=lambda: 0.0)
    with_one, without = whole(5, writers=2, recorder=recorder)[0], whole(5, writers=2)[0]
    for cluster in (with_one, without):
        cluster.kill(M0)
        cluster.world.run(10)
    assert with_one.trace == without.trace


def test_facts_that_say_nothing_new_may_wait_and_change_no_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """A failover takes as long, to the turn of a loop, if every fact is decided on at once."""

    def failover() -> tuple[float, list[str]]:
        cluster, _, _ = whole(2, writers=2)
        cluster.keep_down(M0)
        began_s = cluster.now
        cluster.world.run_until(lambda: cluster.acks[-1].permit.instance == M1, 10)
        took_s = cluster.now - began_s
        cluster.let_up(M0)
        cluster.world.run(20)
        return took_s, [change.kind.value for change in cluster.store.history[-1].history]

    usual = failover()
    monkeypatch.setattr(News, "is_new", lambda _self, _fact: True)
    eager = failover()
    assert usual[0] == pytest.approx(eager[0], abs=0.25)
    assert usual[1] == eager[1]


def test_a_controller_that_starts_again_remembers_nothing() -> None:
    """It learns everything anew, and leads again in time."""
    cluster, leader, other = whole()
    other.crash()
    leader.crash()
    cluster.world.run(1)
    leader.start()
    assert leader.observed.record is None
    assert not leader.leads
    cluster.world.run(15)
    assert leader.leads
    assert cluster.gates[leader.name] is not None
    assert cluster.world[M0].is_main
    assert cluster.up(M1)


def test_what_a_process_asked_is_not_answered_to_the_next_one() -> None:
    """Its connections ended with it: who starts under its name hears no answer, no refusal and no end of a command."""
    cluster, leader, _ = whole()
    told: list[str] = []
    cluster.net.slow(leader.name, M0, 0.1)
    cluster.net.slow(leader.name, M1, 0.1)
    for name in (M0, M1):
        Line(leader, name).ask("SHOW REPLICATION ROLE", lambda _ticket: told.append("answered"))
        Line(leader, name).look(lambda instance: instance.run_id, lambda _run: told.append("looked"))
        Line(leader, name).knock(cluster.listens, lambda _open: told.append("knocked"))
    cluster.kill(M1)
    leader.crash()
    leader.start()
    cluster.world.run(2)
    assert told == []
    Line(leader, M0).ask("SHOW REPLICATION ROLE", lambda _ticket: told.append("answered"))
    cluster.world.run(1)
    assert told == ["answered"]


def test_a_late_write_of_a_process_is_not_answered_to_the_next_one() -> None:
    """It is written all the same; but who starts under that name has sent nothing, and has nothing to wait for."""
    sink = ListSink()
    recorder = LineRecorder(sink, source=Source.SIMULATOR, clock=lambda: 0.0)
    cluster, leader, other = whole(1, recorder=recorder)
    other.crash()
    leader.late = lambda: 2.0
    sent, written = leader.runner.sent["WriteRecord"], len(cluster.store.history)
    cluster.keep_down(M1)
    cluster.world.run_until(lambda: leader.runner.sent["WriteRecord"] > sent)
    told = len(sink.lines)
    leader.crash()
    leader.start()
    cluster.world.run_until(lambda: len(cluster.store.history) > written, 3)
    cluster.world.run(0.1)
    since = sink.lines[told:]
    assert not any(isinstance(line, CommandLine) for line in since)
    assert not any(isinstance(line, FactLine) and isinstance(line.fact, CommandEnded) for line in since)
