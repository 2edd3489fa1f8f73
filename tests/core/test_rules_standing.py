"""Rules N and R: whether it is ours to act, and whether the record can be relied on."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import Demote, WriteRecord
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import RecordTrouble
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import Fallback
from memgraph_ha.core.topology import Role
from tests.core.changes import (
    data_unknown,
    gate_shut,
    is_main,
    is_replica,
    lease,
    other_data,
    place,
    recorded,
    scene,
    unprotected,
)
from tests.core.scenes import ALONE, EMPTY, LOST, NEW_STANDBY
from tests.core.views import HEALTHY, M0, M1, NOW, Scene, SceneChange, answer, assert_stopped, decided, run_of

NOT_LEADING = HEALTHY.but(lease(leading=False))
ENDING = HEALTHY.but(lease(until_s=NOW + 5.9))
UNCLEAN = HEALTHY.but(lease(clean=False, since_s=NOW - 9.9))
TILTED = HEALTHY.but(scene(gap_at_s=NOW - 0.69))


@pytest.mark.parametrize(
    "other", [lease(leading=False), lease(until_s=NOW), scene(lease=None)], ids=["follows", "ended", "unknown"]
)
def test_nothing_is_done_without_a_lease(other: SceneChange) -> None:
    """Whoever does not hold a living lease does nothing, relays nothing and refuses new connections."""
    decision = decided(LOST.but(other), "N10")
    assert (decision.commands, decision.hold) == ((), Hold.NOT_LEADING)
    assert (decision.route.permit, decision.route.hold) == (None, False)


def test_a_lease_that_lives_lets_act() -> None:
    """A lease with any time left is ours."""
    assert_stopped(NOT_LEADING.but(lease(leading=True, until_s=NOW + 0.01)), "N10", "we do not lead", "we do")


def test_nothing_is_sent_that_could_outlive_the_lease() -> None:
    """With less lease than a command may take (5 s) plus the margin (1 s), nothing is sent; the permit stays."""
    decided(ENDING.but(lease(until_s=NOW + 6)), "N20")
    decision = decided(LOST.but(lease(until_s=NOW + 5.9)), "N20")
    assert (decision.commands, decision.hold) == ((), Hold.LEASE_ENDING)
    assert decided(ENDING, "N20").route.permit is not None


def test_a_lease_longer_than_a_command_lets_act() -> None:
    """Just above deadline plus margin, commands are sent."""
    assert_stopped(ENDING.but(lease(until_s=NOW + 6.01)), "N20", "the lease is nearly over", "6.0")


def test_an_unclean_lease_is_waited_out() -> None:
    """A lease that came by neither expiry nor release is held for one lease duration: an old permit may live."""
    decision = decided(UNCLEAN, "N25")
    assert (decision.commands, decision.hold) == ((), Hold.UNCLEAN_LEASE)
    assert decision.wake_at_s == pytest.approx(NOW + 0.1)
    assert decided(UNCLEAN.but(lease(since_s=NOW - 2)), "N25").wake_at_s == NOW + 1, "it looks once a second at least"


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(lease(clean=True), "the lease came uncleanly", "", id="clean"),
        pytest.param(scene(lease=None), "the lease came uncleanly", "", id="no lease"),
        pytest.param(lease(since_s=NOW - 10), "an older permit may live", "one lease duration has passed", id="over"),
    ],
)
def test_a_clean_or_old_lease_is_not_waited_out(change: SceneChange, guard: str, evidence: str) -> None:
    """A clean lease, or one older than its duration, is no reason to wait."""
    assert_stopped(UNCLEAN.but(change), "N25", guard, evidence)


def test_one_round_is_only_observed_after_a_gap_in_our_own_time() -> None:
    """After our process stood still, nothing is decided for one interval plus one time-out."""
    decision = decided(TILTED, "N30")
    assert (decision.commands, decision.hold) == ((), Hold.TILT)
    assert decision.wake_at_s == pytest.approx(NOW + 0.01)


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(scene(gap_at_s=None), "our process stood still", "it did not", id="no gap"),
        pytest.param(scene(gap_at_s=NOW - 0.7), "a round of probes is missing since", "it is over", id="a round ago"),
    ],
)
def test_tilt_ends_with_one_round(change: SceneChange, guard: str, evidence: str) -> None:
    """Without a gap, or one round after it, decisions are made again."""
    assert_stopped(TILTED.but(change), "N30", guard, evidence)


@pytest.mark.parametrize(
    ("trouble", "hold"),
    [
        (RecordTrouble.UNREADABLE, Hold.RECORD_UNKNOWN),
        (RecordTrouble.INVALID, Hold.RECORD_INVALID),
        (RecordTrouble.NEWER_SCHEMA, Hold.RECORD_SCHEMA),
    ],
)
def test_a_record_in_trouble_is_held_by_the_troubles_name(trouble: RecordTrouble, hold: Hold) -> None:
    """An unreadable, corrupt or newer record stops everything, by name, and shuts the gateway."""
    decision = decided(LOST.but(scene(record=None, trouble=trouble)), "R10")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), hold, None)
    assert decision.reason == "the detail"
    assert decision.hold is not None
    assert decision.hold.word == trouble.value


def test_nothing_is_done_before_the_record_was_read_in_our_term() -> None:
    """A record that was never read, or only before our term of leadership, is no record to act on."""
    for old in (EMPTY.but(scene(record_was_read=False)), LOST.but(lease(since_s=NOW + 0.1))):
        decision = decided(old, "R10")
        assert (decision.commands, decision.hold) == ((), Hold.RECORD_UNKNOWN)


def test_a_readable_record_is_gone_by() -> None:
    """A record, or its certain absence, lets the rules after R10 speak."""
    for read in (HEALTHY, EMPTY, HEALTHY.but(lease(since_s=NOW)), HEALTHY.but(scene(lease=None))):
        assert_stopped(read, "R10", "the record is in trouble", "it is readable")


@pytest.mark.parametrize("unlisted", [scene(members_known=False), scene(places=())], ids=["unseen", "empty"])
def test_nothing_is_done_before_the_members_are_known(unlisted: SceneChange) -> None:
    """An instance that was not listed yet is not an absent one."""
    decision = decided(LOST.but(unlisted), "R20")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.LOOKING, None)


def test_listed_members_are_gone_by() -> None:
    """With members known, R20 has nothing to say."""
    assert_stopped(HEALTHY, "R20", "no members are known", "3")


def test_the_record_of_another_cluster_is_refused() -> None:
    """A record whose cluster is not the platform's stops everything and shuts the gateway."""
    decision = decided(LOST.but(recorded(cluster="cluster-2")), "R30")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.RECORD_FOREIGN, None)
    assert "cluster-2" in decision.reason
    assert "cluster-1" in decision.reason


@pytest.mark.parametrize(
    "ours",
    [HEALTHY, EMPTY.but(scene(cluster="cluster-2")), HEALTHY.but(scene(members_known=False))],
    ids=["same cluster", "no record", "members unknown"],
)
def test_a_record_of_ours_is_not_refused(ours: Scene) -> None:
    """The right cluster's record, or none, is not foreign."""
    assert_stopped(ours, "R30", "the record is of another cluster")


@pytest.mark.parametrize(
    ("old", "says"),
    [
        (LOST.but(lease(floor_generation=5)), "the record says 4"),
        (EMPTY.but(lease(floor_generation=1)), "there is no record"),
    ],
    ids=["older", "vanished"],
)
def test_a_record_below_the_lease_is_refused(old: Scene, says: str) -> None:
    """A record older than what the lease has seen was restored from somewhere: nothing is done on it."""
    decision = decided(old, "R40")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.RECORD_REGRESSED, None)
    assert says in decision.reason


def test_a_record_at_the_leases_floor_is_current() -> None:
    """The generation that the lease has seen is not older than itself."""
    assert_stopped(HEALTHY, "R40", "the record is older than the facts")
    assert_stopped(HEALTHY.but(scene(lease=None)), "R40", "the record is older than the facts")


CONTRADICTED = ALONE.but(
    is_replica(M1),
    place(M0, role=Role.MAIN),
)
"""m1 reigns by the record but is only REPLICA, while m0 is MAIN with the recorded data set; nobody is named."""


def test_a_record_that_the_facts_contradict_is_refused() -> None:
    """The real MAIN is not demoted because a restored record says so."""
    decision = decided(CONTRADICTED.but(_forgotten), "R40")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.RECORD_REGRESSED, None)
    assert "m0 is MAIN with the recorded data set" in decision.reason


def _forgotten(old: Scene) -> Scene:
    """The record does not say any more that m0 was level."""
    return evolve(old, record=old.recorded.without_level(M0))


def test_what_such_a_main_took_is_never_rebuilt_away_by_itself() -> None:
    """Should it restart before a human decides, nothing would tell it from a replica: its level is forgotten now."""
    decision = decided(CONTRADICTED, "R40")
    assert decision.hold is Hold.RECORD_REGRESSED
    (command,) = decision.commands
    assert isinstance(command, WriteRecord)
    assert command.record == CONTRADICTED.recorded.without_level(M0)
    assert M0 not in dict(command.record.level)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(recorded(opened=False), id="the reign is not open"),
        pytest.param(
            recorded(opened=False, fallback=Fallback(instance=M0, run=None), unprotected=False), id="a fallback"
        ),
        pytest.param(is_main(M1), id="the recorded MAIN is MAIN"),
        pytest.param(place(M1, run=None), id="the recorded MAIN has not answered"),
        pytest.param(is_replica(M0), id="no other MAIN"),
        pytest.param(other_data(M0), id="the other MAIN holds other data"),
        pytest.param(data_unknown(M0), id="the other MAIN's data is unknown"),
        pytest.param(place(M0, data_run=run_of(M0)), id="the other MAIN's data was seen in another run"),
        pytest.param(place(M0, run=None), id="the other one has not answered"),
    ],
)
def test_a_stray_main_alone_does_not_make_a_record_old(change: SceneChange) -> None:
    """Each condition of the contradiction is needed."""
    assert_stopped(CONTRADICTED.but(change), "R40", "the record is older than the facts")


def test_a_named_standby_is_no_contradiction() -> None:
    """A named standby that is MAIN was promoted by hand: its reign is recognised after a look at both."""
    named = CONTRADICTED.but(recorded(unprotected=False, standby=NEW_STANDBY))
    assert_stopped(named, "R40", "the record is older than the facts")
    decided(named, "L10")
    decided(named.but(gate_shut()), "L12")


def test_a_record_whose_main_is_no_member_is_contradicted_too() -> None:
    """It is lost, and the only MAIN with its data set is not demoted: a human says whose reign it is."""
    gone = CONTRADICTED.but(scene(places=tuple(p for p in CONTRADICTED.places if p.name != M1)))
    assert decided(gone, "R40").hold is Hold.RECORD_REGRESSED


def test_demoting_the_real_main_is_what_r40_prevents() -> None:
    """S10 would demote that MAIN, were R40 not before it."""
    prevented = answer(CONTRADICTED, "S10")
    assert isinstance(prevented, Decision)
    assert [(type(command), command.instance) for command in prevented.commands if isinstance(command, Demote)] == [
        (Demote, M0)
    ]


def test_unprotected_alone_is_no_contradiction() -> None:
    """An unprotected MAIN that answers as MAIN is believed."""
    assert_stopped(HEALTHY.but(unprotected), "R40", "the record is older than the facts")
