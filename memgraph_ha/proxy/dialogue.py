"""Where a connection's transactions begin and end, read off the framing of its Bolt messages (decision 0005).

Of requests nothing but their signatures is looked at, and the text of a RUN that may be the word BEGIN, COMMIT or
ROLLBACK: Memgraph takes these as queries too, and mgclient sends them so. They are followed exactly or not at all:
whatever does not fit makes the dialogue *opaque*, and a quiet moment then holds all its bytes.

Of answers only the last bytes are kept, and looked at when somebody asks whether a transaction is over. They decide
how a client is treated while others wait for it, never whether a transaction may begin.
"""

import enum
from collections.abc import Callable
from struct import Struct
from typing import Final

from memgraph_ha.proxy.bolt import (
    BEGIN,
    CLEAR,
    END,
    FETCH,
    FIELDS,
    HANDSHAKE,
    KINDS,
    MAGIC,
    MAYBE,
    MORE,
    NO_MORE,
    NOTHING,
    RUN,
    SUCCESS,
    TEXT_AFTER,
    UPPER,
    Keyword,
    final_summary,
    keyword_of,
)

HEAD: Final = 256
"""Bytes kept of a request that comes in pieces: a query's text begins with fewer blanks than that."""
TAIL: Final = 512
"""Bytes kept of an answer; a final summary is 50 to 300 bytes long."""
_SMALLEST: Final = 6
"""A message's length, two bytes, and its end."""
_NOT_WHOLE: Final = (0, 0, 0, 0)
_WITH_TEXT: Final = 9
"""A RUN's chunk that is not shorter has at least two bytes of text."""
_AHEAD: Final = 8
"""Bytes that show a message's length, its marker and signature, and of a RUN with a `_USUAL_TEXT` two letters."""
_USUAL_TEXT: Final = 0xD0
"""The marker of a text of 16 to 255 bytes (PackStream): one look at the message shows all that is asked of it."""

# Bound once: they are called for each message.
_opening: Final = Struct(">HHBxH").unpack_from
_frame: Final = Struct(">HH").unpack_from
_letters: Final = Struct(">H").unpack_from
_kind_of: Final = KINDS.get


def _short_opening(data: bytearray, at: int, count: int) -> tuple[int, ...]:
    """Of a message that ends too soon for `_opening`, or of which too little is there: its length and signature."""
    return (*_frame(data, at), 0, 0) if at + _SMALLEST <= count else _NOT_WHOLE


class Standing(enum.Enum):
    """What a connection is doing, as far as its messages tell."""

    BETWEEN = "between transactions"
    INSIDE = "inside a transaction that waits for its client"
    ENDING = "inside a transaction, or at its end, and waiting for MAIN's answer"
    UNKNOWN = "not Bolt, or not readable"


class _OpaqueError(Exception):
    """The requests cannot be followed."""


class Quiet:
    """Whether a quiet moment is on: one for all dialogues of a gateway.

    Attributes:
        on: No transaction may begin.
        stir: Called when MAIN has answered something during it: a transaction may be over.
    """

    __slots__ = ("on", "stir")

    def __init__(self, stir: Callable[[], None]) -> None:
        self.on = False
        self.stir = stir


class Dialogue:
    """One connection's requests and answers.

    Args:
        quiet: The gateway's.
        on_opaque: Called once, when the requests can no longer be followed.

    Attributes:
        opaque: They cannot.
        fresh: How much of what `admit` was last given belongs to messages up to and including the last one that
            begins a transaction, in bytes.
    """

    __slots__ = (
        "_before",
        "_explicit",
        "_greeted",
        "_half",
        "_head",
        "_last",
        "_on_opaque",
        "_partial",
        "_quiet",
        "_skip",
        "_tail",
        "fresh",
        "opaque",
    )

    def __init__(self, quiet: Quiet, on_opaque: Callable[[], None]) -> None:
        self._quiet = quiet
        self._on_opaque = on_opaque
        self.opaque = False
        self.fresh = 0
        # The request that is coming in: its chunk's bytes to come, half a chunk's length, its first bytes.
        self._greeted = 0
        self._partial = True
        self._skip = 0
        self._half = -1
        self._head = b""
        # What has passed: whether a transaction was begun by the word, what was asked last, what was answered since.
        self._explicit = False
        self._last = CLEAR
        self._tail: bytes | bytearray = b""
        self._before: bytes | bytearray = b""

    @property
    def standing(self) -> Standing:
        """Where this connection stands."""
        if self.opaque:
            return Standing.UNKNOWN
        if self._explicit:
            return Standing.INSIDE
        if self._last == CLEAR:
            return Standing.BETWEEN
        return self._judge(bytes(self._before + self._tail)) if self._tail else Standing.ENDING

    def _judge(self, answer: bytes) -> Standing:
        """Where the end of the latest answer leaves a connection that is not inside BEGIN."""
        at = final_summary(answer)
        if at < 0:
            return Standing.ENDING
        if answer[at + 1] == SUCCESS:
            if self._last == RUN:
                return Standing.INSIDE if FIELDS in answer[at:] else Standing.ENDING
            if self._last == FETCH and NO_MORE not in answer[at:]:
                return Standing.INSIDE if MORE in answer[at:] else Standing.ENDING
            if self._last == END and (FIELDS in answer[at:] or NO_MORE in answer[at:] or MORE in answer[at:]):
                return Standing.ENDING  # that was the answer to what was asked before the COMMIT
        self._last = CLEAR
        return Standing.BETWEEN

    # -- requests --------------------------------------------------------------------------------------------

    def admit(self, data: bytearray, count: int) -> int:  # noqa: C901 - a call costs a tenth of what the whole does
        """Follow what a client sent.

        Args:
            data: Where it is; not changed, not kept.
            count: How many bytes of it, from the first.

        Returns:
            How many of them may pass to MAIN. The rest begins a transaction, or may; it is to be held, and given
            to `admit` again once the quiet moment is over.
        """
        self.fresh = at = 0
        quiet = self._quiet
        try:
            if self._partial:
                at = self._greet(data, count) if self._greeted < HANDSHAKE else self._resume(data, 0, count)
                if at < 0:
                    return 0
            while at < count:
                size, head, marker, letters = (
                    _opening(data, at) if at + _AHEAD <= count else _short_opening(data, at, count)
                )
                end = at + size + 4
                if size > 1 and end <= count and not (data[end - 2] or data[end - 1]):
                    kind = _kind_of(head)
                    if kind == FETCH:
                        self._last = FETCH
                    elif (
                        kind == RUN
                        and size >= _WITH_TEXT
                        and (letters if marker == _USUAL_TEXT else _letters(data, at + 4 + TEXT_AFTER[marker])[0])
                        & UPPER
                        not in MAYBE
                    ):
                        if not self._explicit:
                            if quiet.on:
                                return at
                            self.fresh = end
                        self._last = RUN
                    elif not self._said(kind, data, at + 2, end - 2):
                        return at
                    self._tail = b""
                    at = end
                    continue
                begun, at = at, self._resume(data, at, count)
                if at < 0:
                    return begun
        except _OpaqueError:
            self.opaque = True
            self._on_opaque()
            return at if quiet.on else count
        return count

    def _said(self, kind: int | None, data: bytearray, at: int, end: int) -> bool:
        """A request is there, whole or at least its first bytes; False if it must not pass now."""
        if kind is None:
            raise _OpaqueError
        if kind >= RUN and not self._explicit:
            if self._quiet.on:
                return False
            self.fresh = end + 2
        if kind == RUN:
            word = keyword_of(data, at + 2, end)
            if word is Keyword.UNCLEAR:
                raise _OpaqueError
            if word is not Keyword.NONE:
                self._explicit = word is Keyword.BEGIN
            self._last = RUN
        elif kind == FETCH:
            self._last = FETCH
        elif kind != NOTHING:
            self._explicit = kind == BEGIN
            self._last = kind
        return True

    def _greet(self, data: bytearray, count: int) -> int:
        """The handshake, or the part of it that is there."""
        done = self._greeted
        take = min(HANDSHAKE - done, count)
        magic = MAGIC[done : done + take]
        if data[: len(magic)] != magic:
            raise _OpaqueError
        self._greeted += take
        self._partial = self._greeted < HANDSHAKE
        return take

    def _resume(self, data: bytearray, at: int, count: int) -> int:
        """Follow a message that is not there in one piece; minus one if it must be held, and all is as before."""
        before = self._skip, self._half, self._head
        if self._must_hold():
            return -1
        self._partial = True
        while at < count:
            if self._skip:
                take = min(self._skip, count - at)
                self._head += data[at : at + min(take, HEAD - len(self._head))]
                self._skip -= take
                at += take
                if self._must_hold():
                    self._skip, self._half, self._head = before
                    return -1
            elif self._half < 0:
                self._half = data[at]
                at += 1
            else:
                self._skip = self._half << 8 | data[at]
                self._half = -1
                at += 1
                if not self._skip:
                    return self._complete(at)
        if self._begins():
            self.fresh = count
        return at

    def _complete(self, at: int) -> int:
        """The message in pieces, or a mere NOOP, ended before here."""
        head = bytearray(self._head)
        begins = self._begins()
        self._forget()
        if head:
            self._said(KINDS.get(int.from_bytes(head[:2], "big")), head, 0, len(head))
            self._tail = b""
        if begins:
            self.fresh = at
        return at

    def _begins(self) -> bool:
        """Whether the message in pieces begins a transaction, as far as it has come."""
        if len(self._head) < 2:  # noqa: PLR2004 - marker and signature
            return False
        kind = KINDS.get(int.from_bytes(self._head[:2], "big"))
        if kind is None:
            raise _OpaqueError
        return kind >= RUN and not self._explicit

    def _must_hold(self) -> bool:
        return self._quiet.on and self._begins()

    def _forget(self) -> None:
        """Stand at the beginning of a message."""
        self._partial = False
        self._skip = 0
        self._half = -1
        self._head = b""

    # -- answers ---------------------------------------------------------------------------------------------

    def hear(self, data: bytearray, count: int) -> int:
        """Follow what MAIN sent, or the last of it: so many bytes, all of which may pass, as what is returned says."""
        self._before = self._tail
        self._tail = data[:count] if count <= TAIL else data[count - TAIL : count]
        if self._quiet.on:
            self._quiet.stir()
        return count
