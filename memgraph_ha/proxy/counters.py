"""What the gateway counts: a mutable tally inside, a frozen snapshot outside."""

import enum

from attrs import field, frozen

from memgraph_ha.core.names import InstanceName


class Refusal(enum.Enum):
    """Why a client's connection was reset before it ever reached MAIN, or a replica."""

    SHUT = "no permit, and the route does not hold"
    HOLD_FULL = "hold_max_connections clients were held already"
    HOLD_EXPIRED = "held for hold_max_s without a permit"
    LIMIT = "max_connections clients were connected already"
    RATE = "its source opened connections faster than source_rate_per_s and source_burst allow"
    NO_HEADER = "it did not begin with a valid PROXY protocol v2 header"
    NOT_TLS = "it spoke something else on a port that terminates TLS"
    TLS_FAILED = "the TLS handshake failed"
    GREETING_EXPIRED = "its PROXY header and TLS handshake took longer than greeting_timeout_s"
    UNREACHABLE = "every replica that may be read was tried in vain"


@frozen(kw_only=True)
class Counters:
    """A snapshot of what a gateway did and has; everything but the ``..._now`` only grows.

    MAIN stands for the replicas, too, where it is the read-only gateway that counted.

    Attributes:
        name: Which gateway: ``rw`` or ``ro``.
        accepted: Connections taken from the listening socket, refused ones included.
        refused: Of these, reset before they reached MAIN, by reason; every reason is present.
        held: Clients that had to wait, for a permit or for a free place to dial.
        hung_up: Clients that left while they were being received, waited or were being dialled.
        released: Clients that reached MAIN after waiting.
        relayed: Clients that reached MAIN, waited or not.
        cut: Relayed connections that were reset because the permit ended, lapsed or lost its sentinel.
        cut_open: Of these, in a quiet moment because they were, or might have been, inside a transaction that was
            ended by force.
        dial_failures: Connection attempts for clients that failed; the client went back to waiting.
        sentinel_breaks: Times MAIN was found gone by the gateway's own connection.
        idled: Relayed connections that were reset because no byte passed on them for idle_timeout_s.
        accept_pauses: Times accepting was suspended for want of file descriptors or memory.
        bytes_to_main: Bytes written to MAIN for clients.
        bytes_to_clients: Bytes written to clients for MAIN, before TLS encrypts them.
        received_now: Clients in their PROXY header or TLS handshake.
        held_now: Clients waiting.
        dialling_now: Clients being dialled.
        active_now: Connections being relayed.
        relayed_to_now: Of these, how many to each instance.
        inside_now: Of these, inside a transaction, as far as their messages tell (decision 0005).
        unknown_now: Of these, not readable: TLS that passes through, or not Bolt. They may be inside one too.
        holding_now: Of these, kept from sending by a quiet moment.
    """

    name: str
    accepted: int
    refused: dict[Refusal, int] = field(hash=False)
    held: int
    hung_up: int
    released: int
    relayed: int
    cut: int
    cut_open: int
    dial_failures: int
    sentinel_breaks: int
    accept_pauses: int
    idled: int
    bytes_to_main: int
    bytes_to_clients: int
    received_now: int
    held_now: int
    dialling_now: int
    active_now: int
    relayed_to_now: dict[InstanceName, int] = field(hash=False)
    inside_now: int
    unknown_now: int
    holding_now: int


class Tally:
    """The running counts; touched only by whoever holds the engine's lock."""

    def __init__(self) -> None:
        self.accepted = 0
        self.refused = dict.fromkeys(Refusal, 0)
        self.held = 0
        self.hung_up = 0
        self.released = 0
        self.relayed = 0
        self.cut = 0
        self.cut_open = 0
        self.dial_failures = 0
        self.sentinel_breaks = 0
        self.accept_pauses = 0
        self.idled = 0
        self.bytes_to_main = 0
        self.bytes_to_clients = 0
