"""The PROXY protocol, version 2: who the client really is, told in a few bytes before its own.

Source: "The PROXY protocol", HAProxy project, section 2.2 (the binary header format) and 2.2.x (TLVs).
"""

import socket
import struct
from typing import Final

from attrs import frozen

from memgraph_ha.proxy.sockets import V4_MAPPED, packed_host

SIGNATURE: Final = b"\r\n\r\n\x00\r\nQUIT\n"
FIXED: Final = 16
"""Signature, version and command, family and transport, length of the rest."""
MAX_HEADER: Final = 4096
"""Longest header taken, bytes: a sender needs 52 for addresses and some hundred for TLVs."""

_LOCAL: Final = 0x20
_PROXY: Final = 0x21
_TCP4: Final = 0x11
_TCP6: Final = 0x21
_ADDRESS_SIZES: Final = {0x00: 0, _TCP4: 12, 0x12: 12, _TCP6: 36, 0x22: 36, 0x31: 216, 0x32: 216}
"""Bytes of the address block by family and transport; any other value must be refused."""
_CRC32C: Final = 0x03
_V4_BYTES: Final = 4

LOCAL_HEADER: Final = SIGNATURE + bytes((_LOCAL, 0, 0, 0))
"""What the gateway says of connections of its own."""


class HeaderError(ValueError):
    """These bytes are not a valid header; the message says why."""


@frozen
class Endpoints:
    """Both ends of a client's connection, numeric.

    Attributes:
        source: The client's address and port.
        destination: Which address and port it connected to.
    """

    source: tuple[str, int]
    destination: tuple[str, int]


def missing(header: bytes) -> int:
    """How many more bytes belong to a header that began so, or must be seen to know.

    Asking after every chunk, and never reading more than this, leaves what follows the header untouched.

    Args:
        header: What came so far, possibly nothing.

    Returns:
        0 when it is complete.

    Raises:
        HeaderError: However it goes on, it will not be valid.
    """
    if header[: len(SIGNATURE)] != SIGNATURE[: len(header)]:
        raise HeaderError("the connection does not begin with the signature of PROXY protocol version 2")
    if len(header) < FIXED:
        return FIXED - len(header)
    command, family, length = header[12], header[13], int.from_bytes(header[14:16], "big")
    if command not in {_LOCAL, _PROXY}:
        raise HeaderError(f"version and command are 0x{command:02x}, not 0x20 (LOCAL) or 0x21 (PROXY)")
    if command == _PROXY and family not in _ADDRESS_SIZES:
        raise HeaderError(f"family and transport are 0x{family:02x}, which the protocol does not know")
    if command == _PROXY and length < _ADDRESS_SIZES[family]:
        raise HeaderError(f"{length} bytes cannot hold the addresses of family and transport 0x{family:02x}")
    if FIXED + length > MAX_HEADER:
        raise HeaderError(f"the header is {FIXED + length} bytes long, more than {MAX_HEADER}")
    return FIXED + length - len(header)


def parse(header: bytes) -> Endpoints | None:
    """Read a complete header.

    Args:
        header: All of it and nothing else, as `missing` delimits it.

    Returns:
        The announced ends; None if the connection's own count (the LOCAL command, or no TCP addresses).

    Raises:
        HeaderError: It is not valid, or was damaged on its way (its checksum, if it has one, is wrong).
    """
    if missing(header):
        raise HeaderError(f"the header ends after {len(header)} bytes, {missing(header)} too early")
    command, family = header[12], header[13]
    if command == _LOCAL:
        return None  # whatever follows must be skipped unread
    end = FIXED + _ADDRESS_SIZES[family]
    _check_tlvs(header, end)
    if family == _TCP4:
        version, size = socket.AF_INET, 4
    elif family == _TCP6:
        version, size = socket.AF_INET6, 16
    else:
        return None
    source, destination = header[FIXED : FIXED + size], header[FIXED + size : FIXED + 2 * size]
    source_port, destination_port = struct.unpack("!HH", header[end - 4 : end])
    return Endpoints(
        source=(socket.inet_ntop(version, source), source_port),
        destination=(socket.inet_ntop(version, destination), destination_port),
    )


def build(ends: Endpoints) -> bytes:
    """The header that announces a client.

    Args:
        ends: Its connection; if only one of the two is IPv4, both are written as IPv6.

    Returns:
        28 or 52 bytes.
    """
    hosts = [packed_host(host) for host, _ in (ends.source, ends.destination)]
    family = _TCP4
    if {len(host) for host in hosts} != {_V4_BYTES}:
        family = _TCP6
        hosts = [V4_MAPPED + host if len(host) == _V4_BYTES else host for host in hosts]
    block = b"".join(hosts) + struct.pack("!HH", ends.source[1], ends.destination[1])
    return SIGNATURE + struct.pack("!BBH", _PROXY, family, len(block)) + block


def _check_tlvs(header: bytes, at: int) -> None:
    """Refuse extensions that do not fill the header exactly, and a wrong checksum; ignore what else they say."""
    while at < len(header):
        if len(header) - at < 3:  # noqa: PLR2004 - a type and a length take three bytes
            raise HeaderError(f"{len(header) - at} bytes at the end of the header are too few for an extension")
        kind, length = struct.unpack_from("!BH", header, at)
        value, at = at + 3, at + 3 + length
        if at > len(header):
            raise HeaderError(f"an extension of type 0x{kind:02x} is longer than the header")
        if kind == _CRC32C:
            _check_crc32c(header, value, length)


def _check_crc32c(header: bytes, at: int, length: int) -> None:
    if length != 4:  # noqa: PLR2004 - 32 bits
        raise HeaderError(f"the checksum is {length} bytes long, not 4")
    said = int.from_bytes(header[at : at + 4], "big")
    found = crc32c(header[:at] + bytes(4) + header[at + 4 :])
    if said != found:
        raise HeaderError(f"the checksum is 0x{said:08x}, but the header's is 0x{found:08x}")


def _crc32c_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        rest = byte
        for _ in range(8):
            rest = (rest >> 1) ^ (0x82F63B78 if rest & 1 else 0)
        table.append(rest)
    return tuple(table)


_CRC_TABLE: Final = _crc32c_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli, RFC 3720 appendix B.4), which the protocol's checksum extension uses."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _CRC_TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF
