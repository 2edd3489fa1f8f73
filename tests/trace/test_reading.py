"""Files as they may be found after a crash, an accident or an editor."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from memgraph_ha.trace.errors import TraceError
from memgraph_ha.trace.reading import TraceFile, read_trace
from memgraph_ha.trace.recorder import ListSink
from memgraph_ha.trace.schema import PRODUCT, FooterLine, Ghost, HeaderLine
from tests.core.views import HEALTHY
from tests.trace.told import Told, recorder_to, write_lines


def made(tmp_path: Path) -> tuple[Path, ListSink]:
    """Write a small trace."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.recorder.ghost(Ghost.NOTE, "world", text="ü")
    told.act()
    told.tick()
    return write_lines(tmp_path / "a.jsonl", sink.lines), sink


def edited(path: Path, edit: Callable[[list[str]], list[str]]) -> Path:
    """Change the lines of a file."""
    path.write_text("\n".join([*edit(path.read_text().splitlines()), ""]))
    return path


def test_a_whole_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Lines, header, and that nobody changed it."""
    path, sink = made(tmp_path)
    trace = read_trace(path)
    assert list(trace.lines[:-1]) == sink.lines
    assert isinstance(trace.lines[-1], FooterLine)
    assert isinstance(trace.header, HeaderLine)
    assert (trace.truncated, trace.intact) == (False, True)


def test_a_trace_can_be_read_again_from_the_beginning(tmp_path: Path) -> None:
    """Explaining reads it twice, without keeping it in memory."""
    file = TraceFile(made(tmp_path)[0])
    assert list(file) == list(file)
    assert file.intact is True


@pytest.mark.parametrize("cut", [1, 2, 30, 200])
def test_a_last_line_that_was_cut_off_is_left_out(tmp_path: Path, cut: int) -> None:
    """A controller that is killed leaves half a line; what came before it counts."""
    path, sink = made(tmp_path)
    texts = path.read_text().splitlines(keepends=True)[:-1]  # no footer either
    path.write_text("".join(texts)[:-cut])
    trace = read_trace(path)
    if cut == 1:  # only the line's end is missing: it is whole
        assert (list(trace.lines), trace.truncated) == (sink.lines, False)
    else:
        assert trace.truncated
        assert list(trace.lines) == sink.lines[: len(trace.lines)] != []
    assert trace.intact is None


def test_half_a_character_at_the_end_is_no_fault(tmp_path: Path) -> None:
    """The cut may go through a character of several bytes."""
    path, sink = made(tmp_path)
    at = next(index for index, text in enumerate(path.read_text().splitlines()) if r"\u00fc" in text)
    data = path.read_text().replace(r"\u00fc", "ü").encode()  # as an editor may have it
    path.write_bytes(data[: data.index("ü".encode()) + 1])
    trace = read_trace(path)
    assert trace.truncated
    assert list(trace.lines) == sink.lines[:at]


def test_a_bad_line_before_the_last_is_named(tmp_path: Path) -> None:
    """File, line, field, and what would be right."""
    path, _sink = made(tmp_path)
    edited(path, lambda lines: [*lines[:3], lines[3][:-5], *lines[4:]])
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    assert str(caught.value).startswith(f"{path}, line 4: is not JSON")
    assert (caught.value.path, caught.value.line) == (path, 4)


def test_a_whole_last_line_that_is_wrong_is_no_crash(tmp_path: Path) -> None:
    """Only a line without its end was cut off."""
    path, _sink = made(tmp_path)
    edited(path, lambda lines: [*lines[:-1], '{"kind":"tick"}'])
    with pytest.raises(TraceError, match=r"line \d+: field seq: is missing"):
        read_trace(path)


def _without(word: str) -> Callable[[list[str]], list[str]]:
    return lambda lines: [line for line in lines if f'"kind":"{word}"' not in line]


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda lines: lines[1:], "line 1: field kind: is not a header; a trace has one, as its first line"),
        (lambda lines: [*lines[:5], lines[0], *lines[5:]], "line 6: field kind: is a second header"),
        (_without("start"), "line 2: field who: nothing is known of 'c1'; a line of kind start or memory comes first"),
        (lambda lines: [*lines, lines[-2]], "comes after the footer; remove it"),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "does not rise"),
        (lambda lines: [lines[0].replace('"schema":1', '"schema":7'), *lines[1:]], "field schema: 7 is not 1"),
    ],
)
def test_lines_out_of_place_are_named(tmp_path: Path, edit: Callable[[list[str]], list[str]], says: str) -> None:
    """Each with its number and the way out."""
    path, _sink = made(tmp_path)
    with pytest.raises(TraceError) as caught:
        read_trace(edited(path, edit))
    assert says in str(caught.value)


def test_a_changed_trace_is_readable_and_known_as_changed(tmp_path: Path) -> None:
    """Somebody may ask what would have been decided had a fact been another one; the digest tells."""
    path, _sink = made(tmp_path)
    edited(path, lambda lines: [line.replace('"wal":true', '"wal":false') for line in lines])
    assert read_trace(path).intact is False


def test_a_ghost_may_be_taken_out(tmp_path: Path) -> None:
    """No digest covers it."""
    path, _sink = made(tmp_path)
    assert read_trace(edited(path, _without("ghost"))).intact is True


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty; record one with"),
        (b"\xff\xfe\n", "line 1: is not UTF-8"),
        (b"hello", "line 1: is not JSON"),
        (b"\x7fELF" + bytes(5000), "line 1: is not JSON"),
    ],
)
def test_a_file_that_is_no_trace_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    """Also if its first line has no end: nothing was recorded that a crash could have cut off."""
    path = tmp_path / "b.jsonl"
    path.write_bytes(data)
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    assert says in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """So is a directory."""
    with pytest.raises(TraceError, match=r"cannot be read \(No such file or directory\); give the path of a trace"):
        read_trace(tmp_path / "none")
    with pytest.raises(TraceError, match="Is a directory"):
        read_trace(tmp_path)


def test_every_line_is_one_json_object(tmp_path: Path) -> None:
    """So that `jq` and `grep` can be used on it."""
    path, sink = made(tmp_path)
    raws = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(raws) == len(sink.lines) + 1
    assert all(isinstance(raw, dict) and isinstance(raw["kind"], str) for raw in raws)


def test_a_line_of_another_version_says_which_one_to_use(tmp_path: Path) -> None:
    """A fact that this version does not know was no mistake of whoever wrote it."""
    path, _sink = made(tmp_path)
    edited(path, lambda lines: [lines[0].replace(PRODUCT, "memgraph-ha 9.9.9"), *lines[1:]])
    assert read_trace(path).intact is False
    edited(path, lambda lines: [line.replace('"MembersSeen"', '"MoonSeen"') for line in lines])
    with pytest.raises(TraceError) as caught:
        read_trace(path)
    assert "kind 'MoonSeen' is unknown" in str(caught.value)
    assert f"(it was written by memgraph-ha 9.9.9, this is {PRODUCT}: read it with that version)" in str(caught.value)
