"""For any view: one decision, always the same, well formed, and every prefix of its commands keeps the promises."""

from copy import deepcopy

from attrs import evolve
from hypothesis import given

from memgraph_ha.core.commands import Command, Promote, StopInstance, WriteRecord
from memgraph_ha.core.decide import decide, explain
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.invariants import broken_by
from memgraph_ha.core.record_json import dump_record, parse_record
from memgraph_ha.core.rules import RULES
from memgraph_ha.core.view import View
from tests.property.strategies import views, wild_views

IDS = [rule.id for rule in RULES]


def begins_a_reign(view: View, command: Command) -> bool:
    """Whether a command writes a record of another reign, or promotes."""
    if isinstance(command, WriteRecord):
        return view.record is None or command.record.generation != view.record.generation
    return isinstance(command, Promote)


@given(wild_views())
def test_any_facts_make_a_decision(view: View) -> None:
    """Facts of any value in any order: `decide` and `explain` answer, and never raise."""
    decision = decide(view)
    lines = explain(view)
    assert [line.rule for line in lines] == IDS
    first = next(line for line in lines if isinstance(line.answer, Decision))
    assert (first.rule, first.name) == (decision.rule, decision.name)


@given(views())
def test_every_decision_is_well_formed(view: View) -> None:
    """It has a rule, a reason and a time to wake; a hold asks for nothing; what is written can be read back."""
    decision = decide(view)
    assert decision.rule in IDS
    assert decision.reason
    assert decision.route.why
    assert view.now_s <= decision.wake_at_s
    assert decision.wake_at_s <= view.now_s + 2 or decision.rule == "N30", "only a gap from the future waits for it"
    assert decision.hold is None or decision.commands == ()
    assert set(decision.look) <= {member.name for member in view.members} | set(view.pair) | {
        view.record.main if view.record else None,
        view.record.standby.instance if view.record and view.record.standby else None,
    }
    for command in decision.commands:
        if isinstance(command, WriteRecord):
            assert parse_record(dump_record(command.record)) == command.record
            assert command.expected == view.token


@given(views())
def test_every_prefix_of_the_commands_keeps_the_promises(view: View) -> None:
    """Wherever the commands stop, nothing is broken."""
    decision = decide(view)
    for length in range(len(decision.commands) + 1):
        assert broken_by(view, evolve(decision, commands=decision.commands[:length])) == ()


@given(views())
def test_equal_views_decide_equally(view: View) -> None:
    """The same facts in other objects, as after a replay from a trace, lead to the same decision."""
    held = view.observed
    copied = evolve(
        held,
        noop=deepcopy(held.noop),
        noop_done=deepcopy(held.noop_done),
        proof=deepcopy(held.proof),
        seen=tuple(deepcopy(seen) for seen in held.seen),
        record=deepcopy(held.record),
        members=deepcopy(held.members),
    )
    again = View(observed=copied, policy=deepcopy(view.policy), now_s=view.now_s, wall_s=view.wall_s)
    assert decide(again) == decide(view)


@given(views())
def test_nothing_begins_while_the_gateway_may_relay(view: View) -> None:
    """No reign begins, and nobody is promoted or stopped as a rival, under a route that relays."""
    decision = decide(view)
    if any(begins_a_reign(view, command) for command in decision.commands):
        assert decision.route.permit is None
    if decision.rule == "O10":
        assert [type(command) for command in decision.commands] == [StopInstance]
        assert decision.route.permit is None


@given(views())
def test_a_permit_is_for_the_recorded_main_in_its_recorded_run(view: View) -> None:
    """Whoever may be relayed to was opened by the record, lives, and was seen MAIN in that run."""
    permit = decide(view).route.permit
    if permit is None:
        return
    record, lease, seen = view.record, view.lease, view.observed.of(permit.instance)
    assert record is not None
    assert lease is not None
    assert seen is not None
    assert seen.role is not None
    assert (record.opened, record.main, record.main_run, record.generation) == (
        True,
        permit.instance,
        permit.run,
        permit.generation,
    )
    assert (seen.role.run, seen.member.incarnation, seen.member.bolt) == (
        permit.run,
        permit.incarnation,
        permit.address,
    )
    assert view.now_s < permit.valid_until_s < lease.until_s
    assert record.unprotected or view.standby_row is not None
