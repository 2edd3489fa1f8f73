"""Who may lead: the list that the holder of the lease keeps in it, and how long each must wait by it."""

import json
from typing import Final

from attrs import frozen

LONGEST_S: Final = 900.0
"""For how long a term may go on by promises since its last renewal: longer than the upgrade of a control plane takes,
and short enough for a night on call."""

MOST_PEERS: Final = 32
"""A list that is longer is none of ours."""

_FIELDS: Final = {"pod", "holder", "longest_s", "peers"}
_PEER_FIELDS: Final = {"pod", "uid", "address"}


def outlasting(seconds: float) -> float:
    """Give a wait on one clock that certainly outlasts a span on another.

    Clocks may differ by a tenth (those of real machines differ by less than a thousandth: ``adjtimex`` slews by at
    most 0.05 %), and a second is for what happens between reading a clock and acting on it.

    Args:
        seconds: The span, >= 0.

    Returns:
        The wait, seconds.
    """
    return seconds * 1.1 + 1.0


@frozen(kw_only=True)
class Peer:
    """A controller that may take the lease as soon as it has run out.

    Attributes:
        pod: Its pod's name, for people.
        uid: Its pod's UID: at most one process at a time lives under it, for kubelet starts a container again only
            after the old one has ended (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).
        address: Where it answers, ``host:port``.
    """

    pod: str
    uid: str
    address: str


@frozen(kw_only=True)
class Roster:
    """What the holder says of itself and of all others that may follow it.

    Attributes:
        pod: Its own pod's name.
        holder: That pod's UID.
        longest_s: For how long after its last renewal its term may go on by promises, seconds.
        peers: All others, by UID. Without any there are no promises: the term ends when it is not renewed.
    """

    pod: str
    holder: str
    longest_s: float = LONGEST_S
    peers: tuple[Peer, ...] = ()

    def to_text(self) -> str:
        """Write it as it stands in the lease, to be read back by `read_roster`."""
        peers = [{"pod": peer.pod, "uid": peer.uid, "address": peer.address} for peer in self.peers]
        made = {"pod": self.pod, "holder": self.holder, "longest_s": self.longest_s, "peers": peers}
        return json.dumps(made, separators=(",", ":"))

    @property
    def pods(self) -> dict[str, str]:
        """Everybody in it, the holder too: UIDs to names."""
        return {self.holder: self.pod, **{peer.uid: peer.pod for peer in self.peers}}


UNREADABLE: Final = Roster(pod="", holder="", peers=(Peer(pod="?", uid="", address=""),))
"""What a list is taken for that makes no sense: nobody is in it, and somebody may have promised something."""


def read_roster(text: str) -> Roster | None:
    """Read what stands in the lease.

    Args:
        text: The whole annotation; empty if there is none.

    Returns:
        None if there is no list, `UNREADABLE` if what is there is none.
    """
    if not text:
        return None
    try:
        made = json.loads(text)
    except ValueError:
        return UNREADABLE
    if not isinstance(made, dict) or set(made) != _FIELDS or not isinstance(made["peers"], list):
        return UNREADABLE
    pod, holder, longest_s = made["pod"], made["holder"], made["longest_s"]
    peers = [_peer(each) for each in made["peers"][: MOST_PEERS + 1]]
    named = isinstance(pod, str) and pod and isinstance(holder, str) and holder
    counted = isinstance(longest_s, (int, float)) and not isinstance(longest_s, bool)
    if not named or not counted or not 0 <= longest_s <= LONGEST_S or len(peers) > MOST_PEERS:
        return UNREADABLE
    known = tuple(peer for peer in peers if peer is not None)
    if len(known) != len(peers) or len({peer.uid for peer in known} | {holder}) != len(known) + 1:
        return UNREADABLE
    return Roster(pod=pod, holder=holder, longest_s=float(longest_s), peers=known)


def _peer(made: object) -> Peer | None:
    if not isinstance(made, dict) or set(made) != _PEER_FIELDS:
        return None
    if not all(isinstance(value, str) and value for value in made.values()):
        return None
    return Peer(pod=made["pod"], uid=made["uid"], address=made["address"])
