"""Rule S10: the MAIN of the reign before, which nobody could stop, wakes; its level stays if it committed nothing."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import Demote, WriteRecord
from memgraph_ha.core.decide import decide
from memgraph_ha.core.facts import CommandEnded, Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import Address
from memgraph_ha.core.record import Change, ChangeKind
from memgraph_ha.core.rowcare import ROWS_S, shut_out, why_not_rebuilt
from memgraph_ha.core.topology import Mode, Role, RowStatus, StorageMode
from tests.core.changes import (
    data_unknown,
    is_main,
    place,
    policy,
    recorded,
    reigns,
    restarted,
)
from tests.core.orders import refused_as_diverged
from tests.core.scenes import ALONE
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
    async_row,
    decided,
    run_of,
    strict_row,
)

THAWED = ALONE.but(place(M0, role=Role.MAIN, run=run_of(M0), rows=(strict_row(), async_row())))
"""Reign 5 of m1 is open, and m0, MAIN of reign 4 and frozen until now, answers with the rows that it had."""

UNASKED = place(M0, rows=None)
"""It was not asked for its rows yet."""


def last_change(**changes: object) -> SceneChange:
    """The change with which the present reign began was another one."""

    def change(old: Scene) -> Scene:
        *before, last = old.recorded.history
        changed: Change = evolve(last, **changes)  # type: ignore[arg-type]  # the caller names fields of a change
        return evolve(old, record=evolve(old.recorded, history=(*before, changed)))

    return change


def kept(old: Scene) -> bool:
    """Whether m0 is demoted, and its level stays."""
    decision = decided(old, "S10")
    assert isinstance(decision.commands[-1], Demote)
    assert decision.commands[-1].instance == M0
    forgotten = WriteRecord(expected=TOKEN, record=old.recorded.without_level(M0))
    assert decision.commands[:-1] in ((), (forgotten,))
    return decision.commands[:-1] == ()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((), id="whatever its row says"),
        pytest.param((place(M0, rows=(strict_row(status=RowStatus.INVALID),)),), id="invalid: it reaches nobody"),
        pytest.param((reigns(ChangeKind.REPROMOTE, 2),), id="re-promoted since: it is MAIN all the same"),
        pytest.param((restarted(M1, Role.MAIN), recorded(main_run=run_of(M1, 2))), id="in another process"),
    ],
)
def test_a_main_that_wakes_behind_its_successors_row_keeps_its_level(change: tuple[SceneChange, ...]) -> None:
    """Every commit needed the standby that took over: what it has more was acknowledged to nobody."""
    assert kept(THAWED.but(*change))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param((place(M0, rows=()),), id="its row was dropped: it commits alone"),
        pytest.param((place(M0, rows=(async_row(),)),), id="only an ASYNC replica is left"),
        pytest.param((place(M0, rows=(strict_row(status=RowStatus.HALF),)),), id="half: commits ignore it"),
        pytest.param((place(M0, rows=(strict_row(status=RowStatus.UNKNOWN),)),), id="nobody knows what it says"),
        pytest.param((place(M0, rows=(evolve(strict_row(), mode=Mode.ASYNC),)),), id="ASYNC: commits do not wait"),
        pytest.param((place(M0, rows=(strict_row("m1_7", M2),)),), id="of somebody else"),
        pytest.param((place(M0, rows=(evolve(strict_row(), address=Address("10.9.9.9:10000")),)),), id="elsewhere"),
        pytest.param((place(M0, storage_mode=StorageMode.ANALYTICAL),), id="analytical: it needs nobody"),
        pytest.param((data_unknown(M0),), id="its mode is not known"),
        pytest.param((last_change(standby=None),), id="no standby was named"),
        pytest.param((last_change(standby=M2),), id="another one was"),
        pytest.param((last_change(kind=ChangeKind.FORCED),), id="forced"),
        pytest.param((last_change(kind=ChangeKind.SWITCHOVER),), id="moved: it was demoted, and promoted by hand"),
        pytest.param((last_change(previous=M2),), id="it was not its reign that ended"),
        pytest.param((recorded(level=((M0, 5), (M1, 5), (M2, 5))),), id="it was level since, and promoted by hand"),
        pytest.param((recorded(level=((M0, 3), (M1, 5), (M2, 5))),), id="history lacks a reign"),
        pytest.param((reigns(ChangeKind.FALLBACK, 1),), id="somebody else reigned in between"),
        pytest.param((recorded(history=()),), id="no history"),
    ],
)
def test_otherwise_its_level_is_forgotten(change: tuple[SceneChange, ...]) -> None:
    """What it took may exist nowhere else, and is not rebuilt away by itself (docs/decisions/0008)."""
    assert not kept(THAWED.but(*change))


def test_who_has_no_level_has_none_to_keep() -> None:
    """Nothing is waited for, and nothing is written."""
    old = THAWED.but(recorded(level=((M1, 5), (M2, 5))), UNASKED)
    assert [type(command) for command in decided(old, "S10").commands] == [Demote]
    assert shut_out(old.view, old.recorded, old.view.observed.seen[0]) is False


def test_its_rows_are_waited_for_before_a_demotion_clears_them() -> None:
    """They are asked for right after its role, and nothing is commanded meanwhile."""
    decision = decided(THAWED.but(UNASKED, place(M0, asked_s=NOW - 0.01)), "S10")
    assert (decision.commands, decision.hold) == ((), Hold.LOOKING)
    assert "asked for its rows" in decision.reason
    assert NOW < decision.wake_at_s <= NOW + ROWS_S
    assert decision.route.permit is not None, "MAIN serves on"


@pytest.mark.parametrize(
    ("asked_s", "interval_s", "waits"),
    [(0.09, 0.2, True), (0.11, 0.2, False), (0.06, 0.1, False), (0.04, 0.1, True), (0.3, 2.0, False)],
)
def test_they_are_not_waited_for_any_longer(asked_s: float, interval_s: float, waits: bool) -> None:
    """It must end before its role is asked again, or it would never end."""
    old = THAWED.but(UNASKED, place(M0, asked_s=NOW - asked_s), policy(probe_interval_s=interval_s))
    assert (decide(old.view).commands == ()) is waits


def test_another_stray_does_not_wait_for_it() -> None:
    """Only its own demotion is put off."""
    old = THAWED.but(UNASKED, place(M0, asked_s=NOW - 0.01), is_main(M2))
    command = decided(old, "S10").commands[-1]
    assert isinstance(command, Demote)
    assert command.instance == M2


def test_a_main_that_was_not_taken_over_is_not_asked_for_its_rows_first() -> None:
    """A replica that was promoted by hand has none."""
    stray = HEALTHY.but(place(M2, role=Role.MAIN, asked_s=NOW - 0.01))
    assert len(decided(stray, "S10").commands) == 2
    assert_stopped(HEALTHY, "S10", "somebody is a stray MAIN", "nobody is")


def test_what_kept_its_level_is_rebuilt_without_a_human() -> None:
    """Its rejoin is refused: it committed what was prepared when it froze, and told nobody."""
    back = ALONE.but(refused_as_diverged(M0))
    assert why_not_rebuilt(back.view, back.recorded, M0) is None
    decided(back, "E10")
    forgotten = evolve(back, record=back.recorded.without_level(M0))
    assert_stopped(forgotten, "E10", "history proves that it may be rebuilt", "was not seen level")


def test_rows_from_before_its_answer_say_nothing() -> None:
    """They may have been read while it reigned; a human may have dropped one since."""
    old = THAWED.but(place(M0, rows=(strict_row(),)))
    assert kept(old)
    assert decided(old.but(place(M0, asked_s=NOW - 0.01)), "S10").hold is Hold.LOOKING


def test_a_demotion_without_an_answer_is_tried_again_and_judged_anew() -> None:
    """If it is MAIN still, its rows are looked at once more: who demoted it in between made it lose them."""
    (demotion,) = decided(THAWED, "S10").commands
    ended = CommandEnded(at_s=NOW - 1, command=demotion, outcome=Outcome.UNKNOWN)
    again = THAWED.but(lambda old: evolve(old, ended=(*old.ended, ended)))
    assert kept(again)
    assert not kept(again.but(place(M0, rows=())))
