"""Rules A15, A20 and P10: proving and naming the standby, and proving it again."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import CommitNoop, WriteRecord
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import RowName
from memgraph_ha.core.topology import RowStatus
from tests.core.changes import (
    gate_shut,
    is_main,
    just_failed,
    last_noop,
    new_term,
    one_more_noop,
    only_noop,
    place,
    recorded,
    refuses,
    required,
    restarted,
    rows,
    rows_unknown,
    scene,
    standby_row,
    unnamed,
)
from tests.core.scenes import ATTACHED, EMPTY, NEW_STANDBY, PROVEN
from tests.core.views import (
    DATA,
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
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

WITNESS = evolve(NEW_STANDBY, row=RowName("m0_8"))
MOVED_ON = HEALTHY.but(rows(strict_row(ts=42), async_row()), last_noop(asked_at_s=NOW - 1.0, at_s=NOW - 0.9))
"""The standby's row has moved since its last proof, a second ago."""


def unnamed_again(seconds: float) -> SceneChange:
    """The standby was named, and lost its name so long ago."""
    return lambda old: old.but(recorded(unprotected=False), scene(record_since_s=NOW - seconds))


# --- A15 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [RowStatus.READY, RowStatus.REPLICATING])
def test_a_proven_standby_is_named(status: RowStatus) -> None:
    """A no-op that was acknowledged with it as witness names it, which ends `unprotected` (transcripts Q18)."""
    named = evolve(PROVEN.recorded, standby=WITNESS, unprotected=False, level=((M0, 5), (M1, 5), (M2, 5)))
    old = PROVEN.but(rows(async_row(), strict_row("m0_8", M0, status)))
    assert decided(old, "A15").commands == (WriteRecord(expected=TOKEN, record=named),)
    assert decided(old.but(only_noop(at_s=NOW - 1)), "A15").commands == decided(old, "A15").commands


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(recorded(opened=False, unprotected=False), "an open reign has nobody named", "", id="not open"),
        pytest.param(
            recorded(standby=WITNESS, unprotected=False), "an open reign has nobody named", "", id="named already"
        ),
        pytest.param(scene(record=None, token=None), "an open reign has nobody named", "", id="no record"),
        pytest.param(last_noop(witness=None), "a proof stands", "there is no proof", id="no witness"),
        pytest.param(restarted(M0, life=3), "a proof stands", "there is no proof", id="restarted since"),
        pytest.param(is_main(M0), "a proof stands", "there is no proof", id="MAIN since"),
        pytest.param(recorded(row_seq=9), "a proof stands", "there is no proof", id="number given up"),
        pytest.param(new_term, "a proof stands", "there is no proof", id="witness of an earlier term"),
        pytest.param(last_noop(generation=4), "a proof stands", "there is no proof", id="of an earlier reign"),
        pytest.param(last_noop(run=run_of(M1, 0)), "a proof stands", "there is no proof", id="of another run of MAIN"),
        pytest.param(last_noop(instance=M2), "a proof stands", "there is no proof", id="of another instance"),
        pytest.param(
            last_noop(witness=evolve(WITNESS, instance=M2, row=RowName("m2_8"))),
            "a proof stands",
            "there is no proof",
            id="of an instance that may never be MAIN",
        ),
        pytest.param(
            one_more_noop(noop(M1, generation=5, asked_s=NOW - 0.05, outcome=Outcome.REFUSED)),
            "a proof stands",
            "a later proof failed",
            id="refused since",
        ),
        pytest.param(
            one_more_noop(noop(M1, generation=5, asked_s=NOW - 0.05, outcome=Outcome.UNKNOWN)),
            "a proof stands",
            "a later proof failed",
            id="lost since",
        ),
        pytest.param(only_noop(at_s=NOW - 1.01), "a proof stands", "the proof is old", id="old"),
        pytest.param(unnamed_again(0.05), "a proof stands", "it was un-named since", id="un-named since"),
        pytest.param(rows(async_row()), "a proof stands", "its row is missing", id="no row"),
        pytest.param(
            rows(strict_row("m0_8", M0, RowStatus.RECOVERY)), "a proof stands", "its row is recovery", id="catching up"
        ),
        pytest.param(rows(strict_row("m0_8", M0, RowStatus.HALF)), "a proof stands", "its row is {}", id="half row"),
        pytest.param(recorded(rebuild=frozenset({M0})), "a proof stands", "it must be rebuilt", id="to be rebuilt"),
    ],
)
def test_nobody_is_named_without_a_standing_proof(change: SceneChange, guard: str, evidence: str) -> None:
    """The nearest misses of the name."""
    assert_stopped(PROVEN.but(change), "A15", guard, evidence)


def test_only_a_new_proof_gives_the_name_back() -> None:
    """A proof that was asked for before the standby lost its name says nothing of what took it away (design 4)."""
    again = PROVEN.but(unnamed_again(0.05), last_noop(asked_at_s=NOW - 0.04, at_s=NOW - 0.03))
    assert decided(again, "A15").commands
    lost = decided(PROVEN.but(last_noop(asked_at_s=NOW - 0.5, at_s=NOW - 0.4), unnamed_again(0.05)), "A20")
    assert [type(command) for command in lost.commands] == [CommitNoop]


# --- A20 ----------------------------------------------------------------------------------------------


def proof_of(name: str, row: str, main: str = "m1", generation: int = 5) -> CommitNoop:
    """The no-op that would prove that standby."""
    main_name = M1 if main == "m1" else M0
    return CommitNoop(
        instance=main_name,
        run=run_of(main_name),
        generation=generation,
        standby=M0 if name == "m0" else M1,
        row=RowName(row),
        database_uuid=DATA,
    )


@pytest.mark.parametrize(
    "old",
    [
        ATTACHED,
        PROVEN.but(only_noop(asked_at_s=NOW - 1.2, at_s=NOW - 1.1)),
        PROVEN.but(one_more_noop(noop(M1, generation=5, asked_s=NOW - 0.05, outcome=Outcome.REFUSED))),
        PROVEN.but(last_noop(witness=None, asked_at_s=NOW - 0.2)),
        ATTACHED.but(recorded(opened=False, unprotected=False), required, gate_shut()),
    ],
    ids=["attached", "the proof is old", "it was refused", "it had no witness", "required, not open"],
)
def test_an_attached_standby_is_proven_by_one_commit(old: Scene) -> None:
    """`ready`, `behind 0` proves nothing (2446 of 2446 polls, transcripts Q18): a no-op through it does."""
    assert decided(old, "A20").commands == (proof_of("m0", "m0_8"),)


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        pytest.param(EMPTY, "nobody is named", "", id="no record"),
        pytest.param(HEALTHY, "nobody is named", "", id="named"),
        pytest.param(ATTACHED.but(scene(places=(ATTACHED.place(M1),))), "nobody is named", "", id="alone"),
        pytest.param(ATTACHED.but(new_term), "nobody is named", "", id="no commit in our term"),
        pytest.param(ATTACHED.but(rows(async_row())), "its row takes commits", "None", id="no row"),
        pytest.param(ATTACHED.but(standby_row(RowStatus.INVALID)), "its row takes commits", "invalid", id="invalid"),
        pytest.param(ATTACHED.but(place(M0, run=None)), "it is a REPLICA that needs no rebuild", "", id="unheard"),
        pytest.param(
            ATTACHED.but(recorded(rebuild=frozenset({M0}))), "it is a REPLICA that needs no rebuild", "", id="rebuild"
        ),
        pytest.param(
            ATTACHED.but(is_main(M0)),
            "it is a REPLICA that needs no rebuild",
            "",
            id="a MAIN",
        ),
        pytest.param(PROVEN, "no proof stands", "one does", id="proven"),
        pytest.param(
            PROVEN.but(last_noop(witness=None)),
            "a moment has passed since the last commit",
            "0.10 s",
            id="without a witness a moment ago",
        ),
        pytest.param(
            ATTACHED.but(just_failed(CommitNoop)), "the pause after the last try is over", "it says no", id="just tried"
        ),
    ],
)
def test_what_cannot_be_proven_is_not_tried(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses of the proof."""
    assert_stopped(old, "A20", guard, evidence)


# --- P10 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old",
    [
        MOVED_ON,
        MOVED_ON.but(last_noop(witness=None, row_ts=None)),
        MOVED_ON.but(last_noop(row_ts=None)),
    ],
    ids=["moved", "no witness", "ts unknown"],
)
def test_the_named_standby_is_proven_again_when_it_was_written_to(old: Scene) -> None:
    """Without this a lost Finalize followed by silence stays unseen for ever (transcripts Q17)."""
    decision = decided(old, "P10")
    assert decision.commands == (proof_of("m1", "m1_7", "m0", 4),)
    assert decision.route.permit is not None


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(unnamed, "a standby is named and its row is known", "", id="unnamed"),
        pytest.param(rows_unknown, "a standby is named and its row is known", "", id="rows unknown"),
        pytest.param(scene(record=None, token=None), "a standby is named and its row is known", "", id="no record"),
        pytest.param(refuses(M0), "a standby is named and its row is known", "", id="MAIN is lost"),
        pytest.param(
            rows(strict_row(ts=40), async_row()),
            "it was written to since the last proof, or that is old",
            "ts 40",
            id="not moved",
        ),
        pytest.param(last_noop(asked_at_s=NOW - 0.9), "proof_interval_s has passed", "0.90 s", id="just proven"),
        pytest.param(
            one_more_noop(noop(asked_s=NOW - 0.05, outcome=Outcome.UNKNOWN)),
            "proof_interval_s has passed",
            "0.05 s",
            id="just tried, answer lost",
        ),
        pytest.param(just_failed(CommitNoop), "the pause after the last try is over", "it says no", id="just failed"),
    ],
)
def test_a_standing_proof_is_not_repeated(change: SceneChange, guard: str, evidence: str) -> None:
    """The nearest misses of the repeated proof."""
    assert_stopped(MOVED_ON.but(change), "P10", guard, evidence)
