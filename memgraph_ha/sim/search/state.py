"""A state of the small world: flat, hashable, and without a past."""

from __future__ import annotations

from typing import Final, NamedTuple

BASE: Final = 0
"""The token of everything that was acknowledged before the present tail: who is not empty has it."""

TOKENS: Final = (1, 2)
"""The writes that can be told apart at one time."""

NOOP: Final = 0
"""What a commit in a log stands for when it is no write of a client."""

READY, CATCHING_UP, INVALID, DIVERGED, HALF = "ready", "recovery", "invalid", "diverged", "half"

Commit = tuple[int, int]
"""An epoch, and a token."""


class Row(NamedTuple):
    """MAIN's registration of one replica.

    Attributes:
        to: Whom.
        strict: STRICT_SYNC, else ASYNC.
        number: Of its name, counted from the record's ``row_seq``.
        status: What SHOW REPLICAS says of it.
        moved: Whether its ``ts`` moved since the last no-op whose answer arrived.
    """

    to: int
    strict: bool
    number: int
    status: str
    moved: bool


class Instance(NamedTuple):
    """One place.

    Attributes:
        up: Whether a process lives there.
        main: Whether that process is MAIN. One that starts is REPLICA before Bolt opens (init file, Q1).
        log: Its commits after what everybody has; None if its volume is new and was never filled.
        fresh: MAIN, and its epoch is in memory only (Q3).
        follows: Whose promotion its accepted ``main_uuid`` is of; -1: nobody's that still counts.
        rows: MAIN's registrations; of a process that ended as MAIN, those on its disk.
    """

    up: bool
    main: bool
    log: tuple[Commit, ...] | None
    fresh: bool
    follows: int
    rows: tuple[Row, ...]


class Write(NamedTuple):
    """A client's write on its way.

    Attributes:
    It is a write that MAIN has committed: every STRICT_SYNC replica voted for it, none was told yet, and the client
    is answered with that. Nothing else need be told apart. What happens between the votes and MAIN's commit might as
    well happen right after it, or the commit never happens; and an answer that comes late asks for no more than one
    that comes at once.

    Attributes:
        token: Which.
        main: Who took it.
        via: Through whose gateway its answer would come; -1 once that connection is cut.
        held: Who holds the prepared transaction; -1: nobody.
    """

    token: int
    main: int
    via: int
    held: int


IDLE, LEADS, ROBBED, BLIND = 0, 1, 2, 3
"""A controller does not lead; leads; leads as far as it knows; leads, and is cut off from record and lease."""


class Gate(NamedTuple):
    """An open read/write gateway: to whom, how many lives ago, in which reign, and whether it is quiet."""

    to: int
    ago: int
    reign: int
    quiet: bool


class Flight(NamedTuple):
    """Commands of one decision on their way.

    Attributes:
        rule: The number of the rule that decided.
        command: The one that is on the wire.
        rest: Those that follow.
    """

    rule: int
    command: int
    rest: tuple[int, ...]


class Controller(NamedTuple):
    """One controller.

    Attributes:
        mode: See `IDLE`, `LEADS`, `ROBBED`, `BLIND`.
        mind: What it knows: the number of an `Observed`.
        gate: Its read/write gateway; None: shut.
        flight: Its commands in flight; None: none.
        unreached: Whom it cannot reach, as bits.
    """

    mode: int
    mind: int
    gate: Gate | None
    flight: Flight | None
    unreached: int


class State(NamedTuple):
    """The small world at one moment.

    Attributes:
        instances: m0, m1 and m2.
        cuts: Directed links between instances over which nothing comes, as bits (`link`).
        record: The number of the record.
        older: The number of the record of the reign before; -1 if none can be put back.
        floor: The highest generation that the lease has seen.
        free: Whether the lease can be taken, having run out; ``stolen``: it was removed by hand.
        controllers: Both, the lesser first: nothing tells them apart.
        late: Commands that nobody waits for and that may still land, by number.
        write: A client's write on its way.
        acked: Which tokens were acknowledged, as bits.
        frail: Which of them lack their Finalize, while nobody can know: the residual of design 1.
        overtaken: Whether a write was acknowledged in a reign above the record's.
        budget: How many faults may still happen.
    """

    instances: tuple[Instance, Instance, Instance]
    cuts: int
    record: int
    older: int
    floor: int
    free: bool
    stolen: bool
    controllers: tuple[Controller, Controller]
    late: tuple[int, ...]
    write: Write | None
    acked: int
    frail: int
    overtaken: bool
    budget: int


def link(source: int, target: int) -> int:
    """The bit of a directed link."""
    return 1 << (source * 3 + target)


class ViolationError(Exception):
    """A promise was broken.

    Args:
        check: Which: an id of scenarios 5.1, or the name of an invariant of the core.
        text: What happened.
    """

    def __init__(self, check: str, text: str) -> None:
        super().__init__(f"{check}: {text}")
        self.check, self.text = check, text
