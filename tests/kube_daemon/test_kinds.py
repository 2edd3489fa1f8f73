"""How values are read: every spelling that the predecessor took, and nothing that could be meant otherwise."""

import pytest

from memgraph_ha.kube.kinds import IP, PORT, Flag, Kind, Listen, NotAllowedError, Seconds, Whole, Word, name, said

ALL = "0.0.0.0"  # noqa: S104 - nothing listens there
IDLE = Seconds(60, 86400, or_zero=True)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (Seconds(0.001, 3600), "30s", 30.0),
        (Seconds(0.001, 3600), "1m30s", 90.0),
        (Seconds(0.001, 3600), "500ms", 0.5),
        (Seconds(0.001, 3600), "1.5m", 90.0),
        (Seconds(0.001, 3600), "1h", 3600.0),
        (Seconds(0.001, 3600), "45", 45.0),
        (IDLE, "0", 0.0),
        (IDLE, "0s", 0.0),
        (PORT, "7687", 7687),
        (Whole(0, 3), "0", 0),
        (Flag(), "true", True),
        (Flag(), "YES", True),
        (Flag(), "1", True),
        (Flag(), "T", True),
        (Flag(), "off", False),
        (Flag(), "False", False),
        (Word({"json": 1, "text": 2}), "JSON", 1),
        (Listen(), "0.0.0.0:7687", (ALL, 7687)),
        (Listen(), ":7687", (ALL, 7687)),
        (Listen(), "[::1]:7687", ("::1", 7687)),
        (Listen(), "10.1.2.3:1", ("10.1.2.3", 1)),
        (IP, "::0001", "::1"),
        (name(5), "a-1", "a-1"),
    ],
)
def test_what_is_taken(kind: Kind[object], text: str, value: object) -> None:
    """Each spelling gives its value."""
    assert kind.read(text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Seconds(1, 300), "0.5s"),
        (Seconds(1, 300), "6m"),
        (Seconds(1, 300), "0"),
        (Seconds(1, 300), "5 s"),
        (Seconds(1, 300), "-5s"),
        (Seconds(1, 300), "5sec"),
        (Seconds(1, 300), "1e2"),
        (Seconds(1, 300), "nan"),
        (IDLE, "30s"),
        (PORT, "0"),
        (PORT, "65536"),
        (PORT, "+1"),
        (PORT, "1_0"),
        (PORT, "\u0667"),
        (PORT, "9" * 30),
        (Flag(), "2"),
        (Flag(), "enabled"),
        (Word({"json": 1}), "yaml"),
        (Listen(), "localhost:7687"),
        (Listen(), "::1:7687"),
        (Listen(), "7687"),
        (Listen(), "1.2.3.4:"),
        (Listen(), "1.2.3.4:0"),
        (Listen(), "[1.2.3.4:80"),
        (IP, "1.2.3"),
        (name(5), "abcdef"),
        (name(5), "-a"),
        (name(5), "a_b"),
        (name(5), "A"),
        (name(5), "a\n"),
    ],
)
def test_what_is_refused(kind: Kind[object], text: str) -> None:
    """Each is refused, and the kind can say what is allowed."""
    assert kind.allowed
    with pytest.raises(NotAllowedError):
        kind.read(text)


@pytest.mark.parametrize(("seconds", "words"), [(0.5, "0.5s"), (60, "1m"), (90, "90s"), (7200, "2h"), (86400, "24h")])
def test_durations_are_said_as_they_may_be_given(seconds: float, words: str) -> None:
    """What an error says can be pasted back."""
    assert said(seconds) == words
    assert Seconds(0, 1e6).read(words) == seconds
