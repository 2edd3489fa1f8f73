"""What must not change, or only in one direction, when a view changes."""

from attrs import evolve
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.permit import Route
from memgraph_ha.core.route import route
from memgraph_ha.core.rules import RULES
from memgraph_ha.core.view import View
from tests.core.corpus import BASES, CHANGES, applied
from tests.core.scenes import PROVEN
from tests.core.views import M2, Place, Scene
from tests.property.strategies import names
from tests.property.test_decide import begins_a_reign


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A step of a failover with up to four changes."""
    base = draw(st.sampled_from(list(BASES.values())))
    chosen = draw(st.lists(st.sampled_from(list(CHANGES)), max_size=4, unique=True))
    return applied(base, *chosen) or base


def older(place: Place, by_s: float) -> Place:
    """The same answers and misses, asked so much earlier."""
    missed = tuple(evolve(miss, at_s=miss.at_s - by_s, asked_at_s=miss.asked_at_s - by_s) for miss in place.misses)
    return evolve(
        place,
        asked_s=place.asked_s - by_s,
        data_asked_s=place.data_asked_s - by_s,
        port_asked_s=place.port_asked_s - by_s,
        rows_asked_s=place.rows_asked_s - by_s,
        rows_bad_s=None if place.rows_bad_s is None else place.rows_bad_s - by_s,
        misses=missed,
    )


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])  # most scenes ask for something
@given(scenes(), names, st.sampled_from([0.01, 0.3, 0.7, 1.5, 4.0, 100.0]))
def test_older_facts_never_turn_observing_into_promoting(scene: Scene, name: str, by_s: float) -> None:
    """Where nothing is done, nothing begins because what was seen of one instance is older."""
    before = decide(scene.view)
    assume(not before.commands)
    aged = evolve(scene, places=tuple(older(p, by_s) if p.name == name else p for p in scene.places))
    after = decide(aged.view)
    assert not any(begins_a_reign(aged.view, command) for command in after.commands), (before.rule, after.rule)


def names_somebody(view: View, decision: Decision) -> bool:
    """Whether a command gives the standby's name to somebody who did not have it."""
    had = None if view.record is None else view.record.standby
    written = [command.record.standby for command in decision.commands if isinstance(command, WriteRecord)]
    return any(standby is not None and standby != had for standby in written)


@given(scenes())
def test_without_a_proof_nobody_is_named(scene: Scene) -> None:
    """Taking every witness away never adds a name: no other fact stands in for a proof."""
    bare = evolve(scene, noops=tuple(evolve(noop, witness=None, row_ts=None) for noop in scene.noops))
    assert not names_somebody(bare.view, decide(bare.view))


def test_with_a_proof_somebody_is() -> None:
    """So that the property above is not empty."""
    assert names_somebody(PROVEN.view, decide(PROVEN.view))


ABOUT_M2 = {
    "C20",  # what humans order of it, or beside it
    "C30",
    "C40",
    "C50",
    "L10",  # hears it, if nobody is named: it may be MAIN by hand
    "W30",  # it may hold what a MAIN that was rolled back lacks
    "E10",  # rebuilds it
    "E20",
    "F20",  # restarts it
    "Y05",  # reports about it
    "Y35",
    "Y60",
    "Y70",
    "O40",  # fences it
    "A30",  # attaches it
    "Y30",  # misses it
    "S10",  # demotes it, if it is a stray MAIN
    "R40",  # believes it, if it is MAIN with the recorded data
    "B10",  # asks everybody, for a record that does not exist
    "B20",
    "B30",
}
"""The rules that may look at what an ASYNC replica says of itself; H10 and K10 look at MAIN's row of it. L10 only waits
for it; and of the route it changes where reads may go."""


@given(scenes())
def test_what_an_async_replica_says_changes_nothing_about_main(scene: Scene) -> None:
    """Nothing that is seen of m2 itself changes what is decided about MAIN, the record or the read/write route."""
    record = scene.view.record
    relied_on = record is not None and M2 in {
        record.main,
        record.standby and record.standby.instance,
        record.fallback and record.fallback.instance,
    }
    assume(M2 not in scene.view.pair)
    assume(not relied_on)
    unseen = tuple(
        evolve(place, run=None, misses=(), incarnation=None) if place.name == M2 else place for place in scene.places
    )
    with_m2, without_m2 = scene.view, evolve(scene, places=unseen).view
    for rule in RULES:
        if rule.id not in ABOUT_M2:
            assert rule.decide(with_m2) == rule.decide(without_m2), rule.id
    assert without_reads(route(with_m2)) == without_reads(route(without_m2))


def without_reads(found: Route) -> Route:
    """What the read/write gateway may do."""
    return evolve(found, reads=(), why_reads="")


@given(scenes())
def test_a_shorter_lease_never_does_more(scene: Scene) -> None:
    """With the lease gone, nothing is asked for and nothing is relayed, whatever was decided before."""
    lost = evolve(scene, lease=None)
    decision = decide(lost.view)
    assert (decision.rule, decision.commands, decision.route.permit) == ("N10", (), None)


@given(scenes(), st.sampled_from([0.0, 0.5, 2.0, 30.0]))
def test_time_alone_never_opens_the_gateway(scene: Scene, later_s: float) -> None:
    """Without new facts a shut gateway stays shut."""
    assume(route(scene.view).permit is None)
    assert route(evolve(scene, now_s=scene.now_s + later_s).view).permit is None
