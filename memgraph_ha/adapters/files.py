"""The record of `memgraph-ha local`: a file with the same compare-and-set contract as a ConfigMap.

The file holds one JSON object: ``write``, a random id of the write, so that no two versions are ever equal, and
``record``, the record itself. The version token is the hash of the bytes: a change by hand is a new version too.
"""

import errno
import functools
import json
import secrets
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from memgraph_ha.adapters.files_atomic import (
    AtomicFile,
    Clock,
    ForeignFileError,
    NothingChangedError,
    in_thread,
    token_of,
)
from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.errors import RecordError
from memgraph_ha.core.facts import CommandEnded, Outcome, RecordSeen, RecordTrouble
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import Token
from memgraph_ha.core.record import Record
from memgraph_ha.core.record_json import SCHEMA, dump_record, parse_record

_CHANGE_SHARE, _WAIT_SHARE = 0.7, 0.85
"""Parts of a write's deadline: after the first nothing is changed any more, after the second its thread is left
behind, and what remains is for reading back."""

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@frozen(kw_only=True)
class _Ending:
    """How an attempt to write ended, without its time."""

    outcome: Outcome
    error: ErrorClass | None = None
    detail: str = ""


class FileRecordStore:
    """Implements `RecordStore` on one file, for any number of processes on one machine.

    Error handling: nothing is raised; what goes wrong is in the facts. Resource handling: file work runs in worker
    threads of its own (at most four), each waited for until its deadline.

    Args:
        path: The record's file; its directory must exist. ``<path>.lock`` is made beside it.
        clock: Seconds on CLOCK_BOOTTIME.
        deadline_s: Longest time for a read or a write, policy ``command_deadline_s``.
    """

    def __init__(self, path: Path, clock: Clock, *, deadline_s: float = 5.0) -> None:
        self._file = AtomicFile(path, clock)
        self._clock = clock
        self._deadline_s = deadline_s
        self._limiter = trio.CapacityLimiter(4)

    async def read(self) -> RecordSeen:
        """Read the record; trouble is in the fact.

        ``INVALID``: there is something, but no record of ours. ``NEWER_SCHEMA``: a newer version wrote it.
        ``UNREADABLE``: it cannot be read now.
        """
        return await self._look(self._deadline_s)

    async def write(self, command: WriteRecord, report: Report) -> CommandEnded:
        """Compare-and-set, then read back and report what is there now.

        ``REFUSED``: another version was there, or the disk is full or failing; ``NOT_SENT``: the lock could not be
        had in time, or this process stood still too long; in both nothing was changed. ``UNKNOWN``: no answer of the
        disk in time, or the new version is there but may not survive a power cut.
        """
        began_s = self._clock()
        ending = await self._swap(command, began_s)
        report(await self._look(began_s + self._deadline_s - self._clock()))
        return CommandEnded(
            at_s=self._clock(), command=command, outcome=ending.outcome, error=ending.error, detail=ending.detail
        )

    async def _swap(self, command: WriteRecord, began_s: float) -> _Ending:
        content = _to_bytes(command.record)
        until_s = began_s + self._deadline_s * _CHANGE_SHARE
        work = functools.partial(self._file.swap, content, expected=command.expected, until_s=until_s)
        path = self._file.path
        try:
            swap = await in_thread(work, timeout_s=self._deadline_s * _WAIT_SHARE, limiter=self._limiter)
        except NothingChangedError as error:
            return _Ending(outcome=Outcome.NOT_SENT, detail=str(error))
        except ForeignFileError as error:
            return _Ending(outcome=Outcome.REFUSED, detail=str(error))
        except trio.TooSlowError:
            detail = f"the disk under {path} gave no answer in time"
            return _Ending(outcome=Outcome.UNKNOWN, detail=detail)
        except OSError as error:
            kind = ErrorClass.DISK if error.errno in _FULL or error.errno == errno.EIO else None
            detail = f"{path} was not changed: {error.strerror or error}"
            return _Ending(outcome=Outcome.REFUSED, error=kind, detail=detail)
        if not swap.done:
            return _Ending(outcome=Outcome.REFUSED, detail=f"{path} holds another version than the one expected")
        if not swap.durable:
            return _Ending(outcome=Outcome.UNKNOWN, error=ErrorClass.DISK, detail=f"{path.parent} could not be synced")
        return _Ending(outcome=Outcome.DONE)

    async def _look(self, timeout_s: float) -> RecordSeen:
        path, asked_s = self._file.path, self._clock()
        try:
            content = await in_thread(self._file.read, timeout_s=timeout_s, limiter=self._limiter)
        except trio.TooSlowError:
            detail = f"the disk under {path} gave no answer in time"
            return _trouble(asked_s, RecordTrouble.UNREADABLE, detail)
        except ForeignFileError as error:
            return _trouble(asked_s, RecordTrouble.INVALID, str(error))
        except OSError as error:
            detail = f"{path} cannot be read: {error.strerror or error}"
            return _trouble(asked_s, RecordTrouble.UNREADABLE, detail)
        if content is None:
            return RecordSeen(at_s=asked_s, record=None, token=None)
        return self._parse(content, asked_s)

    def _parse(self, content: bytes, asked_s: float) -> RecordSeen:
        token, path = Token(token_of(content)), self._file.path
        try:
            inner = read_object(content, str(path)).inner("record")
            schema = inner.get("schema")
            if isinstance(schema, int) and schema > SCHEMA:
                detail = f"{path}: record schema {schema} is newer than {SCHEMA}; update memgraph-ha"
                return _trouble(asked_s, RecordTrouble.NEWER_SCHEMA, detail, token)
            record = parse_record(json.dumps(inner))
        except (FieldError, RecordError, RecursionError) as error:
            return _trouble(asked_s, RecordTrouble.INVALID, str(error), token)
        # Stamped with when it was asked for: this process may have stood still since, and the record moved on.
        return RecordSeen(at_s=asked_s, record=record, token=token)


def _trouble(asked_s: float, trouble: RecordTrouble, detail: str, token: Token | None = None) -> RecordSeen:
    return RecordSeen(at_s=asked_s, record=None, token=token, trouble=trouble, detail=detail)


def _to_bytes(record: Record) -> bytes:
    wrapped = {"write": secrets.token_hex(8), "record": json.loads(dump_record(record))}
    return json.dumps(wrapped, indent=1).encode() + b"\n"
