"""The record's JSON form: read strictly, written whole, forward compatible."""

import json
from collections.abc import Callable

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core.errors import RecordError, RecordSchemaError
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Pause, Record, Switchover
from memgraph_ha.core.record_json import dump_record, parse_record
from memgraph_ha.core.topology import Trigger
from tests.core.scenes import BEGUN
from tests.core.views import HEALTHY, M0, M1, M2, WALL, run_of
from tests.property.strategies import records

Json = dict[str, object]
FULL = HEALTHY.recorded
WITH_FALLBACK = BEGUN.recorded
MOVING = evolve(
    FULL,
    switchover=Switchover(target=M1, by="alice", reason=""),
    paused=Pause(by="bob", reason="", at=WALL),
    rebuild=frozenset({M1, M2}),
    reinit=frozenset({M2}),
    triggers=(Trigger(name="audit", event="", phase="AFTER COMMIT", statement="RETURN 1"),),
)


def raw(record: Record = FULL) -> Json:
    """A record as plain JSON."""
    loaded: Json = json.loads(dump_record(record))
    return loaded


def complaint(value: object) -> str:
    """What parsing it says is wrong."""
    with pytest.raises(RecordError) as caught:
        parse_record(value if isinstance(value, str) else json.dumps(value))
    return str(caught.value)


def changed(path: tuple[str | int, ...], value: object, record: Record = FULL) -> Json:
    """The JSON of a record with one value replaced, or removed if it is `...`."""
    found = raw(record)
    inner: object = found
    for step in path[:-1]:
        inner = inner[step]  # type: ignore[index]  # the path is right, or the test fails
    if value is ...:
        del inner[path[-1]]  # type: ignore[attr-defined]  # as above
    else:
        inner[path[-1]] = value  # type: ignore[index]  # as above
    return found


FIELDS = (
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
LATER = ("switchover", "paused", "reinit", "triggers")
"""Those that version 0.1.0 did not write: a record without them is whole."""


def test_the_fields_are_those_of_the_design_in_its_order() -> None:
    """Nothing is written that the reference does not describe, and `schema` comes first."""
    assert tuple(raw()) == FIELDS + LATER


@pytest.mark.parametrize("field", FIELDS)
def test_each_missing_field_is_named(field: str) -> None:
    """No field has a default: a record without it is somebody else's."""
    assert complaint(changed((field,), ...)) == f"record field {field}: is missing"


WRONG: dict[str, tuple[object, ...]] = {
    "schema": (None, "1", 1.0, True, 0, -1, []),
    "cluster": (None, "", 1, []),
    "generation": (None, "4", 4.0, True, 0, -1),
    "main": (None, "", 0, ["m0"]),
    "main_run": ("", 1, False, {}),
    "opened": (None, 0, 1, "true"),
    "standby": ("m1", 1, True, []),
    "fallback": ("m1", 1, True, []),
    "unprotected": (None, 0, "false"),
    "row_seq": (None, "7", 7.0, True, -1),
    "rebuild": (None, "m1", {"m1": 1}, [1], [None], [""]),
    "database_uuid": (None, "", 1),
    "level": (None, [], 4, "m0"),
    "history": (None, {}, "x", [1], [[]]),
    "switchover": ("m1", 1, True, []),
    "paused": ("bob", 1, True, []),
    "reinit": (None, "m1", {"m1": 1}, [1], [None], [""]),
    "triggers": (None, {}, "x", [1], [[]]),
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field in (*FIELDS, *LATER) for value in WRONG[field]], ids=repr
)
def test_each_wrong_value_is_named_with_its_field(field: str, value: object) -> None:
    """The text names field and value, and says what it should be."""
    text = complaint(changed((field,), value))
    assert text.startswith(f"record field {field}: {value!r} is not ")


INNER: tuple[tuple[Record, tuple[str | int, ...], str, tuple[object, ...]], ...] = (
    (FULL, ("standby", "instance"), "standby.instance", (..., None, "", 1)),
    (FULL, ("standby", "run"), "standby.run", (..., None, "", 1)),
    (FULL, ("standby", "row"), "standby.row", (..., None, "", 1)),
    (WITH_FALLBACK, ("fallback", "instance"), "fallback.instance", (..., None, "", 1)),
    (WITH_FALLBACK, ("fallback", "run"), "fallback.run", (..., "", 1)),
    (FULL, ("level", "m0"), "level.m0", (None, "4", -1, True)),
    (FULL, ("history", 0, "generation"), "history[0].generation", (..., None, 0, "4")),
    (FULL, ("history", 0, "main"), "history[0].main", (..., None, "")),
    (FULL, ("history", 0, "previous"), "history[0].previous", (..., "", 1)),
    (FULL, ("history", 0, "kind"), "history[0].kind", (..., None, "", 1, "election")),
    (FULL, ("history", 0, "standby"), "history[0].standby", (..., "", 1)),
    (FULL, ("history", 0, "rule"), "history[0].rule", (..., None, "")),
    (FULL, ("history", 0, "reason"), "history[0].reason", (..., None, "")),
    (MOVING, ("switchover", "target"), "switchover.target", (..., None, "", 1)),
    (MOVING, ("switchover", "by"), "switchover.by", (..., None, "", 1)),
    (MOVING, ("switchover", "reason"), "switchover.reason", (..., None, 1)),
    (MOVING, ("paused", "by"), "paused.by", (..., None, "", 1)),
    (MOVING, ("paused", "reason"), "paused.reason", (..., None, 1)),
    (MOVING, ("paused", "at"), "paused.at", (..., None, "now", True)),
    (MOVING, ("triggers", 0, "name"), "triggers[0].name", (..., None, "")),
    (MOVING, ("triggers", 0, "event"), "triggers[0].event", (..., None, 1)),
    (MOVING, ("triggers", 0, "phase"), "triggers[0].phase", (..., None, "")),
    (MOVING, ("triggers", 0, "statement"), "triggers[0].statement", (..., None, "")),
    (FULL, ("history", 0, "by"), "history[0].by", (None, 1)),
    (FULL, ("history", 0, "at"), "history[0].at", (..., None, "now", True, 10**400, -(10**16))),
)


@pytest.mark.parametrize(
    ("record", "path", "name", "value"),
    [(record, path, name, value) for record, path, name, values in INNER for value in values],
    ids=lambda value: None if isinstance(value, Record) else repr(value)[:30],
)
def test_each_inner_field_is_named_with_its_path(
    record: Record, path: tuple[str | int, ...], name: str, value: object
) -> None:
    """Also inside an object or a list the text says where."""
    assert complaint(changed(path, value, record)).startswith(f"record field {name}: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("\x00\xff", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("1" * 5000, "is not JSON"),
        ('{"schema": NaN}', "NaN is not a JSON number"),
        ('{"schema": -Infinity}', "-Infinity is not a JSON number"),
        ("null", "is not a JSON object"),
        ('"text"', "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ("0", "is not a JSON object"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_json_object_is_refused(text: str, says: str) -> None:
    """Whatever was stored there, it ends as one readable error that shows how it begins."""
    found = complaint(text)
    assert says in found
    assert f"it begins {text[:40]!r}" in found or f"but begins {text[:40]!r}" in found


@given(st.text())
def test_any_text_is_a_record_or_a_record_error(text: str) -> None:
    """Parsing is total."""
    with pytest.raises(RecordError):
        parse_record(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(records(), st.sampled_from(FIELDS), json_values)
def test_any_value_in_any_field_is_read_or_named(record: Record, field: str, value: object) -> None:
    """One field with an arbitrary value: either the record is whole, or a record error says what is wrong."""
    stored = json.dumps(changed((field,), value, record))
    try:
        parse_record(stored)
    except RecordError as error:
        assert "record" in str(error)  # noqa: PT017 - either outcome is right; another exception is not


def test_another_schema_is_told_apart_from_damage() -> None:
    """A newer version's record may be fine, but is not ours to judge."""
    with pytest.raises(RecordSchemaError, match=r"record field schema: 2 is not 1; another version"):
        parse_record(json.dumps({"schema": 2, "anything": "else"}))


@pytest.mark.parametrize(
    ("record", "says"),
    [
        (evolve(FULL, main=M1), "record field standby: 'm1' is also main"),
        (evolve(FULL, opened=False), "record field standby: must be null until the reign opened"),
        (evolve(FULL, unprotected=True), "record field unprotected: must be false while a standby is named"),
        (evolve(FULL, row_seq=8), "record field standby.row: 'm1_7' is not numbered row_seq (8)"),
        (
            evolve(WITH_FALLBACK, opened=True),
            "record field fallback: must be null once the reign opened",
        ),
        (
            evolve(FULL, switchover=Switchover(target=M0, by="alice", reason="")),
            "record field switchover.target: 'm0' is already main",
        ),
        (evolve(FULL, reinit=frozenset({M2})), "record field reinit: lists somebody who is not in rebuild"),
        (evolve(FULL, generation=3), "record field history: its last generation 4 is above generation (3)"),
    ],
    ids=["standby is main", "standby unopened", "unprotected", "row number", "fallback", "target", "reinit", "history"],
)
def test_what_no_single_field_shows_is_refused(record: Record, says: str) -> None:
    """Fields that contradict each other are damage too."""
    assert complaint(dump_record(record)).startswith(says)


@given(records())
def test_every_record_comes_back_as_it_was(record: Record) -> None:
    """Dumping and parsing is the identity, and so is dumping again."""
    assert parse_record(dump_record(record)) == record
    assert dump_record(parse_record(dump_record(record))) == dump_record(record)


@given(records(), st.dictionaries(st.text(min_size=1).filter(lambda key: key not in FIELDS), json_values, max_size=3))
def test_fields_of_a_later_version_are_kept(record: Record, more: dict[str, object]) -> None:
    """A field that this version does not know survives every rewrite by it."""
    known: Json = raw(record)
    finite = json.loads(json.dumps(more).replace("-Infinity", "0").replace("Infinity", "0").replace("NaN", "0"))
    stored = {**known, **finite}
    again = parse_record(json.dumps(stored))
    assert json.loads(dump_record(evolve(again, row_seq=again.row_seq))) == stored


def test_a_record_of_the_first_version_is_whole() -> None:
    """It lacks the later fields, and `by` in its history: nobody asked, nothing is under way."""
    old = raw()
    for field in LATER:
        del old[field]
    history = old["history"]
    assert isinstance(history, list)
    for line in history:
        del line["by"]
    assert parse_record(json.dumps(old)) == FULL


def test_later_fields_come_back_as_they_were() -> None:
    """Each of them, with values."""
    assert parse_record(dump_record(MOVING)) == MOVING


def test_a_reign_that_begins_ends_the_switchover_and_keeps_the_rest() -> None:
    """A pause, what must be rebuilt, and triggers outlive a change of MAIN."""
    change = evolve(FULL.history[0], generation=5, main=M1)
    begun = MOVING.begun(change, main_run=None, fallback=None)
    assert (begun.switchover, begun.standby, begun.unprotected) == (None, None, False)
    assert (begun.paused, begun.rebuild, begun.reinit, begun.triggers) == (
        MOVING.paused,
        MOVING.rebuild,
        MOVING.reinit,
        MOVING.triggers,
    )


def test_a_level_may_be_forgotten() -> None:
    """Of whoever is named; a mark comes with it if asked for."""
    assert FULL.without_level(M1).level == ((M0, 4), (M2, 4))
    assert FULL.without_level(M1).rebuild == frozenset()
    marked = FULL.without_level(M1, M2, rebuild=True)
    assert (marked.level, marked.rebuild) == (((M0, 4),), frozenset({M1, M2}))


def test_the_history_keeps_the_last_64_changes() -> None:
    """The oldest is forgotten first."""
    record = FULL
    for n in range(5, 105):
        record = evolve(record, generation=n).with_change(evolve(FULL.history[0], generation=n))
    assert [change.generation for change in record.history] == list(range(41, 105))


def test_levels_only_rise() -> None:
    """A lower level is ignored, a new instance begins at its own."""
    record = evolve(FULL, level=((M0, 4), (M1, 2)))
    assert record.with_level({M0: 3, M1: 5, M2: 1}).level == ((M0, 4), (M1, 5), (M2, 1))


def test_the_standbys_row_carries_the_number() -> None:
    """`<instance>_<row_seq>`."""
    assert FULL.standby_row(M1) == "m1_7"


@pytest.mark.parametrize("kind", ChangeKind)
def test_only_failovers_repromotes_and_fallbacks_are_unplanned(kind: ChangeKind) -> None:
    """What a human or the beginning of a cluster asked for does not count as flapping."""
    assert kind.unplanned is (kind in {ChangeKind.FAILOVER, ChangeKind.REPROMOTE, ChangeKind.FALLBACK})


def _line(**fields: object) -> Change:
    return evolve(FULL.history[0], **fields)  # type: ignore[arg-type]  # names and values are those of Change


@pytest.mark.parametrize(
    "build",
    [
        lambda: evolve(FULL, main_run=None),
        lambda: evolve(FULL, standby=None, unprotected=True),
        lambda: evolve(WITH_FALLBACK, fallback=Fallback(instance=M0, run=run_of(M0))),
        lambda: evolve(FULL, rebuild=frozenset({M2, M1})),
        lambda: evolve(FULL, history=(_line(previous=None, standby=None, at=int(WALL)),)),
        lambda: evolve(FULL, history=()),
        lambda: evolve(FULL, extra=(("later", '{"a": [1, null]}'),)),
    ],
)
def test_each_optional_shape_comes_back_as_it_was(build: Callable[[], Record]) -> None:
    """Nulls, sets, empty lists and unknown fields, one by one."""
    assert parse_record(dump_record(build())) == build()
