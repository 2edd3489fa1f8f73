"""The parts of a watch that need no server."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client.exceptions import ApiException
from trio.testing import MockClock

from memgraph_ha.adapters.kubernetes.errors import (
    ApiError,
    ApiUnavailableError,
    ForbiddenError,
    ThrottledError,
    translate,
)
from memgraph_ha.adapters.kubernetes.pods import name_of
from memgraph_ha.adapters.kubernetes.raw import Raw, check_status, lines_of, read_json
from memgraph_ha.adapters.kubernetes.watching import STALE_S, Mirror, Selection, Versions


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


class ScriptedClient:
    """Answers lists by a script, one after the other, and ends every stream at once as a server that dies does."""

    namespace = "ns"

    def __init__(self, *answers: dict[str, Any] | ApiError) -> None:
        self.answers, self.asked_s = list(answers), list[float]()

    async def call(self, _work: object, *, what: str, timeout_s: float) -> Any:
        """Answer."""
        assert timeout_s > 0
        if what.startswith("watch"):
            raise ApiUnavailableError("closed")
        self.asked_s.append(trio.current_time())
        if not self.answers:
            await trio.sleep_forever()
        answer = self.answers.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return answer


def pods(version: int, *names: str) -> dict[str, Any]:
    """Make a list of pods."""
    items = [{"metadata": {"name": name, "resourceVersion": "1"}} for name in names]
    return {"kind": "PodList", "metadata": {"resourceVersion": str(version)}, "items": items}


async def play(client: Any) -> list[list[str]]:
    """Mirror what a client answers, for a minute; give the names in each copy."""
    told: list[list[str]] = []

    def changed(objects: list[Raw]) -> None:
        told.append([name_of(each) for each in objects])

    mirror = Mirror(client, Selection.pods("ns", "a=b", "pods"), changed, clock=trio.current_time, draw=lambda: 1.0)
    with trio.move_on_after(60):
        await mirror.run()
    return told


@pytest.mark.trio
async def test_what_is_no_list_takes_nobody_away(autojump_clock: MockClock) -> None:
    """Errors, empty objects and pages of a proxy leave the copy as it is."""
    nothing = ApiUnavailableError("no answer in time")
    client = ScriptedClient(pods(5, "a", "b"), nothing, {}, {"metadata": {"resourceVersion": "9"}}, {"items": []})
    assert await play(client) == [["a", "b"]]
    assert client.answers == []
    assert autojump_clock.autojump_threshold == 0


@pytest.mark.trio
async def test_a_list_from_the_past_is_not_told(autojump_clock: MockClock) -> None:
    """A pod that was gone does not come back because a lagging server answered."""
    client = ScriptedClient(pods(5, "a", "b"), pods(7, "a"), pods(6, "a", "b"), pods(8, "a", "c"))
    assert await play(client) == [["a", "b"], ["a"], ["a", "c"]]
    assert autojump_clock.autojump_threshold == 0


@pytest.mark.trio
async def test_pauses_grow_and_the_servers_own_are_kept(autojump_clock: MockClock) -> None:
    """A server in trouble is not asked again and again, and one that says when is asked then."""
    throttled = ThrottledError("too many requests", retry_after_s=7)
    client = ScriptedClient(*([ApiUnavailableError("down")] * 8), throttled, pods(1))
    await play(client)
    pauses = [later - earlier for earlier, later in itertools.pairwise(client.asked_s)]
    assert pauses[:9] == pytest.approx([0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5, 12])
    assert autojump_clock.autojump_threshold == 0
