"""Who begins the next reign: every reason for a rejection, and a dumb twin written from design 4's text."""

import pytest
from hypothesis import given, settings

from memgraph_ha.core.candidate import Candidate, Rejection, Why, choose
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.record import ChangeKind, Fallback, Record
from memgraph_ha.core.topology import Role
from memgraph_ha.core.view import View
from tests.core.changes import (
    data_unknown,
    gate_shut,
    gone,
    is_main,
    is_replica,
    misses,
    other_data,
    place,
    policy,
    recorded,
    refuses,
    reigns,
    restarted,
    scene,
    stale,
    unheard,
    unprotected,
)
from tests.core.scenes import BEGUN, EMPTY, LOST
from tests.core.views import HEALTHY, M0, M1, NOW, Scene, SceneChange, run_of
from tests.property.strategies import views

BACK = HEALTHY.but(restarted(M0), gate_shut(), unprotected)


def rejected(old: Scene, kind: ChangeKind) -> Rejection:
    """Why nobody could follow in that way."""
    found = choose(old.view)
    assert not isinstance(found, Candidate)
    return next(rejection for rejection in found if rejection.kind is kind)


OF_MAIN: list[tuple[SceneChange, Why]] = [
    (scene(places=BACK.places[1:]), Why.NOT_A_MEMBER),
    (recorded(rebuild=frozenset({M0})), Why.NEEDS_REBUILD),
    (gone(M0), Why.DOWN),
    (unheard(M0), Why.SILENT),
    (refuses(M0), Why.SILENT),
    (misses(M0, Miss.UNAUTHORISED, 1, 0.0), Why.SILENT),
    (is_main(M0), Why.IS_MAIN),
    (data_unknown(M0), Why.DATA_UNKNOWN),
    (place(M0, flush_every=None), Why.DATA_UNKNOWN),
    (place(M0, flush_every=2), Why.UNFLUSHED),
    (other_data(M0), Why.OTHER_DATA),
    (stale(M0), Why.STALE),
    (place(M0, data_asked_s=NOW - 0.4), Why.STALE),
    (scene(gate=HEALTHY.gate), Why.STALE),
    (lambda old: old.but(gate_shut(3), place(M0, asked_s=NOW - 0.71)), Why.STALE),
]


@pytest.mark.parametrize(("change", "why"), OF_MAIN, ids=lambda value: value.name if isinstance(value, Why) else "")
def test_each_reason_against_the_recorded_main(change: SceneChange, why: Why) -> None:
    """The first thing that it lacks is told."""
    assert rejected(BACK.but(change), ChangeKind.REPROMOTE) == Rejection(
        kind=ChangeKind.REPROMOTE, instance=M0, why=why
    )


def test_who_may_not_be_main_is_rejected_unless_it_is() -> None:
    """`eligible` binds the standby and the fallback; the recorded MAIN may return though it is not listed any more."""
    assert rejected(LOST.but(policy(eligible=("m0", "m2"))), ChangeKind.FAILOVER).why is Why.NOT_ELIGIBLE
    found = choose(BACK.but(policy(eligible=("m1", "m2"))).view)
    assert isinstance(found, Candidate)
    assert (found.instance, found.kind) == (M0, ChangeKind.REPROMOTE)


def test_a_standby_that_a_human_promoted_comes_first() -> None:
    """Before the old MAIN's return: what it took since is nowhere else. Until it was asked again, nobody is chosen."""
    by_hand = HEALTHY.but(is_main(M1), restarted(M0), gate_shut())
    assert choose(by_hand.view) == Candidate(instance=M1, kind=ChangeKind.ADOPT, main_run=run_of(M1), fallback=None)
    for change, why in ((stale(M1), Why.STALE), (data_unknown(M1), Why.DATA_UNKNOWN)):
        assert rejected(by_hand.but(change), ChangeKind.ADOPT).why is why
    for change in (restarted(M1, Role.MAIN), other_data(M1), recorded(rebuild=frozenset({M1}))):
        found = choose(by_hand.but(change).view)
        assert isinstance(found, Candidate)
        assert (found.instance, found.kind) == (M0, ChangeKind.REPROMOTE)


def test_the_very_run_need_not_flush() -> None:
    """A MAIN that was only demoted lost nothing, however it writes to its disk."""
    demoted = HEALTHY.but(is_replica(M0), gate_shut(), unprotected, place(M0, flush_every=100_000))
    found = choose(demoted.view)
    assert isinstance(found, Candidate)
    assert (found.instance, found.kind) == (M0, ChangeKind.REPROMOTE)


def test_each_reason_against_the_standby_and_the_fallback() -> None:
    """Nobody named, and a run that changed, are theirs alone."""
    nobody = rejected(LOST.but(recorded(standby=None)), ChangeKind.FAILOVER)
    assert (nobody.instance, nobody.why) == (None, Why.NOT_NAMED)
    assert str(nobody) == "failover: nobody: the record names nobody here"
    other = rejected(LOST.but(restarted(M1)), ChangeKind.FAILOVER)
    assert (other.instance, other.why) == (M1, Why.OTHER_RUN)
    assert str(other) == "failover: m1: its process restarted since: it may lack the last write"
    assert rejected(LOST.but(restarted(M1)), ChangeKind.FALLBACK).why is Why.NOT_NAMED


def test_a_main_that_restarts_too_often_is_rejected_only_if_another_can_follow() -> None:
    """The standby takes over if it can, else the restarted MAIN reigns again."""
    often = BACK.but(recorded(unprotected=False, standby=HEALTHY.recorded.standby), reigns(ChangeKind.REPROMOTE, 3))
    taken = choose(often.view)
    assert isinstance(taken, Candidate)
    assert (taken.instance, taken.kind) == (M1, ChangeKind.FAILOVER)
    alone = choose(often.but(restarted(M1)).view)
    assert isinstance(alone, Candidate)
    assert (alone.instance, alone.kind) == (M0, ChangeKind.REPROMOTE)


@pytest.mark.parametrize(
    ("kind", "main", "ago_s", "counts"),
    [
        (ChangeKind.REPROMOTE, M0, 599.0, True),
        (ChangeKind.REPROMOTE, M0, -50.0, True),
        (ChangeKind.REPROMOTE, M0, 600.0, False),
        (ChangeKind.REPROMOTE, M1, 1.0, False),
        (ChangeKind.FAILOVER, M0, 1.0, False),
    ],
)
def test_only_repromotions_of_it_in_the_window_count(
    kind: ChangeKind, main: InstanceName, ago_s: float, counts: bool
) -> None:
    """Old ones, others', and failovers do not make it restart too often; the future counts as now."""
    named = HEALTHY.but(recorded(main=main, standby=None), reigns(kind, 3, ago_s))
    history = named.recorded.history
    generation = named.recorded.generation
    old = BACK.but(
        recorded(unprotected=False, standby=HEALTHY.recorded.standby, history=history, generation=generation)
    )
    found = choose(old.view)
    assert isinstance(found, Candidate)
    assert (found.kind is ChangeKind.FAILOVER) is counts


def test_what_a_candidate_carries() -> None:
    """Whose run is bound, and who else holds everything."""
    assert choose(LOST.view) == Candidate(
        instance=M1, kind=ChangeKind.FAILOVER, main_run=run_of(M1), fallback=Fallback(instance=M0, run=None)
    )
    kept = BACK.but(recorded(unprotected=False, standby=HEALTHY.recorded.standby))
    assert choose(kept.view) == Candidate(
        instance=M0, kind=ChangeKind.REPROMOTE, main_run=None, fallback=Fallback(instance=M1, run=run_of(M1))
    )
    failed = BEGUN.but(gone(M1), restarted(M0))
    assert choose(failed.view) == Candidate(instance=M0, kind=ChangeKind.FALLBACK, main_run=None, fallback=None)
    directory = failed.but(recorded(main_run=None))
    assert choose(directory.view) == Candidate(
        instance=M0, kind=ChangeKind.FALLBACK, main_run=None, fallback=Fallback(instance=M1, run=None)
    )


def test_a_fallback_is_carried_by_the_chosen_itself() -> None:
    """A chosen one that is chosen again before its reign opened keeps the fallback of its reign."""
    again = choose(BEGUN.view)
    assert again == Candidate(
        instance=M1, kind=ChangeKind.REPROMOTE, main_run=run_of(M1), fallback=Fallback(instance=M0, run=None)
    )


def test_without_a_record_there_is_nobody() -> None:
    """Bootstrap is not a choice of candidates."""
    assert choose(EMPTY.view) == ()


# --- the twin -----------------------------------------------------------------------------------------


def can_follow(view: View, record: Record, name: InstanceName, run: RunId | None, role: Role = Role.REPLICA) -> bool:
    """Of that role, uuid as recorded, its run (if one is given) unchanged; on facts newer than the cut."""
    seen = view.observed.of(name)
    if seen is None or seen.role is None or seen.storage is None or view.cut_at_s is None:
        return False
    answers = seen.member.incarnation is not None
    answers &= seen.miss is None or seen.miss.asked_at_s <= seen.role.asked_at_s
    answers &= seen.role.asked_at_s >= view.now_s - view.policy.probe_interval_s - view.policy.probe_timeout_s
    newer = seen.role.asked_at_s >= view.cut_at_s and seen.storage.asked_at_s >= view.cut_at_s
    replica = seen.role.role is role and seen.storage.run == seen.role.run
    uuid = seen.storage.uuid == record.database_uuid
    same = run is None or seen.role.run == run
    allowed = (name in view.pair or name == record.main) and name not in record.rebuild
    return answers and newer and replica and uuid and same and allowed


def flushed(view: View, record: Record) -> bool:
    """Every commit of MAIN is on disk, or it is the very run (design 5)."""
    seen = view.observed.of(record.main)
    if seen is None or seen.role is None:
        return False
    if seen.role.run == record.main_run:
        return True
    return seen.server is not None and seen.server.run == seen.role.run and seen.server.flush_every == 1


def promoted_by_hand(view: View, record: Record) -> bool | None:
    """Whether the named standby is MAIN, and has every acknowledged write; None if it must be asked again."""
    named = record.standby
    seen = None if named is None else view.observed.of(named.instance)
    if named is None or seen is None or seen.role is None or seen.role.role is not Role.MAIN:
        return False
    if can_follow(view, record, named.instance, named.run, Role.MAIN):
        return True
    answers = seen.member.incarnation is not None and seen.role.run == named.run
    answers &= seen.miss is None or seen.miss.asked_at_s <= seen.role.asked_at_s
    allowed = named.instance in view.pair and named.instance not in record.rebuild
    data = seen.storage if seen.storage is not None and seen.storage.run == seen.role.run else None
    other = data is not None and data.uuid != record.database_uuid
    return None if answers and allowed and not other else False


def twin(view: View) -> tuple[InstanceName, ChangeKind, RunId | None] | None:
    """Design 4, "Who may begin a reign when MAIN is lost, first that holds", word for word and without cleverness."""
    record = view.record
    if record is None:
        return None

    by_hand = promoted_by_hand(view, record)
    if by_hand is None or (by_hand and record.standby is not None):
        return (record.standby.instance, ChangeKind.ADOPT, record.standby.run) if by_hand and record.standby else None

    directory_counts = record.opened or record.main_run is None
    first = can_follow(view, record, record.main, None if directory_counts else record.main_run)
    first = first and (flushed(view, record) or not directory_counts)
    second = record.standby is not None and can_follow(view, record, record.standby.instance, record.standby.run)
    third = record.fallback is not None and can_follow(view, record, record.fallback.instance, record.fallback.run)
    window = [
        change
        for change in record.history
        if change.kind is ChangeKind.REPROMOTE
        and change.main == record.main
        and view.wall_s - change.at < view.policy.main_restart_window_s
    ]
    if first and (second or third) and len(window) >= view.policy.main_restart_limit:
        first = False
    if first:
        return record.main, ChangeKind.REPROMOTE, None if directory_counts else record.main_run
    if second and record.standby is not None:
        return record.standby.instance, ChangeKind.FAILOVER, record.standby.run
    if third and record.fallback is not None:
        return record.fallback.instance, ChangeKind.FALLBACK, record.fallback.run
    return None


@settings(max_examples=200)
@given(view=views())
def test_the_choice_is_that_of_the_design(view: View) -> None:
    """On arbitrary views the twin and the code choose the same, and the code says why it chose nobody."""
    found, expected = choose(view), twin(view)
    if isinstance(found, Candidate):
        assert (found.instance, found.kind, found.main_run) == expected
    else:
        assert expected is None
        by_hand = any(rejection.kind is ChangeKind.ADOPT for rejection in found)
        ways = [rejection for rejection in found if rejection.kind is not ChangeKind.ADOPT]
        assert len(ways) == 3 or by_hand or view.record is None, "each way is told, or who must be asked first"


@pytest.mark.parametrize("old", [LOST, BACK, BEGUN, HEALTHY, BEGUN.but(gone(M1), restarted(M0))])
def test_the_twin_agrees_on_the_steps_of_a_failover(old: Scene) -> None:
    """The twin chooses somebody where somebody must be chosen: agreement is not that both find nobody."""
    found = choose(old.view)
    if isinstance(found, Candidate):
        assert twin(old.view) == (found.instance, found.kind, found.main_run)
    else:
        assert twin(old.view) is None
        assert old is HEALTHY
