"""Fine points of rules that nothing held until a mutant got through (`memgraph-ha sim mutate`)."""

from functools import reduce

from attrs import evolve

from memgraph_ha.core import Unmet, View, decide, explain, observe
from memgraph_ha.core.facts import Miss, Outcome, ProbeMissed, RoleSeen
from memgraph_ha.core.record import Pause
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import Role
from tests.core.changes import (
    a_demotion,
    a_promotion,
    a_registration,
    place,
    recorded,
    rows,
    tried,
    unprotected,
)
from tests.core.occasions import SWAPPED
from tests.core.orders import asks, held
from tests.core.scenes import BEGUN
from tests.core.views import HEALTHY, M0, M1, M2, NOW, answer, assert_stopped, async_row, rewritten, run_of

FRESH = HEALTHY.but(unprotected, rows(async_row()), held())
"""m1 has no row, and new transactions are held for it."""


def test_a_demotion_before_the_registration_excuses_nothing() -> None:
    """Only one that came after it explains why the row came to nothing."""
    demoted = FRESH.but(tried(a_demotion(FRESH, M1), Outcome.DONE, ago_s=35))
    blocked = demoted.but(tried(a_registration(FRESH, M1), Outcome.DONE, ago_s=30))
    assert_stopped(blocked, "A10", "the pause after the last try is over")


def test_a_refused_password_is_forgotten_once_it_is_accepted() -> None:
    """The last answer counts, not the last refusal."""
    refused = ProbeMissed(at_s=NOW + 0.1, asked_at_s=NOW + 0.1, instance=M2, miss=Miss.UNAUTHORISED)
    accepted = RoleSeen(at_s=NOW + 0.2, asked_at_s=NOW + 0.2, instance=M2, run=run_of(M2), role=Role.REPLICA)

    def answers(*facts: ProbeMissed | RoleSeen) -> type:
        view = View(
            observed=reduce(observe, facts, HEALTHY.observed),
            policy=HEALTHY.policy,
            now_s=NOW + 0.2,
            wall_s=HEALTHY.wall_s,
        )
        return type(next(line.answer for line in explain(view) if line.rule == "Y05"))

    assert answers(refused) is not Unmet
    assert answers(refused, accepted) is Unmet


def test_a_promotion_that_was_done_leaves_no_doubt_about_a_replica() -> None:
    """Only one whose answer was lost may yet take effect on who answered as REPLICA before it."""
    back = BEGUN.but(place(M0, incarnation=HEALTHY.place(M0).incarnation, run=run_of(M0), role=Role.REPLICA))
    sure = back.but(tried(a_promotion(back, M0), Outcome.DONE, ago_s=-0.1))
    assert_stopped(sure, "O10", "the other one may be MAIN")
    assert decide(back.but(tried(a_promotion(back, M0), Outcome.UNKNOWN, ago_s=-0.1)).view).rule == "O10"


def test_a_pause_does_not_hold_the_opening_of_a_reign() -> None:
    """What a reign lacks to open is said by its own name."""
    paused = BEGUN.but(recorded(paused=Pause(by="bob", reason="", at=0.0)))
    found = answer(paused, "C95")
    assert isinstance(found, Unmet)
    assert found.guard == "an open reign is paused"


def test_who_holds_the_replaced_data_set_already_is_not_rebuilt() -> None:
    """It was recovered there too, or MAIN has filled it."""
    alike = SWAPPED.but(place(M2, uuid="snapshot-data-set"), asks(Ask.ADOPT, M0))
    record = rewritten(alike, "C20")
    assert record.rebuild == record.reinit == {M1}
    assert rewritten(evolve(alike, places=SWAPPED.places), "C20").rebuild == {M1, M2}
