"""The view's named questions: verdicts with their evidence, what may be attached, when to try again."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import RegisterReplica
from memgraph_ha.core.facts import MembersSeen, Miss, Outcome
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed
from memgraph_ha.core.topology import Role, RowStatus
from memgraph_ha.core.view import UNLISTED_S, LossKind
from tests.core.changes import (
    a_registration,
    data_unknown,
    frozen,
    gate_shut,
    gone,
    is_main,
    is_replica,
    last_noop,
    lease,
    missed_before,
    misses,
    new_term,
    other_data,
    place,
    policy,
    recorded,
    refuses,
    restarted,
    rows,
    scene,
    tried,
    unheard,
    unnamed,
    wiped,
)
from tests.core.scenes import BEGUN, EMPTY, PROMOTED, PROVEN
from tests.core.views import (
    CLUSTER,
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    Scene,
    SceneChange,
    async_row,
    noop,
    run_of,
    strict_row,
)


@pytest.mark.parametrize(
    ("old", "kind", "evidence"),
    [
        (HEALTHY.but(gone(M0)), LossKind.GONE, "the platform has no process for m0"),
        (
            HEALTHY.but(scene(places=HEALTHY.places[1:])),
            LossKind.GONE,
            "m0 is no member of this cluster",
        ),
        (
            HEALTHY.but(misses(M0, Miss.REFUSED, 2, 0.0501)),
            LossKind.REFUSED,
            "2 connections refused within 0.050 s",
        ),
        (
            HEALTHY.but(place(M0, asked_s=NOW - 2), misses(M0, Miss.TIMED_OUT, 4, 0.5)),
            LossKind.FROZEN,
            "4 probes without an answer within 1.50 s",
        ),
        (HEALTHY.but(is_replica(M0)), LossKind.NOT_MAIN, "it answers as REPLICA in run run-m0-1"),
        (HEALTHY.but(restarted(M0)), LossKind.NOT_MAIN, "it answers as REPLICA in run run-m0-2"),
        (HEALTHY.but(restarted(M0, Role.MAIN)), LossKind.RESTARTED, "it is MAIN in run run-m0-2"),
        (BEGUN.but(restarted(M1)), LossKind.RESTARTED, "it answers in run run-m1-2"),
        (HEALTHY.but(wiped(M0)), LossKind.EMPTIED, "run run-m0-2 holds data set fresh-m0, not data-set-1"),
        (HEALTHY.but(wiped(M0, Role.MAIN)), LossKind.EMPTIED, "run run-m0-2 holds data set fresh-m0"),
        (BEGUN.but(other_data(M1)), LossKind.EMPTIED, "run run-m1-1 holds data set another-data-set"),
        (
            BEGUN.but(recorded(main_run=None), wiped(M1)),
            LossKind.EMPTIED,
            "run run-m1-2 holds data set fresh-m1",
        ),
    ],
)
def test_each_verdict_of_loss_has_its_evidence(old: Scene, kind: LossKind, evidence: str) -> None:
    """What happened is named, with what was seen."""
    loss = old.view.loss
    assert loss is not None
    assert loss.kind is kind
    assert evidence in loss.evidence


QUIET = HEALTHY.but(place(M0, asked_s=NOW - 9))
"""MAIN has not answered for nine seconds, and no probe was found to fail."""


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(HEALTHY, id="healthy"),
        pytest.param(EMPTY, id="no record"),
        pytest.param(HEALTHY.but(unheard(M0)), id="a new process that has not answered"),
        pytest.param(HEALTHY.but(misses(M0, Miss.REFUSED, 1, 0.0)), id="refused once"),
        pytest.param(HEALTHY.but(misses(M0, Miss.REFUSED, 2, 0.049)), id="refused twice in one moment"),
        pytest.param(HEALTHY.but(policy(refused_count=3), refuses(M0)), id="refused less often than the policy"),
        pytest.param(QUIET.but(misses(M0, Miss.TIMED_OUT, 3, 0.5)), id="three time-outs"),
        pytest.param(HEALTHY.but(policy(frozen_count=6), frozen(M0)), id="fewer time-outs than the policy"),
        pytest.param(QUIET.but(misses(M0, Miss.TIMED_OUT, 9, 0.5, excused=True)), id="excused"),
        pytest.param(HEALTHY.but(misses(M0, Miss.UNAUTHORISED, 99, 0.1)), id="unauthorised"),
        pytest.param(HEALTHY.but(misses(M0, Miss.UNREADABLE, 99, 0.1)), id="unreadable"),
        pytest.param(HEALTHY.but(place(M0, asked_s=NOW - 60)), id="slow: its last answer is a minute old"),
        pytest.param(HEALTHY.but(data_unknown(M0)), id="data unknown"),
        pytest.param(HEALTHY.but(other_data(M0)), id="another data set in the same run of an open reign"),
        pytest.param(BEGUN, id="the chosen one is a REPLICA still"),
        pytest.param(BEGUN.but(recorded(main_run=None), restarted(M1)), id="any run, if the directory counts"),
        pytest.param(
            BEGUN.but(other_data(M1), place(M1, data_run=run_of(M1, 0))), id="another data set in an earlier run"
        ),
        pytest.param(PROMOTED, id="promoted"),
        pytest.param(PROMOTED.but(recorded(main_run=None), restarted(M1, Role.MAIN)), id="MAIN again in any run"),
    ],
)
def test_what_is_no_verdict_of_loss(old: Scene) -> None:
    """Wrong passwords, slowness, excused time-outs and single misses are never one."""
    assert old.view.loss is None


NO_PROCESS = HEALTHY.but(place(M0, incarnation=None, rows=None))
"""The platform lists no process for MAIN; everything else that is said of it is from its present life."""


@pytest.mark.parametrize(
    ("old", "lost"),
    [
        pytest.param(NO_PROCESS, False, id="it answers"),
        pytest.param(NO_PROCESS.but(place(M0, run=None)), False, id="not asked yet"),
        pytest.param(NO_PROCESS.but(misses(M0, Miss.REFUSED, 1, 0.0)), True, id="refused since"),
        pytest.param(NO_PROCESS.but(misses(M0, Miss.TIMED_OUT, 1, 0.0)), True, id="timed out since"),
        pytest.param(NO_PROCESS.but(missed_before(M0)), False, id="answered since it missed one"),
        pytest.param(NO_PROCESS.but(misses(M0, Miss.UNAUTHORISED, 1, 0.0)), False, id="it refuses our password"),
        pytest.param(NO_PROCESS.but(misses(M0, Miss.UNREADABLE, 1, 0.0)), False, id="it answers nonsense"),
        pytest.param(NO_PROCESS.but(misses(M0, Miss.TIMED_OUT, 1, 0.0, excused=True)), False, id="excused"),
    ],
)
def test_who_has_no_process_must_not_answer_either(old: Scene, lost: bool) -> None:
    """The platform's list may be behind: MAIN is asked once since then before it is given up (scenarios I2)."""
    loss = old.view.loss
    assert (loss is not None and loss.kind is LossKind.GONE) is lost


def test_nobody_is_let_in_to_a_main_without_a_process() -> None:
    """Whether it answers or not: a permit names the life that it is for."""
    view = NO_PROCESS.view
    assert (view.permit(), view.unserved) == (None, "the platform lists no process for MAIN m0")


def test_one_list_that_lacks_main_is_no_verdict() -> None:
    """Lists must have lacked it for a second; more of the same do not begin that second anew, others do."""
    listed = MembersSeen(at_s=NOW, cluster=CLUSTER, members=HEALTHY.view.members)
    fewer = evolve(listed, at_s=NOW + 0.1, members=listed.members[1:])
    lacking = observe(observe(HEALTHY.view.observed, listed), fewer)
    again, other = (observe(lacking, evolve(fewer, at_s=NOW + 1, members=fewer.members[n:])) for n in (0, 1))

    def kind(observed: Observed, at_s: float) -> LossKind | None:
        loss = evolve(HEALTHY.view, observed=observed, now_s=at_s).loss
        return None if loss is None else loss.kind

    due_s = NOW + 0.1 + UNLISTED_S
    assert (kind(lacking, due_s - 0.01), kind(lacking, due_s + 0.01)) == (None, LossKind.GONE)
    assert (kind(again, due_s + 0.01), kind(other, due_s + 0.01)) == (LossKind.GONE, None)


def test_a_lost_main_answers_for_nothing() -> None:
    """Neither its role nor its rows count once it is lost."""
    lost = HEALTHY.but(refuses(M0)).view
    assert (lost.main_role, lost.main_rows) == (None, None)
    assert HEALTHY.view.main_role is not None
    assert HEALTHY.view.main_rows == HEALTHY.place(M0).rows


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(place(M0, rows=None), id="none seen"),
        pytest.param(place(M0, rows_run=run_of(M0, 0)), id="of an earlier run"),
        pytest.param(
            lambda old: old.but(tried(a_registration(old, M2), Outcome.UNKNOWN, ago_s=0.05)), id="a lost REGISTER since"
        ),
    ],
)
def test_rows_that_say_nothing_are_unknown(change: SceneChange) -> None:
    """Rows count only of MAIN's present run, and if no role or registration command was lost since."""
    assert HEALTHY.but(change).view.main_rows is None


def test_rows_asked_after_a_lost_command_count() -> None:
    """A newer answer ends the doubt."""
    lost = tried(a_registration(HEALTHY, M2), Outcome.UNKNOWN, ago_s=0.2)
    assert HEALTHY.but(lost).view.main_rows is not None


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        (HEALTHY.but(scene(lease=None)), None),
        (HEALTHY.but(scene(lease=None, gate=None)), None),
        (HEALTHY.but(scene(gate=None, gate_s=NOW - 3)), NOW - 3),
        (HEALTHY, None),
        (HEALTHY.but(scene(gates=False)), NOW - 500),
        (HEALTHY.but(scene(gate=None, gate_s=NOW - 3), lease(since_s=NOW - 1)), NOW - 1),
        (HEALTHY.but(scene(gates=False), lease(since_s=NOW - 1)), NOW - 1),
    ],
    ids=["no lease", "no lease, shut", "shut", "serving", "no gateway", "shut before our term", "no gateway, new term"],
)
def test_the_cut_is_when_nothing_was_relayed_any_more(old: Scene, expected: float | None) -> None:
    """Since our gateway was shut, or since our term began if that is later; never while it serves."""
    assert old.view.cut_at_s == expected


def test_the_pair_and_the_others() -> None:
    """The first two members, or the policy's, may be MAIN; nobody on whom the record relies is merely ASYNC.

    One of the pair is, while MAIN is none of it: nobody else would attach it.
    """

    def others(old: Scene) -> list[str]:
        return [seen.member.name for seen in old.view.asyncs]

    assert HEALTHY.view.pair == (M0, M1)
    assert others(HEALTHY) == [M2]
    moved = HEALTHY.but(policy(eligible=("m2", "m0")))
    assert moved.view.pair == (M2, M0)
    assert others(moved) == [], "m1 is named, though no longer eligible"
    assert others(moved.but(unnamed)) == [M1]
    left = HEALTHY.but(policy(eligible=("m2", "m1")))
    assert others(left) == [M2], "MAIN is not an ASYNC replica, nor is who is named"
    assert others(left.but(unnamed)) == [M1], "the first of the pair is the partner"
    assert others(EMPTY) == [M2]


@pytest.mark.parametrize(
    ("old", "partner"),
    [
        (HEALTHY, M1),
        (BEGUN, M0),
        (EMPTY, None),
        (HEALTHY.but(policy(eligible=("m2", "m0"))), M2),
        (HEALTHY.but(policy(eligible=("m8", "m9"))), None),
        (HEALTHY.but(policy(eligible=("m2", "m1"))), M1),
        (HEALTHY.but(policy(eligible=("m2", "m1")), unnamed), M2),
        (HEALTHY.but(policy(eligible=("m2", "m1")), unnamed, scene(places=HEALTHY.places[:2])), M1),
        (HEALTHY.but(scene(places=(HEALTHY.place(M0),))), None),
    ],
)
def test_the_partner_is_the_pairs_other_member(old: Scene, partner: str | None) -> None:
    """Whoever is not MAIN, if it is a member at all; of two the one that is named, else the first."""
    found = old.view.partner
    assert (None if found is None else found.member.name) == partner


@pytest.mark.parametrize(
    ("found", "is_standbys"),
    [
        (strict_row("m1_7"), True),
        (strict_row("m1_7", status=RowStatus.HALF), True),
        (strict_row("m1_6"), False),
        (strict_row("m1"), False),
        (strict_row("m1_7", M2), False),
        (async_row("m1_7", M1), False),
    ],
)
def test_the_standbys_row_is_the_one_with_number_address_and_mode(found: object, is_standbys: bool) -> None:
    """All three, or it is not the row through which it was proven."""
    view = HEALTHY.but(rows(found)).view  # type: ignore[arg-type]  # rows, from the table
    assert view.standby_row == (found if is_standbys else None)
    assert EMPTY.view.standby_row is None


@pytest.mark.parametrize(
    ("change", "stands"),
    [
        (scene(), True),
        (last_noop(generation=3), False),
        (last_noop(run=run_of(M0, 0)), False),
        (last_noop(instance=M1), False),
        (new_term, False),
        (scene(lease=None), False),
        (refuses(M0), False),
        (scene(noops=(noop(outcome=Outcome.REFUSED),)), False),
        (scene(record=None, token=None), False),
    ],
    ids=["now", "generation", "run", "instance", "term", "no lease", "lost", "refused", "no record"],
)
def test_a_commit_counts_for_one_reign_one_run_and_one_term(change: SceneChange, stands: bool) -> None:
    """The epoch's first commit is repeated whenever one of them changed."""
    assert (HEALTHY.but(change).view.noop_in_reign is not None) is stands


def test_a_proof_is_of_one_run_through_one_row() -> None:
    """It falls with the witness's run, role or row number."""
    assert PROVEN.view.proof is not None
    assert PROVEN.view.unproven is None
    for change in (restarted(M0, life=3), is_main(M0), recorded(row_seq=9), unheard(M0)):
        assert PROVEN.but(change).view.proof is None
        assert PROVEN.but(change).view.unproven == "there is no proof"


@pytest.mark.parametrize(
    ("failures", "pause_s"), [(1, 0.1), (2, 0.2), (3, 0.4), (6, 3.2), (7, 5.0), (8, 5.0), (60, 5.0)]
)
def test_pauses_double_up_to_five_seconds(failures: int, pause_s: float) -> None:
    """A command that fails again and again is not repeated in haste."""
    one = a_registration(HEALTHY, M1)
    old = HEALTHY.but(*(tried(one, ago_s=50 - 0.1 * n) for n in range(failures)))
    at_s = NOW - (50 - 0.1 * (failures - 1))
    assert old.view.retry_at_s(RegisterReplica, M1) == pytest.approx(at_s + pause_s)
    assert old.view.may_try(RegisterReplica, M1)
    assert not old.but(scene(now_s=at_s + pause_s - 0.01)).view.may_try(RegisterReplica, M1)
    assert old.but(scene(now_s=at_s + pause_s)).view.may_try(RegisterReplica, M1)
    assert old.view.may_try(RegisterReplica, M2), "another subject has its own pause"


def test_a_success_ends_the_pause() -> None:
    """And what was never tried may be tried now."""
    one = a_registration(HEALTHY, M2)
    done = HEALTHY.but(tried(one), tried(one, Outcome.DONE, ago_s=0.01))
    assert done.view.may_try(RegisterReplica, M2)
    assert done.view.last_outcome(RegisterReplica, M2) == ""
    assert HEALTHY.view.may_try(RegisterReplica, M1)
    assert HEALTHY.view.last_outcome(RegisterReplica, M1) == ""


@pytest.mark.parametrize(
    ("ago_s", "life", "may"), [(0.05, 1, False), (59.0, 1, False), (60.0, 1, True), (0.05, 2, True)]
)
def test_a_diverged_replica_is_asked_again_after_a_minute_or_in_another_run(ago_s: float, life: int, may: bool) -> None:
    """Repeating Error 3 changes nothing (transcripts, "Rejoin of an old main")."""
    diverged = tried(a_registration(HEALTHY, M1), error=ErrorClass.DIVERGED, ago_s=ago_s)
    assert HEALTHY.but(restarted(M1, life=life), diverged).view.may_try(RegisterReplica, M1) is may


def test_the_last_outcome_is_told_in_words() -> None:
    """How it ended, and the server's own text if there was one."""
    one = a_registration(HEALTHY, M1)
    assert HEALTHY.but(tried(one)).view.last_outcome(RegisterReplica, M1) == "; last try: refused (it says no)"
    lost = HEALTHY.but(tried(one, Outcome.UNKNOWN, detail=""))
    assert lost.view.last_outcome(RegisterReplica, M1) == "; last try: unknown"


def test_the_lease_is_judged_on_our_own_clock() -> None:
    """It has ended when our clock says so, whatever was last reported."""
    assert HEALTHY.view.lease_left_s == 9.0
    assert HEALTHY.but(lease(until_s=NOW)).view.lease is None
    assert HEALTHY.but(lease(until_s=NOW)).view.lease_left_s == 0.0
    assert HEALTHY.but(lease(leading=False)).view.lease is None
    assert HEALTHY.but(gate_shut()).view.lease is not None
