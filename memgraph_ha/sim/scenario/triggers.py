"""Instants that nobody knows beforehand: an event, a state, a command on its way."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, get_args

from attrs import define, frozen

from memgraph_ha.core.commands import Command
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.scenario.events import EVENTS
from memgraph_ha.sim.scenario.model import When

if TYPE_CHECKING:
    from memgraph_ha.sim.scenario.stage import Stage

Come = Callable[[], bool]
"""Whether an instant has come; asked again and again, and once may be enough."""


def command_word(name: str) -> str:
    """Write the name of a command as scenarios do: ``write-record`` for ``WriteRecord``."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


COMMANDS: Final = tuple(sorted(command_word(kind.__name__) for kind in get_args(Command)))
"""Every command that a controller can send, as scenarios write it."""

STEP: Final = re.compile(r"(before|after) (\d+|[a-z-]+)(?: (\w+))?")


@frozen(kw_only=True)
class Step:
    """A command on its way to one instance or to the record.

    Attributes:
        after: Right after it was done; otherwise right before it is sent.
        number: The how-manieth command; None if it is named.
        word: Its name; None if it is counted.
        on: The instance that it is for; None for any.
    """

    after: bool
    number: int | None = None
    word: str | None = None
    on: str | None = None


def parse_step(text: str) -> Step:
    """Read ``before promote m1``, ``after write-record``, ``before 3``.

    Raises:
        ValueError: It is none of these; the text says what may be written.
    """
    found = STEP.fullmatch(text)
    if found is None or (not found[2].isdigit() and found[2] not in COMMANDS):
        raise ValueError(
            f"is no step; write 'before' or 'after', then a number or one of {', '.join(COMMANDS)}, "
            "then the instance it is for if that matters, e.g. 'before promote m1'"
        )
    number = int(found[2]) if found[2].isdigit() else None
    return Step(after=found[1] == "after", number=number, word=None if number else found[2], on=found[3])


def parse_event(text: str) -> tuple[str, str]:
    """Read ``promoted m1``, ``opened``, ``holding NoSafeCandidate``.

    Returns:
        The word and what it is of, empty if it is of nothing.

    Raises:
        ValueError: It is none of the events; the text lists them.
    """
    word, _, of = text.partition(" ")
    event = EVENTS.get(word)
    if event is None:
        raise ValueError(f"is no event; known are {', '.join(EVENTS)}")
    if bool(of) is not bool(event.of):
        raise ValueError(f"names {of or 'nothing'!r}; {word!r} is of {event.of or 'nothing'}")
    if event.of == "hold" and of not in [hold.word for hold in Hold]:
        raise ValueError(f"names the hold {of!r}; known are {', '.join(hold.word for hold in Hold)}")
    return word, of


@define
class Edge:
    """Waits for a key to become another one."""

    key: Callable[[], object]
    last: object

    def come(self) -> bool:
        """Whether it is another one than when it was last asked."""
        before, self.last = self.last, self.key()
        return self.last is not None and self.last != before


def armed(stage: Stage, when: When, act: Callable[[], None]) -> Come | None:
    """Begin to wait for an instant.

    Args:
        stage: Where.
        when: Which; one with ``after``, ``once`` or ``step``.
        act: For a step, which cannot wait until somebody asks: what is done in the very instant.

    Returns:
        What tells whether it has come; None for a step: ``act`` is called then.
    """
    if when.after is not None:
        word, of = parse_event(when.after)
        event = EVENTS[word]
        name = str(stage.instance(of)) if event.of == "instance" else of
        edge = Edge(lambda: event.key(stage, name), event.key(stage, name))
        return edge.come
    if when.once is not None:
        holds = stage.asking(when.once)
        return lambda: holds(stage) is True
    stage.trap(parse_step(str(when.step)), act)
    return None
