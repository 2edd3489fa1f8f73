"""What the API answers, as typed values. Fields that this version does not know are passed over (docs/reference/json).

Times are wall clock seconds since 1970, ages and lengths are seconds.
"""

from typing import Final, TypeVar

import cattrs
from attrs import frozen

from memgraph_ha.operate.exits import Exit, OperateError

T = TypeVar("T")


@frozen(kw_only=True)
class Held:
    """Something that waits, with what an operator must know of it (`memgraph_ha.core.holds.Hold`).

    Attributes:
        name: The hold's name, e.g. ``NoSafeCandidate``.
        reason: What was seen.
        since: When it began; None: not known.
        blocked: What does not happen meanwhile.
        ends: What would end it.
        command: Which command helps; empty if none does.
        risk: How much could be lost.
        page: Its page in the runbook.
    """

    name: str
    reason: str = ""
    since: float | None = None
    blocked: str = ""
    ends: str = ""
    command: str = ""
    risk: str = ""
    page: str = ""


@frozen(kw_only=True)
class Paused:
    """Who paused the cluster, why, and when."""

    by: str = ""
    reason: str = ""
    at: float | None = None


@frozen(kw_only=True)
class Switching:
    """A switchover under way: to whom, who asked, and why."""

    target: str
    by: str = ""
    reason: str = ""


@frozen(kw_only=True)
class Gate:
    """One gateway.

    Attributes:
        open: Whether it relays.
        why: Why not, or to whom.
        quiet: Whether new transactions wait for a moment.
        port: Where it listens; None: not known.
        targets: Where it leads to, if that may be several (reads).
    """

    open: bool
    why: str = ""
    quiet: bool = False
    port: int | None = None
    targets: tuple[str, ...] = ()


@frozen(kw_only=True)
class Row:
    """A replica's registration on MAIN; `behind` in Memgraph timestamps, negative if it lags, None if unknown."""

    name: str
    mode: str | None = None
    status: str = ""
    behind: int | None = None


@frozen(kw_only=True)
class Instance:
    """One instance.

    Attributes:
        name: Its name.
        state: What it is to the cluster, in a word or two, e.g. ``standby``, ``does not answer``.
        healthy: Whether it stands as it should.
        role: ``MAIN`` or ``REPLICA`` as it says itself; None if it said nothing yet.
        run: The life of its process.
        bolt: Its own address.
        in_pair: Whether it may be MAIN.
        is_main: Whether it is the recorded MAIN.
        row: Its registration on MAIN; None if it has none.
        objects: Vertices and edges; None if unknown.
        version: Of Memgraph.
        answered_s: Age of its last answer; None if there was none.
        silent_s: For how long it has answered nothing; None or 0 if it answers.
        lacks: What it lacks to take over; None if nothing.
    """

    name: str
    state: str = ""
    healthy: bool = False
    role: str | None = None
    run: str | None = None
    bolt: str = ""
    in_pair: bool = False
    is_main: bool = False
    row: Row | None = None
    objects: int | None = None
    version: str | None = None
    answered_s: float | None = None
    silent_s: float | None = None
    lacks: str | None = None


@frozen(kw_only=True)
class Decided:
    """The controller's last decision."""

    rule: str = ""
    name: str = ""
    reason: str = ""
    hold: Held | None = None


@frozen(kw_only=True)
class Cluster:
    """The whole picture (``GET /api/v1/cluster``).

    Attributes:
        at: When it was drawn.
        cluster: The cluster's name or id.
        version: Of the controller.
        leading: Whether the controller that answered leads.
        leader: Who does, if known.
        observe_only: Whether it only says what it would do.
        generation: The number of the reign; None before the first.
        main: Whose reign it is.
        standby: Who is proven to hold every acknowledged write; None if nobody.
        unprotected: Whether MAIN may acknowledge without a standby.
        paused: The operator's hold, if there is one.
        switchover: The planned change under way, if there is one.
        rw: The read/write gateway.
        ro: The gateway for reads; None if there is none.
        decision: The last one; None before the first.
        instances: In ordinal order.
        holds: Everything that waits, the most urgent first.
    """

    rw: Gate
    at: float = 0.0
    cluster: str = ""
    version: str = ""
    leading: bool = True
    leader: str | None = None
    observe_only: bool = False
    generation: int | None = None
    main: str | None = None
    standby: str | None = None
    unprotected: bool = False
    paused: Paused | None = None
    switchover: Switching | None = None
    ro: Gate | None = None
    decision: Decided | None = None
    instances: tuple[Instance, ...] = ()
    holds: tuple[Held, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The instances' names."""
        return tuple(each.name for each in self.instances)

    @property
    def healthy(self) -> bool:
        """Whether clients can write and nothing waits: what the exit code of ``status`` says."""
        held = self.holds or self.paused is not None or (self.decision is not None and self.decision.hold is not None)
        return self.leading and self.rw.open and not held and not self.unprotected

    @property
    def led_elsewhere(self) -> bool:
        """Whether another controller leads: then only that one knows whether clients can write."""
        return not self.leading and self.leader is not None


@frozen(kw_only=True)
class Reign:
    """One line of the history; see `memgraph_ha.core.record.Change`."""

    generation: int
    main: str
    kind: str
    previous: str | None = None
    standby: str | None = None
    rule: str = ""
    reason: str = ""
    at: float = 0.0
    by: str = ""


@frozen(kw_only=True)
class History:
    """The last changes of MAIN, oldest first (``GET /api/v1/history``)."""

    changes: tuple[Reign, ...]


@frozen(kw_only=True)
class Explained:
    """What one rule said at the last look: it matched, for this reason, or this guard stopped it, seeing this."""

    rule: str
    name: str
    matched: bool
    reason: str | None = None
    guard: str | None = None
    evidence: str | None = None


@frozen(kw_only=True)
class Explanation:
    """What every rule said (``GET /api/v1/explain``)."""

    rules: tuple[Explained, ...]


@frozen(kw_only=True)
class RuleText:
    """A rule in words."""

    rule: str
    name: str
    summary: str = ""
    when: str = ""
    then: str = ""
    protects: str = ""
    after: str = ""
    before: str = ""
    source: str = ""


@frozen(kw_only=True)
class Rules:
    """Every rule, in order (``GET /api/v1/rules``)."""

    rules: tuple[RuleText, ...]


@frozen(kw_only=True)
class PolicyField:
    """One of the operator's choices; `value` and `default` are plain JSON values."""

    name: str
    value: object
    default: object = None
    allowed: str = ""
    doc: str = ""


@frozen(kw_only=True)
class PolicyShown:
    """All of them (``GET /api/v1/policy``)."""

    fields: tuple[PolicyField, ...]


@frozen(kw_only=True)
class Changed:
    """One field that a new policy changes."""

    name: str
    old: object = None
    new: object = None
    needs_restart: bool = False


@frozen(kw_only=True)
class PolicyChange:
    """The answer to ``PUT /api/v1/policy``."""

    ok: bool
    text: str = ""
    changed: tuple[Changed, ...] = ()


@frozen(kw_only=True)
class Outcome:
    """The answer to a verb."""

    ok: bool
    text: str = ""


@frozen(kw_only=True)
class Check:
    """One thing that ``doctor`` looked at; `ok` None: it could not be seen."""

    check: str
    says: str
    instance: str | None = None
    ok: bool | None = None
    level: str = "info"
    fix: str = ""

    @property
    def bad(self) -> bool:
        """Whether it makes ``doctor`` end with 1."""
        return self.ok is False and self.level == "error"


@frozen(kw_only=True)
class Doctor:
    """Everything that it looked at (``GET /api/v1/doctor``)."""

    checks: tuple[Check, ...]


_CONVERTER: Final = cattrs.Converter(detailed_validation=True)


_CONTROL: Final = {code: "\ufffd" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}


def clean(text: str) -> str:
    """Make a text of somebody else's harmless to a terminal: no escape sequence survives."""
    return text.translate(_CONTROL)


def _text(value: object, _kind: object) -> str:
    """Take a text; nothing is an empty one, and a list of texts reads as one."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return clean(", ".join(value))
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return clean(value)


def _flag(value: object, _kind: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


_CONVERTER.register_structure_hook(str, _text)
_CONVERTER.register_structure_hook(bool, _flag)
_CONVERTER.register_structure_hook_func(lambda kind: kind is object, lambda value, _kind: value)


def structured(kind: type[T], raw: dict[str, object]) -> T:
    """Read an answer.

    Args:
        kind: What it should be.
        raw: The answer.

    Raises:
        OperateError: It is something else.
    """
    try:
        return _CONVERTER.structure(raw, kind)
    except cattrs.BaseValidationError as error:
        trouble = cattrs.transform_error(error)[0]
    raise OperateError(
        Exit.UNREACHABLE,
        f"the controller's answer makes no sense to this version ({trouble}); use the memgraph-ha of its version",
    )
