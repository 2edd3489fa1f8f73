"""PackStream and chunks: bytes and back, and nothing but the typed error for anything else."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.fakes.memgraph.bolt.chunking import ChunkError, Dechunker, begin_chunk, end_chunk
from memgraph_ha.fakes.memgraph.bolt.packstream import (
    MAX_DEPTH,
    PackStreamError,
    Structure,
    pack,
    unpack,
)
from memgraph_ha.fakes.memgraph.graph_values import Node, Relationship, Value

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text() | st.binary()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.builds(Structure, st.integers(0, 127), st.lists(inner, max_size=15).map(tuple))
    ),
    max_leaves=30,
)


def packed(value: Value, major: int = 5) -> bytes:
    """Return the encoding of a value."""
    out = bytearray()
    pack(value, out, major)
    return bytes(out)


@given(VALUES)
def test_every_value_comes_back(value: Value) -> None:
    """What is packed is unpacked as the same value of the same type."""
    found = unpack(packed(value))
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "encoding"),
    [
        (None, "c0"),
        (True, "c3"),
        (False, "c2"),
        (0, "00"),
        (127, "7f"),
        (-16, "f0"),
        (-17, "c8ef"),
        (128, "c90080"),
        (-129, "c9ff7f"),
        (32768, "ca00008000"),
        (2**31, "cb0000000080000000"),
        (-(2**63), "cb8000000000000000"),
        (1.5, "c13ff8000000000000"),
        ("", "80"),
        ("é", "82c3a9"),
        ("a" * 16, "d010" + "61" * 16),
        (b"\x01", "cc0101"),
        ([1, "a"], "92018161"),
        ([0] * 16, "d410" + "00" * 16),
        ({"a": 1}, "a1816101"),
        (Structure(0x10, (1,)), "b11001"),
    ],
)
def test_encodings_are_those_of_the_specification(value: Value, encoding: str) -> None:
    """The smallest form is chosen, as in the examples of the PackStream specification."""
    assert packed(value).hex() == encoding


@pytest.mark.parametrize("size", [15, 16, 255, 256, 65535, 65536])
def test_every_size_marker_comes_back(size: int) -> None:
    """Strings, lists, maps and bytes around the limits of each marker survive."""
    for value in ("x" * size, [None] * size, {str(number): 1 for number in range(size)}, b"x" * size):
        assert unpack(packed(value)) == value


def test_nodes_and_relationships_have_the_shape_of_the_version() -> None:
    """Bolt 5 adds element ids, which are the ids as strings."""
    node, edge = Node(7, ("L",), {"x": 1}), Relationship(9, 7, 8, "R", {})
    assert unpack(packed(node, 4)) == Structure(0x4E, (7, ["L"], {"x": 1}))
    assert unpack(packed(node, 5)) == Structure(0x4E, (7, ["L"], {"x": 1}, "7"))
    assert unpack(packed(edge, 4)) == Structure(0x52, (9, 7, 8, "R", {}))
    assert unpack(packed(edge, 5)) == Structure(0x52, (9, 7, 8, "R", {}, "9", "7", "8"))


def test_not_a_number_comes_back() -> None:
    """NaN, which no equality finds, is NaN again."""
    assert math.isnan(unpack(packed(math.nan)))


@given(st.binary())
def test_garbage_is_refused_with_the_typed_error(data: bytes) -> None:
    """Whatever the bytes, they are a value or a PackStreamError."""
    try:
        unpack(data)
    except PackStreamError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "0 left"),
        (b"\x01\x02", "1 bytes behind"),
        (b"\xc7", "0xC7 at offset 0 is unknown"),
        (b"\xd0\x05ab", "a string of 5 in 2 bytes"),
        (b"\xd6\xff\xff\xff\xff", "a list of 4294967295 in 0 bytes"),
        (b"\xda\xff\xff\xff\xff", "a map of 4294967295 in 0 bytes"),
        (b"\xce\xff\xff\xff\xff", "a bytes of 4294967295 in 0 bytes"),
        (b"\x81\xff", "not UTF-8"),
        (b"\xa1\x01\x01", "a map key is int"),
        (b"\xa1\x90\x01", "a map key is list"),
        (b"\x91" * (MAX_DEPTH + 2) + b"\xc0", "nest deeper than 100"),
        (b"\xb1", "a structure of 1 in 0 bytes"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, problem: str) -> None:
    """The error names the marker, size or type that cannot be."""
    with pytest.raises(PackStreamError) as caught:
        unpack(data)
    assert problem in str(caught.value)


@pytest.mark.parametrize("value", [2**63, object(), [set()], {1: 2**64}, Structure(1, (0,) * 16)])
def test_what_has_no_encoding_is_refused(value: object) -> None:
    """Integers beyond 64 bits, foreign objects and too wide structures are not sent."""
    with pytest.raises(PackStreamError):
        packed(value)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5), st.randoms(use_true_random=False))
def test_messages_survive_any_cut(messages: list[bytes], random: object) -> None:
    """However the bytes arrive, the same messages come out; NOOPs between them vanish."""
    out = bytearray()
    for one in messages:
        start = begin_chunk(out)
        out += one
        end_chunk(out, start)
        out += b"\0\0"
    dechunker, found, offset = Dechunker(1000), [], 0
    while offset < len(out):
        step = random.randint(1, 50)  # type: ignore[attr-defined]
        found += dechunker.feed(out[offset : offset + step])
        offset += step
    assert found == messages


def test_a_long_message_is_split_and_joined() -> None:
    """A message longer than a chunk travels in several."""
    out = bytearray(b"before")
    start = begin_chunk(out)
    out += b"x" * 200_000
    end_chunk(out, start)
    assert Dechunker(300_000).feed(out[6:]) == [b"x" * 200_000]


@pytest.mark.parametrize(
    "data",
    [b"\x00\x0b" + b"x" * 11, b"\x00\x0b", b"\x00\x06xxxxxx\x00\x05"],
    ids=["whole", "announced", "in chunks"],
)
def test_a_message_beyond_the_limit_is_refused_when_it_is_announced(data: bytes) -> None:
    """Nothing longer than the limit is ever gathered."""
    with pytest.raises(ChunkError, match="at most 10"):
        Dechunker(10).feed(data)
