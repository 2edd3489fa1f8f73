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
MARKER: Final = 0xB0
"""High half of a message's first byte; the low half counts its fields."""
SUMMARIES: Final = frozenset({SUCCESS, FAILURE, IGNORED})
MORE: Final = b"\x88has_more\xc3"
"""``has_more: true`` in PackStream: the result was not fetched to its end."""

# What a request does to a transaction; those from RUN on begin one if none is open.
UNHEARD_OF: Final = 0
FETCH: Final = 1
NOTHING: Final = 2
CLEAR: Final = 3
END: Final = 4
LEAVE: Final = 5
RUN: Final = 6
BEGIN: Final = 7
KINDS: Final = bytes(
    {
        0x01: CLEAR,  # HELLO, or INIT
        0x02: LEAVE,  # GOODBYE: the only one without an answer
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
    }.get(signature, UNHEARD_OF)
    for signature in range(256)
)


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


_TINY_TEXT: Final = 0x80
_TEXT_SIZES: Final = {0xD0: 1, 0xD1: 2, 0xD2: 4}
_BLANKS: Final = b" \t\n\v\f\r"
_BEGIN: Final = b"BEGIN"
_ENDS: Final = (b"COMMIT", b"ROLLBACK")
_WORDS: Final = (_BEGIN, *_ENDS)
_MAYBE: Final = frozenset(text for word in _WORDS for text in (word[0], word[0] | 0x20)) | frozenset(_BLANKS)
"""What a text that is one of the words begins with."""


class Keyword(enum.Enum):
    """What the text of a RUN is."""

    NONE = "a query"
    BEGIN = "BEGIN"
    END = "COMMIT or ROLLBACK"
    UNCLEAR = "not a string, or nothing but blanks as far as it can be seen"


def keyword_of(data: bytearray, at: int, end: int) -> Keyword:
    """Tell whether a RUN's text is BEGIN, COMMIT or ROLLBACK, in any case and with blanks around it.

    Args:
        data: Holds the message, or its beginning.
        at: Where the text's PackStream marker is.
        end: Up to where there are bytes to look at.
    """
    if at + 1 >= end:
        return Keyword.UNCLEAR
    marker = data[at]
    if marker & 0xF0 == _TINY_TEXT:
        length, start = marker & 0x0F, at + 1
    else:
        size = _TEXT_SIZES.get(marker)
        if size is None or at + 1 + size >= end:
            return Keyword.UNCLEAR
        length, start = 0, at + 1 + size
        for byte in data[at + 1 : start]:
            length = length << 8 | byte
    if data[start] not in _MAYBE:
        return Keyword.NONE
    word = bytes(data[start : min(start + length, end)]).strip(_BLANKS).upper()
    if start + length > end and any(known.startswith(word) for known in _WORDS):
        return Keyword.UNCLEAR
    if word == _BEGIN:
        return Keyword.BEGIN
    return Keyword.END if word in _ENDS else Keyword.NONE
