"""The language of expectations: what it can say, and that there is no way out of it."""

import pytest

from memgraph_ha.sim.scenario.expressions import Question, parse_expression
from memgraph_ha.sim.scenario.stage import Stage

WORDS = {
    "main": Question(args=(), text="", ask=lambda _stage: "m0"),
    "pause": Question(args=(), text="", ask=lambda _stage: 1.5),
    "nobody": Question(args=(), text="", ask=lambda _stage: None),
    "twice": Question(args=("number",), text="", ask=lambda _stage, number: number * 2),
}


def _value(text: str) -> object:
    stage: Stage = None  # type: ignore[assignment]  # no question of this test looks at it
    return parse_expression(text, WORDS)(stage)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("main == m0", True),
        ("main != m0", False),
        ("main == 'm0' and pause < 2s", True),
        ("pause < 1500ms", False),
        ("pause <= 1500ms", True),
        ("pause + 0.5s >= 2s - 0.0", True),
        ("not main == m1", True),
        ("main == m1 or not (pause > 2s)", True),
        ("main in (m1, m0)", True),
        ("main in (m1)", False),
        ("twice(twice(2)) == 8", True),
        ("true and not false", True),
        ("nobody == null", True),
        ("true or false and false", True),
        ('main == "m0"', True),
        ("pause == 1.5s", True),
        ("1min == 60", True),
    ],
)
def test_what_an_expression_says(text: str, value: object) -> None:
    """Comparisons, times, lists, calls; `and` binds tighter than `or`."""
    assert _value(text) is value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "'the end' where a value"),
        ("main ==", "'the end' where a value"),
        ("main == m0 m1", "'m1' where an operator or the end"),
        ("(main == m0", r"'the end' where '\)'"),
        ("master == m0", "the word 'master', which is unknown; known are main, nobody, pause, twice"),
        ("twice == 2", "gives 0 argument.* takes number"),
        ("main(m0)", r"gives 1 argument.* takes nothing"),
        ("__import__('os')", "the word '__import__', which is unknown"),
        ("main.__class__ == 1", r"cannot be read from '\.__class__"),
        ("main == 'm0", 'cannot be read from "\'m0"'),
        ("and", "'and' where a value"),
        ("pause < 5parsecs", "cannot be read from"),
        ("main in m0", r"'m0' where '\('"),
    ],
)
def test_what_is_no_expression_is_refused_where_it_goes_wrong(text: str, says: str) -> None:
    """The text names what is there and what should be."""
    with pytest.raises(ValueError, match=says):
        parse_expression(text, WORDS)


@pytest.mark.parametrize("text", ["main < 3", "nobody < 1", "not pause", "main and true"])
def test_what_cannot_be_compared_is_no_silent_no(text: str) -> None:
    """A comparison of unlike things is an error, never false."""
    with pytest.raises(TypeError):
        _value(text)
