"""The smallest part of a list that still shows something."""

from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.sim.fuzz.ddmin import ddmin

wholes = st.lists(st.integers(0, 100), min_size=1, max_size=40, unique=True)


@given(wholes, st.data())
def test_what_is_needed_is_what_is_left(whole: list[int], data: st.DataObject) -> None:
    """If a few items together show it, exactly they are left, in their order."""
    needed = data.draw(st.sets(st.sampled_from(whole)))
    left = ddmin(whole, lambda part: needed <= set(part))
    assert left == tuple(item for item in whole if item in needed)


@given(wholes, st.integers(0, 400))
def test_no_single_item_can_be_missed(whole: list[int], least: int) -> None:
    """Also where many parts show it, the one that is left is minimal."""

    def shows(part: tuple[int, ...]) -> bool:
        return sum(part) >= least

    if shows(tuple(whole)):
        left = ddmin(whole, shows)
        assert shows(left)
        assert not any(shows((*left[:place], *left[place + 1 :])) for place in range(len(left)))


def test_few_questions_are_asked_about_a_long_list() -> None:
    """One culprit among a thousand is found in the order of its logarithm, not of its length."""
    asked: list[int] = []

    def shows(part: tuple[int, ...]) -> bool:
        asked.append(len(part))
        return 700 in part

    assert ddmin(range(1000), shows) == (700,)
    assert len(asked) < 50
