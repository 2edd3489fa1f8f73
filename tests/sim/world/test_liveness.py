"""Each liveness check can fail."""

import pytest
from attrs import evolve

from memgraph_ha.core import RULES, Ask
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.checks import liveness
from memgraph_ha.sim.checks.violation import LivenessViolation, SafetyViolation
from tests.sim.world.setting import M0, M1, M2, whole


def test_l1_l3_l5_a_whole_cluster_is_let_alone() -> None:
    """Under writers: nothing is sent but proofs."""
    cluster, _, _ = whole(writers=2)
    assert liveness.unwhole(cluster) is None
    liveness.check_calm(cluster, 5)
    liveness.check_ledger(cluster)
    liveness.check_serving(cluster, 1)
    liveness.check_answers(cluster)


def test_l1_the_gate_of_who_leads_counts() -> None:
    """One that is still open because its controller has not heard that it leads no more is about to be shut."""
    cluster, leader, _ = whole()
    cluster.lease.take("somebody", 0, cluster.lease.key)
    assert cluster.gates[leader.name] is not None
    assert liveness.unwhole(cluster) == "who leads has no gate open in reign 1"
    assert liveness.becomes_whole(cluster, 60)
    liveness.check_calm(cluster, 5)


def test_l1_whoever_leads_must_be_able_to_renew_its_lease() -> None:
    """While the lease of the leader is about to end, it says so, and the cluster is not whole."""
    cluster, leader, _ = whole()
    leader.blind = True
    cluster.world.run_until(lambda: leader.decision is not None and leader.decision.hold is Hold.LEASE_ENDING, 10)
    assert cluster.gates[leader.name] is not None
    assert liveness.unwhole(cluster) == f"{leader.name} cannot renew its lease"
    leader.blind = False
    assert liveness.becomes_whole(cluster, 60)


@pytest.mark.parametrize("name", [M0, M1, M2])
def test_l1_who_is_kept_down_is_missed(name: str) -> None:
    """And it is said what is missing."""
    cluster, _, _ = whole(writers=1)
    cluster.keep_down(cluster.names[int(name[1])])
    with pytest.raises(LivenessViolation, match=rf"L1: not whole after 20 s: .*{name} not up"):
        liveness.check_convergence(cluster, 20)


def test_l2_nothing_is_acknowledged() -> None:
    """Not even while the fault lasts."""
    cluster, _, _ = whole(writers=1)
    for name in cluster.names:
        cluster.keep_down(name)
    cluster.world.run(5)
    with pytest.raises(LivenessViolation, match=r"L2"):
        liveness.check_serving(cluster, 2)


def test_l3_a_rule_that_never_rests() -> None:
    """Somebody writes the record of a whole cluster again and again, or commands things."""
    cluster, leader, _ = whole()
    cluster.world.at(1, lambda: leader.runner.sent.update(["Demote"]))
    with pytest.raises(LivenessViolation, match=r"L3: .*Demote"):
        liveness.check_calm(cluster, 3)
    for wait_s in (1.0, 1.5):
        cluster.world.at(wait_s, lambda: cluster.store.history.append(cluster.store.history[-1]))
    with pytest.raises(LivenessViolation, match=r"L3: the record"):
        liveness.check_calm(cluster, 3)


def test_l4_who_waits_under_no_name_or_another() -> None:
    """Without the rule that names the wait."""
    cluster, leader, _ = whole(rules=tuple(rule for rule in RULES if rule.id != "Y30"))
    cluster.keep_down(M2)
    with pytest.raises(LivenessViolation, match=r"L4: .*under no name"):
        liveness.check_convergence(cluster, 10)
    with pytest.raises(LivenessViolation, match=r"L4: .*NoSafeCandidate"):
        liveness.check_waits_by_name(leader, Hold.NO_SAFE_CANDIDATE)


def test_l5_a_gate_that_shuts() -> None:
    """In a cluster that is whole."""
    cluster, leader, _ = whole()
    cluster.world.at(1, leader.pause)
    cluster.world.at(1, lambda: cluster.gates.update({leader.name: None}))
    with pytest.raises(LivenessViolation, match=r"L5"):
        liveness.check_calm(cluster, 3)


def test_l6_nobody_leads() -> None:
    """All controllers are dead."""
    cluster, leader, other = whole()
    leader.crash()
    other.crash()
    with pytest.raises(LivenessViolation, match=r"L6"):
        liveness.check_convergence(cluster, 15)


def test_l7_a_question_that_nobody_answers() -> None:
    """Longer than whoever asked waits."""
    cluster, leader, _ = whole()
    leader.ask(Ask.SWITCHOVER, M1, 5)
    cluster.world.run(0.01)
    liveness.check_answers(cluster)
    (request,) = leader.observed.requests
    leader.observed = evolve(leader.observed, requests=(evolve(request, until_s=leader.now_s - 2),))
    with pytest.raises(LivenessViolation, match=r"L7: .*switchover m1"):
        liveness.check_answers(cluster)


def test_s1_a_write_that_is_missing_at_the_end_or_that_nobody_made() -> None:
    """MAIN and its standby, compared with the ledger."""
    cluster, _, _ = whole(writers=1)
    cluster.world.run(2)
    cluster.calm = True
    cluster.world.ask(M0, "CREATE (:W {id: 100000})")
    with pytest.raises(SafetyViolation, match=r"S1: .*nobody wrote"):
        liveness.check_ledger(cluster)
    cluster.world.ask(M0, "MATCH (w:W) DELETE w")
    with pytest.raises(SafetyViolation, match=r"S1: m0 lacks"):
        liveness.check_ledger(cluster)
