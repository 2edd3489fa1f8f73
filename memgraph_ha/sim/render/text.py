"""A timeline as text: one line per event, in columns that stand still, for terminals and for `diff`."""

from collections.abc import Iterator
from typing import Final

from memgraph_ha.sim.render.model import Timeline, Tone

SIGNS: Final = {Tone.OK: "+", Tone.INFO: ">", Tone.SOFT: " ", Tone.WARN: "~", Tone.BAD: "!"}
"""How an event is meant, where there is no colour."""


def text_lines(timeline: Timeline, *, seq: bool = False) -> Iterator[str]:
    """Write a timeline line by line.

    Args:
        timeline: What to write.
        seq: Whether each line begins with its number for `sim explain`; without it two runs can be compared.
    """
    who = max((len(_plain(event.who)) for event in timeline.events), default=0)
    what = max((len(event.what) for event in timeline.events), default=0)
    for event in timeline.events:
        number = f"{'' if event.seq is None else event.seq:>7} " if seq else ""
        when = f"{number}{event.at_s:10.3f} {SIGNS[event.tone]}"
        yield f"{when} {_plain(event.who):<{who}}  {event.what:<{what}}  {_plain(event.text)}"


def _plain(text: str) -> str:
    """Write a text on one line, without what could command a terminal."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def summary_lines(timeline: Timeline) -> Iterator[str]:
    """Write what is read first: the verdict, its figures, and what was left out."""
    yield f"{timeline.title}: {'; '.join(timeline.origin)}"
    yield timeline.verdict
    yield from timeline.lines
    for turn in timeline.turns:
        yield f"{turn.start_s:.3f} to {turn.end_s:.3f} s: {turn.title}. {turn.text}"
    yield from timeline.left_out
