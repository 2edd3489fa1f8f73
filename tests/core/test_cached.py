"""A cached property: made once for each instance, and a property like any other for whoever looks at the class."""

from functools import cached_property

from memgraph_ha.core.cached import cached
from memgraph_ha.core.view import View
from tests.core.views import HEALTHY


class Counted:
    """Something that is costly to ask."""

    made = 0

    @cached
    def answer(self) -> int:
        """How often it was made."""
        self.made += 1
        return self.made


def test_it_is_made_once_for_each_instance() -> None:
    """What one instance made is nothing to another."""
    one, other = Counted(), Counted()
    assert (one.answer, one.answer, one.made) == (1, 1, 1)
    assert other.made == 0
    assert (other.answer, other.made) == (1, 1)


def test_a_view_remembers_by_it() -> None:
    """And whoever changes rules to see who notices finds the function in it."""
    assert isinstance(View.__dict__["loss"], cached_property)
    assert isinstance(View.loss, cached)
    assert View.loss.__doc__ == View.loss.func.__doc__
    view = HEALTHY.view
    assert "main_role" not in vars(view)
    assert view.main_role is vars(view)["main_role"]
