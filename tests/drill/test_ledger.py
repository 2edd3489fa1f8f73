"""The ledger says what is wrong, and only that."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core.names import InstanceName
from memgraph_ha.drill.ledger import (
    MOST_ERROR_TEXTS,
    OTHER_ERRORS,
    Findings,
    Outcome,
    Reading,
    WriterLog,
    check,
    outcome_of_refusal,
)

ABORTED = (
    "At least one STRICT_SYNC replica has not confirmed committing last transaction. Transaction will be aborted on"
    " all instances."
)
NOT_CONFIRMED = "At least one SYNC replica has not confirmed committing last transaction."


def log_of(writer: int, *ends: tuple[float, Outcome, float]) -> WriterLog:
    """A writer's log: when each write began, how and when it ended."""
    log = WriterLog(writer)
    for begun_s, outcome, ended_s in ends:
        log.begin(begun_s)
        log.end(outcome, ended_s)
    return log


def reading(name: str, *ids: str) -> Reading:
    """What an instance gave back."""
    return Reading(instance=InstanceName(name), ids=Counter(ids))


def compared(log: WriterLog, *readings: Reading, faults_s: tuple[float, ...] = ()) -> Findings:
    """One writer's log against what the instances hold."""
    return check([log], readings, faults_s)


ACK, REFUSED, DOUBT = Outcome.ACKNOWLEDGED, Outcome.REFUSED, Outcome.INDETERMINATE


def test_agreement_is_no_complaint() -> None:
    """Acknowledged writes that are everywhere once, and refused ones that are nowhere, are as it must be."""
    log = log_of(0, (1, ACK, 2), (3, REFUSED, 4), (5, ACK, 6))

    found = compared(log, reading("a", "0-0", "0-2"), reading("b", "0-0", "0-2"))

    assert found.complaints() == ()
    assert (found.attempts, found.acknowledged, found.refused, found.indeterminate) == (3, 2, 1, 0)


def test_a_lost_write_is_found_on_the_one_instance_that_lacks_it() -> None:
    """Every instance is judged by itself."""
    log = log_of(0, (1, ACK, 2), (3, ACK, 4))

    found = compared(log, reading("a", "0-0", "0-1"), reading("b", "0-0"))

    assert [each.lost for each in found.instances] == [(), ("0-1",)]
    assert found.lost == 1
    assert "b: 1 acknowledged but missing: 0-1" in found.complaints()


def test_a_doubled_write_is_found() -> None:
    """An id that is there twice was executed twice."""
    found = compared(log_of(0, (1, ACK, 2)), reading("a", "0-0", "0-0"))

    assert found.instances[0].duplicated == ("0-0",)
    assert found.instances[0].rows == 2
    assert found.complaints() == ("a: 1 there more than once: 0-0",)


def test_a_refused_write_that_is_there_is_a_phantom() -> None:
    """What was refused for certain must be nowhere."""
    found = compared(log_of(0, (1, REFUSED, 2)), reading("a", "0-0"))

    assert found.instances[0].phantom == ("0-0",)
    assert found.phantom == 1
    assert not found.lost


def test_a_write_that_nobody_attempted_is_named() -> None:
    """An id that no writer made comes from elsewhere."""
    found = compared(log_of(0, (1, ACK, 2)), reading("a", "0-0", "0-7", "strange"))

    assert found.instances[0].unknown == ("0-7", "strange")


def test_a_write_in_doubt_may_be_there_or_not_but_everywhere_the_same() -> None:
    """Nobody was told anything of it, so both is right; two instances that differ are not."""
    log = log_of(0, (1, DOUBT, 2))

    assert compared(log, reading("a"), reading("b"), faults_s=(1.5,)).complaints() == ()
    there = compared(log, reading("a", "0-0"), reading("b", "0-0"), faults_s=(1.5,))
    assert there.complaints() == ()
    assert there.instances[0].indeterminate_present == 1
    differing = compared(log, reading("a", "0-0"), reading("b"), faults_s=(1.5,))
    assert differing.complaints() == ("the instances differ in 1 writes: 0-0",)


def test_a_write_that_never_ended_is_in_doubt() -> None:
    """A writer that was cut in the middle knows nothing of its last write."""
    log = log_of(3, (1, ACK, 2))
    log.begin(3)

    assert log.count(Outcome.INDETERMINATE) == 1
    found = compared(log, reading("a", "3-0", "3-1"), faults_s=(2.5,))
    assert found.indeterminate == 1
    assert found.complaints() == ()


@pytest.mark.parametrize(
    ("ended_s", "faults_s", "complaint"),
    [
        pytest.param((11, 12), (10,), "writer 0: 2 indeterminate writes after fault 1", id="two after one fault"),
        pytest.param((11, 21), (10, 20), None, id="one after each"),
        pytest.param((5,), (10,), "writer 0: 1 indeterminate writes before the first fault", id="without a fault"),
        pytest.param((10,), (10,), None, id="in the very moment"),
    ],
)
def test_a_fault_explains_one_doubt_per_writer(
    ended_s: tuple[float, ...], faults_s: tuple[float, ...], complaint: str | None
) -> None:
    """A writer has one write on its way, so a fault can leave it in doubt about one."""
    log = log_of(0, *((at_s - 0.5, DOUBT, at_s) for at_s in ended_s))

    said = compared(log, reading("a"), faults_s=faults_s).over_bound

    assert [complaint] == [each.partition(";")[0] for each in said] if complaint else not said


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        (ABORTED, REFUSED),
        (NOT_CONFIRMED, DOUBT),
        ("Cannot commit because instance is not main anymore.", REFUSED),
        ("Write queries are forbidden on the replica instance. Replica instances accept only read queries", REFUSED),
        ("Cannot resolve conflicting transactions. You can retry this transaction", REFUSED),
        ("something nobody has seen", DOUBT),
        ("", DOUBT),
    ],
)
def test_only_words_that_exclude_a_commit_are_a_refusal(message: str, outcome: Outcome) -> None:
    """A SYNC failure is committed all the same (transcripts, Summary); an unknown text leaves everything open."""
    assert outcome_of_refusal(message) is outcome


def test_the_first_acknowledgement_after_a_fault_is_of_a_write_begun_after_it() -> None:
    """An acknowledgement that was still on its way is no recovery."""
    log = log_of(0, (9.9, ACK, 10.1), (10.1, DOUBT, 10.4), (10.5, REFUSED, 10.6), (10.7, ACK, 10.9))

    assert log.first_acknowledged(begun_from_s=10.0, until_s=20.0) == 10.9
    assert log.first_acknowledged(begun_from_s=10.0, until_s=10.8) is None
    assert log.first_acknowledged(begun_from_s=9.0, until_s=20.0) == 10.1
    assert log.first_acknowledged(begun_from_s=11.0, until_s=20.0) is None


def test_a_transaction_that_is_tried_again_counts_from_its_last_try() -> None:
    """A driver's retry after the fault shows that service is back, though its first try was before."""
    log = WriterLog(0)
    log.begin(9.0)
    log.begin_again(11.0)
    log.end(ACK, 11.5)

    assert log.first_acknowledged(begun_from_s=10.0, until_s=20.0) == 11.5
    assert list(log.ids(ACK)) == ["0-0"]


def test_counters_are_of_what_happened() -> None:
    """Counters agree with the lists, and failed connections are no attempts."""
    log = log_of(5, (1, ACK, 2), (3, DOUBT, 4), (5, ACK, 6))
    log.connect_failed("ServiceUnavailable: nobody there")

    assert (log.attempts, log.count(ACK), log.count(DOUBT), log.count(REFUSED)) == (3, 2, 1, 0)
    assert log.last_acknowledged_s == 6
    assert log.failed_connects == 1
    assert list(log.acknowledgements()) == [2, 6]
    assert log.errors == {"ServiceUnavailable: nobody there": 1}


def test_error_texts_that_all_differ_do_not_pile_up() -> None:
    """What comes beyond the bound is counted together, and nothing is lost from the sum."""
    log = WriterLog(0)
    for number in range(3 * MOST_ERROR_TEXTS):
        log.note_error(f"error {number}")

    assert len(log.errors) == MOST_ERROR_TEXTS + 1
    assert log.errors[OTHER_ERRORS] == 2 * MOST_ERROR_TEXTS
    assert log.errors.total() == 3 * MOST_ERROR_TEXTS


@given(
    ends=st.lists(st.sampled_from(Outcome), max_size=12),
    held=st.lists(st.lists(st.integers(0, 14), max_size=16), min_size=1, max_size=3),
)
def test_the_findings_are_what_a_plain_count_says(ends: list[Outcome], held: list[list[int]]) -> None:
    """For any outcomes and any content, each finding is what its one-line definition says."""
    log = log_of(0, *((float(n), outcome, n + 0.5) for n, outcome in enumerate(ends)))
    found = check([log], [reading(f"m{n}", *(f"0-{each}" for each in ids)) for n, ids in enumerate(held)], [])

    for ids, each in zip(held, found.instances, strict=True):
        assert set(each.lost) == {f"0-{n}" for n, end in enumerate(ends) if end is ACK and n not in ids}
        assert set(each.duplicated) == {f"0-{n}" for n in ids if ids.count(n) > 1}
        assert set(each.phantom) == {f"0-{n}" for n, end in enumerate(ends) if end is REFUSED and n in ids}
        assert set(each.unknown) == {f"0-{n}" for n in ids if n >= len(ends)}
        assert each.rows == len(ids)
    differing = {n for ids in held for n in ids if not all(n in other for other in held)}
    assert set(found.differing) == {f"0-{n}" for n in differing}
