"""The lease of `memgraph-ha local`: which of several controllers on one data directory leads.

To the rule of `lease_campaign` one short cut is added, for all of this happens on one machine: a lease whose holder's
process is gone is taken at once. That is safe, because a process that is gone relays nothing: the kernel closed its
sockets before it could be seen as ended (`ProcessHandle.ended`). It holds only for a holder that this process could
see at all (same boot, same pid name space); any other is waited for.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import trio

from memgraph_ha.adapters.files_atomic import AtomicFile, Clock, ForeignFileError, NothingChangedError, in_thread
from memgraph_ha.adapters.files_lease_note import see, to_bytes
from memgraph_ha.adapters.lease_campaign import Campaign, LeaseTroubleError
from memgraph_ha.adapters.lease_note import LeaseNote, Sight
from memgraph_ha.adapters.process_os import own_identity
from memgraph_ha.core.policy import Policy

T = TypeVar("T")

_LOOK_S: Final = 0.1
"""Pause between two looks at somebody else's lease: bounds how long a killed holder goes unnoticed."""

_RETRY_S: Final = 0.2
"""Least time between the starts of two renewals, where the first one failed."""


class FileLease(Campaign):
    """Implements `Lease` on one file, for any number of processes on one machine.

    Error handling: as `Campaign`. Resource handling: file work runs in worker threads of its own (at most four), each
    waited for until policy ``command_deadline_s``.

    Args:
        path: The lease's file; its directory must exist. ``<path>.lock`` is made beside it and must stay: it is
            how a removed lease is told from one that never was.
        holder: The name of this controller, for people.
        policy: ``lease_duration_s``, ``lease_renew_s``, ``command_deadline_s``.
        clock: Seconds on CLOCK_BOOTTIME.
        floor: The highest generation known so far.
    """

    def __init__(self, path: Path, *, holder: str, policy: Policy, clock: Clock, floor: int = 0) -> None:
        super().__init__(
            _LeaseFile(path, clock),
            holder=holder,
            policy=policy,
            clock=clock,
            floor=floor,
            look_s=_LOOK_S,
            retry_s=_RETRY_S,
        )


class _LeaseFile:
    """Implements `LeaseBox`."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._file = AtomicFile(path, clock)
        self._clock = clock
        self._process = own_identity()
        self._limiter = trio.CapacityLimiter(4)

    @property
    def where(self) -> str:
        return str(self._file.path)

    async def look(self, *, timeout_s: float) -> Sight:
        def read() -> Sight:
            content = self._file.read()
            ever = content is not None or self._file.ever_written()
            return see(content, ever=ever, where=self.where)

        return await self._in_thread(read, timeout_s)

    async def swap(self, note: LeaseNote, sight: Sight, *, until_s: float) -> bool:
        def swap() -> bool:
            return self._file.swap(to_bytes(note, self._process), expected=sight.token, until_s=until_s).done

        return await self._in_thread(swap, until_s - self._clock())

    async def _in_thread(self, work: Callable[[], T], timeout_s: float) -> T:
        try:
            return await in_thread(work, timeout_s=timeout_s, limiter=self._limiter)
        except trio.TooSlowError:
            raise LeaseTroubleError("the disk gave no answer in time") from None
        except (OSError, ForeignFileError, NothingChangedError) as error:
            raise LeaseTroubleError(str(error)) from error
