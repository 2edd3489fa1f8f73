"""The page: well formed, self-contained, closed to whatever a trace may hold, and every link leads somewhere."""

import base64
import hashlib
import re
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve

from memgraph_ha.sim.render.build import listed, timeline_of
from memgraph_ha.sim.render.model import Event, Timeline, Turn
from memgraph_ha.sim.render.page import EVENTS_LISTED, TURNS_DRAWN, page
from memgraph_ha.trace.schema import Source
from tests.sim.render.told import BEGAN_S, Script, broken, failover, renamed

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'&`"


def shown(timeline: Timeline) -> tuple[str, ET.Element]:
    """Write the page and read it with a strict parser; style and script, which are no markup, are left out of that."""
    text = page(timeline)
    bare = re.sub(r"(<(style|script)>).*?(</\2>)", r"\1\3", text.removeprefix("<!doctype html>"), flags=re.DOTALL)
    return text, ET.fromstring(bare)  # noqa: S314 - we have just written it


@pytest.fixture(scope="module")
def told() -> Timeline:
    """A failover and a broken promise."""
    return timeline_of(broken(), title="a trace")


def test_the_page_needs_nothing_from_anywhere(told: Timeline) -> None:
    """It has no address in it that a browser would load or open, but its own events."""
    text, document = shown(told)
    for element in document.iter():
        assert "src" not in element.attrib
        assert element.get("href", "#").startswith("#")
        assert "style" not in element.attrib, "the policy allows none"
        assert not [name for name in element.attrib if name.startswith("on")]
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", text)
    assert "@import" not in text


def test_the_policy_allows_our_own_words_only(told: Timeline) -> None:
    """Style and script are named by their digest; nothing else may run, whatever was smuggled in."""
    text, document = shown(told)
    (policy,) = (meta.attrib["content"] for meta in document.iter("meta") if "http-equiv" in meta.attrib)
    for name in ("style", "script"):
        bodies = re.findall(f"<{name}>(.*?)</{name}>", text, re.DOTALL)
        assert len(bodies) == 1
        digest = base64.b64encode(hashlib.sha256(bodies[0].encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_ids_are_unique_and_every_link_leads_to_one(told: Timeline) -> None:
    """A part of a picture leads to its event, an event to its causes."""
    _text, document = shown(told)
    ids = [element.attrib["id"] for element in document.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    targets = {element.attrib["href"].removeprefix("#") for element in document.iter() if "href" in element.attrib}
    assert targets
    assert targets <= set(ids)


def test_patterns_are_there_for_every_hatching(told: Timeline) -> None:
    """What the style sheet fills hatched spans with is defined, once."""
    text, document = shown(told)
    wanted = set(re.findall(r"url\(#([\w-]+)\)", text))
    ids = [element.attrib["id"] for element in document.iter() if "id" in element.attrib]
    assert wanted
    assert all(ids.count(name) == 1 for name in wanted)


def test_hostile_text_stays_text() -> None:
    """Names from outside that are markup are shown letter by letter."""
    _text, document = shown(timeline_of(renamed(failover(), C1=EVIL), title=EVIL))
    assert document.findtext("head/title", "").endswith(EVIL)
    assert not list(document.iter("img"))
    assert sum(1 for _ in document.iter("script")) == 1


def test_the_verdict_comes_first(told: Timeline) -> None:
    """The first paragraph says the worst."""
    _text, document = shown(told)
    head = next(element for element in document.iter("p") if element.get("class") == "head")
    assert head.text == "Promises were broken: S1"


def test_each_turn_has_a_close_up_and_its_steps(told: Timeline) -> None:
    """The failover and the broken promise are drawn again, larger, with what was done in them."""
    _text, document = shown(told)
    turns = [section for section in document.iter("section") if (section.get("class") or "").startswith("turn")]
    assert [section.findtext("h3", "").strip() for section in turns] == ["Failover: m0 to m1", "Broken: S1"]
    steps = [element.text for element in turns[0].iter("b")]
    assert steps[:4] == ["fault", "instance", "L10", "L30"]
    assert [element.text for element in turns[1].iter("b")][-1] == "violation"


def test_more_turns_than_are_drawn_can_still_be_looked_at(told: Timeline) -> None:
    """Beyond the close-ups there is a button for each, with its window."""
    turn = told.turns[0]
    more = tuple(Turn(title=f"t{n}", text="", tone=turn.tone, start_s=n, end_s=n + 0.5) for n in range(TURNS_DRAWN + 2))
    _text, document = shown(evolve(told, turns=more))
    buttons = [element.attrib["data-look"] for element in document.iter("button") if "data-look" in element.attrib]
    assert buttons == [f"{float(n)} {n + 0.5}".replace(".0 ", " ", 1) for n in range(TURNS_DRAWN, TURNS_DRAWN + 2)]


def test_too_many_events_are_cut_in_the_middle_and_that_is_said(told: Timeline) -> None:
    """The page stays small; no link leads to an event that is left out."""
    many = tuple(
        Event(number=n, at_s=n / 1000, who="C1", what="fact", text="x", causes=(n - 1,))
        for n in range(EVENTS_LISTED * 2)
    )
    timeline = evolve(told, events=many)
    _text, document = shown(timeline)
    rows = [row for row in document.iter("tr") if "id" in row.attrib]
    assert len(rows) == EVENTS_LISTED
    assert rows[0].attrib["id"] == "e0"
    assert rows[-1].attrib["id"] == f"e{EVENTS_LISTED * 2 - 1}"
    assert f"{EVENTS_LISTED} events in the middle are not listed" in page(timeline)
    test_ids_are_unique_and_every_link_leads_to_one(timeline)


def test_without_events_nothing_leads_anywhere(told: Timeline) -> None:
    """A picture of its own has no list to lead to."""
    bare = listed(told, 0)
    assert {span.event for lane in bare.lanes for span in lane.spans} == {None}
    assert {mark.event for lane in bare.lanes for mark in lane.marks} == {None}
    assert {arrow.event for arrow in bare.arrows} == {None}


def test_a_real_trace_says_when_it_began() -> None:
    """Its clock starts at 0 whatever the machine's said, and the page names the moment."""
    timeline = timeline_of(failover(Script(Source.LOCAL, began_at=1_700_000_000.0), ghosts=False), title="t")
    assert "0 s is 2023-11-14 22:13:20" in page(timeline)


def test_whoever_cannot_run_the_script_sees_no_tools(told: Timeline) -> None:
    """Buttons and boxes that would do nothing are hidden until the script shows them; all else is there without it."""
    text, document = shown(told)
    assert ".tools { display: none;" in text
    for element in document.iter():
        if element.tag in ("button", "input"):
            assert any(element in list(tools.iter()) for tools in document.iter("div") if tools.get("class") == "tools")


def test_the_close_up_of_a_failover_shows_all_of_it(told: Timeline) -> None:
    """From before the kill until writes flow again."""
    turn = told.turns[0]
    assert turn.start_s < 9.9
    assert turn.end_s > 12.1
    assert turn.end_s - turn.start_s < 4
    assert turn.start_s < BEGAN_S < turn.end_s


def test_the_script_asks_for_what_the_page_has(told: Timeline) -> None:
    """Every id, attribute and class that the script looks for is there, or it would fail in silence."""
    more = told.turns * (TURNS_DRAWN + 1)
    (clients,) = (lane for lane in told.lanes if lane.id == "clients")
    pauses = (*clients.spans, *(evolve(span, start_s=20.0, end_s=21.0) for span in clients.spans))
    lanes = tuple(evolve(lane, spans=pauses) if lane is clients else lane for lane in told.lanes)
    text, document = shown(evolve(told, turns=more, lanes=lanes))
    (script,) = re.findall("<script>(.*?)</script>", text, re.DOTALL)
    ids = {element.attrib["id"] for element in document.iter() if "id" in element.attrib}
    assert set(re.findall(r'getElementById\("(\w+)"\)', script)) <= ids
    attributes = {name.removeprefix("data-") for element in document.iter() for name in element.attrib}
    assert set(re.findall(r"dataset\.(\w+)", script)) | {"out", "in"} <= attributes
    assert set(re.findall(r"\[data-(\w+)", script)) <= attributes
    classes = {name for element in document.iter() for name in element.get("class", "").split()}
    assert set(re.findall(r'querySelector(?:All)?\("\.([\w-]+)"\)', script)) <= classes
