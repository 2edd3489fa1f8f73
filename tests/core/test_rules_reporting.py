"""Rules Y05 and Y35 to Y70: what an operator should know although nothing of ours waits for it."""

import pytest
from attrs import evolve

from memgraph_ha.core.decide import decide
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import Address, InstanceName
from memgraph_ha.core.policy import Triggers
from memgraph_ha.core.topology import RowStatus
from tests.core.changes import (
    misses,
    place,
    policy,
    recorded,
    restarted,
    rows,
    rows_unknown,
)
from tests.core.occasions import FOREIGN_ROW, FOREIGN_STRICT, OCCASIONS
from tests.core.orders import AUDIT, STAMP
from tests.core.scenes import EMPTY, LOST
from tests.core.views import HEALTHY, M0, M1, M2, NOW, Scene, assert_stopped, async_row, decided, strict_row


@pytest.mark.parametrize(
    ("key", "hold", "says"),
    [
        ("Y05", Hold.UNAUTHORISED, "m2 refuses our user or password"),
        ("Y35", Hold.STALE_ROW, "row m2_by_hand to 10.0.0.3:10002 is stale, and ready"),
        ("Y40", Hold.TRIGGERS_MISSING, "m0 has not the triggers audit"),
        ("Y50", Hold.FOREIGN_ROW, "MAIN has a ASYNC row backup to 10.9.9.9:10000, which is no member"),
        ("Y60", Hold.UNSUPPORTED, "m2 runs Memgraph 3.5.0: 3.6.0 or newer is required"),
        ("Y70", Hold.INIT_FILE_MISSING, "m2 started without --init-file"),
    ],
)
def test_a_report_says_what_and_touches_nothing(key: str, hold: Hold, says: str) -> None:
    """MAIN goes on serving, and nothing is sent."""
    decision = decided(OCCASIONS[key], key)
    assert (decision.commands, decision.hold, decision.route.permit) == ((), hold, HEALTHY.gate)
    assert says in decision.reason


@pytest.mark.parametrize("name", [M0, M1, M2])
def test_a_wrong_password_is_told_and_is_no_death(name: InstanceName) -> None:
    """Whoever refuses us lives: nobody is promoted, stopped or un-named because of it (transcripts Q2)."""
    old = HEALTHY.but(misses(name, Miss.UNAUTHORISED, 9, 0.3))
    decision = decide(old.view)
    assert (decision.commands, decision.hold) == ((), Hold.UNAUTHORISED)


@pytest.mark.parametrize(
    ("old", "rule", "guard"),
    [
        (HEALTHY, "Y05", "an instance refuses our user or password"),
        (HEALTHY.but(misses(M2, Miss.TIMED_OUT, 1, 0.1)), "Y05", "an instance refuses our user or password"),
        (
            HEALTHY.but(misses(M2, Miss.UNAUTHORISED, 1, 0.1, last_s=NOW - 0.2)),
            "Y05",
            "an instance refuses our user or password",
        ),
        (HEALTHY, "Y35", "a row of ours is stale"),
        (HEALTHY.but(rows_unknown), "Y35", "MAIN's rows are known"),
        (EMPTY, "Y35", "MAIN's rows are known"),
        (HEALTHY, "Y40", "MAIN's triggers are known"),
        (OCCASIONS["Y40"].but(place(M0, triggers=(AUDIT, STAMP))), "Y40", "a promotion lost triggers"),
        (OCCASIONS["Y40"].but(policy(triggers=Triggers.IGNORE)), "Y40", "a promotion lost triggers"),
        (LOST.but(recorded(triggers=(AUDIT,))), "Y40", "MAIN's triggers are known"),
        (HEALTHY, "Y50", "MAIN has a foreign row"),
        (EMPTY, "Y50", "MAIN has a foreign row"),
        (HEALTHY, "Y60", "an instance is unsupported"),
        (HEALTHY.but(place(M2, flush_every=None)), "Y60", "an instance is unsupported"),
        (HEALTHY, "Y70", "an instance has no init file"),
    ],
)
def test_what_is_not_reported(old: Scene, rule: str, guard: str) -> None:
    """The nearest misses: a newer answer, a row or trigger that is there, a server that has not said."""
    assert_stopped(old, rule, guard)


def test_a_row_in_recovery_is_told_while_it_cannot_be_dropped() -> None:
    """Nothing makes that safe (81 of 81 crashes)."""
    old = HEALTHY.but(rows(strict_row(), async_row(), async_row("m2_x", status=RowStatus.RECOVERY)))
    decision = decided(old, "Y35")
    assert decision.reason == "row m2_x to 10.0.0.3:10002 is stale, and recovery"


def test_a_foreign_strict_sync_row_is_told_first_and_louder() -> None:
    """It can abort every write."""
    old = HEALTHY.but(rows(strict_row(), async_row(), FOREIGN_ROW, FOREIGN_STRICT))
    assert decided(old, "Y50").reason.endswith("which is no member: it can abort every write")
    unknown = HEALTHY.but(rows(strict_row(), async_row(), evolve(FOREIGN_ROW, mode=None)))
    assert "a ? row backup" in decided(unknown, "Y50").reason


LEFT = recorded(level=(*HEALTHY.recorded.level, (InstanceName("m7"), 2)))
"""m7 was a member once."""


@pytest.mark.parametrize("name", ["m2", "m2_3", "m7", "m7_12"])
def test_a_row_under_our_name_is_ours_wherever_it_leads(name: str) -> None:
    """It was registered at an address that is nobody's now, or for a member that left: it is stale, not foreign."""
    row = evolve(strict_row(name, status=RowStatus.INVALID), address=Address("10.9.9.9:10000"))
    old = HEALTHY.but(
        rows(strict_row(), async_row(), row), recorded(level=(*HEALTHY.recorded.level, (InstanceName("m7"), 2)))
    )
    assert_stopped(old, "Y50", "MAIN has a foreign row")
    assert decide(old.view).rule == "H10"


NUMBERED = recorded(level=(*HEALTHY.recorded.level, (InstanceName("memgraph-2"), 2)))
"""An instance is numbered as a StatefulSet numbers its pods."""


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("memgraph-7", True),
        ("memgraph-7_12", True),
        ("m9", True),
        ("m9_3", True),
        ("memgraph-x", False),
        ("memgraph", False),
        ("memgraph7", False),
        ("m", False),
        ("backup-7", False),
        ("9", False),
    ],
)
def test_a_row_of_somebody_who_was_a_member_for_a_moment_is_ours(name: str, ours: bool) -> None:
    """It never became level, so no record knows it; but it bears a number as its siblings do (H4: 3 to 5 to 2)."""
    row = evolve(strict_row(name, status=RowStatus.INVALID), address=Address("10.9.9.9:10000"))
    old = HEALTHY.but(rows(strict_row(), async_row(), row), NUMBERED)
    assert decide(old.view).rule == ("H10" if ours else "Y50")


@pytest.mark.parametrize(
    ("version", "wal", "says"),
    [
        ("3.5.9", True, "3.5.9: 3.6.0 or newer is required"),
        ("2.99.0", True, "2.99.0: 3.6.0 or newer"),
        ("dev", True, "dev: 3.6.0 or newer"),
        ("3.6.1", False, "without WAL: start it with --storage-wal-enabled=true"),
    ],
)
def test_what_cannot_keep_the_promises_is_named(version: str, wal: bool, says: str) -> None:
    """Version first: below 3.6.0 healthy replicas are called diverged (design 5)."""
    assert says in decided(HEALTHY.but(place(M2, version=version, wal=wal)), "Y60").reason


@pytest.mark.parametrize("version", ["3.6.0", "3.6.1", "3.12.0+5~abc", "10.0"])
def test_what_is_supported_is_not_named(version: str) -> None:
    """From 3.6.0 on, by numbers and not by letters."""
    assert decide(HEALTHY.but(place(M2, version=version)).view).rule == "Z99"


def test_what_an_earlier_run_said_of_itself_is_not_told() -> None:
    """It may have been started otherwise since."""
    old = HEALTHY.but(place(M2, version="3.5.0", init_file=""))
    newer = old.but(restarted(M2), place(M2, flush_every=None))
    assert decide(newer.view).rule == "Z99"


def test_everybody_without_an_init_file_is_listed() -> None:
    """One sentence for all."""
    old = HEALTHY.but(place(M0, init_file=""), place(M2, init_file=""))
    assert decided(old, "Y70").reason.startswith("m0, m2 started without --init-file")
