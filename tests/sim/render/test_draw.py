"""The picture: everything that happened is in it, in its lane, at its time; nothing can break out of it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgraph_ha.core.facts import CommandEnded
from memgraph_ha.sim.render.build import Window, timeline_of
from memgraph_ha.sim.render.draw import PLOT
from memgraph_ha.sim.render.model import Timeline
from memgraph_ha.trace.schema import CommandLine, FactLine, Ghost, GhostLine, Line, TickLine
from tests.sim.render.drawn import SVG, drawing, lanes, of, placed
from tests.sim.render.told import BACK_S, BEGAN_S, KILLED_S, LANDED_S, SERVED_S, Script, broken, failover, renamed

HOSTILE = "\"><script>alert(1)</script><!--]]>'&amp;`</title></svg>"


def shown(lines: tuple[Line, ...], window: Window | None = None) -> Timeline:
    """Make a timeline of a trace."""
    return timeline_of(lines, title="a trace", window=window or Window())


def test_every_lane_is_drawn_from_what_users_felt_down_to_why() -> None:
    """Faults, clients, gateways, record, controllers, instances; what a trace does not know has no lane."""
    assert lanes(drawing(shown(failover()))) == [
         "faults", "clients", "gateway C1", "gateway C2", "record",
        "controller C1", "controller C2", "instance m0", "instance m1",
    ]  # fmt: skip
    without = lanes(drawing(shown(failover(ghosts=False))))
    assert without == [
        "gateway C1",
        "gateway C2",
        "record",
        "controller C1",
        "controller C2",
        "instance m0",
        "instance m1",
    ]


@pytest.mark.parametrize("lines", [failover(), failover(ghosts=False), broken()], ids=["ghosts", "facts", "broken"])
@pytest.mark.parametrize("window", [Window(), Window(start_s=9.5, end_s=12.5)], ids=["whole", "close"])
def test_times_map_to_pixels_in_proportion(lines: tuple[Line, ...], window: Window) -> None:
    """Everything stands where its time is: the same seconds are the same pixels everywhere in the picture."""
    timeline = shown(lines, window)
    px = PLOT / (timeline.end_s - timeline.start_s)
    parts = placed(drawing(timeline))
    assert len(parts) > 20
    for part in parts:
        assert part.left == pytest.approx((part.start_s - timeline.start_s) * px, abs=0.11)
        if part.end_s is not None:
            wide = max(1.0, (part.end_s - part.start_s) * px)
            assert part.right is not None
            exact = 0.11 if "arrow" in part.classes else 0.25
            assert part.right == pytest.approx(part.left + wide, abs=max(exact, 1.1 if wide <= 1 else exact))


def test_every_reign_is_drawn_with_its_main_and_its_standby() -> None:
    """The record's lane says who reigned, since when, whether it had opened, and who stood by."""
    spans = [part for part in placed(drawing(shown(failover()))) if part.lane == "record"]
    assert [(part.label, part.start_s, part.end_s) for part in spans] == [
        ("reign 1: m0, bootstrap", 0.0, 11.01),
        ("reign 2: m1, failover, not opened yet", 11.01, 11.8),
        ("reign 2: m1, failover", 11.8, 30.0),
        ("standby m1", 0.0, 11.01),
        ("fallback m0", 11.01, 11.8),
        ("unprotected", 11.8, 22.0),
        ("standby m0", 22.0, 30.0),
    ]


def changes_of_mind(lines: tuple[Line, ...], who: str) -> list[tuple[str, float]]:
    """List each rule of a controller with when it began to decide; routine work is done under the rule before it."""
    found: list[tuple[str, float]] = []
    for line in lines:
        if not isinstance(line, TickLine) or line.who != who or line.decision is None:
            continue
        rule = line.decision.rule
        if (not found or found[-1][0] != rule) and not (rule == "P10" and line.t > 1):
            found.append((rule, line.t))
    return found


@pytest.mark.parametrize("who", ["C1", "C2"])
def test_every_change_of_mind_is_drawn_with_its_rule(who: str) -> None:
    """A span per stretch in which one rule decided, whose text has the rule and the reason."""
    lines = failover()
    parts = placed(drawing(shown(lines)))
    spans = [part for part in of(parts, f"controller {who}", "span") if "thin" not in part.classes]
    drawn = [(part.label.split()[0], part.start_s) for part in spans]
    assert drawn == changes_of_mind(lines, who)
    assert all(f"why {part.label.split()[0]}" in part.text for part in spans)


def test_who_leads_has_a_band() -> None:
    """The leader's band is there from beginning to end; who stands by has another."""
    parts = placed(drawing(shown(failover())))
    for who, tone in (("C1", "info"), ("C2", "soft")):
        (band,) = of(parts, f"controller {who}", "span", "thin")
        assert (band.start_s, band.end_s) == (0.0, 30.0)
        assert tone in band.classes


def test_every_command_has_an_arrow_to_where_it_took_effect() -> None:
    """An arrow ends when the command landed, or else when its end was learnt; routine ones have none."""
    lines = failover()
    arrows = [part for part in placed(drawing(shown(lines))) if "arrow" in part.classes]
    sent = [line for line in lines if isinstance(line, CommandLine)]
    ends = {line.of: line.t for line in lines if isinstance(line, FactLine) and isinstance(line.fact, CommandEnded)}
    expected = [(line.t, LANDED_S if type(line.command).__name__ == "Promote" else ends[line.seq]) for line in sent]
    routine = [(line.t, ends[line.seq]) for line in sent if type(line.command).__name__ == "CommitNoop"][1:]
    assert [(arrow.start_s, arrow.end_s) for arrow in arrows] == [each for each in expected if each not in routine]


def test_roles_and_runs_are_drawn_as_the_simulator_says() -> None:
    """m0 is MAIN until it is killed, down until it is back; a tick marks its second run; m1 turns MAIN at once."""
    parts = placed(drawing(shown(failover())))
    assert [
        (part.label, part.start_s, part.end_s)
        for part in of(parts, "instance m0", "span")
        if "thin" not in part.classes
    ] == [
        ("MAIN, run run-a", 0.0, KILLED_S),
        ("down", KILLED_S, BACK_S + 0.5),
        ("REPLICA, run run-c", BACK_S + 0.5, 30.0),
    ]
    assert [part.start_s for part in of(parts, "instance m0", "mark", "tick")] == [BACK_S + 0.5]
    assert [(part.label, part.end_s) for part in of(parts, "instance m1", "span", "plain")] == [
        ("REPLICA, run run-b", LANDED_S)
    ]
    (main,) = of(parts, "instance m1", "span", "strong")
    assert (main.label, main.start_s) == ("MAIN, run run-b", LANDED_S)


def test_without_a_simulator_roles_are_what_the_leader_was_told() -> None:
    """A real trace has no ghosts: an instance is drawn as it answered, or did not."""
    parts = placed(drawing(shown(failover(ghosts=False))))
    seen = [(part.label, part.start_s) for part in of(parts, "instance m0", "span") if "thin" not in part.classes]
    assert seen == [("MAIN, run run-a", 0.1), ("refuses", 10.2), ("REPLICA, run run-c", 21.0)]


def test_gateways_are_drawn_as_they_were_routed() -> None:
    """Open to m0, held while nobody serves, open to m1; the other controller's holds all along."""
    parts = placed(drawing(shown(failover())))
    assert [(part.label, part.start_s, part.end_s) for part in of(parts, "gateway C1", "span")] == [
        ("open to m0, reign 1", 0.1, 10.2),
        ("held", 10.2, SERVED_S),
        ("open to m1, reign 2", SERVED_S, 30.0),
    ]


def test_gateways_of_the_simulator_are_drawn_as_they_were() -> None:
    """What a gateway really did counts for more than what its controller wanted."""
    ghost = GhostLine(t=11.0, who="C1", what=Ghost.GATE, data=(("state", "shut"),))
    lines = (*failover()[:-1], ghost, failover()[-1])
    spans = list(of(placed(drawing(shown(lines))), "gateway C1", "span"))
    assert [(part.text, part.start_s) for part in spans] == [("shut: shut: connections are refused", 11.0)]


def test_writes_are_drawn_one_by_one_and_their_pause_is_named() -> None:
    """A line per write by what its client was told, in the row of its client; the gap says how long it was."""
    parts = list(of(placed(drawing(shown(failover()))), "clients"))
    writes = [part for part in parts if "write" in part.classes]
    assert sum("ok" in part.classes for part in writes) == 278
    assert [part.start_s for part in writes if "soft" in part.classes] == [KILLED_S + 0.05]
    (pause,) = (part for part in parts if "span" in part.classes)
    assert (pause.start_s, pause.end_s, pause.label) == (9.9, 12.1, "no write acknowledged for 2.20 s")


def test_a_fault_and_a_broken_promise_are_marked_through_all_lanes() -> None:
    """Each has a mark with its name, and a line from top to bottom at its time; what was mended has no line."""
    parts = placed(drawing(shown(broken())))
    marks = {
        part.label: (part.start_s, part.classes & {"flag", "cross", "ring"}) for part in of(parts, "faults", "mark")
    }
    assert marks == {
        "kill m0": (KILLED_S, frozenset({"flag"})),
        "S1 broken": (13.0, frozenset({"cross"})),
        "start m0": (BACK_S, frozenset({"ring"})),
    }
    assert [part.start_s for part in parts if "moment" in part.classes] == [KILLED_S, 13.0]


PARTS = len(list(drawing(shown(failover())).iter()))


@settings(max_examples=40, deadline=None)
@given(name=st.text(min_size=1).filter(lambda text: text not in ("C2", "m1")))
def test_no_name_can_break_out(name: str) -> None:
    """Whatever a name holds, the picture stays well formed and has the same parts in it."""
    hostile = shown(renamed(failover(), C1=name, app=name + "x"))
    assert len(list(drawing(hostile).iter())) == PARTS


def test_a_controller_may_bear_the_name_of_an_instance() -> None:
    """Where each pod has its own controller, both are called like the pod: they keep lanes of their own."""
    parts = placed(drawing(shown(renamed(failover(ghosts=False), C1="m0"))))
    assert "Z99 name of z99" in [part.label for part in of(parts, "controller m0", "span")]
    assert "MAIN, run run-a" in [part.label for part in of(parts, "instance m0", "span")]


def test_hostile_text_is_shown_as_it_is() -> None:
    """A name that is markup is drawn as the letters that it has."""
    svg = drawing(shown(renamed(failover(), C2=HOSTILE)))
    assert f"controller {HOSTILE}" in lanes(svg)
    assert HOSTILE in [text.text for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert not list(svg.iter("{http://www.w3.org/2000/svg}script"))


def test_a_window_shows_only_what_is_in_it() -> None:
    """Of a span that began before it the rest is drawn; what ended before it is not."""
    timeline = shown(failover(), Window(start_s=BEGAN_S, end_s=SERVED_S))
    parts = placed(drawing(timeline))
    assert all(part.start_s <= SERVED_S for part in parts)
    assert all(part.end_s is None or part.end_s >= BEGAN_S for part in parts)
    assert "kill m0" not in [part.label for part in of(parts, "faults")]
    assert timeline.events
    assert all(BEGAN_S <= event.at_s <= SERVED_S for event in timeline.events)


def test_a_window_beside_the_trace_is_refused() -> None:
    """Nothing would be seen: the error says how long the trace lasts."""
    with pytest.raises(ValueError, match=r"lasts from 0\.000 to 30\.000 s"):
        shown(failover(), Window(start_s=31.0))
    with pytest.raises(ValueError, match="--from and --to leave nothing"):
        shown(failover(), Window(start_s=5.0, end_s=4.0))


def _labels(*marks: tuple[float, str]) -> list[str]:
    """Draw faults, and say on which side of each its label stands."""
    told = Script()
    for at_s, verb in marks:
        told.ghost(at_s, "m0", Ghost.FAULT, verb=verb)
    svg = drawing(shown(told.whole(10.0)))
    groups = [group for group in svg.iter(f"{SVG}g") if "flag" in group.get("class", "").split()]
    return [text.attrib["class"] for group in groups for text in group.iter(f"{SVG}text")]


def test_labels_never_stand_on_each_other() -> None:
    """One that has no room before the next mark is hidden; at the right edge it turns to the left, if it can there."""
    assert _labels((0.0, "kill"), (5.0, "kill")) == ["right", "right"]
    assert _labels((0.0, "kill"), (0.1, "kill")) == ["tight", "right"]
    assert _labels((0.0, "kill"), (10.0, "kill")) == ["right", "left"]
    assert _labels((0.0, "x"), (9.0, "a long word " * 3), (10.0, "kill")) == ["right", "tight", "tight"]
