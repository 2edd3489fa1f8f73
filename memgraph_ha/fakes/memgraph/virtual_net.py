"""The network between the hosts of a `World`."""

from __future__ import annotations

import enum
from typing import Final

from attrs import define

LATENCY_S: Final = 0.0005  # one way


class Reach(enum.Enum):
    """What becomes of bytes from one instance to another."""

    OPEN = "open"
    REFUSED = "refused"  # a connection is refused, an open one is reset
    BLACK_HOLE = "black hole"  # nothing arrives, nothing is answered


@define(eq=False)
class Connection:
    """A connection to a peer's replication server.

    Attributes:
        peer: Host name.
        server: Which opening of which process's server it leads to.
    """

    peer: str
    server: object
