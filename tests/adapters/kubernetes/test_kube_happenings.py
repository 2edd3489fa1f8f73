"""Which decisions become Events and labels, on the core's own scenes."""

import pytest
from attrs import evolve

from memgraph_ha.adapters.kubernetes.happenings import (
    ACTS_AGAIN_S,
    AGAIN_S,
    BURST,
    HOLD_S,
    REFILL_S,
    Bucket,
    Happening,
    Reporter,
)
from memgraph_ha.adapters.kubernetes.labels import roles_of
from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import RecordTrouble
from memgraph_ha.core.view import View
from tests.core.changes import frozen, gone, is_main, recorded, refuses, scene, unheard
from tests.core.places import M0, M1, M2, NOW
from tests.core.views import HEALTHY, SceneChange

UNREADABLE = scene(record=None, token=None, trouble=RecordTrouble.INVALID)
LEASE = HEALTHY.lease
assert LEASE is not None
LEADS_ON = scene(lease=evolve(LEASE, until_s=NOW + 10_000))


def tick(*changes: SceneChange, at_s: float = NOW) -> tuple[View, Decision]:
    """Decide on the healthy scene with changes, at a moment."""
    view = evolve(HEALTHY.but(LEADS_ON, *changes).view, now_s=at_s)
    return view, decide(view)


def test_an_act_is_told_with_its_rule_once() -> None:
    """Un-naming a standby that is lost is one Event, however many ticks decide it; later it is told again."""
    reporter = Reporter()
    view, decision = tick(gone(M1))
    assert decision.commands
    told = reporter.tell(view, decision)
    assert told is not None
    assert told.reason == "".join(word.capitalize() for word in decision.name.split("_"))
    assert told.note == f"{decision.rule}: {decision.reason}"
    assert not told.warning
    assert reporter.tell(evolve(view, now_s=NOW + ACTS_AGAIN_S - 0.1), decision) is None
    assert reporter.tell(evolve(view, now_s=NOW + ACTS_AGAIN_S), decision) == told


def test_a_hold_is_told_when_it_lasts() -> None:
    """What waits for a second is a warning in the words it began with, told again every ten minutes."""
    reporter = Reporter()
    view, decision = tick(UNREADABLE)
    assert decision.hold is not None
    assert reporter.tell(view, decision) is None
    assert reporter.tell(evolve(view, now_s=NOW + HOLD_S - 0.1), decision) is None
    told = reporter.tell(evolve(view, now_s=NOW + HOLD_S), decision)
    assert told == Happening(
        reason="HoldWithoutReadableRecord", note=f"R10 RecordInvalid: {decision.reason}", warning=True
    )
    moved = evolve(decision, reason="the same, counted on")
    assert reporter.tell(evolve(view, now_s=NOW + AGAIN_S), moved) is None
    assert reporter.tell(evolve(view, now_s=NOW + HOLD_S + AGAIN_S), moved) == told


def test_a_short_hold_begins_anew() -> None:
    """A hold that ended and came back is timed from its return."""
    reporter = Reporter()
    view, decision = tick(UNREADABLE)
    reporter.tell(view, decision)
    reporter.tell(*tick())
    assert reporter.tell(evolve(view, now_s=NOW + HOLD_S + 1), decision) is None


def test_routine_and_followers_tell_nothing() -> None:
    """A healthy cluster, the repeated proof and a controller that does not lead write no Events."""
    reporter = Reporter()
    assert reporter.tell(*tick()) is None
    view, decision = tick(gone(M1))
    follower = HEALTHY.but(scene(lease=None)).view
    assert reporter.tell(follower, decision) is None
    noop = decide(HEALTHY.but(scene(noops=())).view)
    assert reporter.tell(view, evolve(noop, hold=None)) is None


def test_a_long_note_is_cut() -> None:
    """The API refuses a note of more than 1024 characters."""
    view, decision = tick(gone(M1))
    told = Reporter().tell(view, evolve(decision, reason="x" * 5000))
    assert told is not None
    assert len(told.note) == 1024


def test_the_bucket_bounds_what_is_written() -> None:
    """After a burst there is one token for each refill, and no more than a burst are ever saved."""
    now_s = 0.0
    bucket = Bucket(lambda: now_s)
    assert [bucket.wait_s() for _ in range(BURST)] == [0.0] * BURST
    assert bucket.wait_s() == pytest.approx(REFILL_S)
    now_s = REFILL_S
    assert bucket.wait_s() == 0
    assert bucket.wait_s() > 0
    now_s = 1e6
    assert [bucket.wait_s() for _ in range(BURST + 1)][-1] > 0


@pytest.mark.parametrize(
    ("changes", "labels"),
    [
        ((), ("main", "standby", "replica")),
        ((gone(M1),), ("main", None, "replica")),
        ((frozen(M2, 60.0),), ("main", "standby", None)),
        ((refuses(M0),), ("main", "standby", "replica")),  # one missed probe is no news
        ((unheard(M2),), ("main", "standby", None)),
        ((is_main(M2),), ("main", "standby", None)),  # a stray MAIN is not what the label's selectors look for
        ((recorded(standby=None, unprotected=True),), ("main", "replica", "replica")),
        ((UNREADABLE,), (None, "replica", "replica")),
    ],
)
def test_labels_name_what_is_known(changes: tuple[SceneChange, ...], labels: tuple[str | None, ...]) -> None:
    """MAIN is who answers so and is recorded so, the standby is who is named; what is unknown has no label."""
    view = HEALTHY.but(*changes).view
    found = roles_of(view)
    assert tuple(found[name][1] for name in (M0, M1, M2)) == labels


def test_labels_are_for_one_pod() -> None:
    """The pod that a role was seen of is named by its UID, so that its successor does not inherit the label."""
    view = HEALTHY.view
    members = view.observed.members
    assert members is not None
    uids = {seen.member.name: str(seen.member.incarnation).partition("/")[0] for seen in view.observed.seen}
    assert {name: uid for name, (uid, _label) in roles_of(view).items()} == uids
    assert roles_of(HEALTHY.but(gone(M1)).view)[M1] == ("", None)
