"""Colours: those of the status page, told apart by everybody, and every text readable on its ground."""

import re
from importlib import resources

import pytest

LIGHT, DARK = "light", "dark"


def _palettes(package: str, name: str) -> dict[str, dict[str, str]]:
    """Read the colours of a style sheet, light and dark."""
    text = (resources.files(package) / "static" / name).read_text(encoding="utf-8")
    blocks = re.findall(r":root \{(.*?)\}", text, re.DOTALL)
    return {
        theme: dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        for theme, block in zip((LIGHT, DARK), blocks, strict=False)
    }


OURS = _palettes("memgraph_ha.sim.render", "timeline.css")
THEIRS = _palettes("memgraph_ha.api", "status.css")


def _luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_it_looks_like_the_status_page(theme: str) -> None:
    """What is green there is green here."""
    assert THEIRS[theme]
    assert {name: OURS[theme][name] for name in THEIRS[theme]} == THEIRS[theme]


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("tone", ["ok", "info", "warn", "bad"])
def test_a_label_can_be_read_on_its_span(theme: str, tone: str) -> None:
    """AA for normal text, 4.5: on the light ground of its tone, on the card, and what stands on the full tone."""
    colours = OURS[theme]
    assert contrast(colours.get(f"{tone}-ink", colours[tone]), colours[f"{tone}-bg"]) >= 4.5
    assert contrast(colours[tone], colours["card"]) >= 4.5
    assert contrast(colours["on"], colours[tone]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize("ground", ["bg", "card", "soft-bg"])
@pytest.mark.parametrize("text", ["ink", "soft"])
def test_plain_text_can_be_read(theme: str, ground: str, text: str) -> None:
    """AA for normal text, also what is said quietly."""
    assert contrast(OURS[theme][text], OURS[theme][ground]) >= 4.5


def test_only_the_style_sheet_has_colours() -> None:
    """No colour is set in the drawing itself, or it would not follow the theme."""
    for path in resources.files("memgraph_ha.sim.render").iterdir():
        if path.name.endswith(".py"):
            assert not re.search(r"#[0-9a-fA-F]{6}\b|rgb\(", path.read_text(encoding="utf-8")), path.name
