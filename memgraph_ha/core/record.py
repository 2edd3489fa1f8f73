"""The record: who is MAIN, written by compare-and-set before it matters. Its JSON form is in `record_json`.

Every field's meaning is design 4; docs/reference/record.md is made from the docstrings here.
"""

import enum
from collections.abc import Mapping
from typing import Final

from attrs import evolve, field, frozen

from memgraph_ha.core.names import InstanceName, RowName, RunId
from memgraph_ha.core.topology import Trigger

HISTORY_LENGTH: Final = 64


class ChangeKind(enum.Enum):
    """Why a reign began."""

    BOOTSTRAP = "bootstrap"
    ADOPT = "adopt"
    FAILOVER = "failover"
    SWITCHOVER = "switchover"
    REPROMOTE = "repromote"
    FALLBACK = "fallback"
    FORCED = "forced"

    @property
    def unplanned(self) -> bool:
        """Whether it counts against ``failover_limit``."""
        return self in (ChangeKind.FAILOVER, ChangeKind.REPROMOTE, ChangeKind.FALLBACK)


@frozen(kw_only=True)
class Standby:
    """This process, through this registration, holds every acknowledged write.

    Attributes:
        instance: Where it lives.
        run: The life of its process that was proven.
        row: The name of the STRICT_SYNC row it was proven through.
    """

    instance: InstanceName
    run: RunId
    row: RowName


@frozen(kw_only=True)
class Fallback:
    """It held every acknowledged write when the reign began.

    Attributes:
        instance: Where it lives.
        run: The life of its process that did; None for an opened old MAIN, whose data directory counts.
    """

    instance: InstanceName
    run: RunId | None


@frozen(kw_only=True)
class Change:
    """One line of history.

    Attributes:
        generation: The reign that began.
        main: Whose.
        previous: Whose was before; None at the very first.
        kind: See `ChangeKind`.
        standby: The standby that the previous reign had named, if any.
        rule: Id of the rule that decided.
        reason: One sentence.
        at: Wall clock, seconds since 1970, of the leader that wrote it.
        by: Who asked for it; empty if nobody did.
    """

    generation: int
    main: InstanceName
    previous: InstanceName | None
    kind: ChangeKind
    standby: InstanceName | None
    rule: str
    reason: str
    at: float
    by: str = ""


@frozen(kw_only=True)
class Switchover:
    """A planned change of MAIN that is under way.

    Attributes:
        target: Whose reign shall begin.
        by: Who asked.
        reason: Why, in their words; may be empty.
    """

    target: InstanceName
    by: str
    reason: str


@frozen(kw_only=True)
class Pause:
    """The operator's hold: nothing is done but what keeps the promises.

    Attributes:
        by: Who asked.
        reason: Why, in their words; may be empty.
        at: Wall clock, seconds since 1970.
    """

    by: str
    reason: str
    at: float


@frozen(kw_only=True)
class Record:
    """Everything that failover relies on (design 4).

    Attributes:
        cluster: The id of the cluster that it belongs to.
        generation: The number of the reign; one more with every promotion, also of the same instance.
        main: Whose reign it is.
        main_run: The run that was chosen or opened; None if its data directory holds everything.
        opened: True from right before the reign's first read/write permit.
        standby: See `Standby`; None while nobody is proven.
        fallback: See `Fallback`; None once the reign opened.
        unprotected: True while read/write may be open with no standby.
        row_seq: The standby is registered as ``<instance>_<row_seq>``; one more before each REGISTER and DROP of it.
        rebuild: Instances that may not be proven, named or fallback until they were rebuilt.
        database_uuid: Which data set this is.
        level: Per instance the last generation in which it was MAIN or its row was seen ``ready``.
        history: The last 64 changes, oldest first.
        switchover: See `Switchover`; None if none is under way.
        paused: See `Pause`; None if not.
        reinit: Instances in ``rebuild`` whose data a human gave up: they are rebuilt whatever history proves.
        triggers: Those that MAIN had when it was last seen, to restore or report after a promotion.
        extra: Fields that this version does not know, kept as they are (JSON text per field).
    """

    cluster: str
    generation: int
    main: InstanceName
    main_run: RunId | None
    opened: bool
    standby: Standby | None
    fallback: Fallback | None
    unprotected: bool
    row_seq: int
    rebuild: frozenset[InstanceName]
    database_uuid: str
    level: tuple[tuple[InstanceName, int], ...]
    history: tuple[Change, ...]
    switchover: Switchover | None = None
    paused: Pause | None = None
    reinit: frozenset[InstanceName] = frozenset()
    triggers: tuple[Trigger, ...] = ()
    extra: tuple[tuple[str, str], ...] = field(default=())

    def with_change(self, change: Change) -> "Record":
        """Append to the history, forgetting the oldest beyond 64."""
        return evolve(self, history=(*self.history, change)[-HISTORY_LENGTH:])

    def begun(self, change: Change, *, main_run: RunId | None, fallback: Fallback | None) -> "Record":
        """The record with which a reign begins: the change says whose, nothing of the last one is named any more."""
        return evolve(
            self,
            generation=change.generation,
            main=change.main,
            main_run=main_run,
            opened=False,
            standby=None,
            fallback=fallback,
            unprotected=False,
            switchover=None,
        ).with_change(change)

    def with_level(self, reached: Mapping[InstanceName, int]) -> "Record":
        """Raise the levels that rose; none ever falls."""
        levels = dict(self.level)
        for name, generation in reached.items():
            levels[name] = max(levels.get(name, 0), generation)
        return evolve(self, level=tuple(sorted(levels.items())))

    def without_level(self, *names: InstanceName, rebuild: bool = False) -> "Record":
        """Forget the levels of these: what they hold proves nothing any more, so no rebuild begins by itself.

        Args:
            names: Whose; one was MAIN beside this record, or lacks what MAIN wrote in analytical mode.
            rebuild: Whether to mark them for a rebuild too.
        """
        level = tuple((known, level) for known, level in self.level if known not in names)
        return evolve(self, level=level, rebuild=self.rebuild | set(names) if rebuild else self.rebuild)

    def standby_row(self, instance: InstanceName) -> RowName:
        """Name the one row through which that instance could be proven now."""
        return RowName(f"{instance}_{self.row_seq}")
