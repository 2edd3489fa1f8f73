"""What the gateway knows of Bolt: the numbers of its messages, and which word may stand in a RUN (semantics 9.1).

A message is ``length chunk length chunk ... 00 00``; its body begins with a marker and a *signature*, which says what
it is.
"""

import enum
from typing import Final

MAGIC: Final = bytes.fromhex("6060b017")
HANDSHAKE: Final = 20
"""Bytes of a client's handshake: the magic and four versions. Memgraph answers four bytes (semantics 9.1)."""
VERSION: Final = 4
RECORD: Final = 0x71
SUCCESS: Final = 0x70
FAILURE: Final = 0x7F
IGNORED: Final = 0x7E
SUMMARIES: Final = frozenset({SUCCESS, FAILURE, IGNORED})
MORE: Final = b"\x88has_more\xc3"
NO_MORE: Final = b"\x88has_more\xc2"
"""``has_more: true`` and ``false`` in PackStream; one of them is in every answer to a PULL or DISCARD."""
FIELDS: Final = b"\x86fields"
"""In every answer to a RUN."""

# What a request does to a transaction; those from RUN on begin one if none is open.
CLEAR: Final = 1
NOTHING: Final = 2
FETCH: Final = 3
END: Final = 4
RUN: Final = 5
BEGIN: Final = 6
_SIGNATURES: Final = {
    0x01: CLEAR,  # HELLO, or INIT
    0x02: CLEAR,  # GOODBYE
    0x0E: CLEAR,  # ACK_FAILURE of Bolt 1
    0x0F: CLEAR,  # RESET
    0x10: RUN,
    0x11: BEGIN,
    0x12: END,  # COMMIT
    0x13: END,  # ROLLBACK
    0x2F: FETCH,  # DISCARD
    0x3F: FETCH,  # PULL
    0x54: NOTHING,  # TELEMETRY
    0x66: NOTHING,  # ROUTE
    0x6A: NOTHING,  # LOGON
    0x6B: CLEAR,  # LOGOFF
}
KINDS: Final = {
    (0xB0 | fields) << 8 | signature: kind for fields in range(16) for signature, kind in _SIGNATURES.items()
}
"""By a message's first two bytes: a marker that counts its fields, and its signature."""


def final_summary(tail: bytes) -> int:
    """Where the message begins that answers a request and ends with these bytes, or minus one."""
    end = len(tail) - 2
    if tail[-2:] != b"\0\0":
        return -1
    at = end
    while (at := max(tail.rfind(b"\xb1", 2, at), tail.rfind(b"\xb0", 2, at))) >= 0:
        if tail[at + 1] in SUMMARIES and tail[at - 2] << 8 | tail[at - 1] == end - at:
            return at
    return -1


_BLANKS: Final = b" \t\n\v\f\r"
_BEGIN: Final = b"BEGIN"
_ENDS: Final = (b"COMMIT", b"ROLLBACK")
_WORDS: Final = (_BEGIN, *_ENDS)
_TINY_TEXT: Final = 0x80
UPPER: Final = 0xDFDF
"""Makes two letters large."""
TEXT_AFTER: Final = bytes(
    1 if marker & 0xF0 == _TINY_TEXT else {0xD0: 2, 0xD1: 3, 0xD2: 5}.get(marker, 0) for marker in range(256)
)
"""By a PackStream string's marker: how far behind it the text is. 0: it is not a string."""
MAYBE: Final = frozenset(word[0] << 8 | word[1] for word in _WORDS) | frozenset(
    (blank << 8 | second) & UPPER for blank in _BLANKS for second in range(256)
)
"""Of a text that is one of the words, the first two letters, made large."""


class Keyword(enum.Enum):
    """What the text of a RUN is."""

    NONE = "a query"
    BEGIN = "BEGIN"
    END = "COMMIT or ROLLBACK"
    UNCLEAR = "perhaps one of these: it has not been seen far enough"


def keyword_of(data: bytearray, at: int, end: int) -> Keyword:
    """Tell whether a RUN's text is BEGIN, COMMIT or ROLLBACK, in any case and with blanks around it.

    Args:
        data: Holds the message, or its beginning.
        at: Where the text's PackStream marker is.
        end: Up to where there are bytes to look at.
    """
    ahead = TEXT_AFTER[data[at]] if at < end else 0
    start = at + ahead
    if not ahead or start >= end:
        return Keyword.NONE  # nor a query: Memgraph refuses it
    length = data[at] & 0x0F if ahead == 1 else int.from_bytes(data[at + 1 : start], "big")
    word = bytes(data[start : min(start + length, end)]).strip(_BLANKS).upper()
    if start + length > end and any(known.startswith(word) for known in _WORDS):
        return Keyword.UNCLEAR
    if word == _BEGIN:
        return Keyword.BEGIN
    return Keyword.END if word in _ENDS else Keyword.NONE
