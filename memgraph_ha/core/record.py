"""The record: who is MAIN, written by compare-and-set before it matters. Its JSON form is read strictly.

Every field's meaning is design 4; docs/reference/record.md is made from the docstrings here.
"""

import enum
import json
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from attrs import evolve, field, frozen

from memgraph_ha.core.errors import RecordError, RecordSchemaError
from memgraph_ha.core.names import InstanceName, RowName, RunId

SCHEMA: Final = 1
"""The schema that this version writes; any other is observed only."""

HISTORY_LENGTH: Final = 64

_LARGEST: Final = 1e15
"""No time of ours is beyond; JSON numbers may be, up to infinity."""


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
    """

    generation: int
    main: InstanceName
    previous: InstanceName | None
    kind: ChangeKind
    standby: InstanceName | None
    rule: str
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
    extra: tuple[tuple[str, str], ...] = field(default=())

    def with_change(self, change: Change) -> "Record":
        """Append to the history, forgetting the oldest beyond 64."""
        return evolve(self, history=(*self.history, change)[-HISTORY_LENGTH:])

    def with_level(self, reached: Mapping[InstanceName, int]) -> "Record":
        """Raise the levels that rose; none ever falls."""
        levels = dict(self.level)
        for name, generation in reached.items():
            levels[name] = max(levels.get(name, 0), generation)
        return evolve(self, level=tuple(sorted(levels.items())))

    def standby_row(self, instance: InstanceName) -> RowName:
        """Name the one row through which that instance could be proven now."""
        return RowName(f"{instance}_{self.row_seq}")


_KNOWN: Final = (
    "schema",
    "cluster",
    "generation",
    "main",
    "main_run",
    "opened",
    "standby",
    "fallback",
    "unprotected",
    "row_seq",
    "rebuild",
    "database_uuid",
    "level",
    "history",
)


def dump_record(record: Record) -> str:
    """Write a record as one JSON value, fields in a fixed order."""
    standby, fallback = record.standby, record.fallback
    known: dict[str, object] = {
        "schema": SCHEMA,
        "cluster": record.cluster,
        "generation": record.generation,
        "main": record.main,
        "main_run": record.main_run,
        "opened": record.opened,
        "standby": standby and {"instance": standby.instance, "run": standby.run, "row": standby.row},
        "fallback": fallback and {"instance": fallback.instance, "run": fallback.run},
        "unprotected": record.unprotected,
        "row_seq": record.row_seq,
        "rebuild": sorted(record.rebuild),
        "database_uuid": record.database_uuid,
        "level": dict(record.level),
        "history": [
            {
                "generation": change.generation,
                "main": change.main,
                "previous": change.previous,
                "kind": change.kind.value,
                "standby": change.standby,
                "rule": change.rule,
                "reason": change.reason,
                "at": change.at,
            }
            for change in record.history
        ],
    }
    known.update((name, json.loads(text)) for name, text in record.extra)
    return json.dumps(known, indent=1)


def parse_record(text: str) -> Record:
    """Read a record strictly.

    Raises:
        RecordError: It is not JSON, or a field is missing or has a value that cannot be; the text names both.
        RecordSchemaError: Another version wrote it.
    """
    try:
        raw: object = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise RecordError(f"the record is not JSON ({error}); it begins {text[:40]!r}") from None
    if not isinstance(raw, dict):
        raise RecordError(f"the record is not a JSON object but begins {text[:40]!r}")
    got = _Reader(raw, "")
    schema = got.integer("schema", low=1)
    if schema != SCHEMA:
        raise RecordSchemaError(
            f"record field schema: {schema} is not {SCHEMA}; another version of memgraph-ha wrote it"
        )
    record = Record(
        cluster=got.text("cluster"),
        generation=got.integer("generation", low=1),
        main=InstanceName(got.text("main")),
        main_run=got.optional("main_run", lambda g, f: RunId(g.text(f))),
        opened=got.boolean("opened"),
        standby=got.optional("standby", _read_standby),
        fallback=got.optional("fallback", _read_fallback),
        unprotected=got.boolean("unprotected"),
        row_seq=got.integer("row_seq", low=0),
        rebuild=frozenset(InstanceName(name) for name in got.texts("rebuild")),
        database_uuid=got.text("database_uuid"),
        level=got.levels("level"),
        history=tuple(_read_change(entry) for entry in got.objects("history")),
        extra=tuple((name, json.dumps(value)) for name, value in raw.items() if name not in _KNOWN),
    )
    return _check_whole(record)


def _refuse_constant(word: str) -> float:
    """Python would take NaN and Infinity, which are not JSON and compare with nothing."""
    raise ValueError(f"{word} is not a JSON number")


def _check_whole(record: Record) -> Record:
    """Refuse what no single field can show."""
    if record.standby is not None and record.standby.instance == record.main:
        raise RecordError(f"record field standby: {record.standby.instance!r} is also main; they must differ")
    if record.standby is not None and not record.opened:
        raise RecordError("record field standby: must be null until the reign opened")
    if record.fallback is not None and record.opened:
        raise RecordError("record field fallback: must be null once the reign opened")
    if record.standby is not None and record.unprotected:
        raise RecordError("record field unprotected: must be false while a standby is named")
    if record.standby is not None and record.standby.row != record.standby_row(record.standby.instance):
        raise RecordError(
            f"record field standby.row: {record.standby.row!r} is not numbered row_seq ({record.row_seq})"
        )
    if record.history and record.history[-1].generation > record.generation:
        raise RecordError(
            f"record field history: its last generation {record.history[-1].generation} is above "
            f"generation ({record.generation})"
        )
    return record


_T = TypeVar("_T")


class _Reader:
    """Takes typed fields out of a JSON object, naming the field in every complaint."""

    def __init__(self, raw: Mapping[str, object], path: str) -> None:
        self._raw, self._path = raw, path

    def names(self) -> tuple[str, ...]:
        return tuple(self._raw)

    def _get(self, name: str) -> object:
        if name not in self._raw:
            raise RecordError(f"record field {self._path}{name}: is missing")
        return self._raw[name]

    def _wrong(self, name: str, wanted: str) -> RecordError:
        return RecordError(f"record field {self._path}{name}: {self._raw[name]!r} is not {wanted}")

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str) or not value:
            raise self._wrong(name, "a text")
        return value

    def kind(self, name: str) -> ChangeKind:
        word = self.text(name)
        for kind in ChangeKind:
            if kind.value == word:
                return kind
        raise self._wrong(name, f"one of {', '.join(kind.value for kind in ChangeKind)}")

    def integer(self, name: str, *, low: int) -> int:
        value = self._get(name)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise self._wrong(name, f"a whole number of at least {low}")
        return value

    def number(self, name: str) -> float:
        value = self._get(name)
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not isinstance(value, (int, float)) or not abs(value) <= _LARGEST:
            raise self._wrong(name, f"a number of at most {_LARGEST:g}")
        return float(value)

    def boolean(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def optional(self, name: str, read: "Callable[[_Reader, str], _T]") -> "_T | None":
        return None if self._get(name) is None else read(self, name)

    def inner(self, name: str) -> "_Reader":
        value = self._get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return _Reader(value, f"{self._path}{name}.")

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._wrong(name, "a list of texts")
        return tuple(value)

    def levels(self, name: str) -> tuple[tuple[InstanceName, int], ...]:
        inner = self.inner(name)
        return tuple(sorted((InstanceName(key), inner.integer(key, low=0)) for key in inner.names()))

    def objects(self, name: str) -> tuple["_Reader", ...]:
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self._wrong(name, "a list of objects")
        return tuple(_Reader(item, f"{self._path}{name}[{index}].") for index, item in enumerate(value))


def _read_standby(got: _Reader, name: str) -> Standby:
    inner = got.inner(name)
    return Standby(
        instance=InstanceName(inner.text("instance")),
        run=RunId(inner.text("run")),
        row=RowName(inner.text("row")),
    )


def _read_fallback(got: _Reader, name: str) -> Fallback:
    inner = got.inner(name)
    run = inner.optional("run", lambda g, f: RunId(g.text(f)))
    return Fallback(instance=InstanceName(inner.text("instance")), run=run)


def _read_change(got: _Reader) -> Change:
    return Change(
        generation=got.integer("generation", low=1),
        main=InstanceName(got.text("main")),
        previous=got.optional("previous", lambda g, f: InstanceName(g.text(f))),
        kind=got.kind("kind"),
        standby=got.optional("standby", lambda g, f: InstanceName(g.text(f))),
        rule=got.text("rule"),
        reason=got.text("reason"),
        at=got.number("at"),
    )
