"""Turning what a command wrote to a terminal into a picture."""

import io
import re
from typing import Final

from attrs import frozen
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

COLUMNS: Final = 112
"""Of a picture, unless told otherwise."""

_FONTS: Final = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"
_FORMAT: Final = re.sub(
    r"font-family: Fira Code, monospace",
    f"font-family: {_FONTS}",
    re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL),
)
"""Rich's own form, without the fonts that it would fetch from elsewhere."""

_PIECES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+")
_UP, _CLEAR = "\x1b[1A", "\x1b[2K"


@frozen(kw_only=True)
class Shot:
    """One picture.

    Attributes:
        name: The file is ``cli-<name>.svg``.
        parts: What was typed after ``memgraph-ha``, and what was then shown, in order.
        columns: Of the terminal.
    """

    name: str
    parts: tuple[tuple[tuple[str, ...], str], ...]
    columns: int = COLUMNS


def settled(written: str) -> str:
    """Give what stands on the terminal in the end: spinners and earlier frames were drawn over.

    Args:
        written: All that a program wrote; it moves up by whole lines and clears whole lines only, as rich does.
    """
    lines, row, fresh = [""], 0, False
    for piece in _PIECES.findall(written):
        if piece == "\n":
            row, fresh = row + 1, True
            lines.extend([""] * (row + 1 - len(lines)))
        elif piece == "\r":
            fresh = True
        elif piece == _UP:
            row = max(0, row - 1)
        elif piece == _CLEAR:
            lines[row] = ""
        elif not piece.startswith("\x1b") or piece.endswith("m"):
            lines[row] = piece if fresh else lines[row] + piece
            fresh = False
    return "\n".join(lines)


def svg(shot: Shot) -> str:
    """Draw a picture."""
    console = Console(record=True, width=shot.columns, force_terminal=True, file=io.StringIO())
    for line, shown in shot.parts:
        words = " ".join(f'"{word}"' if " " in word else word for word in line)
        console.print(Text.assemble(("$ ", "green"), f"memgraph-ha {words}"))
        console.print(Text.from_ansi(shown))
    return console.export_svg(title=" ".join(["memgraph-ha", *shot.parts[0][0][:1]]), code_format=_FORMAT)
