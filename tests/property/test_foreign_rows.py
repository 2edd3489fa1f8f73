"""A row to somebody who is no member, under a name that is not ours, changes nothing but what is reported of it."""

from attrs import evolve
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from memgraph_ha.core.decide import decide
from memgraph_ha.core.names import Address, RowName
from memgraph_ha.core.route import route
from memgraph_ha.core.rules import RULES
from memgraph_ha.core.topology import Mode, Row, RowStatus
from tests.core.views import HEALTHY, Place, Scene
from tests.property.test_metamorphic import scenes

THEIRS = RowName("backup")
ELSEWHERE = Address("10.9.9.9:10000")

foreign_rows = st.builds(
    Row,
    name=st.just(THEIRS),
    address=st.just(ELSEWHERE),
    mode=st.sampled_from(Mode),
    status=st.sampled_from(RowStatus),
    ts=st.none() | st.integers(0, 50),
    behind=st.none() | st.integers(-5, 5),
)


def with_row(scene: Scene, row: Row, place: int) -> Scene:
    """The scene in which every instance that told its rows also told that one, at that place among them."""

    def told(old: Place) -> Place:
        return old if old.rows is None else evolve(old, rows=(*old.rows[:place], row, *old.rows[place:]))

    return evolve(scene, places=tuple(told(old) for old in scene.places))


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])  # some bases have no rows at all
@given(scenes(), foreign_rows, st.integers(0, 2))
def test_a_foreign_row_changes_no_rule_but_the_report_of_it(scene: Scene, row: Row, place: int) -> None:
    """Whatever its mode and its state, wherever it stands in the list."""
    assume(any(seen.rows for seen in scene.places))
    without, having = scene.view, with_row(scene, row, place).view
    for rule in RULES:
        if rule.id != "Y50":
            assert rule.decide(having) == rule.decide(without), rule.id
    assert route(having) == route(without)


@given(foreign_rows, st.integers(0, 2))
def test_a_foreign_row_is_reported(row: Row, place: int) -> None:
    """So that the property above is about rows that are seen at all."""
    assert decide(with_row(HEALTHY, row, place).view).rule == "Y50"
