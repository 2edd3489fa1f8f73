"""For any view: one decision, always the same, well formed, and every prefix of its commands keeps the promises."""

from copy import deepcopy

from attrs import evolve
from hypothesis import assume, given

from memgraph_ha.core.commands import (
    Command,
    Demote,
    DropReplica,
    Promote,
    RebuildInstance,
    RegisterReplica,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.decide import decide, explain
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.invariants import broken_by
from memgraph_ha.core.record import Pause
from memgraph_ha.core.record_json import dump_record, parse_record
from memgraph_ha.core.rules import RULES
from memgraph_ha.core.topology import Role
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
    assert decision.hold is None or decision.commands == () or decision.rule == "R40", (
        "R40 forgets a level while it holds"
    )
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


def permitted(decision: Decision) -> str | None:
    """Whom the route relays to."""
    return None if decision.route.permit is None else decision.route.permit.instance


@given(views())
def test_nothing_begins_while_the_gateway_may_relay(view: View) -> None:
    """No reign begins, and nobody is promoted or stopped as a rival, under a route that relays.

    But for a planned move: it begins in a quiet moment, after MAIN was demoted, which refuses late commits.
    """
    decision = decide(view)
    if any(isinstance(command, Demote) and command.instance == permitted(decision) for command in decision.commands):
        assert [type(command) for command in decision.commands] == [Demote, WriteRecord]
        assert decision.rule == "M30"
        assert decision.route.quiet
    elif any(begins_a_reign(view, command) for command in decision.commands):
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


@given(views())
def test_reads_never_go_to_main(view: View) -> None:
    """A read permit names a living REPLICA of the recorded data set, never who may be MAIN now."""
    decision = decide(view)
    for read in decision.route.reads:
        seen, record = view.observed.of(read.permit.instance), view.record
        assert record is not None
        assert seen is not None
        assert seen.role is not None
        assert read.permit.instance != record.main
        assert (seen.role.role, seen.role.run) == (Role.REPLICA, read.permit.run)
        assert read.permit.valid_until_s > view.now_s
        promoted = [command.instance for command in decision.commands if isinstance(command, Promote)]
        assert read.permit.instance not in promoted
    instances = [read.permit.instance for read in decision.route.reads]
    assert len(set(instances)) == len(instances)


@given(views())
def test_nobody_is_held_in_a_transaction_without_a_permit(view: View) -> None:
    """A quiet moment is one of a MAIN that serves."""
    found = decide(view).route
    assert found.permit is not None or not found.quiet


@given(views())
def test_a_paused_cluster_is_left_alone(view: View) -> None:
    """Unless somebody orders it by name: nobody is promoted, rebuilt or registered, and no reign begins by itself.

    What keeps writes going is done: a dead standby's row is dropped, and one that catches up without end is stopped.
    """
    record = view.record
    assume(record is not None and record.opened and record.switchover is None)
    assert record is not None
    quieter = evolve(view.observed, requests=())
    reading = view.observed.record
    assert reading is not None
    paused = evolve(quieter, record=evolve(reading, record=evolve(record, paused=Pause(by="bob", reason="", at=0.0))))
    decision = decide(evolve(view, observed=paused))
    for command in decision.commands:
        assert not isinstance(command, (Promote, RebuildInstance, RegisterReplica)), decision.rule
        assert not isinstance(command, StopInstance) or decision.rule == "D15"
        assert not isinstance(command, DropReplica) or decision.rule == "H10"
        assert not isinstance(command, WriteRecord) or command.record.generation == record.generation
