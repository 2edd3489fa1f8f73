"""Which holds are present, and since when."""

from memgraph_ha.api.holding import HoldLog
from memgraph_ha.core.holds import Hold
from tests.api.pictures import PICTURES
from tests.core.changes import scene
from tests.core.scenes import ALONE, EMPTY
from tests.core.views import HEALTHY, WALL


def test_a_hold_keeps_its_beginning_while_it_lasts() -> None:
    """It ends when no rule names it, and begins anew when one does again."""
    log = HoldLog()
    first = log.present(ALONE.view)
    assert [(each.hold, each.since) for each in first] == [(Hold.UNPROTECTED, WALL)]
    assert log.present(ALONE.but(scene(wall_s=WALL + 60)).view)[0].since == WALL
    assert log.present(HEALTHY.but(scene(wall_s=WALL + 70)).view) == ()
    assert log.present(ALONE.but(scene(wall_s=WALL + 80)).view)[0].since == WALL + 80


def test_what_comes_after_an_acting_rule_is_not_held() -> None:
    """An empty cluster is begun: the rule that would call it ambiguous comes later, and is not present."""
    assert HoldLog().present(EMPTY.view) == ()


def test_the_decisions_hold_comes_first_and_says_nothing_of_a_main_that_is_gone() -> None:
    """Nobody may follow: what later rules say of a MAIN that serves is left out."""
    assert [each.hold for each in HoldLog().present(PICTURES["nobody"].view)] == [Hold.NO_SAFE_CANDIDATE]
