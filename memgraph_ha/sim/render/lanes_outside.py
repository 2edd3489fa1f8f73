"""The lanes of what comes from outside: faults and orders, and what clients were told."""

import itertools
import statistics
from collections.abc import Iterable, Iterator
from typing import Final

from memgraph_ha.core.facts import RequestSeen
from memgraph_ha.sim.render.model import Kind, Lane, Mark, Shape, Span, Told, Tone, Write
from memgraph_ha.sim.render.story import Entry, Story, count_of, word_of
from memgraph_ha.sim.render.words import said_of_blow, said_of_ghost, said_of_request
from memgraph_ha.trace.schema import FactLine, Ghost, GhostLine

OWN_ROWS: Final = 6
"""So many clients have a row each; more share one."""

PAUSE_S: Final = 0.3
"""A pause of writes that is shorter is not named."""

UNUSUAL: Final = 6.0
"""A pause is named if it is so many times as long as usual between two acknowledgements."""

BROKE, MENDED = 0, 1
"""The rows of the lane of faults: what was broken or ordered, and what was mended."""


def fault_lane(story: Story) -> Lane | None:
    """Draw what somebody broke, mended or asked for, and which promises were broken; None if there was nothing."""
    marks: list[Mark] = []
    asked: set[str] = set()
    for entry in story.entries:
        line = entry.line
        if isinstance(line, GhostLine):
            marks += _ghost(entry, line)
        elif isinstance(line, FactLine) and isinstance(line.fact, RequestSeen):
            request = line.fact.request
            if request.id not in asked:
                asked.add(request.id)
                marks.append(_mark(entry, Shape.DIAMOND, Tone.INFO, request.ask.value, said_of_request(request)))
    if not marks:
        return None
    return Lane(
        id="faults", kind=Kind.FAULTS, title="from outside", note="faults, orders", rows=(20, 16), marks=tuple(marks)
    )


def _mark(entry: Entry, shape: Shape, tone: Tone, label: str, text: str) -> Mark:
    return Mark(
        row=BROKE,
        at_s=entry.at_s,
        shape=shape,
        tone=tone,
        label=label,
        text=text,
        event=entry.number,
        rule_off=True,
    )


def _ghost(entry: Entry, line: GhostLine) -> Iterator[Mark]:
    match line.what:
        case Ghost.FAULT:
            yield _mark(entry, Shape.FLAG, Tone.BAD, said_of_blow(line), said_of_blow(line))
        case Ghost.VIOLATION:
            yield _mark(entry, Shape.CROSS, Tone.BAD, f"{word_of(line, 'check')} broken", said_of_ghost(line))
        case Ghost.REPAIR:
            said = said_of_blow(line)
            yield Mark(
                row=MENDED,
                at_s=entry.at_s,
                shape=Shape.RING,
                tone=Tone.OK,
                label=said,
                text=said,
                event=entry.number,
            )
        case _:
            pass


# --- clients --------------------------------------------------------------------------------------------------------


_TOLD: Final = {"acknowledged": Told.ACKNOWLEDGED, "refused": Told.REFUSED}
"""By the words of a ghost line; whatever else it says, nobody knows what became of the write."""


def writes_of(story: Story) -> tuple[Write, ...]:
    """List how writes ended, in order."""
    lines = [
        (entry.at_s, entry.line)
        for entry in story.entries
        if isinstance(entry.line, GhostLine) and entry.line.what is Ghost.WRITES
    ]
    clients = sorted({line.who for _at_s, line in lines})
    alone = len(clients) <= OWN_ROWS
    rows = {client: row if alone else 0 for row, client in enumerate(clients)}
    return tuple(
        Write(
            row=rows[line.who],
            at_s=at_s,
            client=line.who,
            told=_TOLD.get(word_of(line, "outcome"), Told.IN_DOUBT),
            count=count_of(line, "count", 1),
        )
        for at_s, line in lines
    )


def client_lane(story: Story) -> Lane | None:
    """Draw what clients were told of their writes, and when nothing was acknowledged to any of them.

    Returns:
        None if nothing is known of any client.
    """
    writes = writes_of(story)
    if not writes:
        return None
    clients = len({each.client for each in writes})
    heights = (14,) * clients if 1 < clients <= OWN_ROWS else (26,)
    return Lane(
        id="clients",
        kind=Kind.CLIENTS,
        title="clients",
        note=f"writes of {clients}" if clients > 1 else "writes",
        rows=(*heights, 16),
        writes=writes,
        spans=tuple(_pause(len(heights), *pause) for pause in pauses_of(writes)),
    )


def pauses_of(writes: Iterable[Write]) -> tuple[tuple[float, float], ...]:
    """List when clients wrote and nothing was acknowledged for unusually long: from the last before to the first after.

    Args:
        writes: In order.
    """
    acked = [each.at_s for each in writes if each.told is Told.ACKNOWLEDGED]
    steps = list(itertools.pairwise(acked))
    if not steps:
        return ()
    usual_s = statistics.median(after - before for before, after in steps)
    return tuple(step for step in steps if step[1] - step[0] > max(PAUSE_S, UNUSUAL * usual_s))


def _pause(row: int, start_s: float, end_s: float) -> Span:
    said = f"{end_s - start_s:.2f} s"
    return Span(
        row=row,
        start_s=start_s,
        end_s=end_s,
        tone=Tone.WARN,
        label=f"no write acknowledged for {said}",
        brief=said,
        spills=True,
        text=f"no write was acknowledged for {said}",
    )
