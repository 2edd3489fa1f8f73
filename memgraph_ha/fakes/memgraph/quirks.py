"""What differs between Memgraph versions, as data (semantics 0.1, 3.3, 8, 9; scenarios 1.9)."""

from __future__ import annotations

import enum
from typing import Final

from attrs import evolve, frozen


class StorageInfo(enum.Enum):
    """Forms of SHOW STORAGE INFO (semantics 8)."""

    PLAIN = "plain"  # one list of sixteen rows, no `ON DATABASE`
    GRAPH_MEMORY = "graph memory"  # 3.9: two rows more
    ON_DATABASE = "on database"  # 3.10: plain form renamed, `ON DATABASE` added
    SPLIT = "split"  # 3.11: plain is instance-wide, no counts, no uuid


@frozen(kw_only=True)
class Quirks:
    """Version-dependent behaviour that a client or a controller can see.

    Attributes:
        bolt_versions: Versions the handshake accepts.
        storage_info: Form of SHOW STORAGE INFO.
        database_state_rows: `state` and `health` in SHOW STORAGE INFO ON DATABASE (3.12).
        sync_failure_is_transient: A failed SYNC or STRICT_SYNC commit is a TransientError on PULL.
        replica_named_in_commit_error: The commit errors of 3.10, which name the replica.
        promotion_drops_prepared: Promotion ends a prepared two-phase transaction (3.8).
        prepare_needs_role_lock: A replica refuses PrepareCommit while its role changes (3.9).
        close_aborts_rpc: DROP and demotion end an RPC in flight instead of waiting for it (3.10).
        caches_diverged_ts: A diverged replica's own timestamp shows in SHOW REPLICAS (up to 3.11).
        epoch_mislabelled: A log begun under a new epoch keeps the old one's label (3.5: issue #3353).
        unknown_flags: Flags of other versions that end the start (semantics 0.1, 5).
    """

    bolt_versions: frozenset[tuple[int, int]] = frozenset({(1, 0), (4, 0), (4, 1), (4, 3), (5, 2)})
    storage_info: StorageInfo = StorageInfo.PLAIN
    database_state_rows: bool = False
    sync_failure_is_transient: bool = True
    replica_named_in_commit_error: bool = False
    promotion_drops_prepared: bool = False
    prepare_needs_role_lock: bool = False
    close_aborts_rpc: bool = False
    caches_diverged_ts: bool = True
    epoch_mislabelled: bool = False
    unknown_flags: frozenset[str] = frozenset()


_V3_6: Final = Quirks()
_V3_5: Final = evolve(_V3_6, epoch_mislabelled=True)
_V3_8: Final = evolve(
    _V3_6,
    sync_failure_is_transient=False,
    promotion_drops_prepared=True,
    unknown_flags=frozenset({"bolt_session_inactivity_timeout"}),
)
_V3_9: Final = evolve(_V3_8, prepare_needs_role_lock=True, storage_info=StorageInfo.GRAPH_MEMORY)
_V3_10: Final = evolve(
    _V3_9,
    close_aborts_rpc=True,
    replica_named_in_commit_error=True,
    storage_info=StorageInfo.ON_DATABASE,
)
_V3_11: Final = evolve(_V3_10, storage_info=StorageInfo.SPLIT)
_V3_12: Final = evolve(
    _V3_11,
    bolt_versions=_V3_11.bolt_versions | {(4, 4)},
    caches_diverged_ts=False,
    database_state_rows=True,
)

# The first version from which each set of quirks holds, oldest first.
_SINCE: Final[tuple[tuple[tuple[int, int], Quirks], ...]] = (
    ((3, 5), _V3_5),
    ((3, 6), _V3_6),
    ((3, 8), _V3_8),
    ((3, 9), _V3_9),
    ((3, 10), _V3_10),
    ((3, 11), _V3_11),
    ((3, 12), _V3_12),
)


def quirks_of(version: str) -> Quirks:
    """Return the quirks of a Memgraph version.

    Args:
        version: Such as `3.6.1`; 3.5 to 3.12 are known.

    Raises:
        ValueError: The version is malformed or unknown.
    """
    parts = version.split(".")
    if len(parts) != 3 or not all(part.isdecimal() for part in parts):  # noqa: PLR2004 - major.minor.patch
        raise ValueError(f"version {version!r} is not of the form 3.6.1; give major.minor.patch")
    number = (int(parts[0]), int(parts[1]))
    known = [quirks for since, quirks in _SINCE if since <= number]
    if not known or number > _SINCE[-1][0]:
        raise ValueError(f"version {version!r} is not known to the fake; give one from 3.5.0 to 3.12.x")
    return known[-1]
