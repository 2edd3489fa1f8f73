"""The pictures of the documentation: what stands on a terminal in the end, drawn without anything from elsewhere."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console
from rich.live import Live

from scripts.picture_drawing import Shot, settled, svg
from scripts.pictures_live import _short
from tests.operate.terminal import ROOT

PICTURES = ROOT / "docs" / "pictures"


def test_what_was_drawn_over_is_gone() -> None:
    """Of rich's own live frames, longer and shorter ones, only the last is left, with what came before and after."""
    out = io.StringIO()
    console = Console(file=out, width=40, force_terminal=True, color_system=None)
    console.print("before")
    with Live(console=console, auto_refresh=False) as live:
        for frame in ("one\ntwo\nthree", "four", "five\nsix"):
            live.update(frame, refresh=True)
    console.print("after")
    written = out.getvalue().replace("\n", "\r\n")  # as a terminal's driver does
    assert [line.rstrip() for line in settled(written).split("\n") if line.strip()] == [
        "before",
        "five",
        "six",
        "after",
    ]


def test_a_spinner_that_was_taken_away_leaves_nothing() -> None:
    """Also if colours are set before its text."""
    written = "\x1b[?25l\x1b[32m⠋\x1b[0m waiting\r\x1b[2K\x1b[32m⠙\x1b[0m waiting\r\n\x1b[?25h\r\x1b[1A\x1b[2Kdone\r\n"
    assert settled(written).strip() == "done"


def test_a_path_is_shortened_and_the_box_stays_whole() -> None:
    """The edge at the right stays in its column."""
    edge = "\x1b[34m│\x1b[0m"
    lines = [f"{edge} data /tmp/x1/orders   {edge}", f"{edge} memgraph-0            {edge}"]
    shown = _short("\n".join(lines), Path("/tmp/x1")).split("\n")  # noqa: S108 - only words
    assert "data orders" in shown[0]
    assert len(shown[0]) == len(shown[1])


@pytest.mark.parametrize("columns", [46, 112])
def test_a_picture_is_drawn_as_wide_as_its_terminal(columns: int) -> None:
    """And shows what was typed."""
    drawn = svg(Shot(name="x", parts=((("status", "--watch"), "healthy\n"),), columns=columns))
    assert "memgraph-ha&#160;status&#160;--watch" in drawn
    assert "healthy" in drawn


def test_no_picture_asks_for_anything_from_elsewhere() -> None:
    """No font, style or image is fetched by whoever looks at one; names of name spaces and comments are no requests."""
    asks = re.compile(r"@import|@font-face|url\((?!#)|href=\"http|<image|<script")
    found = {path.name: asks.findall(path.read_text(encoding="utf-8")) for path in PICTURES.glob("cli-*.svg")}
    assert found
    assert {name: each for name, each in found.items() if each} == {}
