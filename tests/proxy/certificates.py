"""Certificates for the TLS tests, made by ``openssl`` as an operator would, and clients that trust them."""

import ssl
import subprocess
from pathlib import Path

import trio
from attrs import frozen

from tests.proxy.harness import Entrance

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


@frozen
class Pair:
    """The files of a self-signed certificate for 127.0.0.1.

    Attributes:
        cert: The certificate.
        key: Its key.
    """

    cert: Path
    key: Path


def make_pair(folder: Path, name: str, *, algorithm: str = "EC:P-256") -> Pair:
    """Make a pair of files with this common name.

    Args:
        folder: Where, created if need be.
        name: The common name, and the files' stem.
        algorithm: ``EC:<curve>`` or ``rsa:<bits>``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pair = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    kind, _, size = algorithm.partition(":")
    new_key = ("ec", "-pkeyopt", f"ec_paramgen_curve:{size}") if kind == "EC" else (algorithm,)
    _openssl(
        *("req", "-x509", "-newkey", *new_key, "-nodes", "-days", "2", "-subj", f"/CN={name}"),
        *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(pair.key), "-out", str(pair.cert)),
    )
    return pair


def encrypt_key(pair: Pair) -> Pair:
    """The same certificate with its key under a password."""
    key = pair.key.with_suffix(".encrypted")
    _openssl("pkey", "-in", str(pair.key), "-aes256", "-passout", "pass:secret", "-out", str(key))
    return Pair(pair.cert, key)


def _openssl(*arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)  # noqa: S607 - whichever is installed


def client_context(pair: Pair, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """What a client needs to trust this certificate, and no other."""
    context = ssl.create_default_context(cafile=str(pair.cert))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


async def connect_tls(gate: Entrance, context: ssl.SSLContext) -> "trio.SSLStream[trio.SocketStream]":
    """A client that has shaken hands with the gateway."""
    stream = trio.SSLStream(await gate.connect(), context, server_hostname="127.0.0.1")
    with trio.fail_after(5):
        await stream.do_handshake()
    return stream


async def read_exactly(stream: "trio.SSLStream[trio.SocketStream]", count: int) -> bytes:
    """Receive so many decrypted bytes; fewer only if the stream ends."""
    got = bytearray()
    with trio.fail_after(20):
        while len(got) < count and (chunk := await stream.receive_some(count - len(got))):
            got += chunk
    return bytes(got)


class Hand:
    """A TLS client moved by hand: what it would send is bytes, to be cut, joined or damaged before they go."""

    def __init__(self, pair: Pair, version: ssl.TLSVersion | None = None) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client_context(pair, version).wrap_bio(self._in, self._out, server_hostname="127.0.0.1")

    def says(self) -> bytes:
        """What it wants to send now."""
        return self._out.read()

    def hears(self, data: bytes) -> None:
        """Give it what the server sent."""
        self._in.write(data)

    def shake(self) -> bool:
        """Go on with the handshake; whether it is done."""
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def reads(self) -> bytes:
        """Everything it can decrypt now; nothing at the end either."""
        got = b""
        try:
            while chunk := self.tls.read(1 << 16):
                got += chunk
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return got

    def says_goodbye(self) -> None:
        """Say that nothing follows."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            return

    async def shake_with(self, stream: trio.SocketStream) -> None:
        """Shake hands over a stream, up to the last flight, which is not sent yet."""
        with trio.fail_after(5):
            while not self.shake():
                await stream.send_all(self.says())
                self.hears(await stream.receive_some(1 << 16))
