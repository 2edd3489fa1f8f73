"""Where a connection's transactions begin and end, read off the framing of its Bolt messages (decision 0005).

Of requests nothing but their signatures is looked at, and the text of a RUN that may be the word BEGIN, COMMIT or
ROLLBACK: Memgraph takes these as queries too, and mgclient sends them so. Of answers only what ends a request counts.

Requests are followed exactly or not at all: whatever does not fit makes the dialogue *opaque*, and a quiet moment
then holds all its bytes. Answers decide nothing but how a client is treated when others must wait for it, so a stream
of records is not followed record by record: its last bytes tell whether it is over.
"""

import enum
from collections.abc import Callable
from typing import Final

from memgraph_ha.proxy.bolt import (
    BEGIN,
    FETCH,
    HANDSHAKE,
    KINDS,
    LEAVE,
    MAGIC,
    MARKER,
    MORE,
    NOTHING,
    RECORD,
    RUN,
    SUCCESS,
    SUMMARIES,
    UNHEARD_OF,
    VERSION,
    Keyword,
    final_summary,
    keyword_of,
)

HEAD: Final = 256
"""Bytes kept of a request that comes in pieces: a query's text begins with fewer blanks than that."""
TAIL: Final = 512
"""Bytes kept of a stream of records; a final summary is 50 to 300 bytes long."""
REST: Final = 4096
"""Longest incomplete answer kept until the rest of it comes."""

# How the answers are followed.
_EXACTLY: Final = 0
_BY_TAIL: Final = 1
_UNSEEN: Final = 2
_LOST: Final = 3


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
        stir: Called when, during it, a dialogue has come to stand between transactions.
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
        "_due",
        "_ear",
        "_explicit",
        "_fetching",
        "_greeted",
        "_half",
        "_head",
        "_last",
        "_on_opaque",
        "_partial",
        "_quiet",
        "_rest",
        "_skip",
        "_version",
        "_working",
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
        # What the requests that have passed amount to.
        self._explicit = False
        self._fetching = False
        self._working = False
        self._last = NOTHING
        # Answers: how many are due, how they are followed, and what is kept of the latest.
        self._due = 0
        self._ear = _EXACTLY
        self._version = VERSION
        self._rest = b""

    @property
    def standing(self) -> Standing:
        """Where this connection stands."""
        if self.opaque:
            return Standing.UNKNOWN
        if self._explicit or (self._fetching and not self._due):
            return Standing.INSIDE
        return Standing.ENDING if self._working else Standing.BETWEEN

    # -- requests --------------------------------------------------------------------------------------------

    def admit(self, data: bytearray, count: int) -> int:
        """Follow what a client sent.

        Args:
            data: Where it is; not changed, not kept.
            count: How many bytes of it, from the first.

        Returns:
            How many of them may pass to MAIN. The rest begins a transaction, or may; it is to be held, and given
            to `admit` again once the quiet moment is over.
        """
        self.fresh = 0
        at = 0
        quiet, kinds = self._quiet, KINDS
        try:
            if self._partial:
                at = self._greet(data, count) if self._greeted < HANDSHAKE else self._resume(data, 0, count)
                if at < 0:
                    return 0
            while at < count:
                end = at + 2 + (data[at] << 8 | data[at + 1]) if at + 5 < count else count
                if end + 2 <= count and end > at + 3 and not (data[end] or data[end + 1]):
                    kind = kinds[data[at + 3]]
                    if kind >= RUN and not self._explicit:
                        if quiet.on:
                            return at
                        self.fresh = end + 2
                    self._said(kind, data, at + 2, end)
                    at = end + 2
                    continue
                begun, at = at, self._resume(data, at, count)
                if at < 0:
                    self._forget()
                    return begun
        except _OpaqueError:
            self.opaque = True
            self._on_opaque()
            return at if quiet.on else count
        return count

    def _greet(self, data: bytearray, count: int) -> int:
        """The handshake, or the part of it that is there."""
        done = self._greeted
        take = min(HANDSHAKE - done, count)
        if done < len(MAGIC) and not (MAGIC[done:].startswith(data[:take]) or data.startswith(MAGIC[done:])):
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
                self._check(self._head)
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
        if begins:
            self.fresh = at
        if head:
            self._said(KINDS[head[1]] if len(head) > 1 else UNHEARD_OF, head, 0, len(head))
        return at

    @staticmethod
    def _check(head: bytes) -> None:
        if len(head) > 1 and (head[0] & 0xF0 != MARKER or KINDS[head[1]] == UNHEARD_OF):
            raise _OpaqueError

    def _begins(self) -> bool:
        return len(self._head) > 1 and KINDS[self._head[1]] >= RUN and not self._explicit

    def _must_hold(self) -> bool:
        return self._quiet.on and self._begins()

    def _forget(self) -> None:
        """Stand at the beginning of a message."""
        self._partial = False
        self._skip = 0
        self._half = -1
        self._head = b""

    def _said(self, kind: int, data: bytearray, at: int, end: int) -> None:
        """A request passes whole; at least its first bytes are at hand, marker first."""
        if kind == UNHEARD_OF or data[at] & 0xF0 != MARKER:
            raise _OpaqueError
        if self._ear != _EXACTLY:
            self._ask_anew()
        self._last = kind
        if kind == LEAVE:
            self._explicit = self._fetching = self._working = False
            return
        self._due += 1
        if kind <= NOTHING:
            return
        if kind == RUN:
            self._ran(keyword_of(data, at + 2, end))
        else:
            self._explicit = kind == BEGIN
            self._fetching = False
            self._working |= self._explicit

    def _ran(self, word: Keyword) -> None:
        if word is Keyword.UNCLEAR:
            raise _OpaqueError
        if word is not Keyword.NONE:
            self._explicit = word is Keyword.BEGIN
        self._working = True
        self._fetching = not self._explicit

    # -- answers ---------------------------------------------------------------------------------------------

    def hear(self, data: bytearray, count: int) -> int:
        """Follow what MAIN sent: so many bytes, all of which may pass, as the returned number says."""
        if self._ear != _EXACTLY:
            if self._ear != _LOST:
                self._look_at_tail(data, 0, count)
            return count
        self._hear(*self._joined(data, count))
        return count

    def overlook(self) -> None:
        """MAIN sent something that nobody looked at."""
        self._rest = b""
        self._ear = _UNSEEN if self._due == 1 and self._ear != _LOST else _LOST

    def _joined(self, data: bytearray, count: int) -> tuple[bytearray, int]:
        if not self._rest:
            return data, count
        joined = bytearray(self._rest)
        self._rest = b""
        joined += data[:count]
        return joined, len(joined)

    def _hear(self, data: bytearray, count: int) -> None:
        at = min(self._version, count)
        self._version -= at
        while at < count:
            end = at + 2 + (data[at] << 8 | data[at + 1]) if at + 5 < count else count
            if end + 2 > count or end <= at + 3 or data[end] or data[end + 1]:
                if data[at : min(at + 2, count)] != b"\0\0":
                    self._not_whole(data, at, count)
                    return
                at += 2  # a NOOP
                continue
            signature = data[at + 3]
            if signature in SUMMARIES:
                self._answered(signature, data.find(MORE, at, end) >= 0)
            elif signature != RECORD:
                self._ear = _LOST
                return
            elif self._due == 1 and count - at > TAIL:
                self._look_at_tail(data, at, count)
                return
            at = end + 2

    def _not_whole(self, data: bytearray, at: int, count: int) -> None:
        if self._due == 1:
            self._look_at_tail(data, at, count)
        elif count - at <= REST:
            self._rest = bytes(data[at:count])
        else:
            self._ear = _LOST

    def _look_at_tail(self, data: bytearray, at: int, count: int) -> None:
        """The last answer due is coming in: only its end is of interest."""
        tail = (self._rest + data[max(at, count - TAIL) : count])[-TAIL:]
        summary = final_summary(tail)
        if summary < 0:
            self._ear = _BY_TAIL
            self._rest = tail
        else:
            self._ear = _EXACTLY
            self._rest = b""
            self._answered(tail[summary + 1], tail.find(MORE, summary) >= 0)

    def _answered(self, signature: int, more: bool) -> None:
        """A request was answered."""
        self._due -= 1
        if self._due > 0:
            return
        self._due = 0
        if signature != SUCCESS:
            self._fetching = False
        elif self._last == FETCH:
            self._fetching &= more
        if not self._explicit and not self._fetching:
            self._working = False
            if self._quiet.on:
                self._quiet.stir()

    def _ask_anew(self) -> None:
        """A client asks on while its last answers were not followed: it has them, unless it does not wait for them."""
        if self._ear == _BY_TAIL:
            self._ear = _LOST
        else:
            self._ear = _EXACTLY
            self._due = 0
        self._rest = b""
