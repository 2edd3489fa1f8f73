"""Reading a trace: strictly, line by line, each complaint with its place and the way out."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from memgraph_ha.trace.codec import Decoder
from memgraph_ha.trace.converter import FieldError
from memgraph_ha.trace.errors import TraceError
from memgraph_ha.trace.schema import (
    PRODUCT,
    EndLine,
    FooterLine,
    GhostLine,
    HeaderLine,
    Line,
    LostLine,
    MemoryLine,
    Numbered,
    StartLine,
)

_LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes. A line holds at most one memory; without a bound a file that is none would be read into memory whole."""


@frozen(kw_only=True)
class Trace:
    """A trace that was read whole.

    Attributes:
        path: The file.
        header: Its first line.
        lines: Every line, whole, the header and the footer too.
        truncated: Whether the last line was cut off in the middle, as a crash does it; it is left out.
        intact: Whether the footer's digest is that of the lines; None if there is no footer.
    """

    path: Path
    header: HeaderLine
    lines: tuple[Line, ...]
    truncated: bool
    intact: bool | None


@define
class TraceFile:
    """A trace that is read line by line: large ones need no memory.

    Attributes:
        path: The file.
        truncated: See `Trace.truncated`; known once the last line was read.
        intact: See `Trace.intact`; known once the last line was read.
        done: How many bytes were read.
    """

    path: Path
    truncated: bool = False
    intact: bool | None = None
    done: int = 0
    _product: str = PRODUCT
    _known: set[str] = field(factory=set)
    _digest: "hashlib._Hash" = field(factory=hashlib.sha256)

    def __iter__(self) -> Iterator[Line]:
        """Read from the beginning.

        Raises:
            TraceError: The file cannot be read, or is no trace; the text says where, why and the way out.
        """
        self._known, self._digest = set(), hashlib.sha256()
        self.truncated, self.intact, self.done = False, None, 0
        try:
            yield from self._read()
        except OSError as error:
            raise TraceError(self.path, None, f"cannot be read ({error.strerror}); give the path of a trace") from None

    def _read(self) -> Iterator[Line]:
        decoder, number, ended = Decoder(), 0, False
        with self.path.open("rb") as file:
            while data := file.readline(_LONGEST_LINE):
                number += 1
                if ended:
                    raise TraceError(
                        self.path, number, "comes after the footer; remove it, the footer is the last line"
                    )
                try:
                    line = decoder.decode(data.decode().removesuffix("\n"))
                    self._check(line, number)
                except (FieldError, UnicodeDecodeError) as error:
                    if not data.endswith(b"\n") and len(data) < _LONGEST_LINE and number > 1:
                        self.truncated = True
                        return
                    trouble = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
                    raise TraceError(self.path, number, trouble + self._of_another_version) from None
                if isinstance(line, HeaderLine):
                    self._product = line.product
                ended = isinstance(line, FooterLine)
                self._count(line, data)
                yield line
        if not number:
            raise TraceError(self.path, None, "is empty; record one with `memgraph-ha demo --trace FILE`")

    def _check(self, line: Line, number: int) -> None:
        """Check what no line can know alone."""
        if (number == 1) != isinstance(line, HeaderLine):
            what = "is not a header" if number == 1 else "is a second header"
            raise FieldError("kind", f"{what}; a trace has one, as its first line")
        if isinstance(line, (StartLine, MemoryLine)):
            self._known.add(line.who)
        elif isinstance(line, Numbered) and not isinstance(line, LostLine) and line.who not in self._known:
            raise FieldError("who", f"nothing is known of {line.who!r}; a line of kind start or memory comes first")
        if isinstance(line, EndLine):
            self._known.discard(line.who)

    @property
    def _of_another_version(self) -> str:
        """What may explain a line that this version cannot read."""
        other = self._product != PRODUCT
        return f" (it was written by {self._product}, this is {PRODUCT}: read it with that version)" if other else ""

    def _count(self, line: Line, data: bytes) -> None:
        self.done += len(data)
        if isinstance(line, FooterLine):
            self.intact = line.digest == f"sha256:{self._digest.hexdigest()}"
        elif not isinstance(line, GhostLine):
            self._digest.update(data)


def read_trace(path: Path) -> Trace:
    """Read a whole trace.

    Args:
        path: The file.

    Raises:
        TraceError: It cannot be read, or is no trace; the text says where, why and the way out.
    """
    file = TraceFile(path)
    lines = tuple(file)
    header = lines[0]
    if not isinstance(header, HeaderLine):  # pragma: no cover - `TraceFile` has just checked it
        raise TraceError(path, 1, "is not a header")
    return Trace(path=path, header=header, lines=lines, truncated=file.truncated, intact=file.intact)
