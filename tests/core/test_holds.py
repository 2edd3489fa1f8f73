"""Every hold says what waits, what ends it, which command helps and what is at stake."""

import re

import pytest

from memgraph_ha.core.holds import Hold
from memgraph_ha.core.requests import Ask

VERBS = {ask.value for ask in Ask} | {"policy", "doctor"}


@pytest.mark.parametrize("hold", Hold, ids=lambda hold: hold.word)
def test_each_hold_has_all_its_texts(hold: Hold) -> None:
    """None is empty, and none is a sentence of its own: they are put into one."""
    wait = hold.value
    for text in (wait.blocked, wait.ends, wait.risk):
        assert text.strip() == text
        assert len(text) > 3
        assert not text.endswith(".")


@pytest.mark.parametrize("hold", Hold, ids=lambda hold: hold.word)
def test_each_command_is_one_that_exists(hold: Hold) -> None:
    """A hold that sends an operator to a verb that is none is worse than silence."""
    for verb in re.findall(r"memgraph-ha (\S+)", hold.value.command):
        assert verb in VERBS
    assert not hold.value.command or hold.value.command.startswith("memgraph-ha ")


def test_holds_are_told_apart() -> None:
    """No two say the same, or members of an enumeration would be one."""
    assert len({hold.value for hold in Hold}) == len(Hold.__members__)


def test_the_words_and_pages_are_made_from_the_name() -> None:
    """As operators see them, and as the runbook files them."""
    assert (Hold.NO_SAFE_CANDIDATE.word, Hold.NO_SAFE_CANDIDATE.page) == ("NoSafeCandidate", "no-safe-candidate.md")
    assert (Hold.TILT.word, Hold.TILT.page) == ("Tilt", "tilt.md")
    assert len({hold.page for hold in Hold}) == len(Hold)
