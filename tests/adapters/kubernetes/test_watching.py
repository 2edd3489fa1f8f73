"""The parts of a watch that need no server."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client.exceptions import ApiException

from memgraph_ha.adapters.kubernetes.errors import ForbiddenError, translate
from memgraph_ha.adapters.kubernetes.raw import check_status, lines_of, read_json
from memgraph_ha.adapters.kubernetes.watching import STALE_S, Versions


class Answer:
    """An answer of urllib3, as far as it is looked at."""

    def __init__(self, *chunks: bytes, status: int = 200) -> None:
        self.chunks, self.status, self.reason = chunks, status, "a reason"
        self.headers: dict[str, str] = {}
        self.data = b"".join(chunks)

    def stream(self, amt: int | None, decode_content: bool) -> Iterator[bytes]:
        """Give the chunks."""
        assert amt is None
        assert decode_content
        yield from self.chunks


@given(st.lists(st.binary(min_size=1, max_size=6).map(lambda raw: raw.replace(b"\n", b"x"))), st.data())
def test_lines_are_put_together_from_chunks_of_any_size(lines: list[bytes], data: st.DataObject) -> None:
    """Where the network cuts a stream has no meaning."""
    whole = b"".join(line + b"\n" for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=5)))
    ends = [*cuts, len(whole)]
    chunks = [whole[start:end] for start, end in zip([0, *cuts], ends, strict=True)]
    assert list(lines_of(Answer(*chunks))) == lines


def test_a_last_line_that_was_cut_off_is_no_line() -> None:
    """Half an event is none."""
    assert list(lines_of(Answer(b'{"a":1}\n{"b"'))) == [b'{"a":1}']


def test_an_answer_that_is_no_success_is_an_error_with_its_text() -> None:
    """Also where the library leaves the status to the caller."""
    body = b'{"kind":"Status","message":"pods is forbidden: no verb list","reason":"Forbidden"}'
    with pytest.raises(ApiException) as caught:
        check_status(Answer(body, status=403))
    error = translate(caught.value, what="list pods", sent=True)
    assert isinstance(error, ForbiddenError)
    assert "no verb list" in str(error)


def test_a_failure_is_never_read_as_an_object() -> None:
    """A Status of the server is JSON too."""
    with pytest.raises(ApiException):
        read_json(Answer(b'{"kind":"Status"}', status=500))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"\xff"])
def test_an_answer_that_is_no_object_is_refused(body: bytes) -> None:
    """A proxy's page is not taken for an empty list."""
    with pytest.raises(ApiException):
        read_json(Answer(body))


def test_a_list_that_goes_back_is_refused_until_it_stays_so() -> None:
    """A lagging server catches up; a store that was restored from a copy is what there is from then on."""
    versions = Versions()
    assert versions.accept("100", 0.0)
    versions.note("140")
    assert not versions.accept("139", 1.0)
    assert versions.accept("141", 2.0)
    assert not versions.accept("90", 10.0)
    assert not versions.accept("95", 10.0 + STALE_S - 1)
    assert versions.accept("96", 10.0 + STALE_S)
    assert versions.accept("97", 11.0 + STALE_S)


def test_versions_that_are_no_numbers_say_nothing() -> None:
    """The API promises only that they can be compared for equality."""
    versions = Versions()
    versions.note("x7")
    assert versions.accept("abc", 0.0)
    assert versions.accept("5", 1.0)
    assert versions.accept("\u0664", 2.0)
