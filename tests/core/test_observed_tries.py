"""Filing of commands that ended: failures in a row per kind and subject, and what a lost answer puts in doubt."""

import pytest

from memgraph_ha.core.commands import Command, DropReplica, RegisterReplica, StopInstance, WriteRecord
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import RECORD
from tests.core.changes import a_demotion, a_drop, a_noop, a_promotion, a_registration, a_stop, a_write
from tests.core.test_observed import ended, filed
from tests.core.views import HEALTHY, M0, M1, M2, strict_row


@pytest.mark.parametrize(
    ("command", "subject"),
    [
        (a_write(HEALTHY), RECORD),
        (a_stop(HEALTHY, M1), M1),
        (a_promotion(HEALTHY, M1), M1),
        (a_demotion(HEALTHY, M1), M1),
        (a_noop(HEALTHY), M0),
        (a_registration(HEALTHY, M1), M1),
        (a_drop(HEALTHY, strict_row()), M0),
    ],
    ids=lambda value: type(value).__name__,
)
def test_tries_are_counted_per_kind_and_subject(command: Command, subject: InstanceName) -> None:
    """Failures in a row add up, whatever their kind of failure; one success ends the row."""
    failed = filed(
        ended(command, 2.0, Outcome.REFUSED),
        ended(command, 3.0, Outcome.UNKNOWN),
        ended(command, 4.0, Outcome.NOT_SENT, ErrorClass.BUSY),
    )
    (attempt,) = failed.attempts
    assert (attempt.kind, attempt.subject, attempt.failures) == (type(command), subject, 3)
    assert (attempt.outcome, attempt.error, attempt.at_s) == (Outcome.NOT_SENT, ErrorClass.BUSY, 4.0)
    assert attempt.generation == (0 if isinstance(command, WriteRecord) else 4)
    assert attempt.incarnation == (command.incarnation if isinstance(command, StopInstance) else None)
    assert attempt.replica_run == (command.replica_run if isinstance(command, RegisterReplica) else None)
    (after,) = filed(ended(command, 5.0), start=failed).attempts
    assert after.failures == 0


def test_tries_on_distinct_subjects_do_not_meet() -> None:
    """m1's registration says nothing of m2's, nor of m1's promotion."""
    after = filed(
        ended(a_registration(HEALTHY, M1), 2.0, Outcome.REFUSED),
        ended(a_registration(HEALTHY, M2), 3.0, Outcome.REFUSED),
        ended(a_promotion(HEALTHY, M1), 4.0, Outcome.REFUSED),
    )
    assert [attempt.failures for attempt in after.attempts] == [1, 1, 1]


@pytest.mark.parametrize(
    ("command", "doubts"),
    [
        (a_registration(HEALTHY, M1), True),
        (a_drop(HEALTHY, strict_row()), True),
        (a_promotion(HEALTHY, M1), True),
        (a_demotion(HEALTHY, M1), True),
        (a_noop(HEALTHY), False),
        (a_stop(HEALTHY, M1), False),
        (a_write(HEALTHY), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rows_are_doubted_since_a_role_or_registration_command_was_lost(command: Command, doubts: bool) -> None:
    """Rows that were asked before such a command's lost answer say nothing; a known outcome doubts nothing."""
    assert filed(ended(command, 2.0, Outcome.UNKNOWN)).rows_doubtful_s == (2.0 if doubts else None)
    for known in (Outcome.DONE, Outcome.REFUSED, Outcome.NOT_SENT):
        assert filed(ended(command, 2.0, known)).rows_doubtful_s is None


def test_doubt_does_not_fall() -> None:
    """An earlier lost command on another subject that is reported later leaves the later doubt."""
    drop: DropReplica = a_drop(HEALTHY, strict_row())
    lost = [ended(drop, 5.0, Outcome.UNKNOWN), ended(a_registration(HEALTHY, M1), 3.0, Outcome.UNKNOWN)]
    assert filed(*lost).rows_doubtful_s == filed(*reversed(lost)).rows_doubtful_s == 5.0
