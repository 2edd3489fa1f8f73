"""Why a decision was as it was: found by taking things back, so it can be checked by taking them back."""

from typing import Any

from attrs import evolve

from memgraph_ha.core import RULES, Decision, decide
from memgraph_ha.core.commands import Command, CommitNoop, DropReplica, Promote, Quiesce, RegisterReplica, StopInstance
from memgraph_ha.core.facts import (
    Fact,
    GateSeen,
    MembersSeen,
    NoopSeen,
    Outcome,
    ProbeMissed,
    QuietSeen,
    RoleSeen,
    RowsSeen,
)
from memgraph_ha.core.names import Address, RowName
from memgraph_ha.core.topology import Mode, Role, Row, RowStatus
from memgraph_ha.sim.replay.explaining import Cause, Explained, explain_tick
from memgraph_ha.sim.replay.playing import play
from memgraph_ha.sim.replay.trail import made_by
from memgraph_ha.trace.recorder import ListSink
from memgraph_ha.trace.schema import CommandLine, FactLine, Line, MemoryLine
from tests.core.changes import just_failed
from tests.core.places import M0, M1, NOW, incarnation_of, run_of
from tests.core.scenes import LOST
from tests.core.views import HEALTHY
from tests.sim.replay.story import failover, ticks
from tests.trace.told import Told, recorder_to


def explained(lines: list[Line], rule: str, *, every: bool = False) -> Explained:
    """Explain the first decision of a rule."""
    line = next(line for line in ticks(lines) if line.decision is not None and line.decision.rule == rule)
    return explain_tick(lines, line.seq, every=every)


def decided_without(lines: list[Line], found: Explained, cause: Cause) -> Decision:
    """Decide at the same instant from everything that was heard but what a cause says."""
    said = cause.statement
    about = (type(said.first.fact), getattr(said.first.fact, "instance", None))
    kept = [
        line
        for line in lines
        if not isinstance(line, FactLine)
        or not said.first.seq <= line.seq <= said.last.seq
        or (type(line.fact), getattr(line.fact, "instance", None)) != about
    ]
    step = next(step for step in play(kept) if step.line.seq == found.line.seq)
    return decide(step.view)


def test_each_cause_is_one() -> None:
    """Made without it, the decision is another one: the very one that the explanation names."""
    lines = failover()
    found = explained(lines, "L30")
    assert found.causes
    for cause in found.causes:
        assert cause.otherwise is not None
        assert decided_without(lines, found, cause).rule == cause.otherwise.rule != "L30"


def test_why_it_failed_over() -> None:
    """MAIN refuses, the gateway is shut, the standby answers: each with what would have been done without it."""
    found = explained(failover(), "L30")
    without = {
        (type(cause.statement.last.fact), getattr(cause.statement.last.fact, "instance", None)): cause.otherwise.rule
        for cause in found.causes
        if cause.otherwise is not None
    }
    assert without[(ProbeMissed, M0)] == "Z99"
    assert without[(GateSeen, None)] == "L10"
    assert without[(RoleSeen, M1)] == "L10"
    refused = next(cause for cause in found.causes if isinstance(cause.statement.last.fact, ProbeMissed))
    assert refused.statement.count == 2
    assert refused.origin is None


def test_what_nearly_fired_and_what_stopped_it() -> None:
    """Each names the guard, as `explain` of the core does; those that one statement kept from firing name it."""
    lines = failover()
    found = explained(lines, "L30")
    near = {each.rule: each for each in found.near}
    assert set(near) >= {"L10", "L12", "L15", "L20"}
    assert near["L10"].but_for is not None
    assert isinstance(near["L10"].but_for.last.fact, GateSeen)
    assert {each.rule for each in found.near if each.but_for is None} <= {r.id for r in RULES if r.id[0] == "L"}
    for each in found.near:
        assert each.unmet == next(rule for rule in RULES if rule.id == each.rule).decide(found.view)
        assert each.unmet.guard


def test_every_rule_on_demand() -> None:
    """With its guard, in order: all but the one that decided and those that matched too."""
    found = explained(failover(), "L30", every=True)
    matched = {"L30", *(each.rule for each in found.following)}
    assert [each.rule for each in found.near] == [rule.id for rule in RULES if rule.id not in matched]


def test_the_way_back_leads_through_the_command_to_the_decision_before() -> None:
    """The record says so because L30 had it written, and that had just heard that MAIN refuses."""
    found = explained(failover(), "O10")
    origin = next(cause.origin for cause in found.causes if cause.origin is not None)
    assert origin.command is not None
    assert origin.tick.decision is not None
    assert origin.tick.decision.rule == "L30"
    heard = [fact.fact for fact, _inner in origin.facts]
    assert any(isinstance(fact, ProbeMissed) and fact.instance == M0 for fact in heard)


def test_no_way_back_at_depth_0() -> None:
    """Whoever wants only the causes gets only these; at depth 1 the command, and no further."""
    lines = failover()
    seq = next(line.seq for line in ticks(lines) if line.decision is not None and line.decision.rule == "O10")
    assert all(cause.origin is None for cause in explain_tick(lines, seq, depth=0).causes)
    origins = [cause.origin for cause in explain_tick(lines, seq, depth=1).causes if cause.origin is not None]
    assert [origin.facts for origin in origins] == [()]


def test_the_ends_of_its_commands() -> None:
    """What was sent, and how it ended."""
    found = explained(failover(), "L30")
    ((sent),) = found.sent
    assert sent.line.by == found.line.seq
    assert sent.end is not None
    assert sent.end.of == sent.line.seq


def test_time_alone_may_be_the_cause() -> None:
    """A command that failed is tried again when its pause is over; nothing new was said in between."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(LOST.facts())
    decision, _seq = told.tick()
    assert decision.rule == "L30"
    told.hear(LOST.but(just_failed(type(decision.commands[0]))).facts())
    held, _seq = told.tick(NOW)
    assert held.commands == ()
    again, seq = told.tick(NOW + 0.5)
    assert again.commands
    found = explain_tick(sink.lines, seq)
    assert found.in_time is not None
    assert (found.in_time.rule, found.in_time.commands) == (held.rule, ())
    assert explain_tick(sink.lines, ticks(sink.lines)[0].seq).in_time is None


def test_a_new_life_is_not_compared_with_the_one_before() -> None:
    """The first decision of a process that was started again has no tick before it, only what it heard itself."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(LOST.facts())
    told.tick(NOW - 900)
    told.recorder.end("c1", "crash")
    again = Told(told.recorder)
    again.hear(LOST.facts())
    _decision, seq = again.tick()
    found = explain_tick(sink.lines, seq)
    assert found.in_time is None
    assert all(cause.statement.first.seq > seq - len(LOST.facts()) - 1 for cause in found.causes)


def test_other_rules_than_those_of_the_trace_are_said() -> None:
    """What today's rules decide stands beside what was decided."""
    lines = failover()
    tick = ticks(lines)[2]
    found = explain_tick(lines, tick.seq, rules=tuple(rule for rule in RULES if rule.id != "L30"))
    assert found.now is not None
    assert found.now.rule != "L30"
    assert found.line.decision is not None
    assert found.line.decision.rule == "L30"


def test_a_part_that_continues_another_explains_as_well() -> None:
    """It begins with everything that was known: a decision made from that has the same causes."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(LOST.facts())
    _decision, seq = told.tick()
    whole = explain_tick(sink.lines, seq)
    header, tick = sink.lines[0], sink.lines[-1]
    memory = MemoryLine(seq=seq - 1, t=0.0, who="c1", policy=told.policy, observed=told.observed)
    part = explain_tick([header, memory, tick], seq)
    assert whole.now == part.now
    rules = [{cause.otherwise.rule for cause in each.causes if cause.otherwise is not None} for each in (whole, part)]
    assert rules[0] == rules[1]
    kinds = [{type(cause.statement.last.fact) for cause in each.causes} for each in (whole, part)]
    assert kinds[0] == kinds[1]
    assert [near.rule for near in whole.near] == [near.rule for near in part.near]


def fact_line(fact: Fact, seq: int = 100, of: int | None = None) -> FactLine:
    """Make a line."""
    return FactLine(seq=seq, t=0.0, who="c1", fact=fact, of=of)


def sent(*commands: Command) -> list[CommandLine]:
    """Make lines numbered from 1."""
    return [CommandLine(seq=seq, t=0.0, who="c2", by=0, command=each) for seq, each in enumerate(commands, 1)]


def test_effects_lead_to_their_commands() -> None:
    """A role in that run, a row that came or went, a process that ended, an answer of the very commit; nothing else."""
    at: Any = {"instance": M1, "run": run_of(M1), "generation": 5}
    times: Any = {"at_s": NOW, "asked_at_s": NOW}
    address, row = Address("10.0.0.3:10002"), RowName("m2")
    register = RegisterReplica(
        **at, row=row, replica=M0, replica_run=run_of(M0), address=address, mode=Mode.ASYNC, database_uuid="u"
    )
    drop = DropReplica(**at, row=row, address=address, statuses=frozenset({RowStatus.READY}))
    commands = sent(
        Promote(**at),
        register,
        StopInstance(instance=M0, incarnation=incarnation_of(M0), generation=5),
        CommitNoop(**at, standby=None, row=None, database_uuid="u"),
        Quiesce(**at, patience_s=0.5),
    )
    here = Row(name=row, address=address, mode=Mode.ASYNC, status=RowStatus.READY, ts=1, behind=0)
    life: Any = {"instance": M1, "run": run_of(M1), **times}
    listed = next(fact for fact in HEALTHY.facts() if isinstance(fact, MembersSeen))
    gone = evolve(listed, members=tuple(evolve(each, incarnation=None) for each in listed.members))
    shown: list[tuple[Fact, int | None]] = [
        (RoleSeen(**life, role=Role.MAIN), 1),
        (RoleSeen(**life, role=Role.REPLICA), None),
        (RoleSeen(**{**life, "run": run_of(M1, 2)}, role=Role.MAIN), None),
        (RowsSeen(**life, rows=(here,)), 2),
        (RowsSeen(**life, rows=()), None),
        (gone, 3),
        (listed, None),
        (NoopSeen(**times, **at, outcome=Outcome.DONE), 4),
        (NoopSeen(**times, **{**at, "generation": 6}, outcome=Outcome.DONE), None),
        (QuietSeen(at_s=NOW, **at), 5),
        (ProbeMissed(**times, instance=M1, miss=next(iter(LOST.place(M0).misses)).miss), None),
    ]
    for fact, seq in shown:
        found = made_by(fact_line(fact), commands)
        assert (None if found is None else found.seq) == seq, fact
    dropped = made_by(fact_line(RowsSeen(**life, rows=())), sent(drop))
    assert dropped is not None
    assert made_by(fact_line(RowsSeen(**life, rows=(here,))), sent(drop)) is None


def test_nothing_has_an_effect_before_it_was_sent() -> None:
    """And the newest of several commands with the same effect counts."""
    promote = Promote(instance=M1, run=run_of(M1), generation=5)
    commands = sent(promote, promote)
    main = RoleSeen(at_s=NOW, asked_at_s=NOW, instance=M1, run=run_of(M1), role=Role.MAIN)
    assert made_by(fact_line(main, seq=1), commands) is None
    newest = made_by(fact_line(main, seq=3), commands)
    assert newest is not None
    assert newest.seq == 2
