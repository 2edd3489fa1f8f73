"""The filing of requests, quiet moments, switchovers, triggers and catch-ups."""

from functools import reduce

import pytest
from attrs import evolve

from memgraph_ha.core.facts import Fact, GateSeen, QuietSeen, RequestEnded, RequestSeen, RowsSeen, TriggersSeen
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed, Seen
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import Mode, RowStatus
from tests.core.changes import a_registration, restarted, tried
from tests.core.orders import AUDIT, STAMP, a_rebuild, gave_up, moving, request, will_stop
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    Scene,
    async_row,
    incarnation_of,
    replication_of,
    run_of,
    strict_row,
)


def filed(*facts: Fact, after: Scene = HEALTHY) -> Observed:
    """What is known after these facts."""
    return reduce(observe, facts, after.observed)


def seen(observed: Observed, name: str) -> Seen:
    """What is known of that instance."""
    return next(found for found in observed.seen if found.member.name == name)


# --- requests -----------------------------------------------------------------------------------------


def test_requests_wait_in_order_until_they_are_answered() -> None:
    """Repeats and answers of others change nothing."""
    first, second = request(Ask.PAUSE, ago_s=2), request(Ask.RESUME)
    known = filed(*(RequestSeen(at_s=NOW, request=each) for each in (first, second, first)))
    assert known.requests == (first, second)
    assert known.asked(Ask.RESUME) == second
    assert known.asked(Ask.ADOPT) is None
    ended = reduce(observe, [RequestEnded(at_s=NOW, request_id=name) for name in ("nobody's", first.id)], known)
    assert ended.requests == (second,)


@pytest.mark.parametrize("ask", Ask)
def test_only_stops_and_restarts_announce_a_stop(ask: Ask) -> None:
    """The process that lives now is meant."""
    known = filed(RequestSeen(at_s=NOW - 1, request=request(ask, M1)))
    expected = NOW - 1 if ask in (Ask.STOP, Ask.RESTART) else None
    assert seen(known, M1).stop_asked_s == expected
    assert seen(known, M2).stop_asked_s is None


def test_a_stop_is_believed_for_two_minutes_after_its_hook_has_gone() -> None:
    """And no longer: the process was not stopped, or its next life is another one."""
    assert HEALTHY.but(will_stop(M1, ago_s=119)).view.stopping(M1)
    assert not HEALTHY.but(will_stop(M1, ago_s=121)).view.stopping(M1)
    assert not HEALTHY.but(will_stop(M1)).view.stopping(M2)


def test_a_stop_that_nobody_waited_long_enough_for_is_forgotten() -> None:
    """Its time ran out: whoever announced it was told that it may not stop yet."""
    asked = request(Ask.STOP, M1)
    early = filed(RequestSeen(at_s=NOW, request=asked), RequestEnded(at_s=asked.until_s - 0.1, request_id=asked.id))
    assert seen(early, M1).stop_asked_s == NOW
    late = filed(RequestSeen(at_s=NOW, request=asked), RequestEnded(at_s=asked.until_s, request_id=asked.id))
    assert seen(late, M1).stop_asked_s is None


# --- quiet moments ------------------------------------------------------------------------------------


def test_a_quiet_gateway_is_timed_from_its_first_report() -> None:
    """Until it lets transactions pass, or its permit is another one."""
    gate = HEALTHY.gate
    known = filed(*(GateSeen(at_s=NOW + n, permit=gate, quiet=True) for n in (0, 1)))
    assert (known.quiet_since_s, known.quiet_ended_s) == (NOW, None)
    ended = observe(known, GateSeen(at_s=NOW + 2, permit=gate))
    assert (ended.quiet_since_s, ended.quiet_ended_s) == (None, NOW + 2)
    assert gate is not None
    other = observe(known, GateSeen(at_s=NOW + 2, permit=evolve(gate, generation=9), quiet=True))
    assert other.quiet_since_s == NOW + 2
    assert observe(known, GateSeen(at_s=NOW - 600, permit=None)) == known


def test_the_newest_quiet_moment_counts() -> None:
    """One that comes late is no news."""
    new = QuietSeen(at_s=NOW, instance=M0, run=run_of(M0), generation=4, ended=2)
    assert filed(new, evolve(new, at_s=NOW - 1, ended=0)).quiet == new


def test_a_switchover_is_timed_and_its_end_is_noted() -> None:
    """From the first reading that orders it; given up if the same reign orders it no more."""
    moving_on = HEALTHY.but(moving()).observed
    assert (moving_on.switchover_since_s, moving_on.given_up_s) == (NOW - 0.3, None)
    back = HEALTHY.but(gave_up(1.0)).observed
    assert (back.switchover_since_s, back.given_up_s) == (None, NOW - 1.0)
    done = HEALTHY.but(gave_up(1.0), lambda old: evolve(old, record=evolve(old.recorded, generation=5))).observed
    assert done.given_up_s is None


# --- triggers -----------------------------------------------------------------------------------------


def test_triggers_are_those_of_the_present_run() -> None:
    """What it ever had in this run is kept, so that a drop is told from a promotion's loss."""
    one = TriggersSeen(at_s=NOW, asked_at_s=NOW, instance=M0, run=run_of(M0), triggers=(AUDIT,))
    two = evolve(one, asked_at_s=NOW + 1, triggers=(STAMP,))
    known = seen(filed(one, two, evolve(one, asked_at_s=NOW - 1, triggers=())), M0)
    assert known.triggers == two
    assert known.had_triggers == {"audit", "stamp"}
    other_run = seen(filed(evolve(one, run=run_of(M0, 9))), M0)
    assert (other_run.triggers, other_run.had_triggers) == (None, frozenset())
    restarted_main = seen(HEALTHY.but(restarted(M0)).observed, M0)
    assert restarted_main.had_triggers == frozenset()


# --- rows and catch-ups -------------------------------------------------------------------------------


def rows_at(at_s: float, status: RowStatus) -> RowsSeen:
    """MAIN shows m1's row in that status."""
    found = (strict_row(status=status), async_row())
    return RowsSeen(at_s=at_s, asked_at_s=at_s, instance=M0, run=run_of(M0), rows=found)


def test_how_long_a_catch_up_takes_is_remembered_by_address() -> None:
    """While it lasts, and when it is over; the next one begins anew."""
    first = filed(rows_at(NOW, RowStatus.RECOVERY), rows_at(NOW + 4, RowStatus.RECOVERY))
    assert dict(first.catch_ups) == {replication_of(M1): 4.0}
    assert dict(seen(first, M0).recovering) == {"m1_7": NOW}
    over = reduce(observe, [rows_at(NOW + 5, RowStatus.READY), rows_at(NOW + 6, RowStatus.READY)], first)
    assert dict(over.catch_ups) == {replication_of(M1): 5.0}
    assert seen(over, M0).recovering == ()
    again = observe(over, rows_at(NOW + 9, RowStatus.RECOVERY))
    assert dict(again.catch_ups) == {replication_of(M1): 0.0}


def test_what_main_said_last_outlives_it() -> None:
    """Reads go on by it while MAIN is lost."""
    last = rows_at(NOW + 1, RowStatus.READY)
    assert filed(last).last_rows == last


# --- tries --------------------------------------------------------------------------------------------


def test_a_rebuild_and_a_registration_are_tries_of_their_target() -> None:
    """With the process, the run and the mode that they were aimed at."""
    old = HEALTHY.but(tried(a_rebuild(HEALTHY, M2)), tried(a_registration(HEALTHY, M1)))
    rebuild, register = old.observed.attempts
    assert (rebuild.subject, rebuild.incarnation, rebuild.generation) == (M2, incarnation_of(M2), 4)
    assert (register.subject, register.replica_run, register.mode) == (M1, run_of(M1), Mode.STRICT_SYNC)
