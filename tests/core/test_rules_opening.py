"""Rules O20 to O50: from the record of a reign to its first permit."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import (
    CommitNoop,
    Demote,
    Promote,
    RegisterReplica,
    WriteRecord,
)
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import RowName
from memgraph_ha.core.record import Fallback, Standby
from memgraph_ha.core.topology import Mode, Role, RowStatus
from tests.core.changes import (
    a_promotion,
    a_registration,
    data_unknown,
    gate_shut,
    gone,
    is_main,
    just_failed,
    new_term,
    no_noop,
    one_more_noop,
    only_noop,
    place,
    recorded,
    required,
    restarted,
    rows,
    rows_unknown,
    scene,
    tried,
    unheard,
    wiped,
)
from tests.core.scenes import ALONE, ATTACHED, BEGUN, DURABLE, EMPTY, FENCED, LOST, PROMOTED
from tests.core.views import (
    DATA,
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
    replication_of,
    run_of,
    strict_row,
)

# --- O20 ----------------------------------------------------------------------------------------------


def test_the_recorded_main_is_promoted_in_the_chosen_run() -> None:
    """The record is read back with the new generation, nobody else may be MAIN: promote."""
    assert decided(BEGUN, "O20").commands == (Promote(instance=M1, run=run_of(M1), generation=5),)


def test_a_main_whose_directory_counts_is_promoted_in_any_run() -> None:
    """With `main_run` null it may restart again and again until its reign opens."""
    (command,) = decided(BEGUN.but(recorded(main_run=None), restarted(M1)), "O20").commands
    assert command == Promote(instance=M1, run=run_of(M1, 2), generation=5)


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        pytest.param(BEGUN.but(recorded(opened=True, fallback=None)), "the reign is to be opened", id="open"),
        pytest.param(BEGUN.but(restarted(M1)), "the reign is to be opened", id="another run than was chosen"),
        pytest.param(EMPTY, "the reign is to be opened", id="no record"),
        pytest.param(BEGUN.but(unheard(M1)), "MAIN is still a REPLICA", id="not answered"),
        pytest.param(PROMOTED, "MAIN is still a REPLICA", id="promoted already"),
        pytest.param(BEGUN.but(data_unknown(M1)), "its data set is known", id="data unknown"),
        pytest.param(
            BEGUN.but(place(M1, data_run=run_of(M1, 0))), "its data set is known", id="data of an earlier run"
        ),
        pytest.param(BEGUN.but(just_failed(Promote, M1)), "the pause after the last try is over", id="just tried"),
    ],
)
def test_nobody_is_promoted_without_every_condition(old: Scene, guard: str) -> None:
    """The nearest misses of the promotion."""
    assert_stopped(old, "O20", guard)


def test_a_promotion_without_an_answer_is_repeated_only_after_an_answer() -> None:
    """If it froze in it the next probes say so, and the fallback takes over; another try would keep them waiting."""
    unknown = tried(a_promotion(BEGUN, M1), Outcome.UNKNOWN, ago_s=0.11, detail="no answer within 1.5 s")
    silent = BEGUN.but(unknown, place(M1, asked_s=NOW - 0.2))
    assert_stopped(silent, "O20", "it has answered since the last try", "no answer within 1.5 s")
    assert len(decided(silent.but(place(M1, asked_s=NOW - 0.1)), "O20").commands) == 1


# --- O30 ----------------------------------------------------------------------------------------------


def a_first_commit(standby: Standby | None = None, generation: int = 5, main: str = "m1") -> CommitNoop:
    """The commit that makes an epoch durable."""
    name = M1 if main == "m1" else M0
    return CommitNoop(
        instance=name,
        run=run_of(name),
        generation=generation,
        standby=None if standby is None else standby.instance,
        row=None if standby is None else standby.row,
        database_uuid=DATA,
    )


@pytest.mark.parametrize(
    "old",
    [
        PROMOTED,
        PROMOTED.but(one_more_noop(noop(M1, generation=5, outcome=Outcome.UNKNOWN, asked_s=NOW - 0.3))),
        PROMOTED.but(one_more_noop(noop(M1, generation=5, run=run_of(M1, 0), asked_s=NOW - 0.3))),
    ],
    ids=["none", "its answer was lost", "of another run"],
)
def test_the_first_commit_makes_the_epoch_durable(old: Scene) -> None:
    """A promoted MAIN commits a no-op before anything else (transcripts Q3)."""
    assert decided(old, "O30").commands == (a_first_commit(),)


@pytest.mark.parametrize("old", [HEALTHY.but(new_term), HEALTHY.but(no_noop)], ids=["earlier term", "never"])
def test_a_new_leader_commits_before_its_first_permit(old: Scene) -> None:
    """A new term repeats the commit on a reign that is long open, through the standby, and relays nothing before."""
    decision = decided(old, "O30")
    assert decision.commands == (a_first_commit(STANDBY, 4, "m0"),)
    assert decision.route.permit is None


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        pytest.param(BEGUN, "MAIN answers as MAIN", "", id="not promoted"),
        pytest.param(LOST, "MAIN answers as MAIN", "", id="lost"),
        pytest.param(EMPTY, "MAIN answers as MAIN", "", id="no record"),
        pytest.param(PROMOTED.but(data_unknown(M1)), "its data set is known", "", id="data unknown"),
        pytest.param(DURABLE, "no commit of this reign and term is known", "one was acknowledged", id="done already"),
        pytest.param(
            PROMOTED.but(just_failed(CommitNoop)), "the pause after the last try is over", "it says no", id="just tried"
        ),
    ],
)
def test_the_first_commit_is_made_once_and_on_main_only(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses of the first commit."""
    assert_stopped(old, "O30", guard, evidence)


def test_an_open_reign_commits_without_knowing_its_data_set_again() -> None:
    """A new leader does not wait for SHOW STORAGE INFO, which can hang, on a reign that is open in this run."""
    decided(HEALTHY.but(new_term, data_unknown(M0)), "O30")


# --- O40 ----------------------------------------------------------------------------------------------


def test_the_async_replica_is_fenced_to_the_new_main() -> None:
    """A REGISTER takes it away from every other MAIN (transcripts Q7, Q20)."""
    expected = RegisterReplica(
        instance=M1,
        run=run_of(M1),
        generation=5,
        row=RowName("m2"),
        replica=M2,
        replica_run=run_of(M2),
        address=replication_of(M2),
        mode=Mode.ASYNC,
        database_uuid=DATA,
    )
    assert decided(DURABLE, "O40").commands == (expected,)
    decided(DURABLE.but(wiped(M2)), "O40")


def test_a_try_in_an_earlier_reign_does_not_count() -> None:
    """What failed on another MAIN is tried on this one."""
    before = evolve(a_registration(DURABLE, M2), generation=4)
    decided(DURABLE.but(tried(before)), "O40")


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        pytest.param(PROMOTED, "the reign is ready to open", "", id="not durable"),
        pytest.param(BEGUN, "the reign is ready to open", "", id="not promoted"),
        pytest.param(EMPTY, "the reign is ready to open", "", id="no record"),
        pytest.param(ALONE.but(rows()), "the reign is ready to open", "", id="open"),
        pytest.param(DURABLE.but(rows_unknown), "MAIN's rows are known", "", id="rows unknown"),
        pytest.param(FENCED, "an ASYNC replica can be fenced", "none is left", id="has a row"),
        pytest.param(
            DURABLE.but(rows(strict_row("by-hand", M2, RowStatus.HALF))),
            "an ASYNC replica can be fenced",
            "none is left",
            id="has a row under another name",
        ),
        pytest.param(
            DURABLE.but(just_failed(RegisterReplica)),
            "an ASYNC replica can be fenced",
            "none is left",
            id="tried in this reign",
        ),
        *(
            pytest.param(DURABLE.but(change), "an ASYNC replica can be fenced", "none is left", id=name)
            for name, change in (
                ("gone", gone(M2)),
                ("old answer", place(M2, asked_s=NOW - 1.1)),
                ("a MAIN, which could not be demoted", lambda old: old.but(is_main(M2), just_failed(Demote, M2))),
                ("port closed", place(M2, port_open=False)),
                ("port unknown", place(M2, port_open=None)),
                ("port looked at long ago", place(M2, port_asked_s=NOW - 3.1)),
                ("other data", place(M2, uuid="another")),
                ("data unknown", data_unknown(M2)),
            )
        ),
    ],
)
def test_what_cannot_be_fenced_does_not_hold_up_the_reign(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses of the fence; whoever does not answer now is left for later."""
    assert_stopped(old, "O40", guard, evidence)


def test_whoever_the_record_relies_on_is_never_fenced() -> None:
    """If `eligible` was changed, the fallback may stand outside the pair: it is not registered all the same."""
    moved = DURABLE.but(recorded(fallback=Fallback(instance=M2, run=run_of(M2))))
    assert_stopped(moved, "O40", "an ASYNC replica can be fenced", "none is left")


# --- O50 ----------------------------------------------------------------------------------------------


def test_a_reign_opens_unprotected_and_without_a_fallback() -> None:
    """`preferred`: one write says opened, by which run, unprotected, and that nobody else holds everything."""
    opened = evolve(FENCED.recorded, opened=True, fallback=None, unprotected=True, level=((M0, 4), (M1, 5), (M2, 4)))
    decision = decided(FENCED, "O50")
    assert decision.commands == (WriteRecord(expected=TOKEN, record=opened),)
    assert decision.route.permit is None


def test_a_main_that_was_chosen_by_its_directory_opens_in_its_present_run() -> None:
    """From the opening on, the run is bound."""
    back = FENCED.but(recorded(main_run=None), restarted(M1, Role.MAIN), rows(async_row()))
    back = back.but(one_more_noop(noop(M1, generation=5, asked_s=NOW - 0.1, run=run_of(M1, 2))))
    (command,) = decided(back, "O50").commands
    assert isinstance(command, WriteRecord)
    assert (command.record.opened, command.record.main_run) == (True, run_of(M1, 2))


WAITING = ATTACHED.but(recorded(opened=False, unprotected=False), required, gate_shut())
"""`required`: reign 5 is not open, m0 is attached under number 8."""

WITNESS = Standby(instance=M0, run=run_of(M0, 2), row=RowName("m0_8"))
PROVEN_FIRST = WAITING.but(one_more_noop(noop(M1, WITNESS, generation=5, asked_s=NOW - 0.1)))


@pytest.mark.parametrize("rule", [required, scene()], ids=["required", "preferred"])
def test_a_proven_standby_is_named_with_the_opening(rule: SceneChange) -> None:
    """`required` opens with the standby's name in the same write; `preferred` does so too if it is proven."""
    opened = evolve(WAITING.recorded, opened=True, standby=WITNESS, level=((M0, 4), (M1, 5), (M2, 5)))
    assert decided(PROVEN_FIRST.but(rule), "O50").commands == (WriteRecord(expected=TOKEN, record=opened),)


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        pytest.param(PROMOTED.but(rows(async_row())), "the reign is ready to open", id="not durable"),
        pytest.param(BEGUN, "the reign is ready to open", id="not promoted"),
        pytest.param(EMPTY, "the reign is ready to open", id="no record"),
        pytest.param(ALONE, "the reign is ready to open", id="open already"),
        pytest.param(FENCED.but(rows_unknown), "MAIN's rows are known", id="rows unknown"),
        pytest.param(WAITING, "a standby is proven", id="required, not proven"),
        pytest.param(
            PROVEN_FIRST.but(one_more_noop(noop(M1, generation=5, asked_s=NOW - 0.05, outcome=Outcome.REFUSED))),
            "a standby is proven",
            id="required, proof refused since",
        ),
        pytest.param(PROVEN_FIRST.but(only_noop(at_s=NOW - 1.1)), "a standby is proven", id="required, proof too old"),
        pytest.param(
            PROVEN_FIRST.but(rows(strict_row("m0_8", M0, RowStatus.RECOVERY))),
            "a standby is proven",
            id="required, row takes no commits",
        ),
        pytest.param(
            PROVEN_FIRST.but(recorded(rebuild=frozenset({M0}))), "a standby is proven", id="required, to be rebuilt"
        ),
        pytest.param(PROVEN_FIRST.but(restarted(M0, life=3)), "a standby is proven", id="required, restarted since"),
        pytest.param(PROVEN_FIRST.but(recorded(row_seq=9)), "a standby is proven", id="required, row given up"),
    ],
)
def test_a_reign_does_not_open_early(old: Scene, guard: str) -> None:
    """The nearest misses of the opening."""
    assert_stopped(old, "O50", guard)
