"""Lines as JSON: exact both ways, short where nothing is new, strict where something is wrong."""

import json
import math
from typing import Any, get_args

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core import Decision, Fact, Hold, InvariantViolation, Observed, View, decide
from memgraph_ha.core.commands import Command
from memgraph_ha.core.facts import RoleSeen
from memgraph_ha.trace.codec import KINDS, Decoder, Encoder, digest_lines
from memgraph_ha.trace.converter import COMMANDS, FACTS, FieldError, from_raw, to_raw, words_of
from memgraph_ha.trace.recorder import ListSink, Recorder
from memgraph_ha.trace.schema import FactLine, Ghost, GhostLine, Line, TickLine
from tests.core.changes import gate_shut, refuses
from tests.core.places import M0, NOW
from tests.core.views import HEALTHY
from tests.property.strategies import facts, near_views, observations
from tests.trace.told import Told, recorder_to


def read_back(lines: list[Line]) -> list[Line]:
    """Write lines and read them again."""
    encoder, decoder = Encoder(), Decoder()
    return [decoder.decode(encoder.encode(line)) for line in lines]


def failover() -> list[Line]:
    """Record how a healthy cluster loses its MAIN."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.act()
    told.hear(HEALTHY.but(refuses(M0), gate_shut()).facts())
    told.act(NOW + 0.01)
    told.recorder.ghost(Ghost.FAULT, "m0", verb="kill", hard=True, count=2, others=("m1", "m2"), nothing=None)
    told.recorder.end("c1", "told to")
    return sink.lines


@given(facts)
def test_every_fact_comes_back_as_it_was(fact: Fact) -> None:
    """Through real JSON text, whatever the values."""
    text = json.dumps(to_raw(fact, Fact), allow_nan=False)
    assert from_raw(json.loads(text), Fact) == fact  # type: ignore[arg-type]  # a union is no type


@given(observations())
def test_everything_that_is_filed_comes_back_as_it_was(observed: Observed) -> None:
    """A part that continues another one begins with it."""
    text = json.dumps(to_raw(observed, Observed), allow_nan=False)
    assert from_raw(json.loads(text), Observed) == observed


@given(st.lists(st.one_of(facts, near_views()), max_size=30), st.sampled_from(["c1", "c2"]))
def test_a_recording_comes_back_as_it_was(told: list[Fact | View], second: str) -> None:
    """Facts and decisions of any kind in any order, of two controllers: each line as it was made."""
    sink = ListSink()
    recorder = recorder_to(sink)
    for who in ("c1", second):
        recorder.start(who, HEALTHY.policy)
        for each in told:
            if isinstance(each, View):
                decide_and_send(recorder, who, each)
            else:
                recorder.fact(who, each)
    assert read_back(sink.lines) == sink.lines


def decide_and_send(recorder: Recorder, who: str, view: View) -> None:
    """Do what the daemon does in one tick."""
    try:
        decision = decide(view)
    except InvariantViolation as error:
        recorder.broke(who, view, error)
        return
    seq = recorder.tick(who, view, decision)
    for command in decision.commands:
        recorder.command(who, command, by=seq)


def test_every_kind_has_a_word() -> None:
    """Nothing that the core may be told or ask for is missing, and every line kind can be written."""
    assert set(FACTS.values()) == set(get_args(Fact))
    assert set(COMMANDS.values()) == set(get_args(Command))
    assert set(KINDS.values()) == set(get_args(Line))
    assert words_of(Hold)["NoSafeCandidate"] is Hold.NO_SAFE_CANDIDATE


def test_what_is_said_again_is_short() -> None:
    """The same answer to the next probe is the number of the first, and the times; the same decision likewise."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.tick()
    role = next(line.fact for line in sink.lines if isinstance(line, FactLine) and isinstance(line.fact, RoleSeen))
    told.hear([evolve(role, at_s=NOW + 1, asked_at_s=NOW + 0.9)])
    told.tick()
    encoder = Encoder()
    raws = [json.loads(encoder.encode(line)) for line in sink.lines]
    again, tick = raws[-2:]
    assert again["set"] == {"at_s": NOW + 1, "asked_at_s": NOW + 0.9}
    assert raws[again["as"]]["fact"]["instance"] == role.instance
    assert tick["set"] == {}
    assert "causes" not in tick


def test_numbers_that_json_has_no_word_for_come_back() -> None:
    """A decision may wake never."""
    decision = Decision(reason="r", wake_at_s=math.inf)
    text = json.dumps(to_raw(decision, Decision), allow_nan=False)
    assert from_raw(json.loads(text), Decision) == decision


def test_any_text_comes_back() -> None:
    """Also one that is no Unicode, as the name of a file may be: it must not end the thread that writes."""
    line = GhostLine(t=0.0, who="m\udcff", what=Ghost.NOTE, data=(("text", "\x00\u2028\udc80 ü"),))
    text = Encoder().encode(line)
    assert text.isascii()
    assert Decoder().decode(text) == line


def test_a_whole_number_stays_one() -> None:
    """A policy's 5 must not come back as 5.0: reasons print it."""
    raw = json.loads(json.dumps(to_raw(HEALTHY.policy, type(HEALTHY.policy))))
    assert repr(from_raw(raw, type(HEALTHY.policy))) == repr(HEALTHY.policy)


def test_ghosts_are_in_no_digest() -> None:
    """What only the simulator knows makes no difference; anything else does."""
    lines = failover()
    without = [line for line in lines if not isinstance(line, GhostLine)]
    assert len(without) < len(lines)
    assert digest_lines(lines) == digest_lines(without)
    changed = [evolve(line, wall_s=line.wall_s + 1) if isinstance(line, TickLine) else line for line in lines]
    assert digest_lines(changed) != digest_lines(lines)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("kind",), "fakt", "field kind: 'fakt' is unknown; known are header, start"),
        (("who",), 7, "field who: 7 is not a text"),
        (("seq",), True, "field seq: True is not a whole number"),
        (("seq",), 1, "field seq: 1 does not rise"),
        (("t",), "soon", "field t: 'soon' is not a number"),
        (("fact", "kind"), "RoleSean", "field fact: kind 'RoleSean' is unknown; known are MembersSeen"),
        (("fact", "members"), "m0", "field fact.members: 'm0' is not a list"),
        (("fact", "members", 1, "bolt"), "m0", "field fact.members[1]: member field bolt: 'm0' is not host:port"),
        (("fact", "members", 0, "name"), None, "field fact.members[0].name: None is not a text"),
        (("fact", "members", 0, "colour"), "red", "field fact.members[0]: has unknown fields colour; known are name"),
        (("fact", "cluster"), ..., "field fact.cluster: is missing"),
        (("extra",), 1, "has unknown fields extra; known are seq, t, who, fact, of"),
        (("as",), 99, "field as: 99 is not the newest line of its kind"),
    ],
)
def test_what_is_wrong_is_named(path: tuple[str | int, ...], value: object, says: str) -> None:
    """The field, the value and what would be right."""
    lines = failover()
    encoder, decoder = Encoder(), Decoder()
    texts = [encoder.encode(line) for line in lines[:4]]
    at = next(index for index, text in enumerate(texts) if '"MembersSeen"' in text)
    for text in texts[:at]:
        decoder.decode(text)
    raw = json.loads(texts[at])
    inner: Any = raw
    for name in path[:-1]:
        inner = inner[name]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    with pytest.raises(FieldError) as caught:
        decoder.decode(json.dumps(raw))
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON"),
        ("[]", "is not a JSON object"),
        ('{"kind":"footer","t":NaN}', "NaN is no JSON"),
        ('{"kind":"header","schema":2,"product":"memgraph-ha 9"}', "field schema: 2 is not 1"),
        ('{"kind":"ghost","t":1,"who":"","what":"NOTE","data":[]}', "field data: [] is not an object"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_what_is_no_line_is_refused(text: str, says: str) -> None:
    """Each with a sentence, none with a traceback."""
    with pytest.raises(FieldError) as caught:
        Decoder().decode(text)
    assert says in str(caught.value)


def test_a_difference_names_only_fields_that_exist() -> None:
    """A changed repetition cannot smuggle in anything, and must be an object."""
    lines = failover()
    encoder = Encoder()
    texts = [encoder.encode(line) for line in lines]
    at = next(index for index, text in enumerate(texts) if '"as"' in text and '"fact"' in text)
    for wrong, says in (({"colour": 1}, "unknown fields colour"), ("at_s", "is not an object")):
        decoder = Decoder()
        for text in texts[:at]:
            decoder.decode(text)
        with pytest.raises(FieldError, match=says):
            decoder.decode(json.dumps({**json.loads(texts[at]), "set": wrong}))
