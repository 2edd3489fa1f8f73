"""The page: one self-contained document; the script only moves what is there, and nothing is loaded from anywhere."""

import base64
import datetime as dt
import hashlib
from collections.abc import Mapping
from importlib import resources
from typing import Final

from memgraph_ha.markup import Markup, h, join, trusted
from memgraph_ha.sim.render.build import listed
from memgraph_ha.sim.render.draw import PLOT, draw, kinds_of
from memgraph_ha.sim.render.model import Event, Timeline, Tone, Turn
from memgraph_ha.sim.render.scale import Scale

TURNS_DRAWN: Final = 4
"""So many turns get a close-up of their own; the others can be looked at with the script."""

STEPS_LISTED: Final = 24
"""So many steps of a close-up are listed beside it."""

EVENTS_LISTED: Final = 4000
"""So many events are listed: of more, the first half and the last half."""

_STATIC: Final = resources.files("memgraph_ha.sim.render") / "static"
_LINES: Final = (_STATIC / "timeline.css").read_text(encoding="utf-8")
_STYLE: Final = _LINES + (_STATIC / "page.css").read_text(encoding="utf-8")
_SCRIPT: Final = (_STATIC / "timeline.js").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CONTENT_POLICY: Final = "; ".join(
    ("default-src 'none'", f"style-src {_hash(_STYLE)}", f"script-src {_hash(_SCRIPT)}", "base-uri 'none'")
)
"""Only our own style and script, word for word."""


def page(timeline: Timeline) -> str:
    """Write the whole document.

    Args:
        timeline: What it shows.

    Returns:
        HTML with everything in it: it may be mailed, stored, and opened without a network.
    """
    timeline = listed(timeline, EVENTS_LISTED)
    drawn, rest = timeline.turns[:TURNS_DRAWN], timeline.turns[TURNS_DRAWN:]
    body = join(
        h("header", h("h1", timeline.title), *(h("p", part) for part in timeline.origin)),
        h(
            "main",
            h(
                "section",
                h("p", timeline.verdict, class_="head"),
                *(h("p", line) for line in timeline.lines),
                class_=f"verdict {timeline.tone.value}",
            ),
            _whole(timeline),
            *(_turn(timeline, turn) for turn in drawn),
            _more(rest),
            _events(timeline),
        ),
        _footer(timeline),
    )
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", http_equiv="Content-Security-Policy", content=CONTENT_POLICY),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("title", f"{timeline.verdict} - {timeline.title}"),
        h("style", trusted(_STYLE)),
    )
    document = h("html", head, h("body", body, h("script", trusted(_SCRIPT))), lang="en")
    return f"<!doctype html>{document}\n"


def picture(timeline: Timeline, scale: Scale) -> str:
    """Write one window of a timeline as an SVG file of its own, with its style, for a report or a document."""
    drawn = draw(listed(timeline, 0), scale)
    start, end = drawn.split(">", 1)
    return f"{start}>{h('style', trusted(_LINES))}{h('rect', width='100%', height='100%', class_='paper')}{end}\n"


def _whole(timeline: Timeline) -> Markup:
    scale = Scale(timeline.start_s, timeline.end_s, PLOT)
    return h(
        "section",
        h("h2", "What happened"),
        _tools(timeline),
        h("div", draw(timeline, scale), class_="scroll"),
        _legend(timeline),
        h("div", h("p", _HINT, class_="soft"), id="why", aria_live="polite"),
        id="whole",
    )


_HINT: Final = (
    "Point at something to see what led to it. Drag to look closer; keys: + - 0, left and right from event to event, "
    "with shift through time."
)

_ACTS: Final = (
    ("closer", "+", "closer"),
    ("wider", "−", "wider"),  # noqa: RUF001 - the minus sign
    ("earlier", "←", "earlier"),
    ("later", "→", "later"),
    ("all", "all", "the whole trace"),
)


def _tools(timeline: Timeline) -> Markup:
    buttons = (h("button", sign, type="button", data_act=act, aria_label=said, title=said) for act, sign, said in _ACTS)
    boxes = (
        h("label", h("input", type="checkbox", data_lanes=kind.value, checked="checked"), kind.value)
        for kind in kinds_of(timeline)
    )
    return h("div", h("span", *buttons), *boxes, h("span", id="window", class_="window"), class_="tools")


_LEGEND: Final = (
    ("strong", Tone.OK, "MAIN, open"),
    ("plain", Tone.INFO, "REPLICA, acting"),
    ("plain", Tone.WARN, "waits, unprotected"),
    ("hatched", Tone.INFO, "quiet moment, frozen"),
    ("hatched", Tone.BAD, "down"),
    ("plain", Tone.SOFT, "steady, standing by"),
    ("thin", Tone.INFO, "leads; replicates"),
)


def _legend(timeline: Timeline) -> Markup:
    boxes = (
        h(
            "li",
            h(
                "svg",
                h("svg", h("rect", width="100%", height="100%", rx=3), class_=f"span {tone.value} {weave}"),
                class_="timeline",
                width=22,
                height=13,
                aria_hidden="true",
            ),
            said,
        )
        for weave, tone, said in _LEGEND
    )
    writes = (
        h(
            "li",
            h(
                "svg",
                h("path", d="M4 0 V13", class_=f"write {tone.value}"),
                class_="timeline",
                width=8,
                height=13,
                aria_hidden="true",
            ),
            said,
        )
        for tone, said in ((Tone.OK, "write acknowledged"), (Tone.SOFT, "in doubt"), (Tone.WARN, "refused"))
        if any(lane.writes for lane in timeline.lanes)
    )
    return h("ul", *boxes, *writes, class_="legend")


# --- close-ups ------------------------------------------------------------------------------------------------------


def _turn(timeline: Timeline, turn: Turn) -> Markup:
    scale = Scale(turn.start_s, turn.end_s, PLOT)
    return h(
        "section",
        h("h3", turn.title, " ", h("small", f"{turn.start_s:.2f} to {turn.end_s:.2f} s")),
        h("p", turn.text),
        h("div", draw(timeline, scale, patterns=False), class_="scroll"),
        _steps(timeline, turn),
        class_=f"turn {turn.tone.value}",
    )


def _steps(timeline: Timeline, turn: Turn) -> Markup:
    """List what was done in a close-up; which facts led to it is in the list of all events."""
    steps = [
        event for event in timeline.events if turn.start_s <= event.at_s <= turn.end_s and event.what not in _ONLY_HEARD
    ]
    items = (
        h(
            "li",
            h("time", f"{event.at_s:.3f}"),
            h("span", event.who),
            h("b", event.what),
            h("a", event.text, href=f"#e{event.number}"),
            class_=event.tone.value,
        )
        for event in steps[:STEPS_LISTED]
    )
    left = len(steps) - STEPS_LISTED
    more = h("p", f"and {left} more, in the list of events", class_="soft") if left > 0 else None
    return h("details", h("summary", "step by step"), h("ol", *items, class_="steps"), more, open="open")


_ONLY_HEARD: Final = ("fact", "ended", "writes", "gate")
"""What is left out of the steps: the consequences."""


def _more(rest: tuple[Turn, ...]) -> Markup | None:
    if not rest:
        return None
    items = (
        h(
            "li",
            h("button", f"{turn.start_s:.2f} s", type="button", data_look=f"{turn.start_s} {turn.end_s}"),
            f" {turn.title}. {turn.text}",
        )
        for turn in rest
    )
    return h("section", h("h2", "What else changed"), h("ul", *items))


# --- the list -------------------------------------------------------------------------------------------------------


def _events(timeline: Timeline) -> Markup:
    known = {event.number: "" if event.seq is None else str(event.seq) for event in timeline.events}
    heads = ("Time", "Number", "Who", "What", "Event", "Because of")
    rows = (_event(event, known) for event in timeline.events)
    search = h("input", id="search", type="search", placeholder="rule, name, word", aria_label="show only events with")
    return h(
        "section",
        h("h2", "Events"),
        h("div", h("label", "show only ", search), class_="tools"),
        h(
            "div",
            h(
                "table",
                h("thead", h("tr", *(h("th", name, scope="col") for name in heads))),
                h("tbody", *rows),
                id="events",
            ),
            class_="scroll",
        ),
        class_="events",
    )


def _event(event: Event, known: Mapping[int, str]) -> Markup:
    causes = (h("a", known[cause] or f"line {cause}", href=f"#e{cause}") for cause in event.causes if cause in known)
    return h(
        "tr",
        h("td", h("time", f"{event.at_s:.3f}")),
        h("td", known[event.number], class_="seq"),
        h("td", event.who, class_="who"),
        h("td", event.what, class_="what"),
        h("td", event.text, class_="text"),
        h("td", *(join(" ", cause) for cause in causes), class_="causes"),
        id=f"e{event.number}",
        class_=event.tone.value,
    )


def _footer(timeline: Timeline) -> Markup:
    began = []
    if timeline.wall_s is not None:
        moment = dt.datetime.fromtimestamp(timeline.wall_s, tz=dt.UTC)
        began = [f"0 s is {moment:%Y-%m-%d %H:%M:%S.%f} UTC."]
    lines = (
        *began,
        *timeline.left_out,
        "memgraph-ha sim explain TRACE --seq N says more of a decision, by its number in the list.",
    )
    return h("footer", *(h("p", line) for line in lines))
