"""What a procedure of the model may ask of the world.

A procedure is a generator: it yields one of these values and is resumed with the outcome that the
value's docstring names.  Nothing here does anything; `driver` interprets the values with real time,
files and sockets, `virtual` with numbers.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from attrs import define, field, frozen

from .disk import Write
from .rpc import Request

if TYPE_CHECKING:
    from .locks import Waiter

T = TypeVar("T")


@define(eq=False)
class Link:
    """The one connection of a MAIN to a replica; drivers keep its socket under this key.

    Attributes:
        host: Host name or address as given to REGISTER, resolved at every connect (semantics 2.4).
        port: Replication port of the replica.
    """

    host: str
    port: int


class Failure(enum.Enum):
    """Why a `Call` got no reply."""

    REFUSED = "refused"  # nobody listens, or the name does not resolve
    UNREACHABLE = "unreachable"  # no TCP connection within the connect timeout
    TIMED_OUT = "timed out"  # connected, no reply in time
    BROKEN = "broken"  # the connection ended before the reply


class Waitable(Protocol):
    """A lock or a pool of workers: what a driver needs to wait for it."""

    def enqueue(self, waiter: Waiter) -> None:
        """Let `waiter` be woken or granted later."""

    def forget(self, waiter: Waiter) -> None:
        """Take `waiter` out of the queue, and take back what it was granted."""


@frozen
class Wait:
    """Wait for `lock`; resumed with what was granted, or None after `timeout_s` seconds.

    A waiter that was woken without a grant waits again unless `retry` now returns something.
    """

    lock: Waitable
    exclusive: bool = field(kw_only=True)
    timeout_s: float | None = field(kw_only=True)
    retry: Callable[[], object] = field(kw_only=True, default=lambda: None)


@frozen
class Call:
    """Send `request` over `link`, connecting first if need be; resumed with a `Reply` or a `Failure`.

    After any failure the connection is closed; the next call connects anew.  A connection whose peer
    went away since the last call fails with `BROKEN` once (transcripts Q1: the first write after a
    replica's quick restart).

    Attributes:
        timeout_s: Seconds to wait for the reply.
        connect_timeout_s: Seconds to wait for the TCP connection.
    """

    link: Link
    request: Request
    timeout_s: float = field(kw_only=True)
    connect_timeout_s: float = field(kw_only=True)


@frozen
class Hangup:
    """Close `link`; a call in flight on it fails with `BROKEN`.  Resumed with None."""

    link: Link


@frozen
class Sleep:
    """Let `seconds` pass; resumed with None.  Zero lets everything else that is ready go first."""

    seconds: float


@frozen
class Clock:
    """Resumed with the monotonic time in seconds."""


@frozen
class Calendar:
    """Resumed with the wall-clock time in whole nanoseconds since 1970."""


@frozen
class Persist:
    """Make `writes` durable in this order; resumed with the monotonic time in seconds.

    `StorageError` is thrown into the procedure if the disk does not take them; then none of the
    writes that were not complete will ever be read back.
    """

    writes: tuple[Write, ...]


@frozen
class ReadSnapshot:
    """Read the snapshot file at `path`; resumed with a `Snapshot`.

    `StorageError` is thrown into the procedure if there is none or it is damaged.
    """

    path: str


@frozen
class ListSnapshots:
    """Resumed with a tuple of (name, size in bytes) of the finished snapshots, oldest first."""


@frozen
class Listen:
    """Open the replication server on `port`; resumed with True, or False if it cannot be bound."""

    port: int


@frozen
class Unlisten:
    """Close the replication server and its connections; resumed with None."""


@frozen
class Spawn:
    """Run `procedure` beside this one; resumed with None at once."""

    procedure: Procedure[None]


@frozen
class Offload:
    """Run `function`, which only computes, without stopping the rest; resumed with its result.

    A `MemgraphError` that it raises is thrown into the procedure.

    Attributes:
        takes_s: Seconds it takes in virtual time.
    """

    function: Callable[[], object]
    takes_s: float = 0.0


@frozen
class Die:
    """The process ends by this signal number, as a crash does; never resumed."""

    signal: int


@frozen
class Hang:
    """The thread that runs this procedure never goes on; never resumed."""


Effect: TypeAlias = (
    Wait
    | Call
    | Hangup
    | Sleep
    | Clock
    | Calendar
    | Persist
    | ReadSnapshot
    | ListSnapshots
    | Listen
    | Unlisten
    | Spawn
    | Offload
    | Die
    | Hang
)
Procedure: TypeAlias = Generator[Effect, object, T]
