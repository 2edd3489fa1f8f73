"""The server's side of a TLS connection, as a non-blocking socket like any other.

Bytes that were encrypted for a client but not sent die with the socket, so a cut stays a cut.
"""

import contextlib
import errno
import socket
import ssl
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAX_HELLO: Final = 1 << 16
"""Bytes a client may say before the handshake is done. With post-quantum key shares they are about 2 KiB."""
MAX_UNASKED: Final = 1 << 14
"""Bytes of OpenSSL's own answers (that it does not renegotiate) that a client may leave unread."""

_RECORDS_AT_ONCE: Final = 8
_RECORD_HEADER: Final = 5
_TLS_HANDSHAKE: Final = b"\x16\x03"
"""How the first record begins: its type, and the major version that all of TLS has."""


class NotTlsError(Exception):
    """The client's first bytes are not TLS."""


class TlsSocket(socket.socket):
    """TLS in a connected socket's place. First `handshake` until it says yes, then use it as any socket.

    Only `recv_into`, `send`, `shutdown` and what has to do with descriptors and options may be used: what else there
    is would read and write what is encrypted. ``splice`` would too.

    Two promises of a socket take care. epoll knows only what the kernel holds, so no readable byte may stay behind
    in here: the handshake reads record by record and not a byte further, and `recv_into` decrypts everything that it
    has read. And what the kernel did not take is encrypted already, so bytes that `send` did not count must be
    offered again, the same ones first.

    Args:
        sock: The connection; it is taken over, and its object is of no use afterwards.
        context: With the certificate to show.
    """

    __slots__ = ("_ahead", "_done", "_incoming", "_outgoing", "_record", "_said", "_tls", "_unsent", "_verdict")

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self.setblocking(False)
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._done = False
        self._record = b""
        self._said = 0
        self._unsent = memoryview(b"")
        self._ahead = 0
        self._verdict: OSError | EOFError | None = None

    @property
    def flushed(self) -> bool:
        """Whether the kernel has taken all that was to be sent."""
        return not self._unsent

    # -- the handshake ---------------------------------------------------------------------------------------

    def handshake(self) -> bool:
        """Go on with the handshake.

        Returns:
            Whether it is done. If not, call again when the client has said something or, if there is something to
            be sent (`flushed`), has taken it.

        Raises:
            NotTlsError: The client speaks something else.
            EOFError: It left.
            OSError: It failed, which a client that speaks TLS was told, if its socket took that.
        """
        with contextlib.suppress(BlockingIOError):
            for _ in range(_RECORDS_AT_ONCE):
                self._flush()
                if self._unsent or self._done:
                    break
                self._read_record()
                self._step()
        return self._done and not self._unsent

    def _read_record(self) -> None:
        """Hand the next record to OpenSSL, whole.

        Raises:
            BlockingIOError: It has not come completely.
        """
        while (lacks := self._record_lacks()) > 0:
            chunk = self.recv(lacks)
            if not chunk:
                raise EOFError("the client left during the handshake")
            begin = _TLS_HANDSHAKE[self._said :][: len(chunk)]
            if not chunk.startswith(begin):
                raise NotTlsError("the first bytes are not those of a TLS handshake")
            self._record += chunk
            self._said += len(chunk)
            if self._said > MAX_HELLO:
                raise OSError(errno.EMSGSIZE, f"the client said more than {MAX_HELLO} bytes in a handshake")
        self._incoming.write(self._record)
        self._record = b""

    def _record_lacks(self) -> int:
        """Bytes of the present record that are still to come, as far as is known."""
        if len(self._record) < _RECORD_HEADER:
            return _RECORD_HEADER - len(self._record)
        return _RECORD_HEADER + int.from_bytes(self._record[3:_RECORD_HEADER], "big") - len(self._record)

    def _step(self) -> None:
        try:
            self._tls.do_handshake()
            self._done = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._collect()
            self._flush()  # the alert
            raise
        self._collect()
        self._flush()

    # -- a socket's methods ----------------------------------------------------------------------------------

    def recv_into(self, buffer: "WriteableBuffer", nbytes: int = 0, flags: int = 0, /) -> int:
        """Read, decrypt all of it, and return how many bytes that made; 0 at the end.

        Args:
            buffer: At least 64 KiB; also the place for the encrypted bytes, of which at most half of it is read. So
                it is never filled, and the relay, which splices what fills it, always copies.
            nbytes: Must be 0.
            flags: Must be 0.

        Raises:
            BlockingIOError: Nothing, or no complete record, is there.
            OSError: The connection is broken, or somebody tampered with it.
        """
        if nbytes or flags:
            raise ValueError("nbytes, flags: TLS decrypts all that has come: give neither")
        if self._verdict is not None:
            return self._end()
        view = memoryview(buffer)
        count = super().recv_into(view, len(view) // 2)
        if not count:
            # Drivers close the socket without TLS's own goodbye. That somebody in between could do so too hurts
            # nobody: Bolt messages say how long they are.
            return 0
        self._incoming.write(view[:count])
        got = self._decrypt(view)
        if self._outgoing.pending:
            self._answer()
        if self._verdict is None:
            if not got:
                raise BlockingIOError
            return got
        if not got:
            return self._end()
        # The end came together with bytes, and goes to the relay in a call of its own: make epoll ask for it.
        with contextlib.suppress(OSError):
            super().shutdown(socket.SHUT_RD)
        return got

    def _decrypt(self, view: memoryview) -> int:
        got = 0
        # What is left over of earlier reads is less than a record (16 KiB and a little), so there is always room.
        while self._incoming.pending or self._tls.pending():
            try:
                count: int = self._tls.read(len(view) - got, view[got:])  # type: ignore[assignment]  # typed as bytes
            except ssl.SSLWantReadError:
                break
            except ssl.SSLZeroReturnError:
                count = 0
            except ssl.SSLError as error:
                self._verdict = error
                break
            if not count:
                self._verdict = EOFError()
                break
            got += count
        return got

    def _answer(self) -> None:
        """Send what OpenSSL has to say to the client itself, that it does not renegotiate, say: nothing of MAIN's."""
        if not self._unsent:
            self._collect()
            self._flush()
        if self._outgoing.pending > MAX_UNASKED:
            self._verdict = OSError(errno.ENOBUFS, "the client makes TLS answer and does not read it")

    def _end(self) -> int:
        if isinstance(self._verdict, OSError):
            raise self._verdict
        return 0

    def send(self, data: "ReadableBuffer", flags: int = 0, /) -> int:
        """Encrypt bytes and offer them to the kernel.

        Args:
            data: Must begin with those that an earlier call did not count.
            flags: Must be 0.

        Returns:
            For how many of them the caller need not come again, > 0.

        Raises:
            BlockingIOError: For none.
            OSError: The connection is broken.
        """
        if flags:
            raise ValueError("flags: TLS knows none: give 0")
        view = memoryview(data)
        self._flush()
        if not self._unsent and self._ahead < len(view):
            self._tls.write(view[self._ahead :])
            self._ahead = len(view)
            self._collect()
            self._flush()
        # Never less uncounted than unsent: whoever has bytes to offer again will come again.
        ahead = min(self._ahead, len(self._unsent))
        taken, self._ahead = self._ahead - ahead, ahead
        if not taken:
            raise BlockingIOError
        return taken

    def shutdown(self, how: int, /) -> None:
        """Say goodbye in TLS, then in TCP. Nothing may be left to `send`.

        A client whose kernel is so full that it does not take the 24 bytes of the goodbye gets the TCP one only, as
        from any server that just closes.

        Args:
            how: ``SHUT_WR``.

        Raises:
            OSError: The connection is broken.
        """
        with contextlib.suppress(ssl.SSLError):
            self._tls.unwrap()  # says goodbye, then wants the client's
        self._collect()
        self._flush()
        super().shutdown(how)

    def _collect(self) -> None:
        if self._outgoing.pending:
            self._unsent = memoryview(bytes(self._unsent) + self._outgoing.read())

    def _flush(self) -> None:
        if self._unsent:
            with contextlib.suppress(BlockingIOError):
                self._unsent = self._unsent[super().send(self._unsent) :]
