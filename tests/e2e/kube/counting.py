"""What the kernel counts in a pod's network namespace: what a process sent and read, whatever it says of itself."""

import ipaddress
import json
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import frozen

from tools.kube.run import run

_TABLE: Final = "memgraph-ha-counting"
_ESTABLISHED: Final = {"01", "08"}
"""ESTABLISHED, and CLOSE_WAIT: a peer that has ended its side may still be owed bytes (include/net/tcp_states.h)."""


@frozen(kw_only=True)
class Connection:
    """One TCP connection as the kernel has it (`/proc/PID/net/tcp`, Documentation/networking/proc_net_tcp.rst).

    Attributes:
        port: The local port.
        peer: The remote address.
        peer_port: The remote port.
        unread: Bytes that arrived and that the process has not read.
    """

    port: int
    peer: str
    peer_port: int
    unread: int


@frozen(kw_only=True)
class Namespace:
    """A pod's network namespace, by one of its processes, which may be frozen.

    Attributes:
        pid: As this machine counts.
    """

    pid: int

    def connections(self) -> list[Connection]:
        """List its TCP connections over IPv4, also those of IPv6 sockets."""
        return [
            found
            for name in ("tcp", "tcp6")
            for line in Path(f"/proc/{self.pid}/net/{name}").read_text(encoding="ascii").splitlines()[1:]
            if (found := _read(line.split())) is not None
        ]

    def tossed_unread(self) -> int:
        """Count the sockets that were ever closed with bytes in them that the process had not read.

        The kernel's ``TCPAbortOnClose`` (net/ipv4/tcp.c, ``__tcp_close``).
        """
        lines = Path(f"/proc/{self.pid}/net/netstat").read_text(encoding="ascii").splitlines()
        pairs = zip(lines[::2], lines[1::2], strict=True)
        table = next((names.split(), values.split()) for names, values in pairs if names.startswith("TcpExt:"))
        return int(dict(zip(*table, strict=True))["TCPAbortOnClose"])

    @contextmanager
    def counting(self, rules: Mapping[str, str]) -> Iterator["Counting"]:
        """Count packets that leave while the block runs.

        Args:
            rules: For each counter, which packets, in nft's words.
        """
        counters = [f"counter {name} {{ }}" for name in rules]
        matching = [f'{rule} counter name "{name}"' for name, rule in rules.items()]
        chain = ["chain leaving {", "type filter hook output priority -10;", *matching, "}"]
        self._nft("-f", "-", given="\n".join([f"table ip {_TABLE} {{", *counters, *chain, "}", ""]))
        try:
            yield Counting(self)
        finally:
            self._nft("delete", "table", "ip", _TABLE, may_fail=True)

    def _nft(self, *words: str, given: str | None = None, may_fail: bool = False) -> str:
        inside = ("nsenter", "--target", str(self.pid), "--net", "nft")
        return run([*inside, *words], given=given, may_fail=may_fail)


@frozen
class Counting:
    """Counters that count.

    Attributes:
        namespace: Where.
    """

    namespace: Namespace

    def packets(self) -> dict[str, int]:
        """Read them all."""
        told = json.loads(self.namespace._nft("-j", "list", "counters", "table", "ip", _TABLE))
        return {each["counter"]["name"]: each["counter"]["packets"] for each in told["nftables"] if "counter" in each}


WITH_DATA: Final = "tcp flags & psh == psh"
"""Segments that carry the end of what a process wrote: Linux sets PSH on the last one of each write."""


def _read(words: list[str]) -> Connection | None:
    if words[3] not in _ESTABLISHED:
        return None
    (_, port), (peer, peer_port) = (each.split(":") for each in words[1:3])
    return Connection(
        port=int(port, 16), peer=_address(peer), peer_port=int(peer_port, 16), unread=int(words[4].split(":")[1], 16)
    )


def _address(text: str) -> str:
    """Read an address: 32-bit words in the machine's byte order; an IPv4 one in IPv6's clothes is what it is."""
    packed = b"".join(struct.pack("=I", int(text[at : at + 8], 16)) for at in range(0, len(text), 8))
    if len(packed) == len(socket.inet_aton("0.0.0.0")):  # noqa: S104 - only its length
        return socket.inet_ntoa(packed)
    address = ipaddress.IPv6Address(packed)
    return str(address.ipv4_mapped or address)
