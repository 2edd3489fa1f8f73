"""The record's JSON form: read strictly, every complaint names the field and the value; unknown fields are kept."""

import json
from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from memgraph_ha.core.errors import RecordError, RecordSchemaError
from memgraph_ha.core.names import InstanceName, RowName, RunId
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Pause, Record, Standby, Switchover
from memgraph_ha.core.topology import Trigger

SCHEMA: Final = 1
"""The schema that this version writes; any other is observed only."""

_LARGEST: Final = 1e15
"""No time of ours is beyond; JSON numbers may be, up to infinity."""

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
    "switchover",
    "paused",
    "reinit",
    "triggers",
)


def dump_record(record: Record) -> str:
    """Write a record as one JSON value, fields in a fixed order."""
    standby, fallback, move, paused = record.standby, record.fallback, record.switchover, record.paused
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
                "by": change.by,
            }
            for change in record.history
        ],
        "switchover": move and {"target": move.target, "by": move.by, "reason": move.reason},
        "paused": paused and {"by": paused.by, "reason": paused.reason, "at": paused.at},
        "reinit": sorted(record.reinit),
        "triggers": [
            {"name": each.name, "event": each.event, "phase": each.phase, "statement": each.statement}
            for each in record.triggers
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
        switchover=got.optional("switchover", _read_switchover, missing=True),
        paused=got.optional("paused", _read_pause, missing=True),
        reinit=frozenset(InstanceName(name) for name in got.texts("reinit", missing=True)),
        triggers=tuple(_read_trigger(entry) for entry in got.objects("triggers", missing=True)),
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
    if record.switchover is not None and record.switchover.target == record.main:
        raise RecordError(f"record field switchover.target: {record.main!r} is already main")
    if not record.reinit <= record.rebuild:
        raise RecordError("record field reinit: lists somebody who is not in rebuild")
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

    def _lacks(self, name: str, *, missing: bool) -> bool:
        """Whether a field that may be missing (version 0.1.0 did not write it) is."""
        return missing and name not in self._raw

    def _wrong(self, name: str, wanted: str) -> RecordError:
        return RecordError(f"record field {self._path}{name}: {self._raw[name]!r} is not {wanted}")

    def text(self, name: str, *, empty: bool = False, missing: bool = False) -> str:
        if self._lacks(name, missing=missing):
            return ""
        value = self._get(name)
        if not isinstance(value, str) or not (value or empty):
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

    def optional(self, name: str, read: "Callable[[_Reader, str], _T]", *, missing: bool = False) -> "_T | None":
        return None if self._lacks(name, missing=missing) or self._get(name) is None else read(self, name)

    def inner(self, name: str) -> "_Reader":
        value = self._get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return _Reader(value, f"{self._path}{name}.")

    def texts(self, name: str, *, missing: bool = False) -> tuple[str, ...]:
        if self._lacks(name, missing=missing):
            return ()
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            raise self._wrong(name, "a list of texts")
        return tuple(value)

    def levels(self, name: str) -> tuple[tuple[InstanceName, int], ...]:
        inner = self.inner(name)
        return tuple(sorted((InstanceName(key), inner.integer(key, low=0)) for key in inner.names()))

    def objects(self, name: str, *, missing: bool = False) -> tuple["_Reader", ...]:
        if self._lacks(name, missing=missing):
            return ()
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
        by=got.text("by", empty=True, missing=True),
    )


def _read_switchover(got: _Reader, name: str) -> Switchover:
    inner = got.inner(name)
    return Switchover(
        target=InstanceName(inner.text("target")), by=inner.text("by"), reason=inner.text("reason", empty=True)
    )


def _read_pause(got: _Reader, name: str) -> Pause:
    inner = got.inner(name)
    return Pause(by=inner.text("by"), reason=inner.text("reason", empty=True), at=inner.number("at"))


def _read_trigger(got: _Reader) -> Trigger:
    return Trigger(
        name=got.text("name"),
        event=got.text("event", empty=True),
        phase=got.text("phase"),
        statement=got.text("statement"),
    )
