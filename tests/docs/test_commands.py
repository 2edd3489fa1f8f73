"""Every command of ours that a page shows exists, with the options and the arguments that it shows."""

import pytest

from memgraph_ha.core.holds import Hold
from tests.docs.commands import commands_in, complaint, ours_in, shown_on
from tests.docs.pages import Page, every_page


@pytest.mark.parametrize("page", every_page(), ids=lambda page: page.name)
def test_every_command_that_a_page_shows_can_be_typed(page: Page) -> None:
    """What would be refused as a usage error is listed, with the line of the page."""
    wrong = {
        line: why for line in shown_on(page) for words in commands_in(line) if (why := complaint(words)) is not None
    }
    assert wrong == {}


@pytest.mark.parametrize("hold", Hold, ids=lambda hold: hold.word)
def test_the_command_of_a_hold_can_be_typed(hold: Hold) -> None:
    """The status shows it to somebody who is in a hurry."""
    assert [why for words in commands_in(hold.value.command) if (why := complaint(words))] == []
    assert bool(commands_in(hold.value.command)) == bool(hold.value.command)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("memgraph-ha lokal", "has no command"),
        ("memgraph-ha local --dta X", "No such option"),
        ("memgraph-ha local X", "takes no"),
        ("memgraph-ha demo --kills", "requires an argument"),
        (".venv/bin/memgraph-ha", "has no command"),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, says: str) -> None:
    """The check itself can fail."""
    assert says in (complaint(ours_in(line)) or "")


def test_commands_are_found_among_other_programs() -> None:
    """Only what the shell would run is ours: not a path that ends like it, not what stands after a pipe."""
    assert ours_in("cat DIR/memgraph-ha") == []
    assert ours_in("memgraph-ha local --stop | tee log") == ["local", "--stop"]
    assert ours_in("nohup .venv/bin/memgraph-ha local &") == ["local"]
    assert commands_in("memgraph-ha failover --accept-data-loss X, or memgraph-ha reinit X") == [
        ["failover", "--accept-data-loss", "X"],
        ["reinit", "X"],
    ]
