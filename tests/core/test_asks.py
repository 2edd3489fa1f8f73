"""What becomes of a request: why it is refused, when it is answered, what is at stake, and whether to stop yet."""

import pytest
from attrs import evolve

from memgraph_ha.core.asks import answer, at_stake, not_yet, refusal
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.requests import Ask, Request
from memgraph_ha.core.topology import RowStatus
from tests.core.changes import (
    gone,
    lease,
    place,
    policy,
    recorded,
    required,
    restarted,
    rows,
    scene,
    standby_row,
    unheard,
    unnamed,
    unprotected,
    wiped,
)
from tests.core.occasions import MOVING, SWAPPED
from tests.core.orders import asks, gave_up, given_up, paused, request, will_stop
from tests.core.scenes import ALONE, BEGUN, EMPTY, LOST
from tests.core.views import HEALTHY, M0, M1, M2, NOW, Scene, async_row

# --- refusal ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "ask", "name", "why"),
    [
        (HEALTHY.but(lease(leading=False)), Ask.PAUSE, None, "this controller does not lead"),
        (EMPTY, Ask.PAUSE, None, "there is no usable record"),
        (EMPTY, Ask.RESTART, M2, "there is no usable record"),
        (HEALTHY.but(scene(record_was_read=False)), Ask.ADOPT, M0, "there is no usable record"),
        (HEALTHY, Ask.SWITCHOVER, None, "there is no proven standby to move to"),
        (HEALTHY, Ask.RESTART, None, "name an instance"),
        (HEALTHY, Ask.STOP, InstanceName("m7"), "m7 is no member of this cluster; its members are m0, m1, m2"),
        (HEALTHY.but(gone(M2)), Ask.STOP, M2, "m2 has no process"),
        (HEALTHY.but(gone(M2)), Ask.RESTART, M2, "m2 has no process"),
        (HEALTHY, Ask.REINIT, M0, "m0 is MAIN: nothing may be thrown away there"),
        (HEALTHY, Ask.FAILOVER, M2, "m2 may not be MAIN (policy eligible lists m0 and m1)"),
        (HEALTHY, Ask.SWITCHOVER, M0, "m0 is MAIN already"),
        (
            EMPTY.but(place(M2, empty=False)),
            Ask.ADOPT,
            M0,
            "m0 is empty, while m2 holds data: adopt that one (policy `eligible` must list it)",
        ),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(old: Scene, ask: Ask, name: InstanceName | None, why: str) -> None:
    """The same words answer a dry run, the request itself, and `explain`."""
    assert refusal(old.view, ask, name) == why


@pytest.mark.parametrize(
    ("old", "ask", "name"),
    [
        (HEALTHY, Ask.PAUSE, None),
        (HEALTHY.but(paused), Ask.RESUME, None),
        (HEALTHY, Ask.SWITCHOVER, M1),
        (HEALTHY, Ask.RESTART, M0),
        (HEALTHY, Ask.STOP, M1),
        (HEALTHY, Ask.REINIT, M2),
        (EMPTY, Ask.ADOPT, M0),
        (SWAPPED, Ask.ADOPT, M0),
        (LOST, Ask.FAILOVER, M1),
        (BEGUN, Ask.FAILOVER, M1),
    ],
)
def test_what_can_be_done_is_not_refused(old: Scene, ask: Ask, name: InstanceName | None) -> None:
    """Each verb has a view in which it is taken up."""
    assert refusal(old.view, ask, name) is None


# --- what is at stake ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "name", "says"),
    [
        (EMPTY, M1, "unknown: there is no record, or m1 is no member"),
        (HEALTHY, InstanceName("m7"), "unknown: there is no record, or m7 is no member"),
        (LOST, M1, "nothing: m1 is the proven standby and still the same process"),
        (LOST.but(wiped(M1)), M1, "everything: m1 is empty; the recorded data set is held by m0, m2"),
        (LOST.but(unnamed, place(M1, uuid="b")), M1, "everything: m1 holds another data set (b)"),
        (
            LOST.but(unnamed, place(M1, uuid="b"), gone(M2), gone(M0)),
            M1,
            "the recorded data set is held by nobody who answers",
        ),
        (LOST.but(unnamed, recorded(level=((M0, 4),))), M1, "unknown: m1 was never seen level"),
        (
            LOST.but(unnamed, recorded(level=((M1, 2),))),
            M1,
            "every write acknowledged since reign 2 ended: m1 was last level then",
        ),
        (
            LOST.but(unnamed, recorded(level=((M1, 3),))),
            M1,
            "every write acknowledged since reign 3 ended, 100000 s ago: m1 was last level then",
        ),
        (LOST.but(unnamed), M1, "the writes that reign 4 acknowledged since m1 was last level in it"),
        (LOST.but(restarted(M1)), M1, "the writes that reign 4 acknowledged since m1 was last level in it"),
    ],
)
def test_what_a_forced_failover_could_lose_is_said_first(old: Scene, name: InstanceName, says: str) -> None:
    """As far as it can be known; a standby that restarted proves nothing any more."""
    assert says in at_stake(old.view, name)


# --- not yet ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "name", "why"),
    [
        (HEALTHY, M0, "m0 is MAIN, and m1 is to take over first"),
        (HEALTHY, M1, "m1 is the named standby"),
        (HEALTHY.but(unnamed), M1, "MAIN's commits still wait for m1"),
        (HEALTHY.but(unnamed, standby_row(RowStatus.HALF)), M1, "MAIN's commits still wait for m1"),
        (HEALTHY.but(unnamed, required), M1, None),
        (HEALTHY.but(unprotected, rows(async_row())), M1, None),
        (HEALTHY, M2, None),
        (HEALTHY.but(policy(eligible=("m1", "m2"))), M2, None),
        (HEALTHY.but(gone(M0)), M0, None),
        (HEALTHY.but(asks(Ask.STOP, M1)), M0, None),
        (HEALTHY.but(scene(places=(HEALTHY.place(M0),))), M0, None),
        (EMPTY, M0, None),
        (HEALTHY, InstanceName("m7"), None),
    ],
)
def test_a_process_may_stop_once_nobody_waits_for_it(old: Scene, name: InstanceName, why: str | None) -> None:
    """A preStop hook holds the process for exactly so long."""
    assert not_yet(old.view, name) == why


# --- answers ------------------------------------------------------------------------------------------


def said(old: Scene, asked: Request) -> tuple[bool, str] | None:
    """How it ended: whether what was asked for is so, and the words."""
    found = answer(old.view, asked)
    assert found is None or found.request_id == asked.id
    return None if found is None else (found.ok, found.text)


@pytest.mark.parametrize(
    ("old", "asked", "ok", "text"),
    [
        (HEALTHY.but(paused), request(Ask.PAUSE), True, "paused by bob; `memgraph-ha resume` ends it"),
        (HEALTHY, request(Ask.RESUME), True, "no longer paused: failover and repair go on"),
        (ALONE, request(Ask.SWITCHOVER, M1), True, "m1 is MAIN in reign 5 (failover); read/write is open"),
        (ALONE, request(Ask.FAILOVER, M1), True, "m1 is MAIN in reign 5 (failover); read/write is open"),
        (
            HEALTHY.but(recorded(history=(evolve(HEALTHY.recorded.history[0], kind=ChangeKind.REPROMOTE),))),
            request(Ask.ADOPT, M0),
            True,
            "m0 is MAIN in reign 4; read/write is open",
        ),
        (HEALTHY.but(given_up(M2, reinit=True)), request(Ask.REINIT, M2), True, "m2 is being rebuilt"),
        (HEALTHY, request(Ask.RESTART, M2, ago_s=NOW + 1), True, "m2 runs anew, as another process"),
        (HEALTHY.but(unheard(M2)), request(Ask.STOP, M2, ago_s=NOW + 1), True, "m2 runs anew, as another process"),
        (HEALTHY.but(gone(M2)), request(Ask.STOP, M2), True, "m2 has no process"),
        (HEALTHY.but(asks(Ask.STOP, M2)), request(Ask.STOP, M2), True, "m2 may stop"),
        (HEALTHY.but(gave_up(0.5)), request(Ask.SWITCHOVER, M1), False, "given up; m0 goes on as MAIN"),
        (MOVING.but(unnamed), request(Ask.SWITCHOVER, M1), False, "given up: m1 is not the proven standby any more"),
        (HEALTHY, request(Ask.SWITCHOVER, M2), False, "m2 may not be MAIN"),
        (HEALTHY, request(Ask.FAILOVER, M1), False, "MAIN m0 is alive: use `memgraph-ha switchover`"),
        (HEALTHY, request(Ask.REINIT, M0), False, "m0 is MAIN: nothing may be thrown away there"),
        (HEALTHY.but(lease(leading=False)), request(Ask.PAUSE), False, "this controller does not lead"),
    ],
)
def test_a_request_that_ended_is_answered(old: Scene, asked: Request, ok: bool, text: str) -> None:
    """One sentence: what was done, or why not and what would help."""
    found = said(old, asked)
    assert found is not None
    assert found[0] is ok
    assert found[1].startswith(text)


@pytest.mark.parametrize(
    ("old", "asked"),
    [
        (HEALTHY, request(Ask.PAUSE)),
        (HEALTHY.but(paused), request(Ask.RESUME)),
        (HEALTHY, request(Ask.SWITCHOVER, M1)),
        (MOVING, request(Ask.SWITCHOVER, M1)),
        (BEGUN, request(Ask.SWITCHOVER, M1)),
        (BEGUN, request(Ask.FAILOVER, M1)),
        (LOST, request(Ask.FAILOVER, M1)),
        (SWAPPED, request(Ask.ADOPT, M0)),
        (HEALTHY, request(Ask.REINIT, M2)),
        (HEALTHY, request(Ask.RESTART, M2)),
        (HEALTHY.but(unheard(M2)), request(Ask.RESTART, M2, ago_s=NOW + 1, wait_s=NOW + 9)),
        (HEALTHY.but(gone(M2)), request(Ask.RESTART, M2, ago_s=NOW + 1, wait_s=NOW + 9)),
        (HEALTHY.but(asks(Ask.STOP, M0)), request(Ask.STOP, M0)),
        (HEALTHY.but(asks(Ask.STOP, M1)), request(Ask.STOP, M1)),
        (HEALTHY.but(gave_up(2.0)), request(Ask.SWITCHOVER, M1)),
    ],
)
def test_a_request_under_way_is_not_answered(old: Scene, asked: Request) -> None:
    """A reign that began is not open yet, a process still lives, an older switchover was given up."""
    assert said(old, asked) is None


def test_nobody_waits_for_ever() -> None:
    """At the end of its time a request is told what it waited for."""
    late = evolve(request(Ask.SWITCHOVER, M1, ago_s=31), until_s=NOW)
    assert said(HEALTHY, late) == (False, "no end within the time given; it may still happen")
    stop = evolve(request(Ask.STOP, M1, ago_s=31), until_s=NOW)
    held = HEALTHY.but(will_stop(M1, ago_s=31))
    assert said(held, stop) == (False, "no end within the time given: m1 is the named standby")
    assert said(HEALTHY, evolve(late, until_s=NOW + 0.1)) is None


def test_a_stop_is_never_answered_before_it_was_filed() -> None:
    """Until the announcement counts, MAIN's commits may begin to wait for it again."""
    assert said(HEALTHY, request(Ask.STOP, M2)) is None


def test_a_restart_ends_with_the_answer_of_the_new_process() -> None:
    """Not when the old one is gone."""
    asked = request(Ask.RESTART, M2, ago_s=NOW + 1)
    assert said(HEALTHY.but(restarted(M2)), asked) == (True, "m2 runs anew, as another process")
