"""The certificate that clients are shown, following its files."""

import logging
import ssl
import threading
from pathlib import Path
from typing import Final

import trio

FOLLOW_S: Final = 2.0
"""How often the files are looked at: a rotation is no emergency, and two calls of stat cost nothing."""

_Signature = tuple[int, int, int, int]

log = logging.getLogger(__name__)


class Certificate:
    """A certificate and its key, loaded again when the files change.

    **Error handling.** Made from bad files, it raises. When files turn bad later, that is logged once and the pair
    that was good serves on, until they change again.

    Args:
        cert: PEM file with the server's certificate, then those that sign it.
        key: PEM file with its private key, not encrypted.

    Attributes:
        context: What new connections are accepted with; TLS 1.2 or later. Those that exist keep theirs.

    Raises:
        ValueError: A file cannot be read or is not what it should be; the message names it and the reason.
    """

    def __init__(self, cert: Path, key: Path) -> None:
        self._cert, self._key = cert, key
        self._refreshing = threading.Lock()
        self._tried = self._signatures()
        self.context = self._load()

    def refresh(self) -> bool:
        """Load the files if they have changed since they were last tried. Reads files; any thread may call it.

        Returns:
            Whether `context` is a new one.
        """
        with self._refreshing:
            signatures = self._signatures()
            if signatures == self._tried:
                return False
            self._tried = signatures
            try:
                self.context = self._load()
            except ValueError as error:
                log.error("TLS goes on with the certificate loaded before: %s", error)  # noqa: TRY400 - it says it all
                return False
            log.info("loaded the new TLS certificate %s", self._cert)
            return True

    def _signatures(self) -> tuple[_Signature | None, ...]:
        """What changes when a file is written, replaced, or reached by another symbolic link; None without a file."""
        return tuple(_signature(path) for path in (self._cert, self._key))

    def _load(self) -> ssl.SSLContext:
        for name, path in (("tls_cert", self._cert), ("tls_key", self._key)):
            try:
                path.read_bytes()
            except OSError as error:
                raise ValueError(f"{name}: {path} cannot be read ({error.strerror}): give a PEM file") from error
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            # Loading the pair does not tell which file was wrong; a context that only reads certificates does.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(self._cert)
        except OSError as error:
            raise ValueError(
                f"tls_cert: {self._cert} holds no certificate ({_reason(error)}):"
                " give a PEM file with the server's certificate, then those that sign it"
            ) from error
        try:
            context.load_cert_chain(self._cert, self._key, _no_password)
        except OSError as error:
            raise ValueError(
                f"tls_key: {self._key} does not hold the key of {self._cert} ({_reason(error)}):"
                " give a PEM file with its private key, not encrypted"
            ) from error
        return context


def _signature(path: Path) -> _Signature | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _no_password() -> str:
    """Answer for an encrypted key: OpenSSL would ask for its password on the terminal, and wait."""
    return ""


def _reason(error: OSError) -> str:
    found = error.reason if isinstance(error, ssl.SSLError) else error.strerror
    return (found or str(error)).lower().replace("_", " ")


async def follow(certificate: Certificate) -> None:
    """Look at the files every `FOLLOW_S`, on a thread, until cancelled; a file system that hangs delays nothing."""
    while True:
        await trio.sleep(FOLLOW_S)
        await trio.to_thread.run_sync(certificate.refresh, abandon_on_cancel=True)
