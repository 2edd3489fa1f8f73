"""What the gateway counts: a mutable tally inside, a frozen snapshot outside."""

import enum

from attrs import field, frozen


class Refusal(enum.Enum):
    """Why a client's connection was reset before it ever reached MAIN."""

    SHUT = "no permit, and the route does not hold"
    HOLD_FULL = "hold_max_connections clients were held already"
    HOLD_EXPIRED = "held for hold_max_s without a permit"
    LIMIT = "max_connections clients were connected already"


@frozen(kw_only=True)
class Counters:
    """A snapshot of what the gateway did and has; everything but the three ``..._now`` only grows.

    Attributes:
        accepted: Connections taken from the listening socket, refused ones included.
        refused: Of these, reset before they reached MAIN, by reason; every reason is present.
        held: Clients that had to wait, for a permit or for a free place to dial.
        hung_up: Clients that left while they waited or were being dialled.
        released: Clients that reached MAIN after waiting.
        relayed: Clients that reached MAIN, waited or not.
        cut: Relayed connections that were reset because the permit ended, lapsed or lost its sentinel.
        dial_failures: Connection attempts for clients that failed; the client went back to waiting.
        sentinel_breaks: Times MAIN was found gone by the gateway's own connection.
        accept_pauses: Times accepting was suspended for want of file descriptors or memory.
        bytes_to_main: Bytes written to MAIN for clients.
        bytes_to_clients: Bytes written to clients for MAIN.
        held_now: Clients waiting.
        dialling_now: Clients being dialled.
        active_now: Connections being relayed.
    """

    accepted: int
    refused: dict[Refusal, int] = field(hash=False)
    held: int
    hung_up: int
    released: int
    relayed: int
    cut: int
    dial_failures: int
    sentinel_breaks: int
    accept_pauses: int
    bytes_to_main: int
    bytes_to_clients: int
    held_now: int
    dialling_now: int
    active_now: int


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
        self.dial_failures = 0
        self.sentinel_breaks = 0
        self.accept_pauses = 0
        self.bytes_to_main = 0
        self.bytes_to_clients = 0
