"""Where reads may go: ASYNC replicas that are level enough, else the standby, never MAIN."""

import pytest
from attrs import evolve

from memgraph_ha.core.facts import Miss
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.reads import HEALING_S, READ_AGE_S, read_permits
from memgraph_ha.core.topology import Role, RowStatus
from tests.core.changes import (
    gate_shut,
    gone,
    is_main,
    lease,
    misses,
    place,
    policy,
    recorded,
    refuses,
    restarted,
    rows,
    scene,
    unheard,
    unnamed,
    wiped,
)
from tests.core.occasions import MOVING
from tests.core.orders import given_up, will_stop
from tests.core.scenes import BEGUN, EMPTY, LOST
from tests.core.views import HEALTHY, M0, M1, M2, NOW, Scene, SceneChange, async_row, incarnation_of, run_of, strict_row


def read(old: Scene) -> tuple[tuple[tuple[InstanceName, bool], ...], str]:
    """Who is read from, whether new connections go there, and the sentence."""
    permits, why = read_permits(old.view)
    return tuple((each.permit.instance, each.takes_new) for each in permits), why


def test_a_healthy_async_replica_is_read() -> None:
    """Its permit binds it to its present run and process, and ends before the lease does."""
    ((only,), why) = read_permits(HEALTHY.view)
    permit = only.permit
    assert (permit.instance, permit.run, permit.incarnation) == (M2, run_of(M2), incarnation_of(M2))
    assert (permit.address, permit.generation, permit.valid_until_s) == ("10.0.0.3:7687", 4, NOW + 8)
    assert (only.takes_new, why) == (True, "1 ASYNC replica")


def behind(lag: int | None, status: RowStatus = RowStatus.READY) -> SceneChange:
    """m2 lags by so much."""
    row = evolve(async_row(status=status), behind=None if lag is None else -lag)
    return rows(strict_row(), row)


@pytest.mark.parametrize(
    ("change", "found", "why"),
    [
        (behind(1000), ((M2, True),), "1 ASYNC replica"),
        (behind(1001), ((M2, False), (M1, True)), "no ASYNC replica is level enough: the standby is read"),
        (behind(None), ((M2, False), (M1, True)), "no ASYNC replica is level enough"),
        (behind(5, RowStatus.REPLICATING), ((M2, True),), ""),
        (lambda old: old.but(behind(5), policy(read_max_behind=4)), ((M2, False), (M1, True)), ""),
        (behind(1, RowStatus.INVALID), ((M2, False), (M1, True)), ""),
        (behind(1, RowStatus.RECOVERY), ((M2, False), (M1, True)), ""),
        (behind(1, RowStatus.HALF), ((M1, True),), ""),
        (behind(1, RowStatus.DIVERGED), ((M1, True),), ""),
        (rows(strict_row()), ((M1, True),), ""),
    ],
    ids=[
        "at the limit",
        "too far",
        "unknown",
        "replicating",
        "policy",
        "invalid",
        "recovery",
        "half",
        "diverged",
        "none",
    ],
)
def test_how_far_behind_a_replica_may_be(
    change: SceneChange, found: tuple[tuple[InstanceName, bool], ...], why: str
) -> None:
    """One that lags keeps the connections that it has; new ones go to the standby."""
    got = read(HEALTHY.but(change))
    assert got[0] == found
    assert why in got[1]


def test_a_row_that_does_not_heal_is_left_by_its_readers() -> None:
    """It heals within moments as a rule; what is read from one that does not is old."""
    bad = (strict_row(), async_row(status=RowStatus.INVALID))
    young = HEALTHY.but(place(M0, rows=bad, rows_bad_s=NOW - HEALING_S + 0.1))
    assert read(young)[0] == ((M2, False), (M1, True))
    old = HEALTHY.but(place(M0, rows=bad, rows_bad_s=NOW - HEALING_S - 0.1))
    assert read(old)[0] == ((M1, True),)


@pytest.mark.parametrize(
    "change",
    [
        gone(M2),
        unheard(M2),
        is_main(M2),
        wiped(M2),
        place(M2, uuid=None),
        place(M2, data_run=run_of(M2, 9)),
        place(M2, asked_s=NOW - READ_AGE_S - 0.1),
        misses(M2, Miss.REFUSED, 1, 0.0),
        given_up(M2),
        will_stop(M2),
    ],
    ids=["gone", "unheard", "MAIN", "wiped", "no data", "old data", "silent", "refuses", "rebuild", "will be stopped"],
)
def test_who_is_not_read(change: SceneChange) -> None:
    """The nearest misses; the standby is read instead."""
    assert read(HEALTHY.but(change)) == (((M1, True),), "no ASYNC replica is level enough: the standby is read")


@pytest.mark.parametrize(
    "change",
    [unnamed, recorded(switchover=MOVING.recorded.switchover), refuses(M0), will_stop(M1)],
    ids=["not named", "about to be promoted", "MAIN is lost", "about to be stopped"],
)
def test_the_standby_is_not_read_if_it_may_be_promoted(change: SceneChange) -> None:
    """Its readers must be gone before: a promotion forgets the accounts that they came in with."""
    assert read(HEALTHY.but(gone(M2), change)) == ((), "no replica can be read")


def test_while_main_is_lost_replicas_are_as_level_as_it_said() -> None:
    """Reads go on through a failover, from those that were level when MAIN was last asked."""
    assert read(LOST)[0] == ((M2, True),)
    assert read(LOST.but(behind(2000))) == (((M2, False),), "no replica is level enough")
    assert read(LOST.but(rows(strict_row())))[0] == ()


def test_while_a_reign_begins_reads_go_on() -> None:
    """Nobody can be asked yet how level they are; the instance that is promoted is not among them."""
    assert read(BEGUN)[0] == ((M2, True),)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lease(leading=False), "this controller does not lead, or not for long"),
        (lease(until_s=NOW + 0.9), "this controller does not lead, or not for long"),
        (scene(record=None, token=None), "there is no usable record"),
        (recorded(cluster="another"), "there is no usable record"),
    ],
    ids=["not leading", "lease ends", "no record", "foreign"],
)
def test_who_has_no_say_lets_nobody_read(change: SceneChange, why: str) -> None:
    """The read gateway of a waiting controller is shut, like the other."""
    assert read(HEALTHY.but(change)) == ((), why)


def test_an_empty_cluster_is_not_read() -> None:
    """There is no record."""
    assert read(EMPTY)[0] == ()
    assert read(HEALTHY.but(gate_shut()))[0] == ((M2, True),), "a shut read/write gateway closes no reads"


def test_main_is_never_read() -> None:
    """Not even if it answers as REPLICA, or is the only one left."""
    alone = HEALTHY.but(gone(M1), gone(M2))
    assert read(alone)[0] == ()
    assert read(alone.but(restarted(M0, Role.REPLICA)))[0] == ()
