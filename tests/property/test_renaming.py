"""What instances are called means nothing: another name for each leads to the same decision about each."""

from hypothesis import given

from memgraph_ha.core.decide import decide
from memgraph_ha.core.view import View
from tests.property.renaming import renamed
from tests.property.strategies import views

SWAPPED = {"m0": "m1", "m1": "m0"}


@given(views())
def test_swapping_the_names_of_the_pair_commutes_with_deciding(view: View) -> None:
    """Whoever stands first in the platform's list is first, whatever it is called."""
    assert decide(renamed(view, SWAPPED)) == renamed(decide(view), SWAPPED)


@given(views())
def test_swapping_twice_changes_nothing(view: View) -> None:
    """So that the property above is about the same view."""
    assert renamed(renamed(view, SWAPPED), SWAPPED) == view
