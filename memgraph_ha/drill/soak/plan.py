"""Which faults a soak does: drawn by weight from a seed, so that the same seed gives the same sequence. Pure."""

import enum
import random
from collections.abc import Iterable
from typing import Final, TypeVar

from attrs import frozen

T = TypeVar("T")


class Kind(enum.Enum):
    """What is done. The values are the words of the table and of the JSON."""

    KILL = "kill"
    FREEZE = "freeze"
    KILL_PAIR = "kill both"
    IN_REIGN = "kill, then at a random step"
    WIPE = "wipe"
    RESTART = "restart"
    SWITCHOVER = "switchover"
    PAUSED = "kill while paused"
    ANNOUNCED = "announced stop"
    CUT = "cut link"
    STORM = "reconnect storm"
    FULL_DISK = "full disk"
    LEASE = "freeze beyond lease"


class Whom(enum.Enum):
    """To whom, by what it is to the cluster at that moment."""

    MAIN = "MAIN"
    STANDBY = "standby"
    ASYNC = "ASYNC"
    CONTROLLER = "controller"
    EVERYBODY = "everybody"


class Way(enum.Enum):
    """Which way a cut goes: packets to a port, packets back from it, or both.

    To a port, a new connection is refused as unreachable; back from it, a new connection hangs. Established
    connections become black holes in that direction in either case.
    """

    THERE = "there"
    BACK = "back"
    BOTH = "both"


class Port(enum.Enum):
    """Which port of an instance is cut."""

    BOLT = "bolt"
    REPLICATION = "replication"


@frozen(kw_only=True)
class Blow:
    """One thing that is done.

    Attributes:
        kind: What.
        whom: To whom.
        for_s: For how long, where it lasts: a freeze, a cut, a full disk, a pause; how long a killed controller stays
            away.
        way: Of a cut.
        port: Of a cut.
    """

    kind: Kind
    whom: Whom
    for_s: float = 0.0
    way: Way = Way.BOTH
    port: Port = Port.REPLICATION

    @property
    def label(self) -> str:
        """The line of the table that it belongs to."""
        if self.kind in _NAMELESS:
            return self.kind.value
        if self.kind is Kind.CUT:
            return f"{self.kind.value} ({self.port.value} of {self.whom.value})"
        return f"{self.kind.value} {self.whom.value}"

    def __str__(self) -> str:
        """Everything about it, for the time-line."""
        cut = f", {self.way.value}" if self.kind is Kind.CUT else ""
        lasting = f" for {self.for_s:.1f} s" if self.for_s else ""
        return f"{self.label}{cut}{lasting}"


@frozen(kw_only=True)
class Step:
    """One fault of the sequence, single or double.

    Attributes:
        number: 1 for the first.
        settle_s: How long the cluster is left alone before.
        blow: What is done.
        second: What is done too, while the first is under way; None for most.
        second_after_s: How long after the first.
    """

    number: int
    settle_s: float
    blow: Blow
    second: Blow | None = None
    second_after_s: float = 0.0

    @property
    def label(self) -> str:
        """The line of the table that it belongs to."""
        if self.blow.kind is Kind.IN_REIGN:
            return f"{Kind.KILL.value} MAIN, then another in the new reign"
        return self.blow.label if self.second is None else "two at once"

    def __str__(self) -> str:
        """Everything about it, for the time-line."""
        if self.second is None:
            return str(self.blow)
        first = "kill MAIN" if self.blow.kind is Kind.IN_REIGN else str(self.blow)
        return f"{first}, after {self.second_after_s * 1000:.0f} ms {self.second}"


DOUBLE_SHARE: Final = 0.1
"""How many of the faults are two at once."""

ISOLATED: Final = frozenset({Kind.CUT, Kind.FULL_DISK})
"""What needs name spaces of its own: routing rules and a small disk."""

LEASE_OVER_S: Final = (11.0, 14.0)
"""A frozen leader outlives its lease: policy lease_duration_s is 10 by default."""

_NAMELESS: Final = frozenset({Kind.KILL_PAIR, Kind.SWITCHOVER, Kind.LEASE, Kind.STORM})
_FREEZE_S: Final = (0.5, 8.0)
_CUT_S: Final = (0.5, 8.0)
_FULL_S: Final = (1.0, 8.0)
_PAUSE_S: Final = (0.5, 4.0)
_AWAY_S: Final = (0.0, 2.0)
_IN_REIGN_S: Final = (0.0, 1.5)
_SETTLE_S: Final = (0.2, 0.8)

_INSTANCES: Final = ((Whom.MAIN, 4), (Whom.STANDBY, 3), (Whom.ASYNC, 2))
_ANYBODY: Final = (*_INSTANCES, (Whom.CONTROLLER, 2))

_WEIGHTS: Final = {
    Kind.KILL: 26,
    Kind.FREEZE: 14,
    Kind.KILL_PAIR: 6,
    Kind.IN_REIGN: 10,
    Kind.WIPE: 7,
    Kind.RESTART: 7,
    Kind.SWITCHOVER: 10,
    Kind.PAUSED: 5,
    Kind.ANNOUNCED: 5,
    Kind.CUT: 10,
    Kind.STORM: 2,
    Kind.FULL_DISK: 3,
    Kind.LEASE: 3,
}

_SECOND: Final = {Kind.KILL: 2, Kind.FREEZE: 1}
"""The second of two: what comes by surprise. A wiped disk is never one: with MAIN's loss it could be a real one."""


def draw(seed: int, count: int, *, isolated: bool) -> tuple[Step, ...]:
    """Draw a sequence of faults.

    Args:
        seed: The same gives the same sequence.
        count: How many; a longer sequence begins as a shorter one does.
        isolated: Whether what needs name spaces of its own is drawn too; it changes the sequence.
    """
    dice = random.Random(f"memgraph-ha soak {seed}")  # noqa: S311 - faults, not secrets
    kinds = {kind: weight for kind, weight in _WEIGHTS.items() if isolated or kind not in ISOLATED}
    return tuple(_step(dice, number, kinds) for number in range(1, count + 1))


def _step(dice: random.Random, number: int, kinds: dict[Kind, int]) -> Step:
    settle_s = dice.uniform(*_SETTLE_S)
    blow = _blow(dice, _by_weight(dice, kinds.items()))
    double = dice.random() < DOUBLE_SHARE and blow.kind is not Kind.WIPE
    if not double and blow.kind is not Kind.IN_REIGN:
        return Step(number=number, settle_s=settle_s, blow=blow)
    second = _blow(dice, _by_weight(dice, _SECOND.items()))
    while second.whom is blow.whom is Whom.CONTROLLER:  # a controller that is killed cannot be frozen, nor twice
        second = _blow(dice, _by_weight(dice, _SECOND.items()))
    return Step(
        number=number,
        settle_s=settle_s,
        blow=blow,
        second=second,
        second_after_s=dice.uniform(*_IN_REIGN_S),
    )


def _blow(dice: random.Random, kind: Kind) -> Blow:
    match kind:
        case Kind.KILL:
            whom = _by_weight(dice, _ANYBODY)
            return Blow(kind=kind, whom=whom, for_s=dice.uniform(*_AWAY_S) if whom is Whom.CONTROLLER else 0.0)
        case Kind.FREEZE:
            return Blow(kind=kind, whom=_by_weight(dice, _ANYBODY), for_s=dice.uniform(*_FREEZE_S))
        case Kind.CUT:
            return Blow(
                kind=kind,
                whom=_by_weight(dice, _INSTANCES),
                for_s=dice.uniform(*_CUT_S),
                way=dice.choice(tuple(Way)),
                port=dice.choice(tuple(Port)),
            )
        case Kind.WIPE | Kind.RESTART | Kind.ANNOUNCED:
            return Blow(kind=kind, whom=_by_weight(dice, _INSTANCES))
        case Kind.PAUSED:
            return Blow(kind=kind, whom=_by_weight(dice, _INSTANCES), for_s=dice.uniform(*_PAUSE_S))
        case Kind.FULL_DISK:
            whom = _by_weight(dice, (*_INSTANCES, (Whom.EVERYBODY, 2)))
            return Blow(kind=kind, whom=whom, for_s=dice.uniform(*_FULL_S))
        case Kind.LEASE:
            return Blow(kind=kind, whom=Whom.CONTROLLER, for_s=dice.uniform(*LEASE_OVER_S))
        case Kind.KILL_PAIR | Kind.IN_REIGN | Kind.SWITCHOVER | Kind.STORM:
            return Blow(kind=kind, whom=Whom.MAIN)


def _by_weight(dice: random.Random, weighted: Iterable[tuple[T, int]]) -> T:
    choices = tuple(weighted)
    return dice.choices([each for each, _ in choices], [weight for _, weight in choices])[0]
