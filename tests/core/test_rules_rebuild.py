"""Rules E, W20, W30 and H03: data that cannot be used, and what is never thrown away by itself."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import RebuildInstance, RegisterReplica
from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.policy import AutoReinit, DataDurability
from memgraph_ha.core.record import Change, ChangeKind, Fallback
from memgraph_ha.core.rules.rebuild import AGAIN_S, REINIT_PAUSE_S
from memgraph_ha.core.topology import Mode, RowStatus
from tests.core.changes import (
    data_unknown,
    gone,
    last_noop,
    new_term,
    place,
    policy,
    recorded,
    required,
    restarted,
    rows,
    tried,
    unheard,
    unnamed,
    unnamed_for,
    unprotected,
    wiped,
)
from tests.core.occasions import DIVERGED, GIVEN_UP, OCCASIONS, REBUILT, ROLLED_BACK, SWAPPED
from tests.core.orders import (
    a_rebuild,
    analytical,
    given_up,
    later_reigns,
    rebuilding,
    refused_as_diverged,
    repromoted,
)
from tests.core.scenes import LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    WALL,
    Scene,
    SceneChange,
    answer,
    assert_stopped,
    async_row,
    decided,
    incarnation_of,
    permit_for,
    rewritten,
    run_of,
    strict_row,
)

NEVER = policy(auto_reinit=AutoReinit.NEVER)


def reign(kind: ChangeKind, *generations: int) -> SceneChange:
    """History has these reigns, of that kind."""
    lines = tuple(
        Change(generation=n, main=M0, previous=M1, kind=kind, standby=None, rule="L30", reason="before", at=WALL - 9000)
        for n in generations
    )
    return recorded(history=lines)


# --- E10 ----------------------------------------------------------------------------------------------


def test_a_diverged_replica_is_marked_if_nothing_acknowledged_is_lost() -> None:
    """MAIN has every acknowledged write since the replica's level; what that holds more was never acknowledged."""
    assert rewritten(DIVERGED, "E10") == evolve(DIVERGED.recorded, rebuild=frozenset({M2}))


def test_a_row_that_says_diverged_counts_as_much() -> None:
    """MAIN says it in SHOW REPLICAS, too."""
    old = HEALTHY.but(unprotected, rows(strict_row(status=RowStatus.DIVERGED), async_row()))
    assert rewritten(old, "E10").rebuild == {M1}


@pytest.mark.parametrize("kind", [ChangeKind.FAILOVER, ChangeKind.SWITCHOVER, ChangeKind.FALLBACK])
def test_an_unbroken_chain_of_reigns_proves_it(kind: ChangeKind) -> None:
    """From the level of the replica to the present reign, each begun by who had everything."""
    old = DIVERGED.but(reign(kind, 3, 4), recorded(level=((M0, 4), (M1, 4), (M2, 2))))
    assert rewritten(old, "E10").rebuild == {M2}


def level_in(reign_of_m2: int, kind: ChangeKind = ChangeKind.FAILOVER) -> SceneChange:
    """The others are level now, m2 was last in that reign, and history has reign 4 of that kind."""
    return lambda old: old.but(reign(kind, 4), recorded(level=((M0, 4), (M1, 4), (M2, reign_of_m2))))


def _went_on(old: Scene) -> Scene:
    """Reign 6 began by a failover after the present one, and the others are level in it."""
    last = evolve(old.recorded.history[-1], generation=6, kind=ChangeKind.FAILOVER)
    record = evolve(
        old.recorded, generation=6, history=(*old.recorded.history, last), level=((M0, 6), (M1, 6), (M2, 4))
    )
    changed = evolve(old, record=record, ended=())
    return evolve(changed, gate=permit_for(changed)).but(last_noop(generation=6))


LEVEL_BEFORE_A_RETURN = DIVERGED.but(repromoted, _went_on, refused_as_diverged(M2))
"""m2 was level when m0 was re-promoted in reign 5; reign 6 began by a failover."""


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (DIVERGED.but(recorded(level=((M0, 4), (M1, 4)))), "m2 was not seen level"),
        (DIVERGED.but(level_in(2)), "history does not go back to reign 3"),
        (DIVERGED.but(level_in(3, ChangeKind.FORCED)), "reign 4 was forced"),
        (DIVERGED.but(level_in(3, ChangeKind.ADOPT)), "reign 4 was adopt"),
        (LEVEL_BEFORE_A_RETURN, "it was level when reign 5 re-promoted MAIN"),
        (DIVERGED.but(NEVER), "policy auto_reinit is never"),
    ],
    ids=["no level", "history too short", "forced", "adopted", "level at a re-promotion", "policy"],
)
def test_without_that_proof_a_human_decides(old: Scene, why: str) -> None:
    """The nearest misses: the hold names the command."""
    assert_stopped(old, "E10", "history proves that it may be rebuilt", why)
    decision = decided(old, "Y30")
    assert decision.hold is Hold.DIVERGED_REPLICA
    assert "memgraph-ha reinit m2" in decision.reason
    assert why in decision.reason


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        (HEALTHY, "a replica has diverged", "none that is not noted"),
        (DIVERGED.but(given_up(M2)), "a replica has diverged", ""),
        (DIVERGED.but(restarted(M2)), "a replica has diverged", ""),
        (DIVERGED.but(new_term), "MAIN has everything", "the first commit of our term"),
        (DIVERGED.but(analytical), "MAIN has everything", "IN_MEMORY_ANALYTICAL"),
        (LOST.but(refused_as_diverged(M2)), "MAIN has everything", "MAIN does not answer"),
    ],
    ids=["none", "noted", "another run", "new term", "analytical", "MAIN is lost"],
)
def test_when_nobody_is_marked(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses: only a MAIN that has everything makes another copy worthless."""
    assert_stopped(old, "E10", guard, evidence)


# --- E20 ----------------------------------------------------------------------------------------------


def test_an_instance_that_is_given_up_is_emptied() -> None:
    """Exactly that process, in this reign."""
    assert decided(GIVEN_UP, "E20").commands == (
        RebuildInstance(instance=M2, incarnation=incarnation_of(M2), generation=4),
    )


def test_under_required_the_standby_is_emptied_while_writes_wait() -> None:
    """They wait for exactly that: without a rebuild it would be for ever."""
    waits = HEALTHY.but(required, unnamed, given_up(M1), rows(async_row()))
    decision = decided(waits, "E20")
    assert [command.instance for command in decision.commands if isinstance(command, RebuildInstance)] == [M1]
    assert decision.route.permit is None


def test_the_fallback_is_not_emptied() -> None:
    """It may be the only one that can reign again, whatever the record says of it."""
    old = GIVEN_UP.but(
        rows(), recorded(opened=False, fallback=Fallback(instance=M1, run=None)), given_up(M1, reinit=True)
    )
    assert_stopped(old, "E20", "one in `rebuild` may be emptied now", "m1")


def test_the_standby_waits_for_no_async_replica() -> None:
    """Under `required` the emptied ASYNC replica waits for a reign that opens only with a standby: for ever."""
    both = HEALTHY.but(unnamed, given_up(M1, M2, reinit=True), rows(), wiped(M2), rebuilding(M2))
    decision = answer(both, "E20")
    assert isinstance(decision, Decision)
    assert [c.instance for c in decision.commands if isinstance(c, RebuildInstance)] == [M1]


def test_one_after_the_other() -> None:
    """While one is empty nobody else is emptied."""
    both = GIVEN_UP.but(unprotected, rows(), given_up(M1, M2))
    assert [c.instance for c in decided(both, "E20").commands if isinstance(c, RebuildInstance)] == [M1]
    under_way = both.but(rebuilding(M1), unheard(M1))
    assert_stopped(under_way, "E20", "no other one is being rebuilt", "m1")


@pytest.mark.parametrize(
    "change",
    [gone(M2), unheard(M2), wiped(M2), lambda old: old.but(restarted(M2), data_unknown(M2), rebuilding(M2, 2))],
    ids=["stopped", "starting", "empty", "the same process still"],
)
def test_a_rebuild_that_is_under_way_is_not_repeated(change: SceneChange) -> None:
    """Each moves a copy aside: twice a second would fill the disk."""
    old = GIVEN_UP.but(rebuilding(M2), change)
    found = decide(old.view)
    assert not any(isinstance(command, RebuildInstance) for command in found.commands)
    assert "E20" not in found.rule


@pytest.mark.parametrize("reinit", [False, True], ids=["proven", "by word"])
def test_a_rebuild_in_vain_is_not_repeated_soon(reinit: bool) -> None:
    """It came back with data, or its data set is not known yet: the next one waits, longer if no human asked."""
    pause_s = REINIT_PAUSE_S if reinit else AGAIN_S
    again = GIVEN_UP.but(given_up(M2, reinit=reinit), restarted(M2))
    soon = again.but(rebuilding(M2, ago_s=pause_s - 1))
    assert_stopped(soon, "E20", "one in `rebuild` may be emptied now", "m2")
    late = again.but(rebuilding(M2, ago_s=pause_s + 1))
    assert [type(command) for command in decided(late, "E20").commands] == [RebuildInstance]


@pytest.mark.parametrize(("level", "again"), [(5, True), (4, True), (3, False)], ids=["later", "then", "never"])
def test_a_rebuild_that_made_it_level_was_not_in_vain(level: int, again: bool) -> None:
    """It diverged anew in a later reign: it is rebuilt once for that, and does not wait for ten minutes."""
    old = GIVEN_UP.but(rebuilding(M2, ago_s=8), restarted(M2), later_reigns(2), recorded(level=((M2, level),)))
    found = [type(command) for command in decide(old.view).commands]
    assert (RebuildInstance in found) is again


@pytest.mark.parametrize(
    ("change", "guard"),
    [
        (NEVER, "one in `rebuild` may be emptied now"),
        (recorded(level=((M0, 4),)), "one in `rebuild` may be emptied now"),
        (rows(strict_row(), async_row()), "one in `rebuild` may be emptied now"),
        (gone(M2), "one in `rebuild` may be emptied now"),
        (unheard(M2), "one in `rebuild` may be emptied now"),
        (data_unknown(M2), "one in `rebuild` may be emptied now"),
        (given_up(M0), "one in `rebuild` may be emptied now"),
        (lambda old: old.but(tried(a_rebuild(old, M2))), "one in `rebuild` may be emptied now"),
        (new_term, "MAIN has everything"),
        (analytical, "MAIN has everything"),
    ],
    ids=["policy", "no level", "a row", "gone", "unheard", "unknown", "MAIN", "backing off", "new term", "analytical"],
)
def test_when_nobody_is_emptied(change: SceneChange, guard: str) -> None:
    """The nearest misses: never without a proof or a word, never while MAIN still feeds it, never MAIN."""
    assert_stopped(GIVEN_UP.but(change), "E20", guard)


@pytest.mark.parametrize("change", [NEVER, recorded(level=((M0, 4),))], ids=["policy", "no level"])
def test_a_humans_word_is_enough(change: SceneChange) -> None:
    """`reinit` stands for the proof."""
    decided(GIVEN_UP.but(change, given_up(M2, reinit=True)), "E20")


def test_a_rebuilt_replica_is_attached_and_the_mark_goes_first() -> None:
    """MAIN fills it; whoever leads next does not empty it again."""
    write, register = decided(REBUILT.but(given_up(M2, reinit=True)), "A30").commands
    assert write == REBUILT.view.rewrite(evolve(REBUILT.recorded, rebuild=frozenset(), reinit=frozenset()))
    assert isinstance(register, RegisterReplica)
    assert (register.replica, register.replica_run, register.mode) == (M2, run_of(M2, 2), Mode.ASYNC)


def test_being_empty_is_not_being_rebuilt() -> None:
    """After an import in analytical mode everybody who was empty looks level: only our own rebuild counts."""
    empty = GIVEN_UP.but(wiped(M2))
    assert_stopped(empty, "A30", "it can be attached", "it must be rebuilt first")
    assert [type(command) for command in decided(empty, "E20").commands] == [RebuildInstance]


def test_a_rebuild_is_told_while_it_lasts() -> None:
    """The hold says what is going on, or what it waits for."""
    assert decided(GIVEN_UP.but(rebuilding(M2), unheard(M2)), "Y30").hold is Hold.REBUILDING
    waits = decided(GIVEN_UP.but(NEVER), "Y30")
    assert (waits.hold, "memgraph-ha reinit m2" in waits.reason) == (Hold.REBUILD_NEEDED, True)


# --- H03 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", DataDurability)
def test_the_row_of_a_standby_that_is_rebuilt_is_given_up(durability: DataDurability) -> None:
    """The number rises; under `preferred` the record says that MAIN goes on alone."""
    old = HEALTHY.but(unnamed_for(1), given_up(M1), policy(data_durability=durability))
    record = rewritten(old, "H03")
    preferred = durability is DataDurability.PREFERRED
    assert record == evolve(old.recorded, row_seq=8, unprotected=preferred)


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        (HEALTHY, "MAIN has the row of an unnamed standby"),
        (HEALTHY.but(unprotected, given_up(M1), rows(async_row())), "MAIN has the row of an unnamed standby"),
        (HEALTHY.but(unprotected, given_up(M2)), "the standby is going to be rebuilt"),
        (HEALTHY.but(unprotected, given_up(M1), NEVER), "the standby is going to be rebuilt"),
    ],
    ids=["named", "no row", "another one", "nobody may rebuild it"],
)
def test_when_no_row_is_given_up(old: Scene, guard: str) -> None:
    """The nearest misses: a row that nobody may rebuild the replica of stays."""
    assert_stopped(old, "H03", guard)


# --- W20, W30 -----------------------------------------------------------------------------------------


def test_a_replaced_data_set_shuts_writes_and_touches_nothing() -> None:
    """The replicas hold what was there before: no registration may overwrite it."""
    bare = SWAPPED.but(rows(), given_up(M2))
    decision = decided(bare, "W20")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.DATA_SET_REPLACED, None)
    assert "memgraph-ha adopt m0" in decision.reason


def test_a_replaced_data_set_un_names_the_standby() -> None:
    """It is no copy of MAIN any more."""
    assert rewritten(HEALTHY.but(place(M0, uuid="b")), "U10").standby is None


def test_an_unreplaced_data_set_is_no_news() -> None:
    """The nearest miss: MAIN's data set is not known."""
    assert_stopped(HEALTHY.but(data_unknown(M0)), "W20", "MAIN's data set was replaced")


def test_a_main_that_lost_data_shuts_writes_and_nobody_is_rebuilt() -> None:
    """Its replica was level before it was re-promoted, and holds more now: that may be the only copy."""
    decision = decided(ROLLED_BACK, "W30")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.MAIN_LOST_DATA, None)
    assert "its replica m1 holds" in decision.reason
    assert_stopped(ROLLED_BACK, "E10", "MAIN has everything", "its replica m1 holds")


def test_an_async_replica_may_be_the_only_copy_too() -> None:
    """It was level in the reign before: it can be ahead only if MAIN was rolled back."""
    old = HEALTHY.but(repromoted, unprotected, rows(strict_row()), refused_as_diverged(M2))
    assert "its replica m2 holds" in decided(old, "W30").reason


def test_a_reign_does_not_open_on_lost_data() -> None:
    """The fence is refused with Error: 3 before the first permit."""
    opening = ROLLED_BACK.but(recorded(opened=False, unprotected=False), rows())
    assert_stopped(opening, "O50", "nothing says that MAIN lost data", "its replica m1 holds")


@pytest.mark.parametrize(
    "change",
    [
        recorded(reinit=frozenset({M1}), rebuild=frozenset({M1})),
        recorded(level=((M0, 5), (M1, 3), (M2, 5))),
        reign(ChangeKind.FAILOVER, 5),
        lambda old: evolve(old, ended=()),
    ],
    ids=["given up by a human", "it was not level", "no re-promotion", "not refused"],
)
def test_when_nothing_says_that_data_was_lost(change: SceneChange) -> None:
    """The nearest misses."""
    assert_stopped(ROLLED_BACK.but(change), "W30", "MAIN lost data")


def test_commands_of_the_occasions_are_as_many_as_they_should_be() -> None:
    """A step asks for one thing at a time, but for a reign that begins with a demotion, or a mark before a REGISTER."""
    several = {key for key, old in OCCASIONS.items() if len(decide(old.view).commands) > 1}
    assert several == {"M30 ready"}
