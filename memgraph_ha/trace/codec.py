"""Lines as JSON texts, and back. What a controller is told and decides over and over is written once.

A fact that says the same as the last one of its kind about the same subject, and a decision that is like the last,
are written as ``as``, the number of that line, and ``set``, the fields that differ. Reading gives whole lines again.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final, cast

from attrs import define, field

from memgraph_ha.core import Decision, Fact
from memgraph_ha.core.commands import Command
from memgraph_ha.trace.converter import FieldError, Raw, from_raw, to_raw
from memgraph_ha.trace.schema import (
    SCHEMA,
    CommandLine,
    EndLine,
    FactLine,
    FooterLine,
    GhostLine,
    HeaderLine,
    Line,
    LostLine,
    MemoryLine,
    PolicyLine,
    StartLine,
    TickLine,
)

KINDS: Final[dict[str, type[Line]]] = {
    "header": HeaderLine,
    "start": StartLine,
    "memory": MemoryLine,
    "policy": PolicyLine,
    "fact": FactLine,
    "tick": TickLine,
    "command": CommandLine,
    "end": EndLine,
    "lost": LostLine,
    "ghost": GhostLine,
    "footer": FooterLine,
}
"""The field ``kind`` of each kind of line."""

_KIND_OF: Final = {kind: word for word, kind in KINDS.items()}

_BODIES: Final[dict[type[Line], tuple[str, Any]]] = {
    FactLine: ("fact", Fact),
    TickLine: ("decision", Decision),
    CommandLine: ("command", Command),
}
"""Which field of a line is the thing that it is about, and of which kind it is."""

_SKIPPED: Final[Raw] = {"causes": [], "of": None, "error": ""}
"""Fields that are left out while they have this value, which most lines' have."""


def _key(line: Raw, name: str) -> tuple[str, ...]:
    """Say with which earlier lines this one has most in common."""
    body = line[name]
    return (str(line.get("who")), name, str(body.get("kind")), str(body.get("instance")))


@define
class Encoder:
    """Writes the lines of one file, from its header on.

    Attributes:
        lines: How many were written since the header, ghosts not counted.
    """

    lines: int = 0
    _last: dict[tuple[str, ...], tuple[int, Raw]] = field(factory=dict)
    _digest: Any = field(factory=hashlib.sha256)

    @property
    def digest(self) -> str:
        """Name what was written since the header, ghosts not counted: ``sha256:`` and 64 hexadecimal digits."""
        return f"sha256:{self._digest.hexdigest()}"

    def encode(self, line: Line) -> str:
        """Write a line, without its end."""
        text = json.dumps(self._raw(line), allow_nan=False, separators=(",", ":"))
        if isinstance(line, HeaderLine):
            self._last.clear()
            self._digest, self.lines = hashlib.sha256(), 0
        if not isinstance(line, (GhostLine, FooterLine)):
            self._digest.update(text.encode() + b"\n")
            self.lines += 1
        return text

    def _raw(self, line: Line) -> Raw:
        raw: Raw = {"kind": _KIND_OF[type(line)], **to_raw(line, type(line))}
        for name, value in _SKIPPED.items():
            if name in raw and raw[name] == value:
                del raw[name]
        name = _BODIES[type(line)][0] if type(line) in _BODIES else ""
        if isinstance(line, GhostLine):
            raw["data"] = dict(line.data)
        if isinstance(line, (FactLine, TickLine)) and raw[name] is not None:
            self._shorten(line.seq, raw, name)
        return raw

    def _shorten(self, seq: int, raw: Raw, name: str) -> None:
        key, body = _key(raw, name), raw[name]
        last = self._last.get(key)
        self._last[key] = (seq, body)
        if last is not None:
            del raw[name]
            raw["as"], raw["set"] = last[0], {each: body[each] for each in body if body[each] != last[1][each]}


@define
class Decoder:
    """Reads the lines of one file in order, from its header on."""

    _seq: int = 0
    _last: dict[tuple[str, ...], int] = field(factory=dict)
    _known: dict[int, Raw] = field(factory=dict)

    def decode(self, text: str) -> Line:
        """Read a line.

        Args:
            text: One line of the file, in order, none left out.

        Raises:
            FieldError: It is none; the text says which field is wrong, and what would be right.
        """
        raw = _object(text)
        word = raw.pop("kind", None)
        kind = KINDS.get(word) if isinstance(word, str) else None
        if kind is None:
            raise FieldError("kind", f"{word!r} is unknown; known are {', '.join(KINDS)}")
        if kind is HeaderLine:
            return self._header(raw)
        if kind is GhostLine:
            return _ghost(raw)
        if kind is FooterLine:
            return from_raw(raw, FooterLine)
        if kind in _BODIES:
            self._lengthen(raw, _BODIES[kind][0])
        line = from_raw(raw, kind)
        self._check_number(line)
        return line

    def _header(self, raw: Raw) -> HeaderLine:
        schema = raw.get("schema")
        if schema != SCHEMA:
            raise FieldError(
                "schema", f"{schema!r} is not {SCHEMA}; read it with the memgraph-ha that wrote it, see field product"
            )
        self._seq = 0
        self._last.clear()
        self._known.clear()
        return from_raw(raw, HeaderLine)

    def _check_number(self, line: Line) -> None:
        seq = getattr(line, "seq", self._seq)
        if seq <= self._seq:
            raise FieldError("seq", f"{seq} does not rise, it was {self._seq}; put the lines back in their order")
        self._seq = seq

    def _lengthen(self, raw: Raw, name: str) -> None:
        """Make a line whole that was written as its difference from another."""
        if "as" in raw:
            like, changed = raw.pop("as"), raw.pop("set", None)
            base = self._known.get(like) if isinstance(like, int) else None
            if base is None:
                raise FieldError("as", f"{like!r} is not the newest line of its kind; no line may be taken out")
            if not isinstance(changed, dict):
                raise FieldError("set", f"{changed!r} is not an object")
            if unknown := sorted(set(changed) - set(base)):
                raise FieldError("set", f"has unknown fields {', '.join(unknown)}; known are {', '.join(base)}")
            raw[name] = {**base, **changed}
        body = raw.get(name)
        if isinstance(body, dict) and isinstance(raw.get("seq"), int):
            key = _key(raw, name)
            self._known.pop(self._last.get(key, 0), None)
            self._last[key] = raw["seq"]
            self._known[raw["seq"]] = body


def _object(text: str) -> Raw:
    try:
        raw: object = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise FieldError("", f"is not JSON ({error}); it begins {text[:40]!r}") from None
    if not isinstance(raw, dict):
        raise FieldError("", f"is not a JSON object; it begins {text[:40]!r}")
    return cast("Raw", raw)


def _refuse(word: str) -> object:
    raise ValueError(f"{word} is no JSON")


def _ghost(raw: Raw) -> GhostLine:
    data = raw.get("data")
    if not isinstance(data, dict):
        raise FieldError("data", f"{data!r} is not an object")
    return from_raw({**raw, "data": [[name, data[name]] for name in sorted(data)]}, GhostLine)


def digest_lines(lines: Iterable[Line]) -> str:
    """Name everything in a trace but ghosts and the footer, as its footer does."""
    encoder = Encoder()
    for line in lines:
        encoder.encode(line)
    return encoder.digest
