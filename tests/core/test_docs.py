"""The reference is made from the code, and the code's docstrings say what the reference needs."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.view import View
from scripts import generate_docs as docs
from scripts.in_step import REFERENCE, stale
from tests.core.views import HEALTHY, answer

ORDER = [rule.id for rule in RULES]


def test_the_committed_reference_is_in_step_with_the_code() -> None:
    """Whoever changes a rule, a policy, a message or a command regenerates the pages (`make docs`)."""
    assert stale(docs.pages(), REFERENCE) == []
    assert docs.main(["--check"]) == 0


@pytest.mark.parametrize("page", list(docs.MAKERS))
def test_a_page_that_is_not_in_step_is_named(page: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A changed or a missing page fails the check; writing mends it."""
    folder = tmp_path / "reference"
    shutil.copytree(REFERENCE, folder)
    (folder / page).write_text((folder / page).read_text() + "by hand\n")
    assert docs.main(["--check", "--folder", str(folder)]) == 1
    (folder / page).unlink()
    assert docs.main(["--check", "--folder", str(folder)]) == 1
    assert capsys.readouterr().out.count(page) == 2
    assert docs.main(["--folder", str(folder)]) == 0
    assert docs.main(["--check", "--folder", str(folder)]) == 0


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_each_rule_says_when_then_what_it_protects_and_why(rule: Rule) -> None:
    """When, Then, Protects and Source are there, the order that it states is true, and its promises exist."""
    text = docs.read_rule(rule)
    assert text.summary.endswith(".")
    assert all(text.sections[name] for name in ("When", "Then", "Protects", "Source"))
    docs.check_order(text, ORDER)
    docs.promises_of(text)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_listed_guards_are_those_that_explain_shows(rule: Rule) -> None:
    """What stops a rule in the healthy cluster is a guard of the reference, unless a helper asks it."""
    found = answer(HEALTHY, rule.id)
    guards = docs.guards_of(rule)
    if isinstance(found, Unmet) and guards:
        assert found.guard in guards


def planted(text: str) -> Rule:
    """A rule with that docstring."""

    def decide(_view: View) -> Decision | Unmet:
        return Unmet("planted")

    decide.__doc__ = text
    return Rule("L30", decide)


GOOD = "Do it.\n\nWhen: now.\nThen: that.\nProtects: SINGLE_WRITER.\nAfter: L20.  Before: O20.\nSource: design 4.\n"


def check(text: str) -> None:
    """Everything that the script checks of a docstring."""
    read = docs.read_rule(planted(text))
    docs.check_order(read, ORDER)
    docs.promises_of(read)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("When: now.\n", ""), "rule L30: its docstring has no section 'When'"),
        (GOOD.replace("Source: design 4.\n", ""), "rule L30: its docstring has no section 'Source'"),
        (GOOD.replace("Then: that.", "Then: that.\nThen: this."), "two sections 'Then'"),
        (GOOD.replace("After: L20.", "After: O20."), "it says After O20, but RULES has it the other way round"),
        (GOOD.replace("Before: O20.", "Before: L10-L20."), "it says Before L10, but RULES has it the other way"),
        (GOOD.replace("After: L20.", "After: Q99."), "After names Q99, which is no rule"),
        (GOOD.replace("After: L20.", "After: L30."), "it says After L30, but RULES has it the other way round"),
        (GOOD.replace("SINGLE_WRITER", "SINGLE_READER"), "it protects SINGLE_READER, which is no promise"),
        ("", "rule L30: its docstring has no section 'When'"),
    ],
)
def test_a_docstring_that_is_not_true_is_refused(text: str, says: str) -> None:
    """The text names rule and section."""
    with pytest.raises(docs.DocsError, match=says):
        check(text)


def test_a_docstring_that_is_true_is_taken_apart() -> None:
    """Sections may share a line, and continue on the next."""
    read = docs.read_rule(planted(GOOD.replace("now.", "now,\n    and then.")))
    assert read.summary == "Do it."
    assert read.sections == {
        "When": "now, and then.",
        "Then": "that.",
        "Protects": "SINGLE_WRITER.",
        "After": "L20.",
        "Before": "O20.",
        "Source": "design 4.",
    }
    check(GOOD)


def test_every_hold_is_named_by_some_rule() -> None:
    """No hold is left over: each has a rule that can name it, also those that come from a table."""
    found = {hold for rule in RULES for hold in docs.holds_of(rule)}
    assert found == set(Hold)


def test_every_page_is_made_from_something() -> None:
    """Each is a heading and a table at least, and says that it is made."""
    makers: dict[str, Callable[[], str]] = docs.MAKERS
    for name, text in docs.pages().items():
        assert name in makers
        assert text.startswith("<!-- made by scripts/generate_docs.py")
        assert "\n# " in text
        assert "| --- |" in text
