"""A read of the record without an answer is no news about it (docs/decisions/0011)."""

from functools import reduce

import pytest

from memgraph_ha.core import View, decide, observe
from memgraph_ha.core.facts import Outcome, RecordSeen, RecordTrouble
from memgraph_ha.core.holds import Hold
from tests.core.changes import a_write, lease
from tests.core.scenes import EMPTY, LOST
from tests.core.test_observed import ended
from tests.core.views import HEALTHY, NOW, TOKEN, Scene

AWAY = RecordSeen(at_s=NOW + 1, record=None, token=None, trouble=RecordTrouble.UNANSWERED, detail="no answer")


def _then(scene: Scene, *facts: RecordSeen) -> View:
    """What is known when these came after all else."""
    return View(observed=reduce(observe, facts, scene.observed), policy=scene.policy, now_s=NOW + 1, wall_s=0.0)


def test_clients_go_on_and_nothing_is_commanded() -> None:
    """Whom they may reach is told by the record read last, while our lease lives."""
    assert decide(HEALTHY.view).route.permit is not None
    decision = decide(_then(HEALTHY, AWAY, AWAY))
    assert decision.route.permit == decide(HEALTHY.view).route.permit
    assert (decision.rule, decision.commands, decision.hold, decision.reason) == (
        "R10",
        (),
        Hold.RECORD_UNKNOWN,
        "no answer",
    )


def test_a_lost_main_waits_by_name() -> None:
    """No reign begins without the record."""
    assert decide(LOST.view).commands
    decision = decide(_then(LOST, AWAY))
    assert (decision.rule, decision.commands, decision.hold) == ("R10", (), Hold.RECORD_UNKNOWN)
    assert decision.route.permit is None


def test_what_was_read_keeps_its_age_and_the_next_answer_counts() -> None:
    """A new leader must not take what its process read before its term for news."""
    view = _then(HEALTHY, AWAY)
    seen = view.observed.record
    assert seen is not None
    assert (seen.at_s, seen.record, seen.token) == (NOW, HEALTHY.record, TOKEN)
    decision = decide(_then(HEALTHY.but(lease(since_s=NOW + 0.5)), AWAY))
    assert decision.reason == "the record was not read yet in our term"
    assert decision.route.permit is None
    back = RecordSeen(at_s=NOW + 0.5, record=HEALTHY.record, token=TOKEN)
    assert decide(_then(HEALTHY, AWAY, back)).rule != "R10"


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_write_that_may_have_been_done_leaves_no_record_to_go_by(outcome: Outcome) -> None:
    """Only if its outcome is unknown, and only until an answer is read; whatever was tried since."""
    write = a_write(HEALTHY)
    observed = observe(observe(HEALTHY.observed, AWAY), ended(write, NOW + 0.5, outcome))
    retried = observe(observed, ended(write, NOW + 0.7, Outcome.NOT_SENT))
    for known in (observed, retried):
        view = View(observed=known, policy=HEALTHY.policy, now_s=NOW + 1, wall_s=0.0)
        assert (view.record is None) is (outcome is Outcome.UNKNOWN)
        assert (decide(view).route.permit is None) is (outcome is Outcome.UNKNOWN)
        back = observe(known, RecordSeen(at_s=NOW + 0.8, record=HEALTHY.record, token=TOKEN))
        assert View(observed=back, policy=HEALTHY.policy, now_s=NOW + 1, wall_s=0.0).record is not None


def test_where_nothing_was_read_nothing_is_known() -> None:
    """A store that never answered, or said that there is no record, leaves trouble."""
    view = _then(EMPTY, AWAY)
    assert view.observed.record == AWAY
    assert view.record is None
    assert decide(view).hold is Hold.RECORD_UNKNOWN
