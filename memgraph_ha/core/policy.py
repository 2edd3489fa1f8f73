"""What an operator may choose. Names, defaults, units and ranges stand here once; the reference is made from it."""

import enum
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from attrs import Attribute, asdict, field, fields, frozen

from memgraph_ha.core.errors import PolicyError
from memgraph_ha.core.names import InstanceName


class DataDurability(enum.Enum):
    """What happens to writes while there is no standby (the words of CloudNativePG)."""

    PREFERRED = "preferred"
    REQUIRED = "required"


class AutoReinit(enum.Enum):
    """Whether a diverged replica is rebuilt without a human."""

    PROVEN = "proven"
    NEVER = "never"


class Users(enum.Enum):
    """Whether accounts are created after a promotion (the official build forgets them, semantics 9)."""

    NONE = "none"
    RESTORE = "restore"


class Triggers(enum.Enum):
    """What is done about the triggers that a promotion lost (transcripts Q21)."""

    REPORT = "report"
    RESTORE = "restore"
    IGNORE = "ignore"


_Word = TypeVar("_Word", bound=enum.Enum)


def _in_range(low: float, high: float) -> "_Range":
    return _Range(low=low, high=high)


@frozen
class _Range:
    low: float
    high: float

    def __call__(self, _owner: object, attribute: "Attribute[float] | Attribute[int]", value: object) -> None:
        whole = attribute.type is int
        good_type = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
        if not good_type or not isinstance(value, (int, float)):
            wanted = "a whole number" if whole else "a number"
            raise PolicyError(f"policy field {attribute.name}: {value!r} is not {wanted}; {self.allowed()}")
        if not self.low <= value <= self.high:
            raise PolicyError(f"policy field {attribute.name}: {value!r} is out of range; {self.allowed()}")

    def allowed(self) -> str:
        """Say in words what may be given."""
        return f"allowed is {self.low:g} to {self.high:g}"


@frozen
class _OneOf:
    kind: type[enum.Enum]

    def __call__(self, _owner: object, attribute: "Attribute[_Word]", value: object) -> None:
        if not isinstance(value, self.kind):
            raise PolicyError(f"policy field {attribute.name}: {value!r} is unknown; allowed are {self.allowed()}")

    def allowed(self) -> str:
        """Say in words what may be given."""
        words = [repr(member.value) for member in self.kind]
        return f"{', '.join(words[:-1])} and {words[-1]}"


def _number(default: float, low: float, high: float, doc: str) -> float:
    made: float = field(default=default, validator=_in_range(low, high), metadata={"doc": doc})
    return made


def _whole(default: int, low: int, high: int, doc: str) -> int:
    made: int = field(default=default, validator=_in_range(low, high), metadata={"doc": doc})
    return made


def _word(default: _Word, doc: str) -> _Word:
    check: Callable[[object, Attribute[_Word], object], None] = _OneOf(type(default))
    made: _Word = field(default=default, validator=check, metadata={"doc": doc})
    return made


def _check_eligible(_owner: object, _attribute: object, value: object) -> None:
    if not isinstance(value, tuple) or not all(isinstance(name, str) and name for name in value):
        raise PolicyError(f"policy field eligible: {value!r} is not a list of instance names")
    if value and (len(value) != 2 or value[0] == value[1]):  # noqa: PLR2004 - a pair is two
        raise PolicyError(
            f"policy field eligible: {list(value)!r} does not name two different instances; "
            "give exactly the two that may be MAIN, or leave it out for the first two"
        )


@frozen(kw_only=True)
class Policy:
    """The operator's choices; every field is validated when one is made.

    Raises:
        PolicyError: A field's value is not allowed; the text names field, value and range.
    """

    eligible: tuple[InstanceName, ...] = field(
        default=(),
        validator=_check_eligible,
        metadata={"doc": "the two instances that may be MAIN; empty: the first two"},
    )
    data_durability: DataDurability = _word(  # noqa: RUF009 - it makes a field, as _number does
        DataDurability.PREFERRED,
        "`preferred`: writes go on without a standby, and the record says so; `required`: writes wait",
    )
    standby_grace_s: float = _number(5, 0.1, 3600, "unnamed standby before an unprotected reign is declared")
    probe_interval_s: float = _number(0.2, 0.02, 10, "pause between two liveness probes of one instance")
    probe_timeout_s: float = _number(0.5, 0.05, 10, "a probe without an answer for so long has failed")
    refused_count: int = _whole(2, 1, 100, "refused connections in a row: verdict Refused")
    refused_gap_s: float = _number(0.05, 0, 10, "least time between the first and the last of them")
    frozen_count: int = _whole(4, 1, 100, "probe time-outs in a row: verdict Frozen")
    frozen_standby_s: float = _number(3, 0.5, 600, "a standby that answers nothing for so long is restarted")
    restart_frozen_main_s: float = _number(
        60, 1, 86400, "a frozen MAIN that nobody may follow, or a frozen standby-to-be, is restarted after so long"
    )
    main_restart_limit: int = _whole(
        3, 0, 1000, "re-promotions of a restarted MAIN in the window, if a standby could take over"
    )
    main_restart_window_s: float = _number(600, 1, 86400, "the window of main_restart_limit")
    failover_limit: int = _whole(5, 1, 1_000_000, "unplanned reigns in the window; one more is held (Flapping)")
    failover_window_s: float = _number(600, 1, 86400, "the window of failover_limit")
    proof_interval_s: float = _number(1, 0.1, 60, "least time between two proofs of a named standby")
    command_deadline_s: float = _number(5, 0.5, 60, "a command without an answer for so long is unknown")
    lease_duration_s: float = _number(10, 2, 600, "how long a lease lasts without renewal")
    lease_renew_s: float = _number(2, 0.1, 60, "pause between two renewals of the lease")
    hold_max_s: float = _number(30, 0.1, 600, "longest time a new connection is held while RW is shut")
    hold_max_connections: int = _whole(1000, 0, 100_000, "most connections held at once")
    drain_s: float = _number(2, 0, 600, "switchover: longest time that open transactions may take to end by themselves")
    quiesce_max_s: float = _number(0.5, 0.05, 30, "quiet moment: what is still open after so long is ended")
    catch_up_max_s: float = _number(
        2, 0.1, 86400, "a standby that needs longer to catch up (estimated) does so as ASYNC first"
    )
    read_max_behind: int = _whole(
        1000, 0, 1_000_000_000, "reads: how far, in Memgraph timestamps, a replica may lag to get new connections"
    )
    auto_reinit: AutoReinit = _word(  # noqa: RUF009 - it makes a field, as _number does
        AutoReinit.PROVEN,
        "`proven`: a diverged replica is rebuilt by itself if history proves that MAIN has every acknowledged write; "
        "`never`: it waits for `memgraph-ha reinit`",
    )
    users: Users = _word(  # noqa: RUF009 - it makes a field, as _number does
        Users.NONE,
        "`none`: Memgraph has no accounts; `restore`: those of the accounts file are created after each promotion",
    )
    triggers: Triggers = _word(  # noqa: RUF009 - it makes a field, as _number does
        Triggers.REPORT,
        "triggers that a promotion lost: `report` names them, `restore` creates them before RW opens, `ignore`",
    )
    tilt_gap_s: float = _number(1, 0.2, 60, "gap in our own time after which one round is only observed")

    def __attrs_post_init__(self) -> None:
        """Check what no field can know alone."""
        if self.command_deadline_s >= self.lease_duration_s - LEASE_MARGIN_S:
            raise PolicyError(
                f"policy field command_deadline_s: {self.command_deadline_s:g} s must be shorter than "
                f"lease_duration_s minus {LEASE_MARGIN_S:g} s ({self.lease_duration_s - LEASE_MARGIN_S:g} s): "
                "a command must end while we still lead"
            )
        if self.lease_renew_s * 2 > self.lease_duration_s - LEASE_MARGIN_S:
            raise PolicyError(
                f"policy field lease_renew_s: {self.lease_renew_s:g} s leaves no second try within "
                f"lease_duration_s ({self.lease_duration_s:g} s); give at most "
                f"{(self.lease_duration_s - LEASE_MARGIN_S) / 2:g} s"
            )


LEASE_MARGIN_S: Final = 1.0
"""A permit ends this long before the lease does (design 6)."""


def parse_policy(given: Mapping[str, object]) -> Policy:
    """Make a policy from plain values, as a TOML file or ``--set`` gives them.

    Args:
        given: Field names to values; ``eligible`` a list of two names, ``data_durability`` a word.

    Raises:
        PolicyError: An unknown field (with the known ones), or a value that is not allowed.
    """
    known = [attribute.name for attribute in fields(Policy)]
    values: dict[str, object] = dict(given)
    for name in values:
        if name not in known:
            raise PolicyError(f"policy field {name!r} does not exist; known are {', '.join(known)}")
    for attribute in fields(Policy):
        word, check = values.get(attribute.name), attribute.validator
        if isinstance(word, str) and isinstance(check, _OneOf):
            values[attribute.name] = next((kind for kind in check.kind if kind.value == word), word)
    if isinstance(values.get("eligible"), list):
        values["eligible"] = tuple(values["eligible"])  # type: ignore[arg-type]  # it is a list: just checked
    return Policy(**values)  # type: ignore[arg-type]  # the validators check what the types cannot


def describe_policy() -> tuple[tuple[str, str, str, str], ...]:
    """List every field: name, default, what is allowed, what it means. The reference is made from this."""
    lines: list[tuple[str, str, str, str]] = []
    defaults: dict[str, object] = asdict(Policy())
    for attribute in fields(Policy):
        default = defaults[attribute.name]
        shown = default.value if isinstance(default, enum.Enum) else default
        checker = attribute.validator
        allowed = checker.allowed() if isinstance(checker, (_Range, _OneOf)) else "see the text"
        text = "first two instances" if shown == () else f"{shown:g}" if isinstance(shown, float) else str(shown)
        lines.append((attribute.name, text, allowed, str(attribute.metadata["doc"])))
    return tuple(lines)
