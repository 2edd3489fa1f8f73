"""Replicas whose address ends with their process: what becomes of MAIN's rows to them, before and after."""

import pytest
from attrs import evolve

from memgraph_ha.core.asks import not_yet
from memgraph_ha.core.commands import DropReplica, Quiesce, RegisterReplica, StopInstance
from memgraph_ha.core.decide import decide
from memgraph_ha.core.names import Address, RowName
from memgraph_ha.core.quiet import LEAVING_PAUSE_S, QUIET_PAUSE_S, rest_s
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.rowcare import ABANDONED_MOST, leaving_rows, stale_rows
from memgraph_ha.core.topology import Mode, Row, RowStatus
from tests.core.changes import gone, place, policy, recorded, refuses, restarted, rows, stale, unprotected
from tests.core.orders import asks, ended, found_quiet, held, paused, will_stop
from tests.core.scenes import DURABLE, LOST
from tests.core.views import HEALTHY, M0, M1, M2, Scene, assert_stopped, async_row, decided, replication_of, strict_row

ELSEWHERE = Address("10.9.9.9:10000")


def left(name: str, status: RowStatus = RowStatus.INVALID, mode: Mode = Mode.ASYNC) -> Row:
    """A row to an address that nobody has."""
    return evolve(async_row(name, status=status), address=ELSEWHERE, mode=mode)


PODS = HEALTHY.but(place(M0, keeps_address=False), place(M1, keeps_address=False), place(M2, keeps_address=False))
"""The addresses end with their pods."""

LEAVING = HEALTHY.but(place(M2, keeps_address=False), will_stop(M2, ago_s=1))
"""m2's pod is about to be deleted, and takes its address with it."""

LEAVING_QUIET = LEAVING.but(held(1), found_quiet(0.5))


# --- afterwards: the row to where it was is left --------------------------------------------------------


@pytest.mark.parametrize("status", [status for status in RowStatus if status is not RowStatus.HALF])
def test_who_moved_is_registered_beside_the_row_to_where_it_was(status: RowStatus) -> None:
    """To drop that row would hold every client until MAIN's thread gives up connecting there (transcripts Q5)."""
    old = PODS.but(restarted(M2), rows(strict_row(), left("m2", status)))
    assert stale_rows(old.view, old.recorded) == []
    (command,) = decided(old, "A30").commands
    assert isinstance(command, RegisterReplica)
    assert (command.row, command.address, command.mode) == ("m2_a2", replication_of(M2), Mode.ASYNC)
    assert not decide(old.view).route.quiet


def test_each_move_takes_the_next_free_name() -> None:
    """A name that a row has is refused (transcripts Summary, Error 1)."""
    old = PODS.but(restarted(M2), rows(strict_row(), left("m2"), left("m2_a2"), left("m2_a4")))
    (command,) = decided(old, "A30").commands
    assert isinstance(command, RegisterReplica)
    assert command.row == "m2_a3"


def test_a_new_main_takes_the_next_free_name_too() -> None:
    """Rows that a demotion left behind, or somebody's hand, are no reason to fail."""
    (command,) = decided(DURABLE.but(place(M2, keeps_address=False), rows(left("m2"))), "O40").commands
    assert isinstance(command, RegisterReplica)
    assert command.row == "m2_a2"


def test_a_standby_that_catches_up_as_async_takes_it_too() -> None:
    """It was ASYNC before, and its pod was replaced meanwhile."""
    far = (restarted(M1), policy(catch_up_max_s=1.0), place(M0, objects=10_000_000), unprotected)
    (_write, command) = decided(PODS.but(*far, rows(async_row(), left("m1"))), "A10").commands
    assert isinstance(command, RegisterReplica)
    assert (command.row, command.mode) == ("m1_a2", Mode.ASYNC)


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(left("m2", RowStatus.HALF), id="half: it is dropped in no time"),
        pytest.param(left("m2", mode=Mode.SYNC), id="SYNC: commits wait for it"),
        pytest.param(left("m1", mode=Mode.STRICT_SYNC), id="STRICT_SYNC: commits abort"),
        pytest.param(left("m2_9"), id="a name that no ASYNC row is given"),
        pytest.param(left("m2_a"), id="not even a number"),
    ],
)
def test_what_does_harm_or_is_not_our_doing_is_still_stale(row: Row) -> None:
    """Only a whole ASYNC row that we registered is left."""
    old = PODS.but(rows(strict_row(), async_row("m2_a2"), row))
    assert stale_rows(old.view, old.recorded) == [row]


def test_who_left_for_good_is_not_worth_a_pause() -> None:
    """Scaled down: the row of a former member is left as well."""
    old = PODS.but(recorded(level=((M0, 4), (M1, 4), (M2, 4))), rows(strict_row(), async_row(), left("m4")))
    assert decide(old.view).rule == "Z99"


def test_where_addresses_are_kept_nothing_is_left() -> None:
    """Who was there refuses, and its row is dropped in no time."""
    old = HEALTHY.but(rows(strict_row(), async_row(), left("m4")))
    assert [row.name for row in stale_rows(old.view, old.recorded)] == ["m4"]
    assert decide(old.view).rule == "H20"


def test_not_more_are_left_than_main_can_care_for() -> None:
    """The oldest go first; MAIN has a thread for each."""
    many = [left("m2"), *(left(f"m2_a{number}") for number in range(2, ABANDONED_MOST + 2))]
    old = PODS.but(rows(strict_row(), async_row("m2_a99"), *many))
    assert [row.name for row in stale_rows(old.view, old.recorded)] == ["m2"]
    fewer = PODS.but(rows(strict_row(), async_row("m2_a99"), *many[1:]))
    assert stale_rows(fewer.view, fewer.recorded) == []


# --- before: the row goes while the address still answers -----------------------------------------------


def test_the_row_of_who_takes_its_address_along_is_dropped_first() -> None:
    """In a quiet moment, which is short as long as somebody answers there."""
    assert leaving_rows(LEAVING.view) == (RowName("m2"),)
    assert decided(LEAVING, "H20").route.quiet
    (command,) = decided(LEAVING_QUIET, "H20").commands
    assert isinstance(command, DropReplica)
    assert command.row == "m2"
    assert not_yet(LEAVING.view, M2) == "its row on m0 is dropped first, while its address still answers"


def test_then_it_may_stop() -> None:
    """And it is not attached again before it did."""
    old = LEAVING.but(rows(strict_row()))
    assert not_yet(old.view, M2) is None
    assert_stopped(old, "A30", "it can be attached", "it is about to be stopped")


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(HEALTHY.but(will_stop(M2, ago_s=1)), id="it keeps its address"),
        pytest.param(HEALTHY.but(place(M2, keeps_address=False)), id="nobody stops it"),
        pytest.param(LEAVING.but(gone(M2)), id="it has ended"),
        pytest.param(LEAVING.but(stale(M2, asked_s=990.0)), id="it does not answer"),
        pytest.param(LEAVING.but(refuses(M2)), id="its last probe was missed"),
        pytest.param(LEAVING.but(rows(strict_row())), id="it has no row"),
        pytest.param(LOST.but(place(M2, keeps_address=False), will_stop(M2, ago_s=1)), id="MAIN is lost"),
    ],
)
def test_otherwise_nobody_is_held_and_it_may_stop_at_once(old: Scene) -> None:
    """The nearest misses."""
    assert leaving_rows(old.view) == ()
    assert not_yet(old.view, M2) is None


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(LEAVING.but(paused), id="the cluster is paused"),
        pytest.param(
            LEAVING.but(rows(strict_row(), async_row(status=RowStatus.RECOVERY))), id="dropping it now would kill MAIN"
        ),
    ],
)
def test_it_is_not_kept_waiting_for_what_cannot_be_done(old: Scene) -> None:
    """The stop is somebody's will; the row is left then."""
    assert not_yet(old.view, M2) is None


def test_a_restart_by_order_waits_for_it_as_well() -> None:
    """There it is the pod that is deleted."""
    old = HEALTHY.but(place(M2, keeps_address=False), asks(Ask.RESTART, M2))
    assert_stopped(old, "C40", "it may be stopped", "its row on m0 is dropped first")
    (command,) = decided(old.but(rows(strict_row())), "C40").commands
    assert isinstance(command, StopInstance)


def test_stops_that_roll_on_wait_less_long_for_each_other() -> None:
    """A repair may be half a minute from the last; a rolling restart would stand still for as long."""
    tried = ended(Quiesce, ago_s=1)
    wrong = HEALTHY.but(rows(strict_row(), async_row(), async_row("m2_x")), tried)
    assert rest_s(wrong.view, wrong.recorded) == pytest.approx(QUIET_PAUSE_S - 1)
    assert rest_s(LEAVING.but(tried).view, LEAVING.recorded) == pytest.approx(LEAVING_PAUSE_S - 1)
