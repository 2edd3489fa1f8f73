"""PackStream, the encoding of Bolt: values to bytes and back, with bounds that garbage cannot break."""

# ruff: noqa: PLR2004 - the numbers are the encoding

from __future__ import annotations

import struct
from typing import Final

from attrs import frozen

from memgraph_ha.fakes.memgraph.graph_values import INT64_MAX, INT64_MIN, Node, Relationship, Value

MAX_DEPTH: Final = 100
NODE: Final = 0x4E
RELATIONSHIP: Final = 0x52
# From this major version on structures carry string element ids beside the ids.
_ELEMENT_IDS_FROM: Final = 5

_FLOAT: Final = struct.Struct(">Bd")
_DOUBLE: Final = struct.Struct(">d")
_INT16: Final = struct.Struct(">Bh")
_INT32: Final = struct.Struct(">Bi")
_INT64: Final = struct.Struct(">Bq")
# Marker of an integer: how many bytes follow.
_INT_WIDTHS: Final = {0xC8: 1, 0xC9: 2, 0xCA: 4, 0xCB: 8}
# Marker of something with a size: its kind and how many bytes the size takes.
_SIZED: Final = {
    0xCC: ("bytes", 1),
    0xCD: ("bytes", 2),
    0xCE: ("bytes", 4),
    0xD0: ("string", 1),
    0xD1: ("string", 2),
    0xD2: ("string", 4),
    0xD4: ("list", 1),
    0xD5: ("list", 2),
    0xD6: ("list", 4),
    0xD8: ("map", 1),
    0xD9: ("map", 2),
    0xDA: ("map", 4),
}
# Upper half of a marker that holds its size in the lower half.
_TINY: Final = {0x80: "string", 0x90: "list", 0xA0: "map", 0xB0: "structure"}
_SIZE_MARKERS: Final = {
    "bytes": (None, 0xCC, 0xCD, 0xCE),
    "string": (0x80, 0xD0, 0xD1, 0xD2),
    "list": (0x90, 0xD4, 0xD5, 0xD6),
    "map": (0xA0, 0xD8, 0xD9, 0xDA),
}
_CONSTANTS: Final = {0xC0: None, 0xC2: False, 0xC3: True}


class PackStreamError(ValueError):
    """Bytes that are no PackStream value, or a value that PackStream cannot hold."""


@frozen
class Structure:
    """A tagged tuple: a message, or a value of a type that this server does not have (dates, points).

    Args:
        tag: The byte that names it.
        fields: Its values.
    """

    tag: int
    fields: tuple[Value, ...]


def pack(value: Value, out: bytearray, major: int) -> None:  # noqa: C901 - one branch a type, commonest first
    """Append the encoding of a value.

    Args:
        value: Anything a `Value` can be; a `Structure` too.
        out: Where to append.
        major: The Bolt version, which decides the shape of nodes and relationships.

    Raises:
        PackStreamError: It holds something that has no encoding.
    """
    kind = type(value)
    if kind is str:
        encoded = value.encode()
        _pack_size("string", len(encoded), out)
        out += encoded
    elif kind is int:
        _pack_int(value, out)
    elif value is None:
        out.append(0xC0)
    elif kind is bool:
        out.append(0xC3 if value else 0xC2)
    elif kind is float:
        out += _FLOAT.pack(0xC1, value)
    elif kind is dict:
        _pack_size("map", len(value), out)
        for name, item in value.items():
            pack(name, out, major)
            pack(item, out, major)
    elif kind is list or kind is tuple:
        _pack_size("list", len(value), out)
        for item in value:
            pack(item, out, major)
    elif kind is bytes:
        _pack_size("bytes", len(value), out)
        out += value
    else:
        pack_structure(_as_structure(value, major), out, major)


def pack_structure(structure: Structure, out: bytearray, major: int) -> None:
    """Append the encoding of a structure; see `pack`.

    Raises:
        PackStreamError: It has more than 15 fields, or from a field.
    """
    if len(structure.fields) > 0x0F:
        raise PackStreamError(f"a structure of {len(structure.fields)} fields, at most 15 fit")
    out.append(0xB0 | len(structure.fields))
    out.append(structure.tag)
    for item in structure.fields:
        pack(item, out, major)


def _as_structure(value: Value, major: int) -> Structure:
    match value:
        case Structure():
            return value
        case Node(id=number, labels=labels, properties=properties):
            fields = [number, labels, properties]
            if major >= _ELEMENT_IDS_FROM:
                fields.append(str(number))
            return Structure(NODE, tuple(fields))
        case Relationship(id=number, start=start, end=end, type=name, properties=properties):
            fields = [number, start, end, name, properties]
            if major >= _ELEMENT_IDS_FROM:
                fields += [str(number), str(start), str(end)]
            return Structure(RELATIONSHIP, tuple(fields))
        case _:
            raise PackStreamError(f"a {type(value).__name__} has no encoding")


def _pack_int(value: int, out: bytearray) -> None:
    if -0x10 <= value <= 0x7F:
        out.append(value & 0xFF)
    elif -0x80 <= value <= 0x7F:
        out += bytes((0xC8, value & 0xFF))
    elif -0x8000 <= value <= 0x7FFF:
        out += _INT16.pack(0xC9, value)
    elif -0x8000_0000 <= value <= 0x7FFF_FFFF:
        out += _INT32.pack(0xCA, value)
    elif INT64_MIN <= value <= INT64_MAX:
        out += _INT64.pack(0xCB, value)
    else:
        raise PackStreamError(f"the integer {value} does not fit into 64 bits")


def _pack_size(kind: str, size: int, out: bytearray) -> None:
    tiny, one, two, four = _SIZE_MARKERS[kind]
    if tiny is not None and size <= 0x0F:
        out.append(tiny | size)
    elif size <= 0xFF:
        out += bytes((one, size))
    elif size <= 0xFFFF:
        out += bytes((two,)) + size.to_bytes(2, "big")
    elif size <= 0xFFFF_FFFF:
        out += bytes((four,)) + size.to_bytes(4, "big")
    else:
        raise PackStreamError(f"a {kind} of {size} does not fit")


def unpack(data: bytes) -> Value:
    """Decode exactly one value.

    Args:
        data: Its encoding, nothing before and nothing behind it.

    Raises:
        PackStreamError: It is not the encoding of one value, or it nests deeper than `MAX_DEPTH`.
    """
    reader = _Reader(data)
    value = reader.value(0)
    if reader.offset != len(data):
        raise PackStreamError(f"{len(data) - reader.offset} bytes behind the value")
    return value


class _Reader:
    """Decodes from a position on; sizes are checked against what is left before anything is built."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.offset = 0

    def value(self, depth: int) -> Value:
        if depth > MAX_DEPTH:
            raise PackStreamError(f"values nest deeper than {MAX_DEPTH}")
        marker = self._take(1)[0]
        if marker < 0x80:
            return marker
        if marker >= 0xF0:
            return marker - 0x100
        tiny = _TINY.get(marker & 0xF0)
        if tiny is not None:
            return self._sized(tiny, marker & 0x0F, depth)
        sized = _SIZED.get(marker)
        if sized is not None:
            kind, width = sized
            return self._sized(kind, int.from_bytes(self._take(width), "big"), depth)
        if marker in _INT_WIDTHS:
            return int.from_bytes(self._take(_INT_WIDTHS[marker]), "big", signed=True)
        if marker == 0xC1:
            return _DOUBLE.unpack(self._take(8))[0]
        if marker in _CONSTANTS:
            return _CONSTANTS[marker]
        raise PackStreamError(f"the marker 0x{marker:02X} at offset {self.offset - 1} is unknown")

    def _take(self, count: int) -> bytes:
        start = self.offset
        end = start + count
        if end > len(self._data):
            raise PackStreamError(f"{count} bytes wanted at offset {start}, {len(self._data) - start} left")
        self.offset = end
        return self._data[start:end]

    def _sized(self, kind: str, size: int, depth: int) -> Value:
        if size > len(self._data) - self.offset:  # every item takes at least one byte
            raise PackStreamError(f"a {kind} of {size} in {len(self._data) - self.offset} bytes")
        if kind == "string":
            return self._string(size)
        if kind == "bytes":
            return self._take(size)
        if kind == "list":
            return [self.value(depth + 1) for _ in range(size)]
        if kind == "map":
            return {self._key(): self.value(depth + 1) for _ in range(size)}
        tag = self._take(1)[0]
        return Structure(tag, tuple(self.value(depth + 1) for _ in range(size)))

    def _string(self, size: int) -> str:
        try:
            return self._take(size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise PackStreamError(f"a string is not UTF-8: {error}") from error

    def _key(self) -> str:
        key = self.value(MAX_DEPTH)  # a key is a string: it must not nest at all
        if not isinstance(key, str):
            raise PackStreamError(f"a map key is {type(key).__name__}, not a string")
        return key
