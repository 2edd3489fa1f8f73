"""Every hold has a page in the runbook, every page has every part, and no page speaks of a hold that is none."""

import re
from typing import Final

import pytest

from memgraph_ha.core.holds import Hold
from tests.docs.commands import commands_in, verb_of
from tests.docs.pages import RUNBOOK, Page, read

PARTS: Final = (
    "What is blocked",
    "Since when",
    "What would end it",
    "Which command",
    "How much could be lost",
    "Why it exists",
    "At 3 a.m.",
    "Afterwards",
)
INDEX: Final = "README.md"
SOURCES: Final = re.compile(r"\b(transcripts|semantics|scenarios|design)\b")
EACH_HOLD: Final = pytest.mark.parametrize("hold", Hold, ids=lambda hold: hold.word)


def page_of(hold: Hold) -> Page:
    """The page that the hold names."""
    return read(RUNBOOK / hold.page)


def test_there_is_a_page_for_each_hold_and_for_nothing_else() -> None:
    """A hold without a page, or a page without a hold, is named by the difference."""
    assert {path.name for path in RUNBOOK.iterdir()} == {hold.page for hold in Hold} | {INDEX}


@EACH_HOLD
def test_a_page_has_the_name_one_sentence_and_every_part(hold: Hold) -> None:
    """The parts stand in their order, and none is empty."""
    page = page_of(hold)
    sections = page.sections()
    assert page.title == hold.word
    assert tuple(title for title in sections if title) == PARTS
    lead = sections[""].removeprefix(f"# {hold.word}").strip()
    assert lead.endswith(".")
    assert "\n\n" not in lead
    assert all(len(sections[part]) >= len("None.") for part in PARTS)


@EACH_HOLD
def test_a_page_names_the_command_that_the_hold_names(hold: Hold) -> None:
    """Both are read by the same person in the same minute: they must not disagree."""
    commands = commands_in(hold.value.command)
    said = page_of(hold).sections()["Which command"]
    for command in commands:
        assert f"memgraph-ha {verb_of(command)}" in said


@EACH_HOLD
def test_a_page_says_where_to_see_it_and_why_it_exists(hold: Hold) -> None:
    """Status, metric and log line; and a source for the fact about Memgraph, or for the decision."""
    sections = page_of(hold).sections()
    since = re.sub(r"\s+", " ", sections["Since when"])
    assert "`memgraph-ha status`" in since
    assert f'`memgraph_ha_hold_active{{hold="{hold.word}"}}`' in since
    assert f'`"hold": "{hold.word}"`' in since
    assert SOURCES.search(sections["Why it exists"])


@EACH_HOLD
def test_the_night_part_is_numbered_steps_that_begin_with_a_look(hold: Hold) -> None:
    """Look first, then decide, then do; each step has its number."""
    steps = re.findall(r"^(\d+)\. (.*(?:\n(?!\d+\. ).*)*)", page_of(hold).sections()["At 3 a.m."], re.MULTILINE)
    assert [int(number) for number, _text in steps] == list(range(1, len(steps) + 1))
    assert len(steps) >= 3
    assert any("`" in text for _number, text in steps)


def test_the_index_lists_every_page_once() -> None:
    """Whoever comes by the index finds each name in it, with one line."""
    rows = re.findall(r"^\| \[(\w+)\]\(([\w.-]+)\) \| (.+) \|$", read(RUNBOOK / INDEX).text, re.MULTILINE)
    assert sorted((word, page) for word, page, _line in rows) == sorted((hold.word, hold.page) for hold in Hold)
