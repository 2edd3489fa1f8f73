"""The picture of a cluster: gateways, MAIN, replicas and what flows between them; one for wide screens, one for phones.

Only classes are set, never a colour: the style sheet has them, light and dark.
"""

from collections.abc import Iterator
from typing import Any, Final

from attrs import frozen

from memgraph_ha.markup import Markup, h, join

Picture = dict[str, Any]
"""The document of ``GET /api/v1/cluster``."""

_TALL: Final = 70
_GAP: Final = 20

_TONES: Final = {
    "main": "ok",
    "standby": "ok",
    "replica": "info",
    "not attached": "warn",
    "catching up": "warn",
    "not main yet": "warn",
    "starting": "warn",
    "needs rebuild": "warn",
}
"""How a state looks; what is not here is bad."""

_FLOWS: Final = ("ready", "replicating")


def tone_of(state: str) -> str:
    """Say how a state of an instance looks: ``ok``, ``info``, ``warn`` or ``bad``."""
    return _TONES.get(state, "bad")


@frozen(kw_only=True)
class Box:
    """One thing in the picture.

    Attributes:
        title: Its name.
        badge: One word beside it.
        tone: How it looks.
        lines: What stands under the name.
    """

    title: str
    badge: str
    tone: str
    lines: tuple[str, ...]

    def draw(self, x: int, y: int, width: int) -> Markup:
        """Draw it with its left upper corner there."""
        letters = int((width - 28) / 6.9)
        room = max(4, int((width - 40 - len(self.badge) * 7.2) / 9.2))
        below = (
            h("text", _cut(line, letters), x=x + 14, y=y + 45 + 17 * index) for index, line in enumerate(self.lines[:2])
        )
        return h(
            "g",
            h("title", f"{self.title}: {self.badge}. {'; '.join(self.lines)}"),
            h("rect", x=x, y=y, width=width, height=_TALL, rx=9, class_=self.tone),
            h("text", _cut(self.title, room), x=x + 14, y=y + 24, class_="name"),
            h("text", self.badge, x=x + width - 13, y=y + 24, text_anchor="end", class_=self.tone),
            *below,
        )


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else text[: max(1, letters - 1)] + "…"


# --- what the boxes say -------------------------------------------------------------------------------


def lag_of(row: Picture | None) -> str:
    """Say how far behind a replica is."""
    if row is None or row["behind"] is None:
        return ""
    return "level" if row["behind"] >= 0 else f"{-row['behind']} behind"


def _instance(seen: Picture) -> Box:
    row = seen["row"]
    if row is not None:
        said = " · ".join(part for part in (row["mode"] or "?", row["status"], lag_of(row)) if part)
    elif seen["is_main"]:
        objects, healthy = seen["objects"], seen["state"] == "main"
        said = f"{objects:,} objects" if healthy and objects is not None else "the recorded MAIN"
    else:
        said = "no row on MAIN"
    return Box(title=seen["name"], badge=seen["state"], tone=tone_of(seen["state"]), lines=(said, seen["bolt"]))


def _rw(picture: Picture) -> Box:
    rw = picture["rw"]
    if rw["open"]:
        badge, tone = ("quiet", "warn") if rw["quiet"] else ("open", "ok")
    else:
        badge, tone = ("holding", "warn") if rw["holding"] else ("shut", "bad")
    return Box(title="writes", badge=badge, tone=tone, lines=_gate_lines(rw))


def _ro(ro: Picture) -> Box:
    badge, tone = ("open", "info") if ro["open"] else ("shut", "warn")
    return Box(title="reads", badge=badge, tone=tone, lines=_gate_lines(ro))


def _gate_lines(gate: Picture) -> tuple[str, ...]:
    count, waiting = gate["connections"], gate.get("waiting")
    clients = "" if count is None else f"{count} client{'s' if count != 1 else ''}"
    if waiting:
        clients += f", {waiting} waiting"
    return ("gateway" if gate["port"] is None else f"gateway, port {gate['port']}", clients)


def _nobody(picture: Picture) -> Box:
    said = "no reign has begun" if picture["generation"] is None else f"{picture['main']} is no member"
    return Box(title="no MAIN", badge="", tone="soft", lines=(said, ""))


def _write_edge(picture: Picture) -> str:
    rw = picture["rw"]
    if not rw["open"]:
        return "bad"
    return "warn strong" if rw["quiet"] else "ok strong"


def _row_edge(seen: Picture) -> str:
    row = seen["row"]
    if row is None:
        return "soft"
    if tone_of(seen["state"]) == "bad":
        return "bad"  # MAIN may call a dead replica ready for seconds (transcripts, "Status words")
    if row["status"] not in _FLOWS:
        return "warn"
    return "ok strong" if row["mode"] == "STRICT_SYNC" else "ok"


@frozen(kw_only=True)
class _Parts:
    rw: Box
    main: Box
    others: tuple[Picture, ...]
    ro: Picture | None


def _parts(picture: Picture) -> _Parts:
    main = next((seen for seen in picture["instances"] if seen["is_main"]), None)
    return _Parts(
        rw=_rw(picture),
        main=_nobody(picture) if main is None else _instance(main),
        others=tuple(seen for seen in picture["instances"] if seen is not main),
        ro=picture["ro"],
    )


# --- wide ---------------------------------------------------------------------------------------------

_LEFT, _MIDDLE, _RIGHT = 0, 345, 715
_WIDTHS: Final = (230, 250, 285)
_WIDE: Final = _RIGHT + _WIDTHS[2]


def draw_wide(picture: Picture) -> Markup:
    """Draw the gateways at the left, MAIN in the middle, the replicas at the right."""
    parts = _parts(picture)
    step = _TALL + _GAP
    tall = max(step * len(parts.others), step * 2 if parts.ro is not None else step) - _GAP
    top = max(0, (tall - (_TALL + step if parts.ro is not None else _TALL)) // 2)
    boxes = [parts.rw.draw(_LEFT + 2, top + 2, _WIDTHS[0]), parts.main.draw(_MIDDLE, top + 2, _WIDTHS[1])]
    edges = [_curve(_WIDTHS[0] + 2, top + 37, _MIDDLE, top + 37, _write_edge(picture))]
    if parts.ro is not None:
        boxes.append(_ro(parts.ro).draw(_LEFT + 2, top + step + 2, _WIDTHS[0]))
    for index, seen in enumerate(parts.others):
        y = step * index + 2
        boxes.append(_instance(seen).draw(_RIGHT - 2, y, _WIDTHS[2]))
        edges.append(_curve(_MIDDLE + _WIDTHS[1], top + 37, _RIGHT - 2, y + 28, _row_edge(seen)))
        if parts.ro is not None and seen["name"] in parts.ro["targets"]:
            edges.append(_read_curve(_WIDTHS[0] + 2, top + step + 37, _RIGHT - 2, y + 52))
    return _svg("wide", _WIDE, tall + 4, picture, [*edges, *boxes])


def _curve(x1: int, y1: int, x2: int, y2: int, tone: str) -> Markup:
    middle = (x1 + x2) // 2
    return h("path", d=f"M{x1} {y1} C{middle} {y1} {middle} {y2} {x2} {y2}", class_=tone)


def _read_curve(x1: int, y1: int, x2: int, y2: int) -> Markup:
    """Lead below MAIN's box, then to the replica."""
    turn = _MIDDLE + _WIDTHS[1] + 10
    return h("path", d=f"M{x1} {y1} H{turn} C{turn + 60} {y1} {x2 - 60} {y2} {x2} {y2}", class_="info")


# --- narrow -------------------------------------------------------------------------------------------

_NARROW: Final = 340
_INDENT: Final = 26


def draw_narrow(picture: Picture) -> Markup:
    """Draw the same as a tree from top to bottom: writes, MAIN, its replicas, and reads along the right edge."""
    parts = _parts(picture)
    step, wide = _TALL + 16, _NARROW - 2
    boxes = [parts.rw.draw(1, 1, wide), parts.main.draw(1, step + 1, wide)]
    edges = [h("path", d=f"M60 {_TALL} V{step + 1}", class_=_write_edge(picture))]
    targets = []
    for index, seen in enumerate(parts.others):
        y = step * (index + 2) + 1
        boxes.append(_instance(seen).draw(_INDENT, y, wide - 2 * _INDENT + 12))
        edges.append(h("path", d=f"M11 {step + _TALL} V{y + 35} H{_INDENT}", class_=_row_edge(seen)))
        if parts.ro is not None and seen["name"] in parts.ro["targets"]:
            targets.append(y + 35)
    rows = len(parts.others) + 2
    if parts.ro is not None:
        boxes.append(_ro(parts.ro).draw(1, step * rows + 1, wide))
        right = wide - _INDENT + 12
        edges += [h("path", d=f"M{wide - 4} {step * rows} V{y} H{right}", class_="info") for y in targets]
        rows += 1
    # The farthest first, so that the nearer ones of another colour are not hidden under it.
    return _svg("narrow", _NARROW, step * rows - 14, picture, [*reversed(edges), *boxes])


def _svg(kind: str, width: int, height: int, picture: Picture, parts: list[Markup]) -> Markup:
    return h(
        "svg",
        h("title", described(picture)),
        join(*parts),
        viewBox=f"0 0 {width} {height}",
        class_=kind,
        role="img",
        xmlns="http://www.w3.org/2000/svg",
    )


def described(picture: Picture) -> str:
    """Say in words what the picture shows, for who cannot see it."""
    return ". ".join(_sentences(picture))


def _sentences(picture: Picture) -> Iterator[str]:
    yield f"Writes are {'open' if picture['rw']['open'] else 'shut'}: {picture['rw']['why']}"
    for seen in picture["instances"]:
        row = seen["row"]
        yield f"{seen['name']}: {seen['state']}" + ("" if row is None else f", {row['mode']} {row['status']}")
