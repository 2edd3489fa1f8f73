"""Filing of facts: newest wins, repeats and old ones change nothing, another life voids what was known."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import Command
from memgraph_ha.core.facts import (
    CommandEnded,
    Fact,
    GapSeen,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    NoopSeen,
    Outcome,
    PortSeen,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
    RowsSeen,
    SentinelBroke,
    ServerSeen,
    StorageSeen,
)
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import Address, InstanceName
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed, Seen
from memgraph_ha.core.topology import Role, Row, RowStatus, StorageMode
from tests.core.changes import a_registration, a_write
from tests.core.views import (
    CLUSTER,
    DATA,
    HEALTHY,
    M0,
    M1,
    STANDBY,
    async_row,
    incarnation_of,
    noop,
    permit_for,
    run_of,
    strict_row,
)

MEMBERS = MembersSeen(at_s=1.0, cluster=CLUSTER, members=tuple(place.member for place in HEALTHY.places))
LISTED = observe(Observed(), MEMBERS)


def filed(*found: Fact, start: Observed = LISTED) -> Observed:
    """The facts filed one after the other."""
    for fact in found:
        start = observe(start, fact)
    return start


def seen(observed: Observed, name: InstanceName = M0) -> Seen:
    """What is known of an instance."""
    found = observed.of(name)
    assert found is not None
    return found


def role(at_s: float, life: int = 1, *, name: InstanceName = M0, kind: Role = Role.MAIN) -> RoleSeen:
    """An answer that was asked then."""
    return RoleSeen(at_s=at_s + 0.01, asked_at_s=at_s, instance=name, run=run_of(name, life), role=kind)


def miss(at_s: float, kind: Miss = Miss.REFUSED, *, excused: bool = False) -> ProbeMissed:
    """A probe of m0 that was asked then and given up half a second later."""
    return ProbeMissed(at_s=at_s + 0.5, asked_at_s=at_s, instance=M0, miss=kind, excused=excused)


def rows(at_s: float, *found: Row) -> RowsSeen:
    """MAIN's rows, asked then."""
    return RowsSeen(at_s=at_s, asked_at_s=at_s, instance=M0, run=run_of(M0), rows=found)


def storage(at_s: float, uuid: str = DATA) -> StorageSeen:
    """MAIN's data set, asked then."""
    return StorageSeen(
        at_s=at_s,
        asked_at_s=at_s,
        instance=M0,
        run=run_of(M0),
        uuid=uuid,
        empty=False,
        mode=StorageMode.TRANSACTIONAL,
    )


def server(at_s: float, flush_every: int = 1) -> ServerSeen:
    """MAIN's configuration."""
    return ServerSeen(at_s=at_s, instance=M0, run=run_of(M0), version="3.6.1", wal=True, flush_every=flush_every)


def port(at_s: float, *, is_open: bool = True) -> PortSeen:
    """Whether m0's replication port is open, asked then."""
    return PortSeen(at_s=at_s, asked_at_s=at_s, instance=M0, open=is_open)


def ended(
    command: Command, at_s: float, outcome: Outcome = Outcome.DONE, error: ErrorClass | None = None
) -> CommandEnded:
    """A command that ended then."""
    return CommandEnded(at_s=at_s, command=command, outcome=outcome, error=error)


EACH_KIND: list[Fact] = [
    MEMBERS,
    role(2.0),
    miss(3.0),
    miss(3.0, Miss.TIMED_OUT),
    rows(2.0, strict_row()),
    rows(2.0, strict_row(status=RowStatus.INVALID)),
    storage(2.0),
    server(2.0),
    port(2.0),
    RecordSeen(at_s=2.0, record=HEALTHY.record, token=None),
    RecordSeen(at_s=2.0, record=evolve(HEALTHY.recorded, standby=None), token=None),
    LeaseSeen(at_s=2.0, leading=True, until_s=9.0),
    GateSeen(at_s=2.0, permit=permit_for(HEALTHY)),
    GateSeen(at_s=2.0, permit=None),
    SentinelBroke(at_s=2.0, instance=M0, run=run_of(M0)),
    noop(witness=STANDBY),
    noop(outcome=Outcome.REFUSED),
    ended(a_registration(HEALTHY, M1), 2.0, Outcome.UNKNOWN),
    ended(a_write(HEALTHY), 2.0),
    GapSeen(at_s=2.0, gap_s=1.0),
]


@pytest.mark.parametrize("fact", EACH_KIND, ids=lambda fact: type(fact).__name__)
def test_a_repeated_fact_changes_nothing(fact: Fact) -> None:
    """Filing is idempotent for every kind of fact, also after others came in between."""
    once = filed(fact)
    assert filed(fact, start=once) == once
    later = filed(*(other for other in EACH_KIND if type(other) is not type(fact)), start=once)
    assert filed(fact, start=later) == later


NEWEST: list[tuple[Fact, Fact]] = [
    (MEMBERS, evolve(MEMBERS, at_s=5.0, members=MEMBERS.members[:2])),
    (role(2.0), role(5.0, kind=Role.REPLICA)),
    (rows(2.0), rows(5.0, strict_row())),
    (storage(2.0), storage(5.0, "other")),
    (server(2.0), server(5.0, 100_000)),
    (port(2.0), port(5.0, is_open=False)),
    (RecordSeen(at_s=2.0, record=None, token=None), RecordSeen(at_s=5.0, record=HEALTHY.record, token=None)),
    (LeaseSeen(at_s=2.0, leading=True, until_s=9.0), LeaseSeen(at_s=5.0, leading=False)),
    (GateSeen(at_s=2.0, permit=None), GateSeen(at_s=5.0, permit=permit_for(HEALTHY))),
    (noop(asked_s=2.0), noop(asked_s=5.0, outcome=Outcome.REFUSED)),
    (GapSeen(at_s=2.0, gap_s=1.0), GapSeen(at_s=5.0, gap_s=1.0)),
    (ended(a_write(HEALTHY), 2.0), ended(a_write(HEALTHY), 5.0, Outcome.REFUSED)),
]


@pytest.mark.parametrize(("old", "new"), NEWEST, ids=lambda fact: type(fact).__name__)
def test_an_older_fact_is_ignored(old: Fact, new: Fact) -> None:
    """A fact that was learnt earlier does not replace a newer one that came first."""
    assert filed(new, old) == filed(new)
    assert filed(old, new) != filed(old)


def test_an_answer_is_as_old_as_its_question() -> None:
    """Of two answers the one that was asked later counts, whichever arrives later."""
    slow = RoleSeen(at_s=9.0, asked_at_s=2.0, instance=M0, run=run_of(M0), role=Role.MAIN)
    quick = RoleSeen(at_s=4.0, asked_at_s=3.0, instance=M0, run=run_of(M0), role=Role.REPLICA)
    assert seen(filed(quick, slow)).role == quick


@pytest.mark.parametrize(
    "fact", [role(0.9), miss(0.9), rows(0.9), storage(0.9), server(0.9), port(0.9)], ids=lambda f: type(f).__name__
)
def test_what_was_asked_of_an_earlier_process_is_void(fact: Fact) -> None:
    """An incarnation's first sight bounds what can be said of it."""
    assert filed(fact) == LISTED


@pytest.mark.parametrize(
    "fact", [role(2.0), miss(2.0), rows(2.0), storage(2.0), server(2.0), port(2.0)], ids=lambda f: type(f).__name__
)
def test_facts_about_strangers_are_ignored(fact: Fact) -> None:
    """Who is no member is not filed."""
    assert observe(Observed(), fact) == Observed()


def test_another_incarnation_voids_all_that_was_known() -> None:
    """A new process has not answered anything yet."""
    known = filed(role(2.0), miss(3.0), rows(2.0), storage(2.0), server(2.0), port(2.0))
    member = evolve(MEMBERS.members[0], incarnation=incarnation_of(M0, 2))
    reborn = filed(evolve(MEMBERS, at_s=4.0, members=(member, *MEMBERS.members[1:])), start=known)
    assert seen(reborn) == Seen(member=member, born_s=4.0)


def test_the_same_incarnation_keeps_what_was_known() -> None:
    """A new listing of the same process, at a new address, forgets nothing."""
    known = filed(role(2.0), storage(2.0))
    member = evolve(MEMBERS.members[0], bolt=Address("10.1.1.1:7687"))
    again = filed(evolve(MEMBERS, at_s=4.0, members=(member, *MEMBERS.members[1:])), start=known)
    assert seen(again) == evolve(seen(known), member=member)


def test_another_run_voids_all_but_the_port() -> None:
    """A restart that the platform did not show yet is seen by its run (transcripts Q16)."""
    known = filed(role(2.0), rows(2.0), storage(2.0), server(2.0), port(2.0))
    reborn = seen(filed(role(3.0, 2), start=known))
    assert (reborn.rows, reborn.storage, reborn.server) == (None, None, None)
    assert reborn.port == port(2.0)


def test_a_replica_has_no_rows() -> None:
    """Rows of a MAIN that was demoted are over."""
    known = filed(role(2.0), rows(2.0, strict_row(status=RowStatus.INVALID)))
    demoted = seen(filed(role(3.0, kind=Role.REPLICA), start=known))
    assert (demoted.rows, demoted.bad_rows) == (None, ())


def counts(*found: Fact) -> tuple[int, int]:
    """Refused and timed-out probes in a row."""
    after = seen(filed(*found))
    return after.refused, after.timeouts


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([miss(2.0), miss(3.0)], (2, 0)),
        ([miss(2.0, Miss.TIMED_OUT), miss(3.0, Miss.TIMED_OUT)], (0, 2)),
        ([miss(2.0), miss(3.0, Miss.TIMED_OUT)], (0, 1)),
        ([miss(2.0, Miss.TIMED_OUT), miss(3.0)], (1, 0)),
        ([miss(2.0), role(3.0)], (0, 0)),
        ([miss(2.0, Miss.TIMED_OUT), role(3.0)], (0, 0)),
        ([miss(3.0), role(2.0)], (1, 0)),
        ([role(3.0), miss(2.0)], (0, 0)),
        ([miss(3.0), miss(2.0)], (1, 0)),
        ([miss(2.0, Miss.TIMED_OUT), miss(3.0, Miss.TIMED_OUT, excused=True)], (0, 1)),
        ([miss(2.0, Miss.TIMED_OUT), miss(3.0, Miss.UNAUTHORISED)], (0, 0)),
        ([miss(2.0, Miss.TIMED_OUT), miss(3.0, Miss.UNREADABLE)], (0, 0)),
        ([miss(2.0), miss(3.0, Miss.UNAUTHORISED)], (1, 0)),
        ([miss(2.0), GapSeen(at_s=3.0, gap_s=2.0)], (0, 0)),
        ([miss(2.0, Miss.TIMED_OUT), GapSeen(at_s=3.0, gap_s=2.0)], (0, 0)),
        ([GapSeen(at_s=3.0, gap_s=2.0), miss(4.0), GapSeen(at_s=3.0, gap_s=2.0)], (1, 0)),
        ([GapSeen(at_s=3.0, gap_s=2.0), miss(4.0), GapSeen(at_s=2.0, gap_s=2.0)], (1, 0)),
    ],
)
def test_probes_are_counted_in_a_row(found: list[Fact], expected: tuple[int, int]) -> None:
    """An answer, another kind of miss, or a gap in our own time begins the count anew; an excused one is none."""
    assert counts(*found) == expected


def test_counts_are_bounded_in_time() -> None:
    """From the first question to the last, or to the end of the last wait."""
    refused = seen(filed(miss(2.0), miss(2.06)))
    assert (refused.refused_first_s, refused.refused_last_s) == (2.0, 2.06)
    silent = seen(filed(miss(2.0, Miss.TIMED_OUT), miss(4.0, Miss.TIMED_OUT), miss(9.0, Miss.TIMED_OUT, excused=True)))
    assert silent.silent_s == 2.5
    assert seen(LISTED).silent_s == 0.0


def test_a_late_answer_to_an_earlier_question_does_not_end_a_row_of_misses() -> None:
    """It says nothing newer than its question."""
    late = RoleSeen(at_s=9.0, asked_at_s=2.5, instance=M0, run=run_of(M0), role=Role.MAIN)
    after = seen(filed(role(2.0), miss(3.0), miss(4.0), late))
    assert (after.refused, after.role) == (2, late)


def test_bad_rows_are_timed_from_their_first_sight() -> None:
    """A whole row that takes no commits is timed, each by itself; half and healthy ones are not."""
    bad = strict_row(status=RowStatus.INVALID)
    assert seen(filed(rows(2.0, bad), rows(3.0, bad))).bad_since_s(bad.name) == 2.0
    assert seen(filed(rows(2.0, bad), rows(3.0, strict_row()))).bad_rows == ()
    assert seen(filed(rows(2.0, bad), rows(3.0, strict_row()), rows(4.0, bad))).bad_since_s(bad.name) == 4.0
    late = async_row(status=RowStatus.INVALID)
    both = seen(filed(rows(2.0, bad), rows(3.0, bad, late)))
    assert both.bad_rows == ((bad.name, 2.0), (late.name, 3.0))
    assert seen(filed(rows(2.0, strict_row(status=RowStatus.HALF)))).bad_rows == ()


def test_an_unnamed_reign_is_timed_from_its_first_reading() -> None:
    """Only an open reign that claims protection without a standby is."""
    without = evolve(HEALTHY.recorded, standby=None)

    def since(*readings: RecordSeen) -> float | None:
        return filed(*readings).unnamed_since_s

    def reading(at_s: float, **fields: object) -> RecordSeen:
        return RecordSeen(at_s=at_s, record=evolve(without, **fields), token=None)  # type: ignore[arg-type]  # Record's

    assert since(reading(2.0), reading(3.0)) == 2.0
    assert since(reading(2.0), reading(3.0, standby=STANDBY), reading(4.0)) == 4.0
    assert since(reading(2.0, unprotected=True)) is None
    assert since(reading(2.0, opened=False)) is None
    assert since(RecordSeen(at_s=2.0, record=None, token=None)) is None


def test_the_gate_is_timed_from_when_it_began_to_allow_exactly_that() -> None:
    """A permit's extension is no change; another permit, or none, is."""
    permit = permit_for(HEALTHY)

    def since(*permits: object) -> float:
        found = [GateSeen(at_s=2.0 + n, permit=p) for n, p in enumerate(permits)]  # type: ignore[arg-type]  # permits
        return filed(*found).gate_since_s

    assert since(None, None) == 2.0
    assert since(permit, evolve(permit, valid_until_s=99.0)) == 2.0
    assert since(permit, None) == 3.0
    assert since(None, permit) == 3.0
    assert since(permit, evolve(permit, generation=5)) == 3.0


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([noop(witness=STANDBY, asked_s=2.0)], (0, 0, 0)),
        ([noop(asked_s=2.0)], (0, 0, None)),
        ([noop(asked_s=2.0, outcome=Outcome.REFUSED)], (0, None, None)),
        ([noop(witness=STANDBY, asked_s=2.0), noop(asked_s=3.0)], (1, 1, 0)),
        ([noop(witness=STANDBY, asked_s=2.0), noop(asked_s=3.0, outcome=Outcome.UNKNOWN)], (1, 0, 0)),
        ([noop(witness=STANDBY, asked_s=2.0, outcome=Outcome.UNKNOWN)], (0, None, None)),
    ],
)
def test_the_last_noop_the_last_acknowledged_and_the_last_proof_are_kept(
    found: list[NoopSeen], expected: tuple[int | None, int | None, int | None]
) -> None:
    """Three things are asked of no-ops: did the last fail, is the epoch durable, who was proven."""
    after = filed(*found)
    which = tuple(None if kept is None else found.index(kept) for kept in (after.noop, after.noop_done, after.proof))
    assert which == expected


def test_the_newest_break_of_a_sentinel_is_kept() -> None:
    """Whether it counts is for the view to say: it knows the present run and its last answer."""
    first, last = (SentinelBroke(at_s=at_s, instance=M0, run=run_of(M0)) for at_s in (3.0, 4.0))
    assert seen(filed(role(2.0), last, first)).sentinel == last
