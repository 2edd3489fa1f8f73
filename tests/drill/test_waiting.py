"""What the drill waits for, judged from records."""

from attrs import evolve

from memgraph_ha.core.names import InstanceName, RowName, RunId
from memgraph_ha.core.record import Change, ChangeKind, Record, Standby
from memgraph_ha.drill.faults import changes_since
from memgraph_ha.drill.waiting import history_line, lacks_reign

A, B = InstanceName("a"), InstanceName("b")


def change(generation: int, kind: ChangeKind) -> Change:
    """One line of history."""
    return Change(
        generation=generation,
        main=B,
        previous=A,
        kind=kind,
        standby=B,
        rule="L30",
        reason="MAIN a is lost",
        at=0.0,
    )


RECORD = Record(
    cluster="c",
    generation=4,
    main=B,
    main_run=RunId("run"),
    opened=True,
    standby=Standby(instance=A, run=RunId("run"), row=RowName("a_1")),
    fallback=None,
    unprotected=False,
    row_seq=1,
    rebuild=frozenset(),
    database_uuid="uuid",
    level=(),
    history=(change(2, ChangeKind.FAILOVER), change(3, ChangeKind.REPROMOTE), change(4, ChangeKind.FAILOVER)),
)


def test_a_reign_counts_when_it_is_new_and_open() -> None:
    """The reign that was before the fault is no answer, nor is one that is not open yet."""
    assert lacks_reign(RECORD, 3) is None
    assert lacks_reign(RECORD, 4) == "the reign is still 4, of b"
    assert lacks_reign(evolve(RECORD, opened=False), 3) == "reign 4, of b, is not open"


def test_all_reigns_of_one_fault_are_told() -> None:
    """A fault may cost more than one reign; those before it are not its own."""
    assert changes_since(RECORD, 2) == (ChangeKind.REPROMOTE, ChangeKind.FAILOVER)
    assert changes_since(RECORD, 4) == ()


def test_the_last_line_of_history_is_told_in_words() -> None:
    """It names generation, kind, MAIN, rule and reason; without history it says so."""
    assert history_line(RECORD) == "generation 4, failover to b by L30: MAIN a is lost"
    assert history_line(evolve(RECORD, history=())) == "generation 4, no history"
