"""Rules L12, L80 and L85: a reign that a human began, and a MAIN whom nobody may follow."""

import pytest

from memgraph_ha.core.commands import CommitNoop, StopInstance
from memgraph_ha.core.decide import decide
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.topology import Role
from memgraph_ha.core.view import LossKind
from tests.core.changes import (
    data_unknown,
    frozen,
    gate_shut,
    gone,
    is_main,
    just_failed,
    misses,
    one_more_noop,
    place,
    refuses,
    reigns,
    restarted,
    stale,
    unheard,
    unprotected,
)
from tests.core.occasions import FROZEN, FULL, OCCASIONS
from tests.core.orders import full_disk, given_up, paused
from tests.core.scenes import LOST
from tests.core.views import (
    DATA,
    HEALTHY,
    M0,
    M1,
    NOW,
    Scene,
    SceneChange,
    assert_stopped,
    decided,
    incarnation_of,
    noop,
    rewritten,
    run_of,
)

BY_HAND = OCCASIONS["L12"]
"""m0 is back as REPLICA, and the standby m1 is MAIN: a human promoted it while no controller ran."""

# --- L12 ----------------------------------------------------------------------------------------------


def test_a_standby_that_a_human_promoted_is_adopted() -> None:
    """It held everything, and may have taken more: its reign begins, without anybody to fall back on."""
    record = rewritten(BY_HAND, "L12")
    assert (record.main, record.main_run, record.generation, record.opened) == (M1, run_of(M1), 5, False)
    assert (record.standby, record.fallback, record.history[-1].kind) == (None, None, ChangeKind.ADOPT)


def test_it_does_not_count_as_flapping() -> None:
    """A human promoted it, and five failovers before do not change that."""
    assert rewritten(BY_HAND.but(reigns(ChangeKind.FAILOVER, 5)), "L12").main == M1


@pytest.mark.parametrize("change", [data_unknown(M1), stale(M1)], ids=["data unknown", "older than the cut"])
def test_a_promoted_standby_is_asked_again_before_the_old_main_returns(change: SceneChange) -> None:
    """Re-promoting m0 would lose what m1 took: a moment's ignorance must not decide that."""
    decision = decided(BY_HAND.but(change), "L10")
    assert (decision.hold, decision.commands) == (Hold.LOOKING, ())
    assert M1 in decision.look


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        (HEALTHY.but(is_main(M1)), "MAIN is lost"),
        (LOST, "what is possible is a new reign by adopt"),
        (BY_HAND.but(restarted(M1, Role.MAIN)), "what is possible is a new reign by adopt"),
        (BY_HAND.but(place(M1, uuid="b")), "what is possible is a new reign by adopt"),
        (BY_HAND.but(given_up(M1)), "what is possible is a new reign by adopt"),
    ],
    ids=["MAIN lives", "a REPLICA", "another run", "other data", "must be rebuilt"],
)
def test_what_is_not_adopted(old: Scene, guard: str) -> None:
    """The nearest misses: not the proven process, or not the recorded data."""
    assert_stopped(old, "L12", guard)


def test_before_main_was_heard_nobody_is_demoted() -> None:
    """The controller returns: m1 answers as MAIN before m0 answered at all."""
    early = BY_HAND.but(unheard(M0))
    decision = decide(early.view)
    assert (decision.commands, decision.hold) == ((), Hold.LOOKING)


def test_while_nobody_is_named_everybody_is_heard_first() -> None:
    """m1 may be MAIN by hand: m0 is not re-promoted before m1 has said what it is."""
    returned = HEALTHY.but(unprotected, restarted(M0), gate_shut())
    assert decide(returned.view).rule == "L20"
    decision = decided(returned.but(unheard(M1)), "L10")
    assert (decision.hold, decision.look, decision.commands) == (Hold.LOOKING, (M1,), ())
    unknown = decided(returned.but(is_main(M1), data_unknown(M1)), "L10")
    assert (unknown.hold, unknown.look) == (Hold.LOOKING, (M1,))
    assert decide(returned.but(refuses(M1), place(M1, run=None)).view).rule == "L10", "it may just be starting"
    assert decide(returned.but(misses(M1, Miss.REFUSED, 3, 1.0), place(M1, run=None)).view).rule == "L20"


NOT_FULL = "MAIN is lost because its disk takes no commits"

# --- L80 ----------------------------------------------------------------------------------------------


def test_a_main_whose_disk_was_full_is_asked_again() -> None:
    """Nobody may follow it: one commit, without a witness, ends the verdict."""
    assert FULL.view.loss is not None
    assert FULL.view.loss.kind is LossKind.NOT_WRITABLE
    expected = CommitNoop(instance=M0, run=run_of(M0), generation=4, standby=None, row=None, database_uuid=DATA)
    assert decided(FULL, "L80").commands == (expected,)


def test_between_two_tries_the_hold_says_what_is_the_matter() -> None:
    """NotWritable, with the server's words."""
    waits = FULL.but(full_disk(1, ago_s=0.1))
    decision = decided(waits, "L90")
    assert decision.hold is Hold.NOT_WRITABLE
    assert "3 commits failed: No space left on device" in decision.reason


def test_a_commit_that_succeeds_ends_the_verdict() -> None:
    """The disk takes writes again."""
    assert FULL.but(one_more_noop(noop(asked_s=NOW - 0.1))).view.loss is None


def test_a_full_disk_is_not_held_against_the_standby() -> None:
    """Its last proof failed on MAIN's disk, which says nothing of the standby: it may follow."""
    once = HEALTHY.but(full_disk(1, ago_s=0.25))
    assert decide(once.view).rule != "U10"
    assert rewritten(HEALTHY.but(full_disk(ago_s=0.25), gate_shut(0.2)), "L30").main == M1


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        (
            HEALTHY.but(unprotected, gone(M1), full_disk(1, ago_s=0.25)),
            "MAIN is lost because its disk takes no commits",
        ),
        (LOST, "MAIN is lost because its disk takes no commits"),
        (HEALTHY.but(full_disk(ago_s=0.25), gate_shut(0.2)), "there is no candidate"),
        (FULL.but(full_disk(1, ago_s=0.1)), "the pause after the last try is over"),
    ],
    ids=["only once", "refuses", "a candidate", "backing off"],
)
def test_when_a_full_main_is_not_asked(old: Scene, guard: str) -> None:
    """The nearest misses."""
    assert_stopped(old, "L80", guard)


# --- L85 ----------------------------------------------------------------------------------------------


def test_a_main_that_is_frozen_for_good_is_restarted() -> None:
    """Everything that it acknowledged is in its data directory."""
    assert decided(FROZEN, "L85").commands == (StopInstance(instance=M0, incarnation=incarnation_of(M0), generation=4),)


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        (LOST, "MAIN is lost as frozen", ""),
        (FROZEN.but(place(M0, misses=()), frozen(M0, 59.0)), "it has been silent for restart_frozen_main_s", "59"),
        (FROZEN.but(just_failed(StopInstance, M0)), "the pause after the last try is over", ""),
        (
            HEALTHY.but(frozen(M0, 61.0), gate_shut()),
            "there is no candidate, and it has a process",
            "",
        ),
    ],
    ids=["refuses", "not long enough", "backing off", "a candidate"],
)
def test_when_a_frozen_main_is_left_alone(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses: whoever may follow follows at once."""
    assert_stopped(old, "L85", guard, evidence)


def test_a_frozen_main_is_left_alone_in_a_pause() -> None:
    """Who paused may be debugging it."""
    assert decide(FROZEN.but(paused).view).rule == "C90"
