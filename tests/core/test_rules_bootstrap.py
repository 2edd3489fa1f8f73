"""Rules B: a cluster without a record."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import Change, ChangeKind, Record
from memgraph_ha.core.topology import Role
from tests.core.changes import (
    data_unknown,
    frozen,
    gone,
    is_main,
    is_replica,
    missed_before,
    misses,
    other_data,
    place,
    policy,
    scene,
    unheard,
)
from tests.core.scenes import ADOPTABLE, EMPTY, ONLY_DATA
from tests.core.views import (
    CLUSTER,
    DATA,
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    TOKEN,
    WALL,
    Scene,
    SceneChange,
    assert_stopped,
    decided,
    run_of,
)


def only(*names: str) -> SceneChange:
    """The platform lists these instances only."""
    return lambda old: evolve(old, places=tuple(place for place in old.places if place.name in names))


def first_record(main: str, uuid: str, kind: ChangeKind, rule: str, reason: str) -> Record:
    """The whole record that begins a cluster."""
    begun = Change(generation=1, main=M0, previous=None, kind=kind, standby=None, rule=rule, reason=reason, at=WALL)
    name = M0 if main == M0 else M1
    return Record(
        cluster=CLUSTER,
        generation=1,
        main=name,
        main_run=None,
        opened=False,
        standby=None,
        fallback=None,
        unprotected=False,
        row_seq=0,
        rebuild=frozenset(),
        database_uuid=uuid,
        level=((name, 1),),
        history=(evolve(begun, main=name),),
    )


@pytest.mark.parametrize(
    "roles",
    [EMPTY, EMPTY.but(is_main(M0), is_main(M1), is_main(M2))],
    ids=["with the init file", "without it"],
)
def test_an_empty_cluster_begins_with_the_first_instance(roles: Scene) -> None:
    """If everybody answers and holds nothing, the first eligible instance begins, by a create-only write."""
    decision = decided(roles, "B10")
    record = first_record("m0", "fresh-m0", ChangeKind.BOOTSTRAP, "B10", "all instances are empty")
    assert decision.commands == (WriteRecord(expected=None, record=record),)
    assert decision.route.permit is None


def test_two_instances_that_once_missed_a_probe_are_enough() -> None:
    """A pair is a cluster, and a probe that was missed before the last answer says nothing."""
    decided(EMPTY.but(only("m0", "m1")), "B10")
    decided(EMPTY.but(missed_before(M1)), "B10")


def test_an_empty_cluster_begins_with_the_first_eligible_instance() -> None:
    """Policy `eligible` decides who is first, not the ordinal."""
    (command,) = decided(EMPTY.but(policy(eligible=("m1", "m2"))), "B10").commands
    assert isinstance(command, WriteRecord)
    assert command.record.main == "m1"


def test_an_empty_cluster_begins_with_whom_an_earlier_controller_left_marked() -> None:
    """A predecessor that is still installed, or comes back, agrees with us then."""
    (command,) = decided(EMPTY.but(scene(marked=M1)), "B10").commands
    assert isinstance(command, WriteRecord)
    assert command.record.main == "m1"


def test_who_was_left_marked_and_is_the_only_choice_is_adopted() -> None:
    """The marker agrees with the facts."""
    decided(ADOPTABLE.but(scene(marked=M0)), "B20")
    decided(ONLY_DATA.but(scene(marked=M1)), "B20")


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(
            scene(record=HEALTHY.record, token=TOKEN), "every member is known", "there is a record", id="a record"
        ),
        pytest.param(only("m0"), "every member is known", "1 member, at least two are needed", id="alone"),
        pytest.param(unheard(M2), "every member is known", "m2 does not answer", id="silent ASYNC"),
        pytest.param(gone(M1), "every member is known", "m1 does not answer", id="no process"),
        pytest.param(place(M1, asked_s=NOW - 1.1), "every member is known", "m1 does not answer", id="old answer"),
        pytest.param(
            misses(M2, Miss.TIMED_OUT, 1, 0.0), "every member is known", "m2 does not answer", id="missed since"
        ),
        pytest.param(data_unknown(M2), "every member is known", "the data set of m2 is not known", id="data unknown"),
        pytest.param(
            place(M2, data_run=run_of(M2)),
            "every member is known",
            "the data set of m2 is not known",
            id="data of another run",
        ),
        pytest.param(place(M2, empty=False), "every member is empty", "m2", id="data on the ASYNC"),
        pytest.param(
            policy(eligible=("m7", "m1")),
            "whom it begins with may be MAIN",
            "m7",
            id="first is no member",
        ),
        pytest.param(
            scene(marked=M2),
            "whom it begins with may be MAIN",
            "m2",
            id="the marked one is not eligible",
        ),
    ],
)
def test_a_cluster_is_not_begun_on_a_guess(change: SceneChange, guard: str, evidence: str) -> None:
    """All instances, not only the pair, must have said that they are empty."""
    assert_stopped(EMPTY.but(change), "B10", guard, evidence)


def test_the_only_data_is_adopted() -> None:
    """Exactly one of the pair holds data and nobody else does: it is MAIN to be, with no standby."""
    record = first_record("m1", "fresh-m1", ChangeKind.ADOPT, "B20", "only m1 holds data")
    assert decided(ONLY_DATA, "B20").commands == (WriteRecord(expected=None, record=record),)


def test_the_only_main_of_one_data_set_is_adopted() -> None:
    """One MAIN of the pair with replicas of one data set is what runs already: it is adopted."""
    record = first_record("m0", DATA, ChangeKind.ADOPT, "B20", "m0 is the only MAIN, and there is one data set")
    assert decided(ADOPTABLE, "B20").commands == (WriteRecord(expected=None, record=record),)
    decided(ADOPTABLE.but(place(M2, empty=True, uuid="fresh-m2")), "B20")


@pytest.mark.parametrize(
    ("base", "change", "guard", "evidence"),
    [
        pytest.param(ONLY_DATA, unheard(M2), "every member is known", "m2", id="silent"),
        pytest.param(
            EMPTY.but(place(M2, empty=False)), scene(), "the facts leave one choice", "data set fresh-m2", id="on m2"
        ),
        pytest.param(
            ONLY_DATA, place(M0, empty=False), "the facts leave one choice", "data set fresh-m0", id="two data sets"
        ),
        pytest.param(ADOPTABLE, is_replica(M0), "the facts leave one choice", "m0: REPLICA", id="no MAIN"),
        pytest.param(ADOPTABLE, is_main(M1), "the facts leave one choice", "m1: MAIN", id="two MAINs"),
        pytest.param(ADOPTABLE, other_data(M2), "the facts leave one choice", "another-data-set", id="other data"),
        pytest.param(
            ADOPTABLE, policy(eligible=("m1", "m2")), "the facts leave one choice", "m0: MAIN", id="not eligible"
        ),
        pytest.param(ADOPTABLE, scene(marked=M1), "the facts leave one choice", "m1 was left marked", id="marked"),
        pytest.param(
            ONLY_DATA, scene(marked=M0), "the facts leave one choice", "m0 was left marked", id="marked, empty"
        ),
        pytest.param(
            ADOPTABLE, place(M0, empty=True), "the facts leave one choice", "m0: MAIN, empty", id="MAIN is empty"
        ),
    ],
)
def test_two_choices_are_none(base: Scene, change: SceneChange, guard: str, evidence: str) -> None:
    """Whatever leaves a doubt who has the data is not adopted."""
    assert_stopped(base.but(change), "B20", guard, evidence)


def test_an_empty_main_beside_data_is_not_chosen_by_its_role() -> None:
    """Who holds data is adopted, not the empty instance that happens to be MAIN (scenarios G6)."""
    (command,) = decided(ONLY_DATA.but(is_main(M0)), "B20").commands
    assert isinstance(command, WriteRecord)
    assert command.record.main == "m1"


@pytest.mark.parametrize(
    ("base", "evidence"),
    [
        (EMPTY.but(gone(M2)), "m2: no process"),
        (EMPTY.but(unheard(M2)), "m2: no answer yet"),
        (EMPTY.but(unheard(M2), misses(M2, Miss.REFUSED, 1, 0.0)), "m2: connection refused or reset"),
        (EMPTY.but(frozen(M2)), "m2: no answer in time"),
        (ADOPTABLE.but(is_main(M1)), "m1: MAIN, data set data-set-1"),
        (EMPTY.but(place(M2, empty=False)), "m2: REPLICA, data set fresh-m2"),
        (EMPTY.but(data_unknown(M1)), "m1: REPLICA, data unknown"),
        (EMPTY.but(gone(M2), missed_before(M1)), "m1: REPLICA, empty"),
        (ADOPTABLE.but(scene(marked=M1)), "m1 was left marked as MAIN"),
    ],
)
def test_an_ambiguous_cluster_waits_for_a_human(base: Scene, evidence: str) -> None:
    """Without a single choice nothing is written, and what everybody said is shown."""
    decision = decided(base, "B30")
    assert (decision.commands, decision.hold) == ((), Hold.AMBIGUOUS_BOOTSTRAP)
    assert evidence in decision.reason
    assert decision.look == ("m0", "m1", "m2")
    assert decision.route.permit is None


def test_a_cluster_with_a_record_is_not_ambiguous() -> None:
    """With a record, bootstrap has nothing to say, whatever the facts."""
    assert_stopped(HEALTHY.but(is_main(M1), place(M2, role=Role.MAIN)), "B30", "there is no record", "there is one")
