"""Reading a drawn timeline back: what stands where, by its own `data-` attributes and by its place."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from attrs import frozen

from memgraph_ha.sim.render.draw import PLOT
from memgraph_ha.sim.render.model import Timeline
from memgraph_ha.sim.render.page import picture
from memgraph_ha.sim.render.scale import Scale

SVG = "{http://www.w3.org/2000/svg}"


def drawing(timeline: Timeline) -> ET.Element:
    """Draw all of a timeline, and read the drawing with a strict parser."""
    return ET.fromstring(picture(timeline, Scale(timeline.start_s, timeline.end_s, PLOT)))  # noqa: S314 - we have just written it


@frozen
class Placed:
    """One part of a drawing that has a place in time.

    Attributes:
        lane: In whose lane; empty for what goes across.
        classes: What it is.
        text: What is said when somebody points at it.
        start_s: Its own word for when it begins.
        end_s: The same for its end.
        left: Where it is drawn.
        right: Where it ends, if it lasts.
    """

    lane: str
    classes: frozenset[str]
    text: str
    label: str
    start_s: float
    end_s: float | None
    left: float
    right: float | None


def lanes(svg: ET.Element) -> list[str]:
    """List the lanes from top to bottom."""
    return [group.attrib["data-lane"] for group in svg.iter(f"{SVG}g") if "data-lane" in group.attrib]


def placed(svg: ET.Element) -> list[Placed]:
    """List everything that has a place in time, but the axis."""
    found = []
    for group in svg.iter(f"{SVG}g"):
        if "data-lane" in group.attrib:
            found += [_placed(part, group.attrib["data-lane"]) for part in group.iter() if "data-t" in part.attrib]
    (across,) = (part for part in svg.iter(f"{SVG}svg") if part.get("class") == "across")
    return [*found, *(_placed(part, "") for part in across.iter() if "data-t" in part.attrib)]


def _placed(part: ET.Element, lane: str) -> Placed:
    left, right = _place(part)
    end = part.get("data-e")
    text = part.find(f"{SVG}text")
    return Placed(
        lane=lane,
        classes=frozenset(part.attrib["class"].split()),
        text=part.findtext(f"{SVG}title") or "",
        label="" if text is None else text.get("data-full", text.text or ""),
        start_s=float(part.attrib["data-t"]),
        end_s=None if end is None else float(end),
        left=left,
        right=right,
    )


def _place(part: ET.Element) -> tuple[float, float | None]:
    moved = re.fullmatch(r"translate\((\S+) \S+\)", part.get("transform", ""))
    if moved:
        return float(moved[1]), None
    line = re.fullmatch(r"M(\S+) \S+ L(\S+) \S+", part.get("d", ""))
    if line:
        return float(line[1]), float(line[2])
    left = float(part.attrib["x"])
    return left, left + float(part.attrib["width"])


def of(parts: list[Placed], lane: str, *classes: str) -> Iterator[Placed]:
    """Choose those of a lane that are all of that."""
    return (part for part in parts if part.lane == lane and part.classes.issuperset(classes))
