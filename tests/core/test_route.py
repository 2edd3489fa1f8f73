"""What the gateways may do: each condition of a permit, alone."""

import pytest
from attrs import evolve

from memgraph_ha.core.facts import Miss, Outcome, RoleSeen, SentinelBroke
from memgraph_ha.core.names import Address, RunId
from memgraph_ha.core.observe import observe
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.route import route
from memgraph_ha.core.topology import Mode, Role, RowStatus
from tests.core.changes import (
    a_registration,
    data_unknown,
    frozen,
    gone,
    is_main,
    is_replica,
    last_noop,
    lease,
    misses,
    new_term,
    other_data,
    place,
    recorded,
    refuses,
    required,
    restarted,
    rows,
    rows_unknown,
    scene,
    standby_row,
    tried,
    unheard,
    unnamed,
    unprotected,
)
from tests.core.scenes import ALONE, EMPTY, FENCED
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    Scene,
    SceneChange,
    async_row,
    incarnation_of,
    run_of,
    strict_row,
)

SHUT: list[tuple[str, SceneChange, str, bool]] = [
    ("not leading", lease(leading=False), "this controller does not lead", False),
    ("lease ended", lease(until_s=NOW), "this controller does not lead", False),
    ("lease unknown", scene(lease=None), "this controller does not lead", False),
    ("lease within its margin", lease(until_s=NOW + 1), "our lease is nearly over", True),
    ("no record", scene(record=None, token=None), "there is no usable record", False),
    ("record not read", scene(record_was_read=False), "there is no usable record", False),
    ("members unknown", scene(members_known=False), "the record is of another cluster", True),
    ("another cluster", recorded(cluster="x"), "the record is of another cluster", True),
    ("a restored record", lease(floor_generation=5), "the record is older than the lease", True),
    ("not open", recorded(opened=False), "reign 4 of m0 is not open yet", True),
    ("refused", refuses(M0), "MAIN m0 is lost: 2 connections refused", True),
    ("frozen", frozen(M0), "MAIN m0 is lost: 5 probes without an answer", True),
    ("gone", gone(M0), "MAIN m0 is lost: the platform has no process for m0", True),
    ("a REPLICA", is_replica(M0), "MAIN m0 is lost: it answers as REPLICA", True),
    ("another run", restarted(M0, Role.MAIN), "MAIN m0 is lost: it is MAIN in run run-m0-2", True),
    ("not answered yet", unheard(M0), "MAIN m0 has not answered yet", True),
    ("no run recorded", recorded(main_run=None), "MAIN m0 has not answered yet", True),
    ("no commit", scene(noops=()), "the first commit of our term is not acknowledged yet", True),
    ("commit refused", last_noop(outcome=Outcome.REFUSED), "the first commit of our term", True),
    ("commit of an earlier term", new_term, "the first commit of our term", True),
    ("commit of an earlier reign", last_noop(generation=3), "the first commit of our term", True),
    ("commit of another run", last_noop(run=run_of(M0, 0)), "the first commit of our term", True),
    ("rows unknown", rows_unknown, "MAIN has no whole STRICT_SYNC row", True),
    ("rows of another run", place(M0, rows_run=run_of(M0, 0)), "MAIN has no whole STRICT_SYNC row", True),
    (
        "rows doubtful",
        lambda old: old.but(tried(a_registration(old, M2), Outcome.UNKNOWN, ago_s=0.01)),
        "MAIN has no whole STRICT_SYNC row",
        True,
    ),
    ("no row", rows(async_row()), "MAIN has no whole STRICT_SYNC row", True),
    ("half row", standby_row(RowStatus.HALF), "MAIN has no whole STRICT_SYNC row", True),
    ("unreadable row", standby_row(RowStatus.UNKNOWN), "MAIN has no whole STRICT_SYNC row", True),
    ("row of another number", rows(strict_row("m1_6")), "MAIN has no whole STRICT_SYNC row", True),
    ("row of another mode", rows(evolve(strict_row(), mode=Mode.SYNC)), "MAIN has no whole STRICT_SYNC row", True),
    ("row to another", rows(strict_row("m1_7", M2)), "MAIN has no whole STRICT_SYNC row", True),
    (
        "required but unprotected",
        lambda old: old.but(required, unprotected),
        "data_durability is required and there is no standby",
        True,
    ),
]


@pytest.mark.parametrize(("_name", "change", "why", "hold"), SHUT, ids=[name for name, *_rest in SHUT])
def test_each_condition_alone_shuts_the_gateway(_name: str, change: SceneChange, why: str, hold: bool) -> None:
    """Without any one of them nothing is relayed; a leader with a record holds new connections, others refuse."""
    found = route(HEALTHY.but(change).view)
    assert (found.permit, found.hold) == (None, hold)
    assert found.why.startswith(why)


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(HEALTHY, id="healthy"),
        pytest.param(HEALTHY.but(lease(until_s=NOW + 1.01)), id="more than the margin of the lease"),
        pytest.param(HEALTHY.but(unnamed), id="nobody named, but a whole row"),
        pytest.param(HEALTHY.but(required), id="required"),
        *(
            pytest.param(HEALTHY.but(unnamed, standby_row(status)), id=f"row {status.name}: writes abort by themselves")
            for status in (RowStatus.INVALID, RowStatus.RECOVERY, RowStatus.DIVERGED, RowStatus.REPLICATING)
        ),
        pytest.param(HEALTHY.but(unprotected, rows()), id="unprotected, without rows"),
        pytest.param(HEALTHY.but(unprotected, rows_unknown), id="unprotected, rows unknown"),
        pytest.param(HEALTHY.but(unprotected, gone(M1), gone(M2)), id="unprotected, alone"),
        pytest.param(HEALTHY.but(data_unknown(M0)), id="storage info pending: it can hang behind a commit"),
        pytest.param(HEALTHY.but(place(M0, asked_s=NOW - 60)), id="slow"),
        pytest.param(HEALTHY.but(misses(M0, Miss.UNAUTHORISED, 9, 0.1)), id="wrong password for the probe"),
        pytest.param(HEALTHY.but(misses(M0, Miss.TIMED_OUT, 9, 0.1, excused=True)), id="excused time-outs"),
        pytest.param(HEALTHY.but(is_main(M2)), id="a stray MAIN elsewhere"),
        pytest.param(HEALTHY.but(other_data(M1)), id="a doubtful standby: its row still guards each write"),
    ],
)
def test_what_does_not_shut_the_gateway(old: Scene) -> None:
    """Nothing else does: writes go on, to MAIN in its recorded run."""
    found = route(old.view)
    assert found.hold
    assert found.permit is not None
    assert (found.permit.instance, found.permit.run, found.permit.generation) == (M0, run_of(M0), 4)


def test_a_permit_says_everything_and_ends_before_the_lease() -> None:
    """Instance, address, run, incarnation, reign, and one second less than the lease."""
    assert route(HEALTHY.view).permit == Permit(
        instance=M0,
        address=Address("10.0.0.1:7687"),
        run=run_of(M0),
        incarnation=incarnation_of(M0),
        generation=4,
        valid_until_s=NOW + 8,
    )
    assert route(HEALTHY.view).why == "m0 is MAIN in reign 4"


def test_the_gateway_opens_with_the_record_of_the_opening_and_not_before() -> None:
    """Between the last step of a reign and its first permit stands the write of `opened`."""
    assert route(FENCED.view).permit is None
    assert route(ALONE.view).permit is not None
    assert route(EMPTY.view).permit is None


def test_a_policy_that_became_stricter_shuts_an_unprotected_gateway() -> None:
    """`required` is kept whatever the record said under `preferred`."""
    assert ALONE.policy.data_durability is DataDurability.PREFERRED
    assert route(ALONE.but(required).view).permit is None


def test_a_permit_extends_another_of_the_same_life() -> None:
    """Only its end may differ: then connections stay."""
    permit = route(HEALTHY.view).permit
    assert permit is not None
    assert evolve(permit, valid_until_s=0.0).extends(permit)
    assert not permit.extends(None)
    for other in (
        evolve(permit, instance=M1),
        evolve(permit, run=run_of(M0, 2)),
        evolve(permit, incarnation=incarnation_of(M0, 2)),
        evolve(permit, generation=5),
        evolve(permit, address=Address("10.0.0.9:7687")),
    ):
        assert not other.extends(permit)


def test_a_broken_sentinel_shuts_the_gateway_until_main_answers_again() -> None:
    """The connection may have been all that broke; but nobody relays before MAIN has said so."""
    broken = evolve(HEALTHY.view, observed=observe(HEALTHY.view.observed, _broke(NOW - 0.01)))
    assert route(broken).permit is None
    assert "broke" in route(broken).why
    answer = RoleSeen(at_s=NOW, asked_at_s=NOW, instance=M0, run=run_of(M0), role=Role.MAIN)
    alive = evolve(broken, observed=observe(broken.observed, answer))
    assert route(alive).permit == route(HEALTHY.view).permit is not None
    other = evolve(_broke(NOW - 0.01), run=RunId("an earlier run"))
    assert route(evolve(HEALTHY.view, observed=observe(HEALTHY.view.observed, other))).permit is not None


def _broke(at_s: float) -> SentinelBroke:
    return SentinelBroke(at_s=at_s, instance=M0, run=run_of(M0))
