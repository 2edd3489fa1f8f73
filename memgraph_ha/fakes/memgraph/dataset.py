"""The data of an instance in pieces: what goes into snapshots and over the wire to an empty replica."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from .disk import JsonMap
from .graph import Graph

# Objects in one part: bounds a frame on the wire and a line of a snapshot file.
PART_ITEMS: Final = 1000


def parts(graph: Graph) -> Iterator[JsonMap]:
    """Return the committed graph in bounded parts: as it is now, whenever they are taken."""
    return _cut(graph.dump())


def _cut(dump: JsonMap) -> Iterator[JsonMap]:
    small = {key: value for key, value in dump.items() if not isinstance(value, list)}
    yield {"values": small, "lists": [key for key, value in dump.items() if isinstance(value, list)]}
    for key, value in dump.items():
        if isinstance(value, list):
            for start in range(0, len(value), PART_ITEMS):
                yield {"key": key, "items": value[start : start + PART_ITEMS]}


def load(graph: Graph, pieces: Iterable[JsonMap]) -> None:
    """Replace the graph by what `parts` yielded.

    Raises:
        DeltaError: The pieces are not those of a graph.
    """
    dump: dict[str, Any] = {}
    for piece in pieces:
        if "values" in piece:
            dump.update(piece["values"])
            dump.update({key: [] for key in piece["lists"]})
        else:
            dump.setdefault(piece["key"], []).extend(piece["items"])
    graph.load(dump)


def count(pieces: Iterable[JsonMap], key: str) -> int:
    """Return how many objects of a kind (`nodes`, `edges`) have arrived so far (transcripts Q13)."""
    return sum(len(piece["items"]) for piece in pieces if piece.get("key") == key)


def snapshot_name(nanoseconds: int, ldt: int) -> str:
    """Return a file name as Memgraph gives it, e.g. `20261122213733472499_timestamp_5` (Q3).

    Args:
        nanoseconds: Wall-clock time since 1970.
        ldt: Last durable timestamp of the snapshot.
    """
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=nanoseconds // 1000)
    return f"{when:%Y%m%d%H%M%S%f}_timestamp_{ldt}"
