"""Small words: lengths of time, moments, values of the policy, and what is cleaned of other people's texts."""

import re

import pytest

from memgraph_ha.operate.documents import Changed, Doctor, Instance, clean, structured
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.paint import moment, plain, span
from memgraph_ha.operate.places import parse_server


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1.0, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10.0, "10 s"),
        (119.4, "119 s"),
        (120.0, "2 min"),
        (7199.0, "120 min"),
        (7200.0, "2 h"),
        (172_799.0, "48 h"),
        (172_800.0, "2 d"),
    ],
)
def test_lengths_of_time(seconds: float, words: str) -> None:
    """Exact while short, coarse when long, never negative: two clocks may disagree."""
    assert span(seconds) == words


def test_moments() -> None:
    """They sort as text, in the operator's zone; one that no calendar knows is still shown."""
    assert re.fullmatch(r"2025-11-2\d \d\d:\d\d:20", moment(1_763_900_000))
    assert moment(1e300) == "1e+300 s"


def test_values_of_the_policy() -> None:
    """As they stand in a file: whole numbers without a point, lists with commas, nothing as a dash."""
    assert [plain(value) for value in (5.0, 0.25, 3, "required", [], ["a", "b"])] == [
        "5",
        "0.25",
        "3",
        "required",
        "-",
        "a, b",
    ]


def test_control_characters_are_replaced() -> None:
    """Everything that drives a terminal, in seven and in eight bits; lines and tabs stay."""
    assert clean("a\x1b[31m\x9b2J\x00\x7f\r\n\tü") == "a\ufffd[31m\ufffd2J\ufffd\ufffd\ufffd\n\tü"


def test_answers_are_read_strictly_where_it_matters() -> None:
    """A wrong type is named with its place; absent texts are empty, unknown fields are passed over, values stay."""
    with pytest.raises(OperateError, match="instance") as refused:
        structured(Doctor, {"checks": [{"check": "wal", "says": "no", "instance": 5}]})
    assert refused.value.code is Exit.UNREACHABLE
    with pytest.raises(OperateError, match="healthy"):
        structured(Instance, {"name": "a", "healthy": "yes"})
    assert not structured(Instance, {"name": "a", "bolt": None, "new": 1}).bolt
    assert structured(Changed, {"name": "a", "old": ["b"], "new": {"c": 1}}).new == {"c": 1}


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("localhost:8080", "http://localhost:8080"),
        ("http://h/", "http://h"),
        ("https://h.example/ha/", "https://h.example/ha"),
        ("[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_addresses(given: str, url: str) -> None:
    """A scheme may be left out, a path may be there."""
    assert parse_server(given) == url
