"""Rules A10, A30 and K10: attaching the standby and the ASYNC replicas, and who reached the reign."""

from collections.abc import Callable

import pytest
from attrs import evolve

from memgraph_ha.core.commands import RegisterReplica, WriteRecord
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Miss, Outcome
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import Address, InstanceName, RowName, RunId
from memgraph_ha.core.record import Fallback
from memgraph_ha.core.rowcare import stale_rows
from memgraph_ha.core.topology import Mode, Row, RowStatus, StorageMode
from tests.core.changes import (
    a_demotion,
    a_registration,
    data_unknown,
    gate_shut,
    gone,
    is_main,
    just_failed,
    misses,
    new_term,
    place,
    policy,
    recorded,
    refuses,
    required,
    restarted,
    rows,
    rows_unknown,
    scene,
    tried,
    unnamed,
    unprotected,
    wiped,
)
from tests.core.orders import held, rebuilding
from tests.core.scenes import ALONE, ATTACHED, BEGUN, DURABLE, EMPTY, LOST
from tests.core.views import (
    DATA,
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    TOKEN,
    Scene,
    SceneChange,
    answer,
    assert_stopped,
    async_row,
    decided,
    replication_of,
    rewritten,
    run_of,
    strict_row,
)

LONELY = HEALTHY.but(rows(strict_row()))
"""The ASYNC replica m2 has no row."""

RISEN = HEALTHY.but(recorded(level=((M0, 4), (M1, 4), (M2, 2))))
"""m2 is ready, but its recorded level is of an earlier reign."""


def seen_with(**changes: object) -> Callable[[InstanceName], SceneChange]:
    """A change of one instance, which is named later."""
    return lambda name: place(name, **changes)


NOT_ATTACHABLE = [
    pytest.param(seen_with(asked_s=NOW - 1.1), "it does not answer", id="old answer"),
    pytest.param(lambda name: misses(name, Miss.TIMED_OUT, 1, 0.0), "it does not answer", id="missed since"),
    pytest.param(is_main, "it is not a REPLICA", id="a MAIN"),
    pytest.param(seen_with(port_open=False), "its replication port is not known to be open", id="port closed"),
    pytest.param(seen_with(port_open=None), "its replication port is not known to be open", id="port unknown"),
    pytest.param(
        seen_with(port_asked_s=NOW - 3.1), "its replication port is not known to be open", id="port looked at long ago"
    ),
    pytest.param(data_unknown, "its data set is not known yet", id="data unknown"),
    pytest.param(seen_with(data_run="run-x"), "its data set is not known yet", id="data of another run"),
    pytest.param(seen_with(uuid="another"), "it holds another data set (another)", id="other data"),
    pytest.param(
        seen_with(storage_mode=StorageMode.ANALYTICAL), "its storage mode is IN_MEMORY_ANALYTICAL", id="analytical"
    ),
]
"""Why a REPLICA cannot be registered now."""


# --- A10 ----------------------------------------------------------------------------------------------


def attached(old: Scene, *, main_run: RunId | None) -> tuple[WriteRecord, RegisterReplica]:
    """The two commands that attach m0 to m1 as the next numbered standby."""
    numbered = evolve(old.recorded, row_seq=8, fallback=None, main_run=main_run)
    register = RegisterReplica(
        instance=M1,
        run=run_of(M1),
        generation=5,
        row=RowName("m0_8"),
        replica=M0,
        replica_run=run_of(M0, 2),
        address=replication_of(M0),
        mode=Mode.STRICT_SYNC,
        database_uuid=DATA,
    )
    return WriteRecord(expected=TOKEN, record=numbered), register


CLOSED = ALONE.but(
    recorded(opened=False, unprotected=False, fallback=Fallback(instance=M0, run=None)), required, gate_shut()
)
"""`required`: the reign is not open before its standby is attached and proven."""


@pytest.mark.parametrize("old", [ALONE.but(held()), ALONE.but(wiped(M0), held())], ids=["with data", "empty"])
def test_the_standby_is_registered_in_its_final_mode(old: Scene) -> None:
    """First the number rises, then REGISTER STRICT_SYNC (transcripts Q8b, 20 of 20)."""
    assert decided(old, "A10").commands == attached(old, main_run=run_of(M1))


def test_a_fallback_is_attached_only_when_mains_directory_counts_in_its_place() -> None:
    """`required`: the write that ends `fallback` unbinds MAIN's run, so that a dead process does not end the reign."""
    assert decided(CLOSED, "A10").commands == attached(CLOSED, main_run=None)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(place(M1, flush_every=100_000), id="it does not flush each commit"),
        pytest.param(place(M1, flush_every=None), id="whether it flushes is not known"),
    ],
)
def test_a_directory_that_may_lose_commits_does_not_count(change: SceneChange) -> None:
    """MAIN stays bound to its run if its machine could take commits with it."""
    assert decided(CLOSED.but(change), "A10").commands == attached(CLOSED, main_run=run_of(M1))


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        pytest.param(EMPTY, "MAIN serves and there is another one", id="no record"),
        pytest.param(LOST, "MAIN serves and there is another one", id="MAIN is lost"),
        pytest.param(BEGUN.but(restarted(M0)), "MAIN serves and there is another one", id="MAIN is a REPLICA"),
        pytest.param(ALONE.but(new_term), "MAIN serves and there is another one", id="no commit in our term"),
        pytest.param(ALONE.but(scene(places=(ALONE.place(M1),))), "MAIN serves and there is another one", id="alone"),
        pytest.param(ALONE.but(place(M0, run=None)), "MAIN serves and there is another one", id="never answered"),
        pytest.param(
            ALONE.but(recorded(opened=False, unprotected=False)), "the reign is open", id="preferred, not open"
        ),
        pytest.param(HEALTHY, "MAIN has no row of it", id="named, with its row"),
        pytest.param(HEALTHY.but(rows(async_row())), "MAIN has no row of it", id="named, without: un-named first"),
        pytest.param(ALONE.but(rows_unknown), "MAIN has no row of it", id="rows unknown"),
        pytest.param(ATTACHED, "MAIN has no row of it", id="attached"),
        pytest.param(
            ALONE.but(rows(strict_row("by-hand", M0, RowStatus.RECOVERY))), "MAIN has no row of it", id="another row"
        ),
        pytest.param(ALONE.but(recorded(rebuild=frozenset({M0}))), "it can be attached", id="to be rebuilt"),
        pytest.param(
            ALONE.but(tried(evolve(a_registration(ALONE, M0), replica_run=run_of(M0, 2)))),
            "the pause after the last try is over",
            id="just tried",
        ),
    ],
)
def test_a_standby_that_is_not_free_is_not_registered(old: Scene, guard: str) -> None:
    """The nearest misses of the registration."""
    assert_stopped(old, "A10", guard)


@pytest.mark.parametrize(("change", "evidence"), NOT_ATTACHABLE)
def test_a_standby_that_is_not_ready_for_it_is_not_registered(
    change: Callable[[InstanceName], SceneChange], evidence: str
) -> None:
    """A REGISTER that would fail is not sent: it would leave a half row."""
    assert_stopped(ALONE.but(change(M0)), "A10", "it can be attached", evidence)


def test_a_diverged_standby_is_asked_again_after_a_minute_or_in_another_run() -> None:
    """Nothing but a rebuild changes that answer (transcripts, "Rejoin of an old main")."""
    this_run = evolve(a_registration(ALONE, M0), replica_run=run_of(M0, 2))
    for ago_s, waits in ((6.0, True), (59.0, True), (61.0, False)):
        old = ALONE.but(tried(this_run, error=ErrorClass.DIVERGED, ago_s=ago_s))
        if waits:
            assert_stopped(old, "A10", "the pause after the last try is over")
        else:
            decided(old, "A10")
    decided(ALONE.but(tried(a_registration(ALONE, M0), error=ErrorClass.DIVERGED, ago_s=0.05)), "A10")


# --- A30 ----------------------------------------------------------------------------------------------


def test_an_async_replica_without_a_row_is_registered() -> None:
    """Under its own name, ASYNC, while MAIN serves."""
    expected = evolve(a_registration(HEALTHY, M2), run=run_of(M0))
    decision = decided(LONELY, "A30")
    assert decision.commands == (expected,)
    assert decision.route.permit is not None
    assert expected.mode is Mode.ASYNC
    decided(LONELY.but(wiped(M2)), "A30")


def test_what_came_to_nothing_in_this_very_run_is_not_repeated() -> None:
    """An empty replica of another data set has a history all the same, and each try costs a quiet moment."""
    vain = tried(a_registration(LONELY, M2), Outcome.DONE, ago_s=30)
    old = LONELY.but(place(M2, uuid="another-data-set", empty=True), vain)
    assert isinstance(answer(old, "A30"), Unmet)
    assert M2 in rewritten(old, "E10").rebuild
    decided(old.but(wiped(M2)), "A30")


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        pytest.param(DURABLE, "MAIN serves and its rows are known", "", id="not open"),
        pytest.param(EMPTY, "MAIN serves and its rows are known", "", id="no record"),
        pytest.param(LONELY.but(refuses(M0)), "MAIN serves and its rows are known", "", id="MAIN is lost"),
        pytest.param(LONELY.but(rows_unknown), "MAIN serves and its rows are known", "", id="rows unknown"),
        pytest.param(LONELY.but(new_term), "MAIN serves and its rows are known", "", id="no commit in our term"),
        pytest.param(HEALTHY, "an ASYNC replica has no row", "each has one", id="attached"),
        pytest.param(LONELY.but(just_failed(RegisterReplica)), "it can be attached", "m2", id="just tried"),
    ],
)
def test_an_async_replica_is_not_registered_twice_or_early(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses of the registration."""
    assert_stopped(old, "A30", guard, evidence)


@pytest.mark.parametrize(("change", "evidence"), [*NOT_ATTACHABLE, pytest.param(gone, "it does not answer", id="gone")])
def test_an_async_replica_that_is_not_ready_for_it_is_not_registered(
    change: Callable[[InstanceName], SceneChange], evidence: str
) -> None:
    """As with the standby: what would fail is not sent."""
    assert_stopped(LONELY.but(change(M2)), "A30", "it can be attached", evidence)


# --- K10 ----------------------------------------------------------------------------------------------


def test_who_reached_the_reign_is_noted() -> None:
    """A row that is ready raises its instance's level: a rebuild may rely on it later."""
    raised = evolve(RISEN.recorded, level=((M0, 4), (M1, 4), (M2, 4)))
    assert decided(RISEN, "K10").commands == (WriteRecord(expected=TOKEN, record=raised),)


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        pytest.param(EMPTY, "MAIN's rows are known", "", id="no record"),
        pytest.param(DURABLE, "MAIN's rows are known", "", id="not open"),
        pytest.param(RISEN.but(rows_unknown), "MAIN's rows are known", "", id="rows unknown"),
        pytest.param(RISEN.but(scene(noops=())), "MAIN's rows are known", "", id="no commit yet"),
        pytest.param(HEALTHY, "somebody's level rose", "nobody's did", id="noted already"),
        pytest.param(
            RISEN.but(rows(strict_row(), async_row(status=RowStatus.RECOVERY))),
            "somebody's level rose",
            "nobody's did",
            id="not ready",
        ),
        pytest.param(
            RISEN.but(rows(strict_row(), evolve(async_row(), address=Address("10.9.9.9:10000")))),
            "somebody's level rose",
            "nobody's did",
            id="an address of nobody",
        ),
    ],
)
def test_a_level_is_noted_once_and_only_when_reached(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses of the note."""
    assert_stopped(old, "K10", guard, evidence)


def test_a_rebuilt_standby_is_attached_and_its_mark_cleared() -> None:
    """Once we have emptied it: the mark goes with the very write that precedes its REGISTER."""
    marked = HEALTHY.but(unprotected, recorded(rebuild=frozenset({M1})), rows(async_row()))
    assert_stopped(marked.but(wiped(M1)), "A10", "it can be attached", "it must be rebuilt first")
    assert_stopped(marked, "A10", "it can be attached", "it must be rebuilt first")
    write, register = decided(marked.but(wiped(M1), rebuilding(M1), held()), "A10").commands
    assert isinstance(write, WriteRecord)
    assert isinstance(register, RegisterReplica)
    assert write.record.rebuild == frozenset()
    assert register.replica == M1


@pytest.mark.parametrize(
    ("changes", "rises"),
    [
        ((tried(a_demotion(RISEN, M2), Outcome.DONE),), False),
        ((tried(a_demotion(RISEN, M2), Outcome.DONE, ago_s=3), tried(a_registration(RISEN, M2), ago_s=1)), False),
        ((tried(a_registration(RISEN, M2), Outcome.DONE, ago_s=3), tried(a_demotion(RISEN, M2), Outcome.DONE)), False),
        (
            (tried(a_demotion(RISEN, M2), Outcome.DONE), tried(a_registration(RISEN, M2), Outcome.DONE, ago_s=0.01)),
            True,
        ),
        (
            (
                tried(a_demotion(RISEN, M2), Outcome.DONE, ago_s=3),
                tried(a_registration(RISEN, M2), Outcome.UNKNOWN, ago_s=1),
            ),
            True,
        ),
        (
            (tried(a_demotion(RISEN, M2), Outcome.DONE), tried(a_registration(RISEN, M2), Outcome.NOT_SENT, ago_s=0)),
            False,
        ),
        ((tried(a_demotion(RISEN, M2), Outcome.NOT_SENT),), False),
        ((tried(evolve(a_demotion(RISEN, M2), generation=3), Outcome.DONE),), True),
    ],
    ids=[
        "demoted",
        "refused since",
        "registered before",
        "registered since",
        "registered since, or so its row says",
        "not registered since",
        "demoted by somebody else",
        "in another reign",
    ],
)
def test_the_row_of_a_stray_does_not_give_its_level_back(changes: tuple[SceneChange, ...], rises: bool) -> None:
    """The row was not heard since it was MAIN: by that level E10 would rebuild it, and what a human wrote is gone."""
    assert isinstance(answer(RISEN.but(*changes), "K10"), Decision) is rises


@pytest.mark.parametrize(("change", "rises"), [((), True), ((unnamed,), False)], ids=["named", "not named"])
def test_a_stray_that_was_proven_since_is_level(change: tuple[SceneChange, ...], rises: bool) -> None:
    """Its name was taken before it was demoted: who bears it was proven afterwards, however its row came to be."""
    low = HEALTHY.but(recorded(level=((M0, 4), (M1, 3), (M2, 4))), tried(a_demotion(HEALTHY, M1), Outcome.DONE))
    refused = low.but(tried(a_registration(low, M1), Outcome.REFUSED, ago_s=0.01), *change)
    assert isinstance(answer(refused, "K10"), Decision) is rises


# --- one of the pair, while MAIN is none of it ----------------------------------------------------------

LEFT = HEALTHY.but(policy(eligible=("m2", "m1")))
"""MAIN m0 is none of the pair any more, and m1, the pair's second, is named."""


def test_one_of_the_pair_that_comes_back_is_attached_while_main_is_none_of_it() -> None:
    """It is not the partner, who is named: it would be attached by nobody."""
    (command,) = decided(LEFT.but(rows(strict_row())), "A30").commands
    assert isinstance(command, RegisterReplica)
    assert (command.replica, command.mode) == (M2, Mode.ASYNC)


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        pytest.param(async_row(), True, id="ASYNC"),
        pytest.param(evolve(async_row(), mode=Mode.STRICT_SYNC), False, id="STRICT_SYNC"),
    ],
)
def test_its_row_is_wanted_as_that_of_any_async_replica(row: Row, wanted: bool) -> None:
    """Dropped as stale it would be registered and dropped without end."""
    old = LEFT.but(rows(strict_row(), row))
    assert stale_rows(old.view, old.recorded) == ([] if wanted else [row])
