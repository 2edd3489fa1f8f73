"""Rules O10, S and W: who else may be MAIN, strays, and a MAIN that has not answered."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import (
    Demote,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import Miss, Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Fallback
from memgraph_ha.core.topology import Role
from tests.core.changes import (
    a_stop,
    frozen,
    gone,
    is_main,
    is_replica,
    just_failed,
    misses,
    place,
    recorded,
    refuses,
    restarted,
    scene,
    tried,
    unheard,
)
from tests.core.scenes import ADOPTABLE, ALONE, BEGUN, EMPTY, PROMOTED
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    TOKEN,
    Scene,
    SceneChange,
    assert_stopped,
    decided,
    incarnation_of,
    run_of,
)

BESIDE_MAIN = BEGUN.but(scene(places=HEALTHY.places), is_main(M0))
"""Reign 5 of m1 has begun, and m0, of the reign before, still answers as MAIN."""

BESIDE_FROZEN = BEGUN.but(unheard(M0), misses(M0, Miss.TIMED_OUT, 1, 0.0))
"""Reign 5 of m1 has begun, and m0 has a process that does not answer."""

STRAY = HEALTHY.but(place(M2, role=Role.MAIN))
"""The ASYNC replica was promoted by hand."""


# --- O10 ----------------------------------------------------------------------------------------------

SILENT_SINCE = BESIDE_MAIN.but(is_replica(M0), misses(M0, Miss.TIMED_OUT, 1, 0.0))


@pytest.mark.parametrize(
    ("old", "life"),
    [
        (BESIDE_MAIN, 1),
        (BESIDE_MAIN.but(frozen(M0)), 1),
        (BESIDE_FROZEN, 2),
        (BEGUN.but(unheard(M0), misses(M0, Miss.UNAUTHORISED, 1, 0.0)), 2),
        (BEGUN.but(unheard(M0), misses(M0, Miss.UNREADABLE, 1, 0.0)), 2),
        (BESIDE_MAIN.but(recorded(history=())), 1),
        (BESIDE_MAIN.but(recorded(fallback=Fallback(instance=M2, run=run_of(M2)))), 1),
        (SILENT_SINCE, 1),
    ],
    ids=[
        "MAIN",
        "frozen MAIN",
        "silent in a new life",
        "it knows other passwords",
        "it answers nonsense",
        "no history",
        "another one is the fallback",
        "a REPLICA once, and silent since: another leader may have promoted it in the reign before",
    ],
)
def test_who_may_be_main_is_stopped_before_the_promotion(old: Scene, life: int) -> None:
    """The old MAIN, alive or frozen, is ended before the new one is promoted (transcripts Q7, Q9)."""
    stop = StopInstance(instance=M0, incarnation=incarnation_of(M0, life), generation=5)
    decision = decided(old, "O10")
    assert decision.commands == (stop,)
    assert decision.route.permit is None


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        pytest.param(BESIDE_MAIN.but(scene(record=HEALTHY.record)), "the reign is to be opened", "", id="open"),
        pytest.param(BESIDE_MAIN.but(unheard(M1), gone(M1)), "the reign is to be opened", "", id="MAIN is lost"),
        pytest.param(EMPTY, "the reign is to be opened", "", id="no record"),
        pytest.param(
            BESIDE_MAIN.but(recorded(history=(evolve(HEALTHY.recorded.history[0], previous=None),))),
            "somebody reigned before",
            "this is the first reign",
            id="first reign",
        ),
        pytest.param(BESIDE_MAIN.but(gone(M0)), "the other one has a process", "", id="dead"),
        pytest.param(
            BESIDE_MAIN.but(scene(places=(BESIDE_MAIN.place(M1),))),
            "the other one has a process",
            "",
            id="no other",
        ),
        pytest.param(
            BESIDE_MAIN.but(recorded(fallback=Fallback(instance=M0, run=run_of(M0)))),
            "the other one may be MAIN",
            "it is the fallback, bound to a run as REPLICA",
            id="fallback bound to a run",
        ),
        pytest.param(BESIDE_MAIN.but(is_replica(M0)), "the other one may be MAIN", "REPLICA", id="a REPLICA"),
        pytest.param(
            SILENT_SINCE.but(recorded(history=(evolve(HEALTHY.recorded.history[0], previous=M1),))),
            "the other one may be MAIN",
            "REPLICA",
            id="a REPLICA once, and the reign before was another's",
        ),
        pytest.param(BESIDE_MAIN.but(unheard(M0), refuses(M0)), "the other one may be MAIN", "is not up", id="not up"),
        pytest.param(
            BESIDE_MAIN.but(tried(a_stop(BESIDE_MAIN, M0), Outcome.DONE)),
            "it was not stopped yet",
            "it was",
            id="stopped",
        ),
        pytest.param(
            BESIDE_MAIN.but(just_failed(StopInstance, M0)),
            "the pause after the last try is over",
            "it says no",
            id="just tried",
        ),
    ],
)
def test_who_cannot_be_main_is_not_stopped(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses of the stop."""
    assert_stopped(old, "O10", guard, evidence)


def test_a_new_process_is_stopped_again() -> None:
    """That its process before was stopped says nothing about the one that runs now."""
    stopped_before = tried(a_stop(BESIDE_MAIN, M0), Outcome.DONE, ago_s=1)
    decided(BESIDE_MAIN.but(stopped_before, restarted(M0, Role.MAIN)), "O10")


# --- S10 ----------------------------------------------------------------------------------------------


def test_a_stray_main_is_demoted() -> None:
    """It is demoted to the replication port that it has; what it took is never rebuilt away by itself."""
    decision = decided(STRAY, "S10")
    demote = Demote(instance=M2, run=run_of(M2), generation=4, port=10002)
    assert decision.commands == (WriteRecord(expected=TOKEN, record=STRAY.recorded.without_level(M2)), demote)
    again = STRAY.but(lambda old: evolve(old, record=old.recorded.without_level(M2)))
    assert decided(again, "S10").commands == (demote,)
    assert decision.look == (M2,)
    assert decision.route.permit is not None, "MAIN is not disturbed"


def test_the_recorded_main_in_another_run_is_demoted() -> None:
    """A MAIN that came back as MAIN is a candidate once it is demoted."""
    back = HEALTHY.but(restarted(M0, Role.MAIN), recorded(standby=None, unprotected=True))
    decision = decided(back, "S10")
    assert decision.commands == (Demote(instance=M0, run=run_of(M0, 2), generation=4, port=10000),)
    assert "in run run-m0-1, not run-m0-2" in decision.reason


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(place(M2, role=Role.REPLICA), id="a REPLICA"),
        pytest.param(place(M2, asked_s=NOW - 1.1), id="its answer is old"),
        pytest.param(misses(M2, Miss.TIMED_OUT, 1, 0.0), id="it missed a probe since"),
        pytest.param(gone(M2), id="it is gone"),
        pytest.param(just_failed(Demote, M2), id="it was just tried"),
    ],
)
def test_what_is_no_stray_is_not_demoted(change: SceneChange) -> None:
    """The nearest misses of the demotion."""
    assert_stopped(STRAY.but(change), "S10", "somebody is a stray MAIN", "nobody is")


def test_the_reigning_main_is_no_stray() -> None:
    """The recorded MAIN in the recorded run, or in any run if none is recorded, is left alone."""
    for reigning in (HEALTHY, PROMOTED, PROMOTED.but(recorded(main_run=None))):
        assert_stopped(reigning, "S10", "somebody is a stray MAIN")
    assert_stopped(ADOPTABLE, "S10", "there is a record")


def test_one_stray_does_not_hide_another() -> None:
    """While the first pauses after a failed demotion, the next is demoted."""
    two = STRAY.but(is_main(M1), recorded(standby=None), just_failed(Demote, M1))
    command = decided(two, "S10").commands[-1]
    assert isinstance(command, Demote)
    assert command.instance == M2


# --- W10 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "silent"),
    [
        pytest.param(BEGUN.but(unheard(M1)), M1, id="MAIN of a reign to be opened"),
        pytest.param(HEALTHY.but(unheard(M0), recorded(standby=None)), M0, id="MAIN of an open reign"),
        pytest.param(BEGUN.but(unheard(M0)), M0, id="the other one, before a promotion"),
        pytest.param(BEGUN.but(unheard(M0), unheard(M1)), M1, id="both: MAIN first"),
    ],
)
def test_nothing_is_commanded_before_the_pair_was_heard(old: Scene, silent: InstanceName) -> None:
    """A MAIN that is neither lost nor known is looked at, and so is who may be MAIN beside it."""
    decision = decided(old, "W10")
    assert (decision.commands, decision.hold, decision.look) == ((), Hold.LOOKING, (silent,))
    assert decision.route.permit is None


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(BEGUN, id="the other one has no process"),
        pytest.param(BEGUN.but(restarted(M0)), id="the other one answered"),
        pytest.param(BEGUN.but(unheard(M0), refuses(M0)), id="the other one refuses"),
        pytest.param(BEGUN.but(scene(places=(BEGUN.place(M1),))), id="there is no other one"),
        pytest.param(ALONE.but(unheard(M0)), id="the reign is open"),
    ],
)
def test_a_pair_that_was_heard_is_not_waited_for(old: Scene) -> None:
    """Once there is a word about both there is nothing to wait for."""
    assert_stopped(old, "W10", "one of the pair was not heard yet", "all were")


def test_nobody_is_waited_for_without_a_record() -> None:
    """Without a record there is no pair."""
    assert_stopped(EMPTY, "W10", "there is a record")
