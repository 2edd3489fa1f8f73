"""Rule U10: the standby's name is taken away at the first sign that it may lack a write."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import Miss, Outcome
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.topology import Mode, RowStatus, StorageMode
from tests.core.changes import (
    data_unknown,
    frozen,
    gate_shut,
    gone,
    is_main,
    last_noop,
    misses,
    one_more_noop,
    other_data,
    place,
    recorded,
    refuses,
    restarted,
    rows,
    rows_unknown,
    scene,
    standby_row,
    unheard,
    unnamed,
    unprotected,
)
from tests.core.scenes import LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    STANDBY,
    TOKEN,
    Scene,
    SceneChange,
    assert_stopped,
    async_row,
    decided,
    noop,
    run_of,
    strict_row,
)

AS_ASYNC = evolve(strict_row(), mode=Mode.ASYNC)

OWN_DOUBTS = [
    pytest.param(restarted(M1), "it is run run-m1-2 now", id="another run"),
    pytest.param(is_main(M1), "it is MAIN", id="promoted by hand"),
    pytest.param(other_data(M1), "it holds data set another-data-set now", id="another data set"),
    pytest.param(
        lambda old: old.but(other_data(M1), place(M1, data_asked_s=old.noops[-1].at_s)),
        "it holds data set another-data-set now",
        id="another data set, asked at the moment of its proof",
    ),
    pytest.param(
        lambda old: old.but(
            other_data(M1), place(M1, data_asked_s=NOW - 0.6), last_noop(witness=evolve(STANDBY, run=run_of(M1, 0)))
        ),
        "it holds data set another-data-set now",
        id="another data set, asked before the proof of another run",
    ),
    pytest.param(gone(M1), "its process is gone", id="no process"),
    pytest.param(frozen(M1, for_s=3.0), "it has not answered for 3.0 s", id="frozen"),
    pytest.param(
        scene(places=tuple(p for p in HEALTHY.places if p.name != M1)), "it is no member any more", id="no member"
    ),
]
"""What is seen of the standby itself: it counts also while MAIN is lost."""

ROW_DOUBTS = [
    pytest.param(rows(async_row()), "MAIN has no STRICT_SYNC row of it", id="no row"),
    pytest.param(standby_row(RowStatus.HALF), "its row is {}", id="half row"),
    pytest.param(rows(AS_ASYNC), "MAIN has no STRICT_SYNC row of it", id="row of another mode"),
    pytest.param(rows(strict_row("m1_6")), "MAIN has no STRICT_SYNC row of it", id="row of another number"),
    pytest.param(rows(strict_row("m1_7", to=M2)), "MAIN has no STRICT_SYNC row of it", id="row to another address"),
    *(
        pytest.param(standby_row(status), f"its row is {status.value}", id=status.name)
        for status in (RowStatus.RECOVERY, RowStatus.INVALID, RowStatus.DIVERGED, RowStatus.UNKNOWN)
    ),
    pytest.param(
        one_more_noop(noop(outcome=Outcome.REFUSED, asked_s=NOW - 0.2, detail="not confirmed")),
        "MAIN could not commit with it: not confirmed",
        id="proof refused",
    ),
    pytest.param(
        one_more_noop(noop(outcome=Outcome.UNKNOWN, asked_s=NOW - 0.2)),
        "the answer to its last proof was lost, and MAIN lives",
        id="proof lost",
    ),
]
"""What the living recorded MAIN says of it."""


@pytest.mark.parametrize(("change", "doubt"), [*OWN_DOUBTS, *ROW_DOUBTS])
def test_a_doubtful_standby_is_unnamed_before_anything_else(change: SceneChange, doubt: str) -> None:
    """At each sign of doubt the one command is to write `standby: null`; nobody is put into rebuild."""
    decision = decided(HEALTHY.but(change), "U10")
    assert decision.commands == (WriteRecord(expected=TOKEN, record=evolve(HEALTHY.recorded, standby=None)),)
    assert doubt in decision.reason
    assert decision.look == (M1,)


@pytest.mark.parametrize(("change", "doubt"), [doubt for doubt in OWN_DOUBTS if doubt.id != "promoted by hand"])
def test_a_doubtful_standby_is_unnamed_while_main_is_lost(change: SceneChange, doubt: str) -> None:
    """What is seen of the standby itself counts also while MAIN cannot be asked."""
    decision = decided(LOST.but(change), "U10")
    assert decision.commands == (WriteRecord(expected=TOKEN, record=evolve(HEALTHY.recorded, standby=None)),)
    assert doubt in decision.reason


@pytest.mark.parametrize(("change", "_doubt"), ROW_DOUBTS)
def test_the_rows_of_a_lost_main_say_nothing(change: SceneChange, _doubt: str) -> None:
    """A MAIN that is lost cannot speak against its standby: what it showed before is not asked again."""
    assert_stopped(LOST.but(change), "U10", "the standby is doubtful")
    decided(LOST.but(change), "L30")


@pytest.mark.parametrize("mode", [StorageMode.ANALYTICAL, StorageMode.ON_DISK, StorageMode.UNKNOWN])
def test_a_main_that_is_not_transactional_puts_every_replica_into_rebuild(mode: StorageMode) -> None:
    """What is written meanwhile never reaches a replica, and afterwards everything looks level (transcripts Q21)."""
    decision = decided(HEALTHY.but(place(M0, storage_mode=mode)), "U10")
    expected = evolve(HEALTHY.recorded, standby=None, rebuild=frozenset({M1, M2}), level=((M0, 4),))
    assert decision.commands == (WriteRecord(expected=TOKEN, record=expected),)


def test_replicas_are_marked_for_rebuild_also_while_nobody_is_named() -> None:
    """Afterwards everything looks level, the no-op included (Q21): only the record can remember."""
    alone = HEALTHY.but(unprotected, place(M0, storage_mode=StorageMode.ANALYTICAL))
    (command,) = decided(alone, "U10").commands
    assert isinstance(command, WriteRecord)
    assert command.record.rebuild == frozenset({M1, M2})
    assert command.record.level == ((M0, 4),)
    marked = alone.but(recorded(rebuild=frozenset({M1, M2})))
    assert_stopped(marked, "U10", "a standby is named")


def test_two_rows_of_the_standby_put_it_into_rebuild() -> None:
    """Two rows to one instance may each have brought it half: it is un-named and to be rebuilt."""
    decision = decided(HEALTHY.but(rows(strict_row(), strict_row("by-hand"))), "U10")
    expected = evolve(HEALTHY.recorded, standby=None, rebuild=frozenset({M1}))
    assert decision.commands == (WriteRecord(expected=TOKEN, record=expected),)


def test_rebuild_is_kept_and_added_to() -> None:
    """Who had to be rebuilt before still has to be."""
    before = HEALTHY.but(recorded(rebuild=frozenset({M2})), rows(strict_row(), strict_row("by-hand")))
    (command,) = decided(before, "U10").commands
    assert isinstance(command, WriteRecord)
    assert command.record.rebuild == {M1, M2}


def doubtless(name: InstanceName) -> SceneChange:
    """Rows that take commits, of that instance only."""
    return rows(strict_row(status=RowStatus.REPLICATING), async_row(to=name))


def one_time_out_then(later: SceneChange) -> SceneChange:
    """One time-out of the standby five seconds ago, and then that."""
    first = misses(M1, Miss.TIMED_OUT, 1, 0.0, last_s=NOW - 5)
    return lambda old: old.but(place(M1, asked_s=NOW - 6), first, later)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(scene(), id="healthy"),
        pytest.param(doubtless(M2), id="replicating"),
        pytest.param(frozen(M1, for_s=2.9), id="silent for less than frozen_standby_s"),
        pytest.param(refuses(M1), id="refusing: its row will tell, or its process is gone"),
        pytest.param(misses(M1, Miss.UNAUTHORISED, 9, 1.0), id="wrong password"),
        pytest.param(misses(M1, Miss.UNREADABLE, 9, 1.0), id="unreadable answers"),
        pytest.param(misses(M1, Miss.TIMED_OUT, 9, 1.0, excused=True), id="excused time-outs"),
        pytest.param(
            one_time_out_then(misses(M1, Miss.TIMED_OUT, 3, 1.0, excused=True)), id="one time-out, then excused ones"
        ),
        pytest.param(
            one_time_out_then(misses(M1, Miss.UNAUTHORISED, 3, 1.0)), id="one time-out, then a wrong password"
        ),
        pytest.param(unheard(M1), id="a new process that has not answered: no candidate anyway"),
        pytest.param(data_unknown(M1), id="its data set is not known yet"),
        pytest.param(place(M1, uuid="another-data-set", data_run=run_of(M1, 0)), id="data of an earlier run"),
        pytest.param(
            place(M1, uuid="another-data-set", data_asked_s=NOW - 0.6),
            id="data asked before its proof (transcripts Q13)",
        ),
        pytest.param(rows_unknown, id="rows not known"),
        pytest.param(place(M0, rows=(), rows_run=run_of(M0, 0)), id="rows of an earlier run of MAIN"),
        pytest.param(data_unknown(M0), id="MAIN's storage mode not known"),
        pytest.param(
            place(M0, storage_mode=StorageMode.ANALYTICAL, data_run=run_of(M0, 0)), id="mode of an earlier run"
        ),
        pytest.param(
            one_more_noop(noop(outcome=Outcome.UNKNOWN, asked_s=NOW - 0.05)), id="proof lost, MAIN not asked since"
        ),
        pytest.param(
            one_more_noop(evolve(noop(outcome=Outcome.UNKNOWN, asked_s=NOW - 0.2), at_s=NOW - 0.1)),
            id="proof lost at the moment when MAIN was asked",
        ),
        pytest.param(
            one_more_noop(noop(outcome=Outcome.REFUSED, asked_s=NOW - 0.2, run=run_of(M0, 0))),
            id="refused by another run of MAIN",
        ),
        pytest.param(one_more_noop(noop(outcome=Outcome.NOT_SENT, asked_s=NOW - 0.2)), id="a proof that was not sent"),
    ],
)
def test_what_is_no_doubt_leaves_the_name(change: SceneChange) -> None:
    """The nearest misses: none of these speaks against the standby."""
    assert_stopped(HEALTHY.but(change), "U10", "the standby is doubtful", "nothing speaks against it")


@pytest.mark.parametrize("nobody", [unnamed, scene(record=None, token=None)], ids=["unnamed", "no record"])
def test_who_is_not_named_is_not_unnamed(nobody: SceneChange) -> None:
    """Without a named standby there is nothing to take away."""
    assert_stopped(HEALTHY.but(nobody, restarted(M1)), "U10", "a standby is named")


def test_the_cut_does_not_matter() -> None:
    """A doubtful standby is un-named whether or not the gateway is shut, and under either policy."""
    doubtful: Scene = HEALTHY.but(restarted(M1))
    for one in (doubtful, doubtful.but(gate_shut()), doubtful.but(last_noop(witness=None))):
        decided(one, "U10")
    assert STANDBY.run == run_of(M1)
