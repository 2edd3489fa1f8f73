"""Each promise catches the planted wrong command, and lets the right one through."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import Command, Promote, WriteRecord
from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.errors import InvariantViolation
from memgraph_ha.core.invariants import INVARIANTS, broken_by
from memgraph_ha.core.names import RowName
from memgraph_ha.core.permit import Route
from memgraph_ha.core.record import Fallback, Record, Standby
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.topology import Mode
from memgraph_ha.core.view import View
from tests.core.changes import (
    a_demotion,
    a_drop,
    a_noop,
    a_promotion,
    a_registration,
    a_stop,
    a_write,
    lease,
    recorded,
    restarted,
    unnamed,
)
from tests.core.orders import held
from tests.core.scenes import ALONE, ATTACHED, BEGUN, EMPTY, FENCED, LOST, PROVEN
from tests.core.views import HEALTHY, M0, M1, M2, NOW, STANDBY, TOKEN, Scene, decided, permit_for, run_of, strict_row

from tests.core.corpus import corpus  # isort: skip


def asked(*commands: Command, route: Route | None = None) -> Decision:
    """A decision that asks for these commands."""
    shut = Route(permit=None, hold=False, why="planted")
    return Decision(reason="planted", wake_at_s=NOW, commands=commands, route=route or shut)


def write(record: Record) -> WriteRecord:
    """A write over the record that was read."""
    return WriteRecord(expected=TOKEN, record=record)


def next_reign(old: Scene, **fields: object) -> WriteRecord:
    """The write of a next reign, as it must be but for the given fields."""
    record = old.recorded
    begun = evolve(
        record, generation=record.generation + 1, opened=False, standby=None, unprotected=False, fallback=None
    )
    return write(evolve(begun, **fields))  # type: ignore[arg-type]  # names and values are those of Record


PLANTED: list[tuple[str, Scene, tuple[Command, ...], str]] = [
    (
        "a command that could outlive the lease",
        BEGUN.but(lease(until_s=NOW + 5)),
        (a_promotion(BEGUN, M1),),
        "LEADER_ONLY: Promote with 5.00 s of the lease left",
    ),
    ("a command without the lease", BEGUN.but(lease(leading=False)), (a_stop(LOST, M0),), "LEADER_ONLY: StopInstance"),
    (
        "promote before the record",
        LOST,
        (a_promotion(LOST, M1),),
        "SINGLE_WRITER: promotion of m1 that the record read back does not order",
    ),
    (
        "promote whom the record does not name",
        BEGUN,
        (a_promotion(BEGUN, M2),),
        "SINGLE_WRITER: promotion of m2 that the record read back does not order",
    ),
    (
        "promote for another reign",
        BEGUN,
        (evolve(a_promotion(BEGUN, M1), generation=4),),
        "SINGLE_WRITER: promotion of m1 that the record read back does not order",
    ),
    (
        "promote another run than was chosen",
        BEGUN,
        (Promote(instance=M1, run=run_of(M1, 2), generation=5),),
        "SINGLE_WRITER: promotion of m1 in run run-m1-2 that was not chosen",
    ),
    (
        "promote again in an open reign",
        HEALTHY,
        (a_promotion(HEALTHY, M0),),
        "SINGLE_WRITER: promotion of m0 in run run-m0-1 that was not chosen",
    ),
    ("demote the MAIN of record", HEALTHY, (a_demotion(HEALTHY, M0),), "SINGLE_WRITER: demotion of the recorded MAIN"),
    (
        "demote the MAIN whose directory counts",
        BEGUN.but(recorded(main_run=None)),
        (a_demotion(BEGUN, M1),),
        "SINGLE_WRITER: demotion of the recorded MAIN",
    ),
    (
        "name without a proof",
        ATTACHED,
        (write(evolve(ATTACHED.recorded, unprotected=False, standby=evolve(STANDBY, instance=M0))),),
        "NO_ACKED_LOSS: naming of m0 without a proof",
    ),
    (
        "name in another run than was proven",
        PROVEN.but(restarted(M0, life=3)),
        decided(PROVEN, "A15").commands,
        "NO_ACKED_LOSS: naming of m0 without a proof",
    ),
    (
        "name through another row than was proven",
        PROVEN.but(recorded(row_seq=9)),
        decided(PROVEN, "A15").commands,
        "NO_ACKED_LOSS: naming of m0 without a proof",
    ),
    (
        "name another run than the witness's",
        PROVEN,
        (
            write(
                evolve(
                    PROVEN.recorded,
                    unprotected=False,
                    standby=Standby(instance=M0, run=run_of(M0, 9), row=RowName("m0_8")),
                )
            ),
        ),
        "NO_ACKED_LOSS: naming of m0 without a proof",
    ),
    (
        "name who must be rebuilt",
        PROVEN.but(recorded(rebuild=frozenset({M0}))),
        decided(PROVEN, "A15").commands,
        "NO_ACKED_LOSS: naming of m0, which must be rebuilt",
    ),
    (
        "register the named standby",
        HEALTHY,
        (a_registration(HEALTHY, M1),),
        "NO_ACKED_LOSS: registration of the named standby m1",
    ),
    (
        "register the fallback",
        FENCED.but(recorded(fallback=Fallback(instance=M2, run=None))),
        (a_registration(FENCED, M2),),
        "NO_ACKED_LOSS: registration of the fallback m2",
    ),
    ("stop the named standby", HEALTHY, (a_stop(HEALTHY, M1),), "NO_ACKED_LOSS: stop of the named standby m1"),
    (
        "another MAIN in the same reign",
        HEALTHY,
        (write(evolve(HEALTHY.recorded, main=M2)),),
        "NO_ACKED_LOSS: generation 4 names two instances",
    ),
    (
        "a fallback within a reign",
        BEGUN.but(recorded(fallback=None)),
        (write(BEGUN.recorded),),
        "NO_ACKED_LOSS: fallback is set within a reign",
    ),
    (
        "skip a generation",
        LOST,
        (next_reign(LOST, generation=6, main=M1, main_run=run_of(M1)),),
        "NO_ACKED_LOSS: generation 6 after 4 does not begin as a reign must",
    ),
    (
        "go back a generation",
        LOST,
        (next_reign(LOST, generation=3, main=M1, main_run=run_of(M1)),),
        "NO_ACKED_LOSS: generation 3 after 4 does not begin as a reign must",
    ),
    (
        "begin a reign as open",
        LOST,
        (next_reign(LOST, opened=True, main=M1, main_run=run_of(M1)),),
        "NO_ACKED_LOSS: generation 5 after 4 does not begin as a reign must",
    ),
    (
        "keep the name into the next reign",
        LOST,
        (next_reign(LOST, main=M1, main_run=run_of(M1), standby=STANDBY),),
        "NO_ACKED_LOSS: generation 5 after 4 does not begin as a reign must",
    ),
    (
        "begin a reign as unprotected",
        LOST,
        (next_reign(LOST, main=M1, main_run=run_of(M1), unprotected=True),),
        "NO_ACKED_LOSS: generation 5 after 4 does not begin as a reign must",
    ),
    (
        "a reign of the ASYNC replica",
        LOST,
        (next_reign(LOST, main=M2, main_run=run_of(M2)),),
        "NO_ACKED_LOSS: m2 begins a reign without title to it",
    ),
    (
        "a reign of the standby in a later run",
        LOST,
        (next_reign(LOST, main=M1, main_run=run_of(M1, 2)),),
        "NO_ACKED_LOSS: m1 begins a reign without title to it",
    ),
    (
        "a reign of an unnamed standby",
        LOST.but(unnamed),
        (next_reign(LOST, main=M1, main_run=run_of(M1)),),
        "NO_ACKED_LOSS: m1 begins a reign without title to it",
    ),
    (
        "a reign of the fallback in a later run",
        BEGUN.but(recorded(fallback=Fallback(instance=M0, run=run_of(M0)))),
        (next_reign(BEGUN, main=M0, main_run=run_of(M0, 2)),),
        "NO_ACKED_LOSS: m0 begins a reign without title to it",
    ),
    (
        "a reign of a chosen one that restarted before it opened",
        BEGUN,
        (next_reign(BEGUN, main_run=run_of(M1, 2)),),
        "NO_ACKED_LOSS: m1 begins a reign without title to it",
    ),
    (
        "a falling row number",
        HEALTHY.but(unnamed),
        (write(evolve(HEALTHY.recorded, standby=None, row_seq=6)),),
        "ROW_NUMBERS: row_seq falls from 7 to 6",
    ),
    (
        "register under an old number",
        ALONE,
        (write(evolve(ALONE.recorded, row_seq=8)), evolve(a_registration(ALONE, M0), row=RowName("m0_7"))),
        "ROW_NUMBERS: row m0_7 is not numbered row_seq",
    ),
    (
        "register before the number is written",
        ALONE,
        (evolve(a_registration(ALONE, M0), row=RowName("m0_8")),),
        "ROW_NUMBERS: row m0_8 is not numbered row_seq",
    ),
    ("mix SYNC in", ALONE, (evolve(a_registration(ALONE, M2), mode=Mode.SYNC),), "ROW_NUMBERS: SYNC is never used"),
    (
        "drop the named standby's row",
        HEALTHY,
        (a_drop(HEALTHY, strict_row()),),
        "ROW_NUMBERS: drop of the named standby's row m1_7",
    ),
    (
        "open with nobody and not say so",
        FENCED,
        (write(evolve(FENCED.recorded, opened=True, fallback=None)),),
        "UNPROTECTED_IS_RECORDED: a reign opens with neither a standby nor `unprotected`",
    ),
    (
        "claim protection without a standby",
        ALONE,
        (write(evolve(ALONE.recorded, unprotected=False)),),
        "UNPROTECTED_IS_RECORDED: `unprotected` is cleared without a standby",
    ),
    (
        "keep the fallback beyond the opening",
        FENCED,
        (write(evolve(FENCED.recorded, opened=True, unprotected=True)),),
        "UNPROTECTED_IS_RECORDED: fallback outlives the opening",
    ),
    (
        "register without a record",
        EMPTY,
        (a_registration(HEALTHY, M2),),
        "NO_ACKED_LOSS: registration without a record",
    ),
    ("a role command without a record", EMPTY, (a_promotion(HEALTHY, M0),), "BOOTSTRAP: Promote without a record"),
    (
        "create over a record",
        HEALTHY,
        (WriteRecord(expected=None, record=HEALTHY.recorded),),
        "BOOTSTRAP: a record is created over another",
    ),
    ("change a record that is not there", EMPTY, (a_write(HEALTHY),), "BOOTSTRAP: a record is created over another"),
]


@pytest.mark.parametrize(("_name", "old", "commands", "promise"), PLANTED, ids=[name for name, *_rest in PLANTED])
def test_a_planted_wrong_command_is_caught(_name: str, old: Scene, commands: tuple[Command, ...], promise: str) -> None:
    """The promise that it breaks is named, with what is wrong."""
    broken = broken_by(old.view, asked(*commands))
    assert any(line.startswith(promise) for line in broken), broken


def test_every_promise_is_broken_by_some_planted_command() -> None:
    """None of the predicates is idle."""
    assert {promise.partition(":")[0] for _name, _old, _commands, promise in PLANTED} == {
        invariant.name for invariant in INVARIANTS
    }


RIGHT: list[tuple[str, Scene, tuple[Command, ...]]] = [
    ("demote a stray", HEALTHY, (a_demotion(HEALTHY, M2),)),
    ("demote MAIN's later run", HEALTHY, (evolve(a_demotion(HEALTHY, M0), run=run_of(M0, 2)),)),
    ("demote a stray beside a MAIN of any run", BEGUN.but(recorded(main_run=None)), (a_demotion(BEGUN, M2),)),
    ("stop another than the standby", HEALTHY, (a_stop(HEALTHY, M2),)),
    ("a next reign of a MAIN of any run", BEGUN.but(recorded(main_run=None)), (next_reign(BEGUN, main_run=None),)),
    ("the same, bound to a run", BEGUN.but(recorded(main_run=None)), (next_reign(BEGUN, main_run=run_of(M1, 2)),)),
    ("stop the old MAIN", BEGUN, (a_stop(HEALTHY, M0),)),
    ("register the ASYNC replica", HEALTHY, (a_registration(HEALTHY, M2),)),
    ("clear the fallback, then register it", BEGUN, (write(evolve(BEGUN.recorded, row_seq=8, fallback=None)),)),
    ("a no-op", HEALTHY, (a_noop(HEALTHY),)),
    ("drop an old row", HEALTHY, (a_drop(HEALTHY, strict_row("m1_6")),)),
    ("keep the same name", HEALTHY, (a_write(HEALTHY),)),
    ("the fallback's reign", BEGUN, (next_reign(BEGUN, main=M0, main_run=None),)),
    ("MAIN's own next reign", LOST, (next_reign(LOST, main_run=None),)),
    ("the chosen run's next reign", BEGUN, (next_reign(BEGUN),)),
]


@pytest.mark.parametrize(("_name", "old", "commands"), RIGHT, ids=[name for name, *_rest in RIGHT])
def test_right_commands_break_nothing(_name: str, old: Scene, commands: tuple[Command, ...]) -> None:
    """A promise that forbids what must be done would be as bad as none."""
    assert broken_by(old.view, asked(*commands)) == ()


def test_every_prefix_is_checked_against_the_record_that_it_leaves() -> None:
    """The second command is judged by the record that the first one writes."""
    commands = decided(ALONE.but(held()), "A10").commands
    assert broken_by(ALONE.view, asked(*commands)) == ()
    assert broken_by(ALONE.view, asked(*reversed(commands))) != ()


@pytest.mark.parametrize(
    "old",
    [HEALTHY.but(recorded(opened=False)), EMPTY, HEALTHY.but(recorded(generation=5))],
    ids=["not open", "no record", "another reign"],
)
def test_a_permit_needs_an_open_reign_of_its_generation(old: Scene) -> None:
    """A route that would relay without one is caught as well."""
    route = Route(permit=permit_for(HEALTHY), hold=True, why="planted")
    assert broken_by(old.view, asked(route=route)) == ("SINGLE_WRITER: a permit without an open reign in the record",)
    assert broken_by(HEALTHY.view, asked(route=route)) == ()


def test_decide_refuses_a_rule_that_breaks_a_promise() -> None:
    """The check runs in production: a wrong rule ends in `InvariantViolation`, not in a command."""

    def promote_at_once(view: View) -> Decision:
        return Decision(reason="planted", wake_at_s=view.now_s, commands=(a_promotion(LOST, M1),))

    with pytest.raises(InvariantViolation, match=r"^rule X10 \(planted\) breaks SINGLE_WRITER: promotion of m1"):
        decide(LOST.view, (Rule("X10", promote_at_once), *RULES))


def test_no_decision_of_the_corpus_breaks_a_promise() -> None:
    """Every hand-made view: what is asked for keeps every promise."""
    seen = 0
    for _name, old in corpus():
        decision = decide(old.view)
        assert broken_by(old.view, decision) == ()
        seen += len(decision.commands)
    assert seen > 100, "the corpus asks for commands"


def test_the_table_is_made_of_distinct_promises() -> None:
    """Names are unique and each says what it promises."""
    assert len({invariant.name for invariant in INVARIANTS}) == len(INVARIANTS)
    assert all(invariant.says for invariant in INVARIANTS)
