"""Links that are cut: one port, one direction, refused or swallowed. Only in name spaces of ours.

On one machine all links lead over the loopback, and the server's port tells them apart: what goes to it bears it as
the destination, what comes back as the source. A routing rule sends either of them nowhere. A *reject* tells who
sends: new connections are refused as unreachable. A *black hole* tells nobody: packets leave by a device on whose
other end nobody listens. Connections that stand fall silent in both cases, as they do when a cable is pulled.
"""

import contextlib
import enum
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_TABLE: Final = "50"
_PREF: Final = "9"
_HOLE: Final = "hole"


class Way(enum.Enum):
    """Which direction of a link is cut; the values say which port of a packet tells it."""

    TO = ("dport",)
    FROM = ("sport",)
    BOTH = ("dport", "sport")


class Manner(enum.Enum):
    """What becomes of what is sent."""

    REJECT = "reject"
    BLACK_HOLE = "black hole"


@contextlib.contextmanager
def cut(port: int, way: Way, manner: Manner) -> Iterator[None]:
    """Let nothing through to or from a server's TCP port while the block runs.

    Args:
        port: The server's.
        way: Which direction.
        manner: What becomes of what is sent.
    """
    action = ["type", "unreachable"] if manner is Manner.REJECT else ["lookup", _TABLE]
    if manner is Manner.BLACK_HOLE:
        _dig()
    rules = [["pref", _PREF, "ipproto", "tcp", kind, str(port), *action] for kind in way.value]
    for rule in rules:
        _ip("rule", "add", *rule)
    try:
        yield
    finally:
        for rule in rules:
            _ip("rule", "del", *rule)


def _dig() -> None:
    """Make the device behind which there is nobody, unless it is there: loopback addresses may leave by it."""
    conf = Path(f"/proc/sys/net/ipv4/conf/{_HOLE}")  # of our name space, as /sys is not
    if conf.exists():
        return
    _ip("link", "add", _HOLE, "type", "veth", "peer", "name", "abyss")
    (conf / "route_localnet").write_text("1")
    _ip("link", "set", _HOLE, "arp", "off", "up")
    _ip("link", "set", "abyss", "up")
    _ip("route", "add", "127.0.0.0/8", "dev", _HOLE, "src", "127.0.0.1", "table", _TABLE)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)  # noqa: S607 - whichever ip the machine has
