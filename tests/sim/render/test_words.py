"""Facts, commands and ghosts in words: each kind has a sentence of its own, with what matters in it."""

from typing import get_args

import pytest
from attrs import evolve

from memgraph_ha.core.commands import (
    Command,
    CommitNoop,
    Demote,
    DropReplica,
    InstanceCommand,
    Promote,
    Quiesce,
    RebuildInstance,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import (
    CommandEnded,
    Fact,
    GapSeen,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    NoopSeen,
    Outcome,
    PortSeen,
    ProbeMissed,
    QuietSeen,
    RecordSeen,
    RecordTrouble,
    RequestEnded,
    RequestSeen,
    RoleSeen,
    RowsSeen,
    SentinelBroke,
    ServerSeen,
    StorageSeen,
    TriggersSeen,
)
from memgraph_ha.core.names import Address, Incarnation, RowName
from memgraph_ha.core.record import Pause, Standby, Switchover
from memgraph_ha.core.requests import Ask, Request
from memgraph_ha.core.topology import Mode, Role, Row, RowStatus, StorageMode
from memgraph_ha.sim.render.words import said_of_command, said_of_fact, said_of_ghost, said_of_record, said_of_request
from memgraph_ha.trace.schema import Ghost, GhostLine, Plain
from tests.sim.render.told import BEGIN, M0, M1, MEMBERS, NOOP, PROMOTE, RUN1, permit, record

REQUEST = Request(id="r1", ask=Ask.SWITCHOVER, instance=M1, by="alice", reason="kernel", asked_s=0.0, until_s=60.0)
ROW = RowName("m1_1")
ADDRESS = Address("m1:10000")
HALF = Row(name=ROW, address=ADDRESS, mode=None, status=RowStatus.HALF, behind=-3)

COMMANDS: dict[Command, str] = {
    BEGIN: "write the record: reign 2 of m1, not opened, fallback m0",
    PROMOTE: "make m1 MAIN in reign 2",
    Demote(instance=M0, run=RUN1, generation=2, port=1): "make m0 REPLICA",
    NOOP: "commit a no-op on m0, to prove m1 through m1_1",
    RegisterReplica(
        instance=M0, run=RUN1, generation=2, row=ROW, replica=M1, replica_run=RUN1, address=ADDRESS,
        mode=Mode.STRICT_SYNC, database_uuid="u",
    ): "register m1 on m0 as m1_1 STRICT_SYNC",
    DropReplica(instance=M0, run=RUN1, generation=2, row=ROW, address=ADDRESS, statuses=frozenset()): (
        "drop row m1_1 on m0"
    ),
    Quiesce(instance=M0, run=RUN1, generation=2, patience_s=1.0): "wait until no transaction is open on m0",
    RestoreUsers(instance=M0, run=RUN1, generation=2): "create the accounts on m0",
    RestoreTriggers(instance=M0, run=RUN1, generation=2, triggers=()): "create 0 triggers on m0",
    StopInstance(instance=M0, incarnation=Incarnation("m0/1"), generation=2): "end the process of m0 (m0/1)",
    RebuildInstance(instance=M0, incarnation=Incarnation("m0/1"), generation=2): "move the data of m0 aside (m0/1)",
}  # fmt: skip

FACTS: dict[str, Fact] = {
    "members: m0 has no process, m1 m1": MembersSeen(
        at_s=0, cluster="c", members=(evolve(MEMBERS[0], incarnation=None), MEMBERS[1])
    ),
    "m1 answers as REPLICA (run run-b)": RoleSeen(at_s=0, asked_at_s=0, instance=M1, run=RUN1, role=Role.REPLICA),
    "m1 does not answer: no answer in time, which our own command excuses": ProbeMissed(
        at_s=0, asked_at_s=0, instance=M1, miss=Miss.TIMED_OUT, excused=True
    ),
    "m0 has rows: m1_1 ? {} 3 behind": RowsSeen(at_s=0, asked_at_s=0, instance=M0, run=RUN1, rows=(HALF,)),
    "m0 holds 7 objects (ANALYTICAL)": StorageSeen(
        at_s=0, asked_at_s=0, instance=M0, run=RUN1, uuid="u", empty=False, mode=StorageMode.ANALYTICAL, objects=7
    ),
    "m0 has 0 triggers": TriggersSeen(at_s=0, asked_at_s=0, instance=M0, run=RUN1, triggers=()),
    "no transaction is open on m0 (2 ended by force)": QuietSeen(at_s=0, instance=M0, run=RUN1, generation=1, ended=2),
    "m0 runs 3.6.1, WAL OFF, flush 5": ServerSeen(
        at_s=0, instance=M0, run=RUN1, version="3.6.1", wal=False, flush_every=5
    ),
    "the replication port of m1 is shut": PortSeen(at_s=0, asked_at_s=0, instance=M1, open=False),
    "there is no record (RecordInvalid: bad field)": RecordSeen(
        at_s=0, record=None, token=None, trouble=RecordTrouble.INVALID, detail="bad field"
    ),
    "it holds the lease": LeaseSeen(at_s=0, leading=True),
    "its gateway is open to m0 in 3, quiet, settled": GateSeen(at_s=0, permit=permit(M0, 3), quiet=True, settled=True),
    "the connection to m0 broke": SentinelBroke(at_s=0, instance=M0, run=RUN1),
    "the no-op on m0: done, witnessed by m1": NoopSeen(
        at_s=0, asked_at_s=0, instance=M0, run=RUN1, generation=1, outcome=Outcome.DONE,
        witness=Standby(instance=M1, run=RUN1, row=ROW),
    ),
    "refused: make m1 MAIN in reign 2 (busy)": CommandEnded(
        at_s=0, command=PROMOTE, outcome=Outcome.REFUSED, detail="busy"
    ),
    "its own process stood still for 2.5 s": GapSeen(at_s=0, gap_s=2.5),
    "alice asks for switchover m1 (kernel)": RequestSeen(at_s=0, request=REQUEST),
    "request r1 is answered": RequestEnded(at_s=0, request_id="r1"),
}  # fmt: skip


@pytest.mark.parametrize(("command", "said"), COMMANDS.items(), ids=[type(command).__name__ for command in COMMANDS])
def test_commands(command: Command, said: str) -> None:
    """Whom, and what for."""
    assert said_of_command(command) == said


@pytest.mark.parametrize(("said", "fact"), FACTS.items(), ids=[type(fact).__name__ for fact in FACTS.values()])
def test_facts(said: str, fact: Fact) -> None:
    """Of whom, and what."""
    assert said_of_fact(fact) == said


def test_no_kind_is_forgotten() -> None:
    """Every kind that there is has an example here, and so a sentence."""
    commands = {*get_args(InstanceCommand), WriteRecord, StopInstance, RebuildInstance}
    assert {type(command) for command in COMMANDS} == commands >= {Promote, CommitNoop}
    assert {type(fact) for fact in FACTS.values()} == set(get_args(Fact))


def test_a_record_says_what_matters_in_a_moment() -> None:
    """Who is paused by whom, and where a switchover goes."""
    paused = evolve(
        record(3, M0, standby=M1),
        paused=Pause(by="bob", reason="", at=0.0),
        switchover=Switchover(target=M1, by="bob", reason=""),
    )
    assert said_of_record(paused) == "reign 3 of m0, standby m1, paused by bob, switching over to m1"
    assert said_of_record(record(3, M0)) == "reign 3 of m0, unprotected"


def test_who_asks_may_be_nobody_in_particular() -> None:
    """A hook has no name."""
    assert said_of_request(evolve(REQUEST, by="", instance=None, reason="")) == "somebody asks for switchover"


@pytest.mark.parametrize(
    ("what", "data", "said"),
    [
        (Ghost.INSTANCE, {"state": "up", "role": "MAIN", "run": "0123456789"}, "m0 is up as MAIN (run 01234567)"),
        (Ghost.FAULT, {"verb": "cut", "target": "m1", "seconds": 3}, "cut m0 seconds 3 m1"),
        (Ghost.REPAIR, {"verb": "start"}, "start m0"),
        (Ghost.WRITES, {"outcome": "refused", "count": 2, "instance": "m1"}, "2 writes at m1: refused"),
        (Ghost.GATE, {"state": "open", "instance": "m1", "generation": 2}, "its gateway is open to m1 in reign 2"),
        (Ghost.LANDED, {"command": "Promote", "instance": "m1"}, "Promote took effect at m1"),
        (Ghost.VIOLATION, {"check": "S1", "text": "lost"}, "S1 is broken: lost"),
        (Ghost.NOTE, {"text": "word"}, "word"),
    ],
)
def test_ghosts(what: Ghost, data: dict[str, Plain], said: str) -> None:
    """What only the simulator knows is told like everything else."""
    assert said_of_ghost(GhostLine(t=0.0, who="m0", what=what, data=tuple(sorted(data.items())))) == said
