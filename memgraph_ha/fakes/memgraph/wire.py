"""Requests and replies as bytes: frames of our own on the replication port.

A frame is the four bytes `MGF1`, two big-endian lengths, a JSON header and a body.  The body carries
what need not be looked at to be passed on: the deltas of transactions, the parts of a copy.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, Final

from attrs import asdict

from .disk import Transaction
from .rpc import (
    FinalizeCommit,
    Heartbeat,
    LogChunk,
    Ping,
    PrepareCommit,
    Reply,
    Request,
    SnapshotChunk,
    SnapshotFinish,
    SnapshotStart,
    SwapMain,
    SystemRecovery,
)

MAGIC: Final = b"MGF1"
PREFIX: Final = struct.Struct(">4sII")
# A transaction travels in one frame; far beyond any that a client makes.
MAX_BYTES: Final = 512 * 1024 * 1024

_PLAIN: Final[Mapping[str, type[Any]]] = {
    each.__name__: each for each in (Ping, SwapMain, SystemRecovery, Heartbeat, FinalizeCommit, SnapshotFinish)
}


class WireError(Exception):
    """Bytes that are not a frame of ours."""


def frame(header: Mapping[str, Any], body: bytes = b"") -> bytes:
    """Return one frame."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return PREFIX.pack(MAGIC, len(text), len(body)) + text + body


def lengths(prefix: bytes) -> tuple[int, int]:
    """Return the lengths of header and body.

    Args:
        prefix: The first `PREFIX.size` bytes of a frame.

    Raises:
        WireError: It is not a frame, or an unreasonably large one.
    """
    magic, header, body = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise WireError(f"a frame begins with {MAGIC!r}, not with {magic!r}")
    if header + body > MAX_BYTES:
        raise WireError(f"a frame of {header + body} bytes is more than {MAX_BYTES}")
    return header, body


def encode_request(request: Request) -> bytes:
    """Return the frame of a request."""
    header: dict[str, Any] = {"rpc": type(request).__name__}
    match request:
        case FinalizeCommit(main_uuid, timestamp, commit):
            # Written by hand: nothing in a commit may take as little time as this.
            verdict = "true" if commit else "false"
            text = f'{{"rpc":"FinalizeCommit","main_uuid":"{main_uuid}","timestamp":{timestamp},"commit":{verdict}}}'
            return PREFIX.pack(MAGIC, len(text), 0) + text.encode()
        case PrepareCommit(main_uuid, database_uuid, transaction, two_phase):
            header |= {"main": main_uuid, "database": database_uuid, "two_phase": two_phase}
            header["transaction"] = _head(transaction)
            return frame(header, transaction.payload)
        case LogChunk(main_uuid, database_uuid, transactions):
            header |= {"main": main_uuid, "database": database_uuid}
            header["transactions"] = [_head(each) for each in transactions]
            return frame(header, b"".join(each.payload for each in transactions))
        case SnapshotStart(main_uuid, content) | SnapshotChunk(main_uuid, content):
            header["main"] = main_uuid
            return frame(header, json.dumps(content, separators=(",", ":")).encode())
        case _:
            return frame(header | asdict(request))


def decode_request(header: bytes, body: bytes) -> Request:
    """Return the request of a frame.

    Raises:
        WireError: It is none of ours.
    """
    try:
        fields = json.loads(header)
        return _request(fields.pop("rpc"), fields, body)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WireError(f"not a request of ours: {error!r}") from error


def _request(kind: str, fields: dict[str, Any], body: bytes) -> Request:
    match kind:
        case "PrepareCommit":
            transaction = _transaction(fields["transaction"], body)
            return PrepareCommit(fields["main"], fields["database"], transaction, fields["two_phase"])
        case "LogChunk":
            return LogChunk(fields["main"], fields["database"], _transactions(fields["transactions"], body))
        case "SnapshotStart":
            return SnapshotStart(fields["main"], json.loads(body))
        case "SnapshotChunk":
            return SnapshotChunk(fields["main"], json.loads(body))
        case _:
            request: Request = _PLAIN[kind](**fields)
            return request


def _head(transaction: Transaction) -> list[Any]:
    return [transaction.epoch, transaction.previous, transaction.timestamp, len(transaction.payload)]


def _transaction(head: list[Any], payload: bytes) -> Transaction:
    epoch, previous, timestamp, _ = head
    return Transaction(epoch=epoch, previous=previous, timestamp=timestamp, payload=payload)


def _transactions(heads: list[list[Any]], body: bytes) -> tuple[Transaction, ...]:
    start = 0
    transactions = []
    for head in heads:
        transactions.append(_transaction(head, body[start : start + head[3]]))
        start += head[3]
    return tuple(transactions)


def encode_reply(reply: Reply) -> bytes:
    """Return the frame of a reply."""
    return frame({"ok": reply.ok, "ldt": reply.ldt, "n": reply.transactions, "epoch": reply.epoch})


def decode_reply(header: bytes) -> Reply:
    """Return the reply of a frame.

    Raises:
        WireError: It is none.
    """
    try:
        fields = json.loads(header)
        return Reply(ok=fields["ok"], ldt=fields["ldt"], transactions=fields["n"], epoch=fields["epoch"])
    except (ValueError, KeyError, TypeError) as error:
        raise WireError(f"not a reply of ours: {error!r}") from error
