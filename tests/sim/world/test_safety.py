"""Each safety check can fail: what it forbids is planted, and it is found under its name."""

from collections.abc import Callable

import pytest
from attrs import evolve

from memgraph_ha.core import RULES, Decision, Route, Rule, View
from memgraph_ha.core.commands import Demote, DropReplica, Promote, RegisterReplica
from memgraph_ha.core.decision import Unmet
from memgraph_ha.core.facts import MembersSeen
from memgraph_ha.core.names import Address, RowName, RunId
from memgraph_ha.core.observe import observe
from memgraph_ha.core.permit import ReadPermit
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.topology import Mode, RowStatus
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.checks import safety
from memgraph_ha.sim.checks.violation import SafetyViolation
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from memgraph_ha.sim.world.watching import CLUSTER
from tests.sim.world.setting import M0, M1, M2, whole


def _lose_one(cluster: Cluster, name: str) -> None:
    """Let an acknowledged write vanish from one instance, past all logs."""
    graph, number = cluster.world[name].graph, cluster.acks[0].write
    dump = graph.dump()
    dump["nodes"] = [node for node in dump["nodes"] if node[2].get("id") != number]
    graph.load(dump)


def _run(cluster: Cluster, name: str) -> RunId:
    return RunId(cluster.world[name].run_id)


def _promote(cluster: Cluster, name: str) -> Promote:
    generation = cluster.store.history[-1].generation
    return Promote(instance=cluster.names[int(name[1])], run=_run(cluster, name), generation=generation)


def _found(check: str, plant: Callable[[], object]) -> SafetyViolation:
    with pytest.raises(SafetyViolation) as caught:
        plant()
    assert caught.value.check == check
    assert str(caught.value).startswith(f"{check}: ")
    assert caught.value.safety
    return caught.value


def test_s1_a_gate_that_opens_to_who_lost_a_write() -> None:
    """Whoever a gateway opens to holds everything."""
    cluster, leader, _ = whole(writers=2)
    cluster.ledger.by_hand.add(1_000_000)
    leader.crash()
    found = _found("S1", lambda: cluster.world.run(30))
    assert found.at_s == cluster.now
    assert found.who


def test_s1_a_gate_to_a_process_that_is_gone_lets_nobody_in() -> None:
    """What starts in its place has another run, and is not what the permit is about."""
    cluster, leader, _ = whole(writers=2)
    permit = cluster.gates[leader.name]
    assert permit is not None
    cluster.ledger.by_hand.add(1_000_000)
    _found("S1", lambda: safety.check_opening(cluster, permit, leader.name))
    safety.check_opening(cluster, evolve(permit, run=RunId("another")), leader.name)


def test_s2_two_writers_of_one_reign_or_an_older_reign_after_a_newer() -> None:
    """At the moment when an answer is passed on."""
    cluster, leader, _ = whole(writers=1)
    cluster.world.run_until(lambda: bool(leader.gateway.passages), 5)
    (passage, *_) = leader.gateway.passages
    safety.check_relay(cluster, passage)
    cluster.ledger.newest += 1
    _found("S2", lambda: safety.check_relay(cluster, passage))
    cluster.ledger.newest -= 1
    cluster.ledger.writers[passage.permit.generation] = (M1, RunId("other"))
    _found("S2", lambda: safety.check_relay(cluster, passage))


def test_s2_a_promotion_beside_a_living_main_that_a_controller_made() -> None:
    """A frozen one lives, a human's does not count, and neither does what a late command meets."""
    cluster, _, _ = whole()
    cluster.calm = True
    record = cluster.store.history[-1]
    cluster.store.history[-1] = evolve(record, main=M1)
    token = cluster.store.read()[1]
    cluster.store.history.clear()
    assert cluster.store.swap(token, evolve(record, main=M1, opened=False, standby=None))
    command = _promote(cluster, M1)
    safety.check_landing(cluster, command, "C1", late=True)
    found = _found("S2", lambda: safety.check_landing(cluster, command, "C1", late=False))
    assert found.cause == command
    cluster.freeze(M0)
    _found("S2", lambda: safety.check_landing(cluster, command, "C1", late=False))
    cluster.crowned.discard((M0, _run(cluster, M0)))
    safety.check_landing(cluster, command, "C1", late=False)


def test_s2_a_main_that_is_demoted_while_its_gate_is_open() -> None:
    """But for a quiet moment."""
    cluster, leader, _ = whole()
    generation = cluster.store.history[-1].generation
    command = Demote(instance=M0, run=_run(cluster, M0), generation=generation, port=10000)
    _found("S2", lambda: safety.check_landing(cluster, command, "C1", late=False))
    cluster.quiet.add(leader.name)
    safety.check_landing(cluster, command, "C1", late=False)


def test_s3_bytes_that_reach_another_process_than_the_permits() -> None:
    """The same instance in another run is another process."""
    cluster, leader, _ = whole(writers=1)
    cluster.world.run_until(lambda: bool(leader.gateway.passages), 5)
    (passage, *_) = leader.gateway.passages
    safety.check_chunk(cluster, passage)
    passage.permit = evolve(passage.permit, run=RunId("other"))
    _found("S3", lambda: safety.check_chunk(cluster, passage))


def test_s4_a_successor_or_a_name_for_who_lacks_a_write() -> None:
    """At the instant of the promotion, and when the record names it."""
    cluster, _, _ = whole(writers=2)
    cluster.world.run(1)
    _lose_one(cluster, M1)
    record = cluster.store.history[-1]
    _found("S4", lambda: safety.check_naming(cluster, evolve(record, standby=None), record, "C1"))
    cluster.keep_down(M0)
    found = _found("S4", lambda: cluster.world.run(10))
    assert isinstance(found.cause, Promote)


def test_s5_who_holds_the_only_copy_is_emptied_or_copied_over() -> None:
    """A rebuild, and a registration on somebody who lacks what it holds."""
    cluster, leader, _ = whole(writers=2)
    cluster.world.run(1)
    cluster.rebuild(M1)  # MAIN has everything: nothing is said
    cluster.world.run(1)
    with pytest.raises(SafetyViolation, match="S5: m0 is emptied"):
        cluster.rebuild(M0)
    _lose_one(cluster, M0)
    _found("S5", lambda: cluster.rebuild(M2))
    register = RegisterReplica(
        instance=M0,
        run=_run(cluster, M0),
        generation=cluster.store.history[-1].generation,
        row=RowName("m2"),
        replica=M2,
        replica_run=_run(cluster, M2),
        address=Address("m2:10000"),
        mode=Mode.ASYNC,
        database_uuid=cluster.world[M0].database_uuid,
    )
    _found("S5", lambda: safety.check_landing(cluster, register, leader.name, late=True))


def test_s6_a_level_replica_that_holds_more_than_its_main() -> None:
    """Looked at again and again, without any command."""
    cluster, _, _ = whole(writers=1)
    cluster.world.run(1)
    cluster.calm = True
    _lose_one(cluster, M0)
    _found("S6", lambda: cluster.world.run(5))


def test_s7_a_command_that_could_outlive_the_lease() -> None:
    """A controller that does not look at its lease right before it sends."""
    cluster, leader, _ = whole()
    assert leader.decision is not None
    decision, command = leader.decision, _promote(cluster, M1)
    safety.check_sent(leader, command, decision, RULES)
    leader.elector.mine = evolve(leader.elector.mine, until_s=leader.now_s + 1)
    found = _found("S7", lambda: safety.check_sent(leader, command, decision, RULES))
    assert found.who == leader.name


def test_s9_a_record_that_does_not_follow_from_the_one_before() -> None:
    """Generations, their MAIN, row numbers, and a fallback in an open reign."""
    cluster, _, _ = whole()
    old = cluster.store.history[-1]
    safety.check_record(old, evolve(old, row_seq=old.row_seq + 1))
    for wrong in (
        evolve(old, generation=old.generation + 2),
        evolve(old, row_seq=old.row_seq - 1),
        evolve(old, main=M1),
    ):
        _found("S9", lambda wrong=wrong: safety.check_record(old, wrong))  # type: ignore[misc]
    token = cluster.store.read()[1]
    _found("S9", lambda: cluster.store.swap(token, evolve(old, main=M1)))


def test_s9_a_named_standby_whose_row_is_dropped_or_that_is_registered() -> None:
    """It is un-named first, by the record."""
    cluster, _, _ = whole()
    record = cluster.store.history[-1]
    assert record.standby is not None
    drop = DropReplica(
        instance=M0,
        run=_run(cluster, M0),
        generation=record.generation,
        row=record.standby.row,
        address=Address("m1:10000"),
        statuses=frozenset(RowStatus),
    )
    _found("S9", lambda: safety.check_landing(cluster, drop, "C1", late=True))
    other = evolve(record, standby=evolve(record.standby, row=RowName("m1_99")))
    _found("S9", lambda: safety.check_naming(cluster, record, other, "C1"))


def test_s10_readers_of_a_main() -> None:
    """A route that lets them in, a promotion under them, and a byte that reaches it."""
    cluster, leader, _ = whole(writers=1)
    cluster.clients.readers(1, 0.1)
    cluster.world.run_until(lambda: any(passage.reads for passage in leader.gateway.passages), 5)
    permit = cluster.gates[leader.name]
    assert permit is not None
    route = Route(permit=permit, hold=True, why="", reads=(ReadPermit(permit=permit, takes_new=True),))
    _found("S10", lambda: safety.check_route(cluster, route, leader.name))
    (passage,) = [each for each in leader.gateway.passages if each.reads]
    safety.check_chunk(cluster, passage)
    cluster.world.ask(M2, "SET REPLICATION ROLE TO MAIN")
    _found("S10", lambda: safety.check_chunk(cluster, passage))


def test_s11_a_command_without_a_record() -> None:
    """Nothing is commanded before there is one."""
    cluster, leader, _ = whole()
    assert leader.decision is not None
    decision, command = leader.decision, _promote(cluster, M1)
    assert leader.observed.record is not None
    leader.observed = evolve(leader.observed, record=evolve(leader.observed.record, record=None))
    _found("S11", lambda: safety.check_sent(leader, command, decision, RULES))


def test_s12_more_reigns_than_policy_allows() -> None:
    """Within the window, planned ones not counted."""
    cluster, _, _ = whole()
    record = cluster.store.history[-1]
    change = evolve(record.history[-1], kind=ChangeKind.FAILOVER)
    flapping = evolve(record, history=(change,) * 3)
    safety.check_flapping(flapping, 3, 600, 0.0, "C1")
    _found("S12", lambda: safety.check_flapping(flapping, 2, 600, 0.0, "C1"))
    planned = evolve(record, history=(evolve(change, kind=ChangeKind.SWITCHOVER),) * 3)
    safety.check_flapping(planned, 2, 600, 0.0, "C1")


def test_s12_a_failover_for_a_wrong_password_and_l9_one_for_a_change_of_members() -> None:
    """Only of a MAIN that could still serve."""
    cluster, _, _ = whole()
    change = evolve(cluster.store.history[-1].history[-1], kind=ChangeKind.FAILOVER, previous=M0, main=M1)
    assert safety.could_acknowledge(cluster, change)
    safety.check_reason(cluster, change, "C1")
    cluster.locked.add(M0)
    _found("S12", lambda: safety.check_reason(cluster, change, "C1"))
    cluster.locked.clear()
    cluster.scale(4)
    with pytest.raises(AssertionError, match="L9"):
        safety.check_reason(cluster, change, "C1")
    cluster.freeze(M0)
    assert not safety.could_acknowledge(cluster, change)


def test_l9_a_main_that_its_controller_finds_silent_is_given_up_for_that() -> None:
    """A link that is cut right after a change of members is the reason then, once the controller has found that out."""
    cluster, leader, _ = whole()
    change = evolve(cluster.store.history[-1].history[-1], kind=ChangeKind.FAILOVER, previous=M0, main=M1)
    cluster.scale(4)
    cluster.net.cut(leader.name, M0, Reach.REFUSED)
    with pytest.raises(AssertionError, match="L9"):
        safety.check_reason(cluster, change, leader.name)
    cluster.world.run_until(lambda: any(seen.refused for seen in leader.observed.seen if seen.member.name == M0), 1)
    safety.check_reason(cluster, change, leader.name)


def _forgotten(cluster: Cluster, leader: Controller) -> None:
    """Let the leader go by a list without m0 that is no more true."""
    cluster.leave(M0)
    cluster.world.run(0.2)
    cluster.api.gap()
    cluster.join(M0)
    assert leader.observed.of(M0) is None


def _told(cluster: Cluster, leader: Controller) -> None:
    """Let the leader hear the truth."""
    listed = MembersSeen(at_s=leader.now_s, cluster=CLUSTER, members=cluster.members())
    leader.observed = observe(leader.observed, listed)


def test_a_main_that_is_listed_no_more_is_given_up_for_that_and_for_nothing_else() -> None:
    """Whatever else changed: how many there are, or its password; also for who is told an older list than the truth."""
    cluster, leader, _ = whole()
    change = evolve(cluster.store.history[-1].history[-1], kind=ChangeKind.FAILOVER, previous=M0, main=M1)
    cluster.scale(4)
    cluster.leave(M0)
    safety.check_reason(cluster, change, "C1")
    cluster.locked.add(M0)
    safety.check_reason(cluster, change, "C1")
    _forgotten(cluster, leader)
    safety.check_reason(cluster, change, "C1")
    _told(cluster, leader)
    _found("S12", lambda: safety.check_reason(cluster, change, "C1"))
    cluster.locked.clear()
    with pytest.raises(AssertionError, match="L9"):
        safety.check_reason(cluster, change, "C1")


def test_a_main_that_is_not_reached_is_given_up_for_that_and_for_nothing_else() -> None:
    """It refuses our password as well, but who is cut off from it cannot know."""
    cluster, leader, other = whole()
    change = evolve(cluster.store.history[-1].history[-1], kind=ChangeKind.FAILOVER, previous=M0, main=M1)
    cluster.locked.add(M0)
    cluster.net.cut(leader.name, M0)
    cluster.world.run(0.8)
    safety.check_reason(cluster, change, leader.name)
    _found("S12", lambda: safety.check_reason(cluster, change, other.name))
    cluster.net.heal()
    cluster.world.run(0.8)
    _found("S12", lambda: safety.check_reason(cluster, change, leader.name))


def test_s2_nobody_need_be_stopped_who_is_not_listed() -> None:
    """A promotion is judged by the list that its controller was told."""
    cluster, leader, _ = whole()
    cluster.calm = True
    _forgotten(cluster, leader)
    record, token = cluster.store.read()
    assert record is not None
    cluster.store.history.clear()
    assert cluster.store.swap(token, evolve(record, main=M1, opened=False, standby=None))
    command = _promote(cluster, M1)
    safety.check_landing(cluster, command, "C1", late=False)
    _told(cluster, leader)
    _found("S2", lambda: safety.check_landing(cluster, command, "C1", late=False))


def test_s13_a_rule_that_remembers() -> None:
    """The same facts, another decision."""
    calls = [0]

    def moody(_view: View) -> Decision | Unmet:
        calls[0] += 1
        return Decision(reason=f"call {calls[0]}", wake_at_s=0.0)

    def start() -> object:
        return whole(rules=(Rule("N10", moody),))

    _found("S13", start)


def test_s14_a_command_of_no_rule() -> None:
    """Every command has a rule and a reason."""
    cluster, leader, _ = whole()
    assert leader.decision is not None
    command, nobody = _promote(cluster, M1), evolve(leader.decision, rule="X00")
    _found("S14", lambda: safety.check_sent(leader, command, nobody, RULES))


def test_every_safety_check_has_a_test_here() -> None:
    """S8 is the others, on commands that land late."""
    here = " ".join(globals())
    assert [check for check in safety.CHECKS if f"test_{check.lower()}_" not in here] == ["S8"]
