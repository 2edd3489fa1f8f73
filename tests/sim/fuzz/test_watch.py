"""Situations are counted when they begin, and everything that happens is in the digest."""

from attrs import evolve

from memgraph_ha.core import Policy
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import (
    CommandEnded,
    Fact,
    LeaseSeen,
    Miss,
    Outcome,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
    RowsSeen,
)
from memgraph_ha.core.names import Token
from memgraph_ha.core.record import Change, ChangeKind, Record
from memgraph_ha.core.topology import Role, RowStatus
from memgraph_ha.sim.fuzz.sometimes import Mark
from memgraph_ha.sim.fuzz.watch import Watch
from memgraph_ha.trace.schema import Ghost
from tests.core.views import HEALTHY, M0, M1, run_of, strict_row


def watching(*facts: Fact) -> Watch:
    """One that was told of these by one controller."""
    watch = Watch()
    watch.start("C1", Policy())
    for fact in facts:
        watch.fact("C1", fact)
    return watch


def rows(at_s: float, status: RowStatus) -> RowsSeen:
    """MAIN's answer."""
    return RowsSeen(at_s=at_s, asked_at_s=at_s, instance=M0, run=run_of(M0), rows=(strict_row(status=status),))


def begun(kind: ChangeKind, generation: int, at_s: float) -> RecordSeen:
    """A record of a reign that began so."""
    change = Change(generation=generation, main=M1, previous=M0, kind=kind, standby=M1, rule="L30", reason="x", at=0.0)
    record = evolve(HEALTHY.recorded, generation=generation, main=M1, standby=None, history=(change,), unprotected=True)
    return RecordSeen(at_s=at_s, record=record, token=Token(str(generation)))


def read(record: Record, at_s: float = 1.0) -> RecordSeen:
    """It was read."""
    return RecordSeen(at_s=at_s, record=record, token=Token("t"))


def test_a_situation_counts_once_until_it_ends() -> None:
    """Ten answers about one invalid row are one situation; after it was well, the next is another one."""
    invalid = [rows(at_s, RowStatus.INVALID) for at_s in range(10)]
    assert watching(*invalid).marks[Mark.INVALID_ROW] == 1
    assert watching(*invalid, rows(11, RowStatus.READY), *invalid).marks[Mark.INVALID_ROW] == 2


def test_a_refused_password_counts_once_until_it_is_taken() -> None:
    """Whoever answers has taken it."""
    missed = ProbeMissed(at_s=1.0, asked_at_s=1.0, instance=M1, miss=Miss.UNAUTHORISED)
    answered = RoleSeen(at_s=2.0, asked_at_s=2.0, instance=M1, run=run_of(M1), role=Role.REPLICA)
    assert watching(missed, missed, answered, missed).marks[Mark.UNAUTHORISED] == 2


def test_reigns_are_counted_by_kind_and_only_once() -> None:
    """Whoever reads the record, and however often."""
    first, second = begun(ChangeKind.FAILOVER, 5, 1.0), begun(ChangeKind.REPROMOTE, 6, 5.0)
    watch = watching(read(HEALTHY.recorded, at_s=-60.0), first, first, second, first, second)
    assert (watch.marks[Mark.FAILED_OVER], watch.marks[Mark.REPROMOTED], watch.failovers) == (1, 1, 1)
    assert (watch.marks[Mark.FLIPPED], watch.marks[Mark.UNPROTECTED]) == (1, 1)


def test_a_write_whose_answer_was_lost_may_have_been_applied() -> None:
    """It is recognised when it is read."""
    record = HEALTHY.recorded
    ended = CommandEnded(at_s=1.0, command=WriteRecord(expected=None, record=record), outcome=Outcome.UNKNOWN)
    assert watching(ended).marks[Mark.WRITE_APPLIED_UNKNOWN] == 0
    watch = watching(ended, read(record))
    assert (watch.marks[Mark.WRITE_UNKNOWN], watch.marks[Mark.WRITE_APPLIED_UNKNOWN]) == (1, 1)


def test_two_leaders_are_seen_from_outside() -> None:
    """One that believes in a lease which has not ended by its own clock, and another one."""
    watch = watching(LeaseSeen(at_s=1.0, leading=True, until_s=9.0))
    watch.start("C2", Policy())
    watch.fact("C2", LeaseSeen(at_s=8.0, leading=True, until_s=18.0))
    assert watch.marks[Mark.TWO_LEADERS] == 1
    watch.fact("C1", LeaseSeen(at_s=9.0, leading=False))
    watch.fact("C2", LeaseSeen(at_s=10.0, leading=True, until_s=20.0))
    assert watch.marks[Mark.TWO_LEADERS] == 1


def test_two_mains_and_none() -> None:
    """Roles are told by the world itself."""
    watch = watching(read(HEALTHY.recorded))
    watch.ghost(Ghost.INSTANCE, "m0", state="up", role="MAIN")
    assert watch.marks[Mark.TWO_MAINS] == 0
    watch.ghost(Ghost.INSTANCE, "m1", state="up", role="MAIN")
    assert watch.marks[Mark.TWO_MAINS] == 1
    watch.ghost(Ghost.INSTANCE, "m0", state="down")
    watch.ghost(Ghost.INSTANCE, "m1", state="up", role="REPLICA")
    assert watch.marks[Mark.NO_MAIN] == 1


def test_commands_that_land() -> None:
    """Late ones, and what a promoted instance held."""
    watch = watching()
    watch.ghost(Ghost.LANDED, "C1", command="Promote", instance="m1", outcome="MAIN", led=False, lacks=0, more=2)
    watch.ghost(Ghost.LANDED, "C1", command="Promote", instance="m1", outcome="MAIN", led=True, lacks=0, more=0)
    watch.ghost(Ghost.GATE, "C1", state="shut", in_flight=1)
    marks = (Mark.LATE_COMMAND, Mark.PROMOTED_AHEAD, Mark.PROMOTED_EXACT, Mark.REVOKED_IN_FLIGHT)
    assert [watch.marks[mark] for mark in marks] == [1, 1, 1, 1]


def test_the_digest_is_of_everything_that_happens() -> None:
    """One more event, or another one, is another digest."""
    one, same, other = watching(), watching(), watching()
    for watch in (one, same):
        watch.ghost(Ghost.INSTANCE, "m0", state="up")
    other.ghost(Ghost.INSTANCE, "m0", state="down")
    assert one.digest == same.digest
    assert len({one.digest, other.digest, watching().digest}) == 3
