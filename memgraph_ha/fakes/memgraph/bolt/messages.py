"""The messages of Bolt: their signatures, which version knows them, and what answers look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Final

from attrs import frozen

from memgraph_ha.fakes.memgraph.bolt.chunking import begin_chunk, cancel_chunk, end_chunk
from memgraph_ha.fakes.memgraph.bolt.handshake import Version
from memgraph_ha.fakes.memgraph.bolt.packstream import PackStreamError, Structure, pack, pack_structure, unpack
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Value

INVALID_DATA_CODE: Final = "Memgraph.ExecutionException"
INVALID_DATA_TEXT: Final = "Something went wrong while executing the query! Check the server logs for more details."
"""How Memgraph says good-bye to a client whose bytes it does not understand.

As the first thing on a connection this FAILURE is what the transcripts ("Bolt") show of a refused
handshake: its chunk of 134 bytes begins with `0086b17f`.  Source: Memgraph's bolt/v1/session.hpp,
ClientFailureInvalidData.
"""


class Signature(IntEnum):
    """The tag of a message."""

    HELLO = 0x01
    GOODBYE = 0x02
    ACK_FAILURE = 0x0E
    RESET = 0x0F
    RUN = 0x10
    BEGIN = 0x11
    COMMIT = 0x12
    ROLLBACK = 0x13
    DISCARD = 0x2F
    PULL = 0x3F
    ROUTE = 0x66
    LOGON = 0x6A
    LOGOFF = 0x6B
    SUCCESS = 0x70
    RECORD = 0x71
    IGNORED = 0x7E
    FAILURE = 0x7F


_V1: Final = (1, 0)
_V4: Final = (4, 0)
# What each version of a request looks like: the first version, and the types of its fields from
# then on.  Source: Memgraph's bolt/v1/states/executing.hpp, handlers.hpp and init.hpp.
_REQUESTS: Final[dict[Signature, tuple[tuple[Version, tuple[type, ...]], ...]]] = {
    Signature.HELLO: ((_V1, (str, dict)), (_V4, (dict,))),
    Signature.LOGON: (((5, 1), (dict,)),),
    Signature.LOGOFF: (((5, 1), ()),),
    Signature.GOODBYE: ((_V4, ()),),
    Signature.RESET: ((_V1, ()),),
    Signature.RUN: ((_V1, (str, dict)), (_V4, (str, dict, dict))),
    Signature.PULL: ((_V1, ()), (_V4, (dict,))),
    Signature.DISCARD: ((_V1, ()), (_V4, (dict,))),
    Signature.BEGIN: ((_V4, (dict,)),),
    Signature.COMMIT: ((_V4, ()),),
    Signature.ROLLBACK: ((_V4, ()),),
    Signature.ROUTE: (((4, 3), (dict, list, object)),),
}


class ProtocolViolation(Exception):  # noqa: N818 - it is an event of the client's making
    """Bytes or a message that a client must not send now; the connection ends."""


@frozen
class Request:
    """A message from a client, of the right shape for its version."""

    signature: Signature
    fields: tuple[Value, ...]


def parse_request(message: bytes, version: Version) -> Request:
    """Decode a message.

    Args:
        message: Its bytes, without chunk headers.
        version: What the connection speaks.

    Raises:
        ProtocolViolation: It is no request of that version.
        PackStreamError: It is no PackStream at all.
    """
    structure = unpack(message)
    if not isinstance(structure, Structure):
        raise ProtocolViolation(f"a message must be a structure, not {type(structure).__name__}")
    if structure.tag == Signature.ACK_FAILURE and version == _V1:
        return Request(Signature.ACK_FAILURE, ())
    shapes = _REQUESTS.get(structure.tag, ())  # type: ignore[call-overload]  # an int of no enum is absent
    types = next((types for since, types in reversed(shapes) if version >= since), None)
    if types is None:
        raise ProtocolViolation(f"Bolt {version} has no request 0x{structure.tag:02X}")
    fields = structure.fields
    if len(fields) != len(types) or not all(map(isinstance, fields, types)):
        raise ProtocolViolation(f"{Signature(structure.tag).name} has other fields than it must have")
    return Request(Signature(structure.tag), fields)


class Answers:
    """The answers of a connection, encoded as they are given.

    Args:
        out: Where they are appended; whoever sends it clears it.
        major: The major version of Bolt.
    """

    def __init__(self, out: bytearray, major: int) -> None:
        self._out = out
        self._major = major

    def success(self, metadata: Mapping[str, Value]) -> None:
        """Append SUCCESS."""
        self._append(Signature.SUCCESS, dict(metadata))

    def failure(self, code: str, message: str) -> None:
        """Append FAILURE."""
        self._append(Signature.FAILURE, {"code": code, "message": message})

    def invalid_data(self) -> None:
        """Append the FAILURE that ends a connection."""
        self.failure(INVALID_DATA_CODE, INVALID_DATA_TEXT)

    def ignored(self) -> None:
        """Append IGNORED."""
        self._append(Signature.IGNORED)

    def records(self, rows: Sequence[list[Value]]) -> None:
        """Append a RECORD for each row.

        Raises:
            MemgraphError: A value has no encoding; the rows before it are appended.
        """
        out, major = self._out, self._major
        for row in rows:
            start = begin_chunk(out)
            out += b"\xb1\x71"
            try:
                pack(row, out, major)
            except PackStreamError as error:
                cancel_chunk(out, start)
                raise MemgraphError.client(f"A value of the result cannot be sent: {error}") from error
            end_chunk(out, start)

    def _append(self, signature: Signature, *fields: Value) -> None:
        start = begin_chunk(self._out)
        pack_structure(Structure(signature, fields), self._out, self._major)
        end_chunk(self._out, start)
