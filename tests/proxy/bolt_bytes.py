"""Bolt messages as bytes, for tests that decide how they are cut up; they follow the protocol, not the gateway."""

from attrs import frozen

HANDSHAKE = bytes.fromhex("6060b017 00020404 00000104 00000004 00000000")
VERSION = bytes.fromhex("00000205")


def chunked(body: bytes, size: int = 65535) -> bytes:
    """A message in chunks of at most so many bytes."""
    chunks = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(len(chunk).to_bytes(2, "big") + chunk for chunk in chunks) + b"\0\0"


def text(value: str) -> bytes:
    """A PackStream string in its shortest form."""
    raw = value.encode()
    if len(raw) < 16:
        return bytes([0x80 | len(raw)]) + raw
    if len(raw) < 256:
        return b"\xd0" + bytes([len(raw)]) + raw
    return b"\xd1" + len(raw).to_bytes(2, "big") + raw


def run(query: str = "RETURN 1", extra: bytes = b"") -> bytes:
    """A RUN's body; ``extra`` makes it longer."""
    parameters = b"\xa1\x81x\xcd" + len(extra).to_bytes(2, "big") + extra if extra else b"\xa0"
    return b"\xb3\x10" + text(query) + parameters + b"\xa0"


HELLO = b"\xb1\x01\xa1" + text("user_agent") + text("a test")
LOGON = b"\xb1\x6a\xa1" + text("scheme") + text("none")
LOGOFF = b"\xb0\x6b"
BEGIN = b"\xb1\x11\xa0"
COMMIT = b"\xb0\x12"
ROLLBACK = b"\xb0\x13"
PULL = b"\xb1\x3f\xa1\x81n\xff"
DISCARD = b"\xb1\x2f\xa1\x81n\xff"
RESET = b"\xb0\x0f"
GOODBYE = b"\xb0\x02"
ROUTE = b"\xb3\x66\xa0\x90\xc0"

DONE = b"\xb1\x70\xa0"
FIELDS = b"\xb1\x70\xa1" + text("fields") + b"\x91" + text("n")
MORE = b"\xb1\x70\xa1" + text("has_more") + b"\xc3"
NO_MORE = b"\xb1\x70\xa2" + text("type") + text("r") + text("has_more") + b"\xc2"
RECORD = b"\xb1\x71\x91\x01"
FAILURE = b"\xb1\x7f\xa1" + text("code") + text("Memgraph.TransientError.MemgraphError.MemgraphError")
IGNORED = b"\xb0\x7e"


@frozen
class Message:
    """A request, and what it means to a server: it begins a transaction, ends one, or neither."""

    body: bytes
    begins_explicit: bool = False
    runs: bool = False
    ends: bool = False


REQUESTS = (
    Message(BEGIN, begins_explicit=True),
    Message(run("BEGIN"), begins_explicit=True, runs=True),
    Message(run("  begin \n"), begins_explicit=True, runs=True),
    Message(run("MATCH (n) RETURN n"), runs=True),
    Message(run("CREATE (n)"), runs=True),
    Message(run("BEGINNING"), runs=True),
    Message(run("COUNT"), runs=True),
    Message(run("RETURN 'COMMIT'", b"\0\x05\xb1\x11\xa0\0\0" * 9), runs=True),
    Message(run("UNWIND $x AS x CREATE (:N {x: x}) // " + "long " * 60, b"\0" * 700), runs=True),
    Message(run("COMMIT"), runs=True, ends=True),
    Message(run("rollback"), runs=True, ends=True),
    Message(COMMIT, ends=True),
    Message(ROLLBACK, ends=True),
    Message(RESET, ends=True),
    Message(LOGOFF, ends=True),
    Message(HELLO, ends=True),
    Message(PULL),
    Message(DISCARD),
    Message(LOGON),
    Message(ROUTE),
)


class Server:
    """What a server makes of the bytes that reach it: whole messages, and whether a transaction is open.

    Attributes:
        explicit: Inside BEGIN.
        began: How many transactions have begun, explicit or not.
        seen: How many messages were whole.
    """

    def __init__(self) -> None:
        self._bytes = b""
        self._body = b""
        self._greeted = False
        self.explicit = False
        self.began = 0
        self.seen = 0

    def receive(self, data: bytes) -> None:
        """Take what came."""
        self._bytes += data
        if not self._greeted and len(self._bytes) >= len(HANDSHAKE):
            self._greeted = True
            self._bytes = self._bytes[len(HANDSHAKE) :]
        while self._greeted and len(self._bytes) >= 2:
            size = int.from_bytes(self._bytes[:2], "big")
            if len(self._bytes) < size + 2:
                return
            self._body += self._bytes[2 : size + 2]
            self._bytes = self._bytes[size + 2 :]
            if not size and self._body:
                self._take(self._body)
                self._body = b""

    def _take(self, body: bytes) -> None:
        self.seen += 1
        message = next(message for message in REQUESTS if message.body == body)
        if (message.begins_explicit or message.runs) and not self.explicit:
            self.began += 1
        if message.begins_explicit:
            self.explicit = True
        elif message.ends:
            self.explicit = False
