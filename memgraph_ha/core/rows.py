"""Reading what Memgraph prints: SHOW REPLICAS, SHOW STORAGE INFO, SHOW CONFIG. Pure and total.

What cannot be read becomes an unknown value, never an exception: a rule must say what it does with it.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from memgraph_ha.core.names import Address, RowName
from memgraph_ha.core.topology import Mode, Role, Row, RowStatus, StorageMode

DATABASE = "memgraph"
"""The only database of Community (semantics 10)."""

ONE_COMMIT = 2
"""By how much one auto-commit write moves MAIN's last durable timestamp when nothing came between (semantics 1)."""

_STATUS_WORDS = tuple(status for status in RowStatus if status not in (RowStatus.HALF, RowStatus.UNKNOWN))
"""What Memgraph says itself; the other two are our words for what it does not say."""


def parse_role(value: object) -> Role | None:
    """Read SHOW REPLICATION ROLE's one value; None if it is neither ``main`` nor ``replica``."""
    return next((role for role in Role if role.value == value), None)


def parse_replicas(rows: Sequence[Mapping[str, object]]) -> tuple[Row, ...]:
    """Read the rows of SHOW REPLICAS.

    Args:
        rows: One mapping per row, keyed by column: ``name``, ``socket_address``, ``sync_mode``, ``data_info``
            (semantics 2.9). ``data_info`` is a map of databases over Bolt; ``{}`` marks a half row.

    Returns:
        One `Row` per input row, in the server's order.
    """
    return tuple(_parse_row(row) for row in rows)


def _parse_row(row: Mapping[str, object]) -> Row:
    mode_word = row.get("sync_mode")
    info = row.get("data_info")
    status, ts, behind = RowStatus.UNKNOWN, None, None
    if isinstance(info, Mapping):
        if not info:
            status = RowStatus.HALF
        elif isinstance(data := info.get(DATABASE), Mapping):
            status = next((s for s in _STATUS_WORDS if s.value == data.get("status")), RowStatus.UNKNOWN)
            ts, behind = _integer(data.get("ts")), _integer(data.get("behind"))
    return Row(
        name=RowName(str(row.get("name", ""))),
        address=Address(str(row.get("socket_address", ""))),
        mode=next((m for m in Mode if m.value == mode_word), None),
        status=status,
        ts=ts,
        behind=behind,
    )


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def parse_storage_info(rows: Mapping[str, object]) -> tuple[str | None, bool | None, StorageMode]:
    """Read SHOW STORAGE INFO, given as a mapping of its key column to its value column.

    Returns:
        The ``database_uuid`` (None if the server did not say), whether the graph has no vertices and no edges
        (None if it did not say), and the storage mode. Key names differ by version (semantics 8): what is
        missing stays unknown.
    """
    uuid = rows.get("database_uuid")
    vertices, edges = _integer(rows.get("vertex_count")), _integer(rows.get("edge_count"))
    bare = None if vertices is None or edges is None else vertices == 0 and edges == 0
    word = rows.get("storage_mode")
    mode = next((m for m in StorageMode if m.value == word), StorageMode.UNKNOWN)
    return (uuid if isinstance(uuid, str) else None), bare, mode


@lru_cache(maxsize=64)
def version_tuple(text: str) -> tuple[int, ...] | None:
    """Read ``3.6.1`` (or ``3.12.0+5~abc``) as ``(3, 6, 1)``; None if it does not begin with numbers."""
    head = text.strip().split("+")[0].split("-")[0].split("~")[0]
    parts = head.split(".")
    if not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return tuple(int(part) for part in parts)
