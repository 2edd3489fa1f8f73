"""What an instance stored, and moving it out of the way: the same on one machine and on a volume of Kubernetes."""

import errno
import os
from pathlib import Path
from typing import Final

from memgraph_ha.adapters.files_atomic import free_name, sync_directory

STORED: Final = ("snapshots", "wal", "text_indices")
"""What holds the data set in Memgraph's directory (semantics 1), in the order in which it is moved.

Without the first two a replica starts empty, keeps its role, its port and the MAIN that it accepted, and resyncs
(transcripts Q11: 9 of 9 in each case, i5). Role and rows (``replication``), the data set's uuid (``databases``),
accounts, triggers and settings stay. The third holds the documents of text indexes, which a recovery reads as they
are if they are there, and makes anew if not (src/storage/v2/indices/text_index.cpp, ``RecoverIndex``).
Snapshots go first: with the log alone Memgraph starts on the whole of its past or not at all ("There are missing
prefix WAL files", src/storage/v2/durability/durability.cpp), with snapshots alone on half of it.
"""


def move_stored(data: Path, into: Path) -> None:
    """Move what is stored somewhere else, so that it survives a power cut; also the rest, after a try that was cut off.

    Args:
        data: Memgraph's data directory; no process may use it.
        into: A directory on the same disk; what is there already stays.

    Raises:
        OSError: It could not be done, or perhaps only in part: Memgraph must not start on what is left.
    """
    for name in STORED:
        source = data / name
        if os.path.lexists(source):
            source.rename(free_name(into, name))
    for directory in (into, data):
        # A power cut must not bring data back for which there is no order any more.
        if not sync_directory(directory):
            raise OSError(errno.EIO, "could not be synced", str(directory))
