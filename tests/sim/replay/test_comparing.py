"""Replaying a trace: the same rules decide the same; other rules, or other facts, are found where they first matter."""

from attrs import evolve

from memgraph_ha.core import RULES, Decision, InvariantViolation
from memgraph_ha.core.facts import RoleSeen
from memgraph_ha.core.topology import Role
from memgraph_ha.sim.replay.comparing import Alike, compare_all
from memgraph_ha.sim.replay.playing import play
from memgraph_ha.trace.recorder import ListSink
from memgraph_ha.trace.schema import FactLine, Line, TickLine
from tests.core.places import M0, M1, NOW
from tests.core.views import HEALTHY
from tests.sim.replay.story import failover, rules_of, stricter, ticks, with_rule, wordier
from tests.trace.told import Told, recorder_to


def test_the_same_rules_decide_the_same() -> None:
    """Every decision, in every field, also by which commands and until when."""
    lines = failover()
    assert rules_of(lines) == ["Z99", "Z99", "L30", "O10"]
    found = compare_all(lines, strict=True)
    assert (found.ticks, found.same, found.first, found.act) == (4, 4, None, None)


def test_a_guard_more_is_found_where_it_first_stops_something() -> None:
    """The first decision that asks for something else ends the comparison: what follows is no consequence of it."""
    lines = failover()
    found = compare_all(lines, stricter("L30"))
    assert found.act is not None
    assert found.act.step.line == ticks(lines)[2]
    assert found.act.alike is Alike.ACT
    assert "commands" in found.act.fields
    assert (found.ticks, found.same) == (3, 2)


def test_a_rule_taken_out_is_found() -> None:
    """Likewise; and one that decided nothing is not missed."""
    lines = failover()
    for rule in RULES:
        found = compare_all(lines, tuple(each for each in RULES if each is not rule)) if rule.id != "Z99" else None
        if found is not None:
            assert (found.act is not None) is (rule.id in {"L30", "O10"}), rule.id


def test_other_words_for_the_same_deed_are_counted_and_no_more() -> None:
    """A reason that was rewritten changes nothing in the world."""
    found = compare_all(failover(), wordier("L30"))
    assert (found.ticks, found.same, found.act) == (4, 3, None)
    assert dict(found.reasons) == {("L30", "L30"): 1}
    assert found.first is not None
    assert found.first.fields == ("reason",)
    assert found.first.alike is Alike.REASON


def test_a_replay_ends_at_the_first_difference_of_any_kind() -> None:
    """It asks whether everything is the same, so also words."""
    found = compare_all(failover(), wordier("Z99"), strict=True)
    assert (found.ticks, found.same) == (1, 0)
    assert found.first is not None
    assert found.act is None


def test_another_route_matters() -> None:
    """A gateway that is shut though it was open is no matter of words."""
    lines = failover()
    tick = ticks(lines)[0]
    assert tick.decision is not None
    shut = evolve(tick, decision=evolve(tick.decision, route=evolve(tick.decision.route, permit=None)))
    found = compare_all([shut if line is tick else line for line in lines])
    assert found.act is not None
    assert found.act.fields == ("route",)


def changed(lines: list[Line], at: int) -> list[Line]:
    """Change one fact: a REPLICA says that it is MAIN."""
    fact = lines[at]
    assert isinstance(fact, FactLine)
    assert isinstance(fact.fact, RoleSeen)
    return [*lines[:at], evolve(fact, fact=evolve(fact.fact, role=Role.MAIN)), *lines[at + 1 :]]


def test_a_changed_fact_is_found_at_the_first_decision_that_it_changes() -> None:
    """Not before, and not at one after it: for every answer of the standby in turn."""
    lines = failover()
    answers = [
        index
        for index, line in enumerate(lines)
        if isinstance(line, FactLine) and isinstance(line.fact, RoleSeen) and line.fact.instance == M1
    ]
    assert len(answers) == 2
    wrong = []
    for at in answers:
        found = compare_all(changed(lines, at))
        assert found.act is not None
        assert found.act.step.line.seq > lines[at].seq  # type: ignore[union-attr]  # a fact has a number
        wrong.append(found.act.step.line)
    assert wrong == [ticks(lines)[0], ticks(lines)[2]]


def test_a_decision_that_broke_is_the_same_if_it_breaks_again() -> None:
    """And another one if it does not, or breaks otherwise."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())

    def harmful(_view: object) -> Decision:
        raise InvariantViolation("rule N10 breaks S1")

    told.recorder.broke("c1", told.view(), InvariantViolation("rule N10 breaks S1"))
    assert compare_all(sink.lines, with_rule("N10", harmful)).first is None
    found = compare_all(sink.lines)
    assert found.act is not None
    assert found.act.fields == ("error",)


def test_two_controllers_in_one_file_know_each_their_own() -> None:
    """Their lines lie mixed; each is replayed from what it heard itself."""
    sink = ListSink()
    recorder = recorder_to(sink)
    one, two = Told(recorder, "c1"), Told(recorder, "c2", evolve(HEALTHY.policy, frozen_count=7))
    for fact in HEALTHY.facts():
        one.hear([fact])
        if getattr(fact, "instance", None) != M0:
            two.hear([fact])
        two.tick()
    one.tick()
    views = {step.line.who: step.view for step in play(sink.lines)}
    assert views["c1"].main is not None
    assert views["c1"].main.role is not None
    assert views["c2"].main is not None
    assert views["c2"].main.role is None
    assert views["c2"].policy.frozen_count == 7
    found = compare_all(sink.lines, strict=True)
    assert (found.ticks, found.first) == (len(HEALTHY.facts()) + 1, None)


def test_the_time_of_a_tick_is_its_own() -> None:
    """The same facts an hour later are no longer the same decision: a replay takes the recorded instant."""
    lines = failover()
    late = [evolve(line, now_s=line.now_s + 3600) if isinstance(line, TickLine) else line for line in lines]
    assert compare_all(late).first is not None
    assert ticks(lines)[0].now_s == NOW
