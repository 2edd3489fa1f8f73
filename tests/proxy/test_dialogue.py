"""Dialogues fed with bytes by hand: every split, every order, against a server that only decodes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.proxy.dialogue import Dialogue, Quiet, Standing
from memgraph_ha.proxy.relay import BUFFER_SIZE
from tests.proxy.bolt_bytes import (
    BEGIN,
    COMMIT,
    DONE,
    FAILURE,
    FIELDS,
    HANDSHAKE,
    IGNORED,
    MORE,
    NO_MORE,
    PULL,
    RECORD,
    REQUESTS,
    RESET,
    VERSION,
    Message,
    Server,
    chunked,
    run,
    text,
)


class Line:
    """A dialogue with a buffer of the relay's size, which keeps what was in it before, as the relay's does."""

    def __init__(self) -> None:
        self.opaque = 0
        self.quiet = Quiet(self._stir)
        self.stirred = 0
        self.dialogue = Dialogue(self.quiet, self._went_opaque)
        self._buffer = bytearray(b"\xb1\x11\0\0" * (BUFFER_SIZE // 4))

    def _went_opaque(self) -> None:
        self.opaque += 1

    def _stir(self) -> None:
        self.stirred += 1

    def ask(self, data: bytes) -> int:
        """What the client sends, in one read; how much passes."""
        self._buffer[: len(data)] = data
        return self.dialogue.admit(self._buffer, len(data))

    def answer(self, *bodies: bytes, prefix: bytes = b"") -> None:
        """What MAIN sends, in one read."""
        data = prefix + b"".join(chunked(body) for body in bodies)
        self._buffer[: len(data)] = data
        assert self.dialogue.hear(self._buffer, len(data)) == len(data)

    def stands(self, standing: Standing) -> bool:
        """Whether it stands so."""
        return self.dialogue.standing is standing


def greeted() -> Line:
    """A line past its handshake."""
    line = Line()
    assert line.ask(HANDSHAKE) == len(HANDSHAKE)
    line.answer(prefix=VERSION)
    return line


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Message], list[bytes]]:
    """Messages in chunks of any size, cut into reads anywhere."""
    messages = draw(st.lists(st.sampled_from(REQUESTS), max_size=10))
    stream = HANDSHAKE
    for message in messages:
        stream += b"\0\0" * draw(st.integers(0, 2))
        stream += chunked(message.body, draw(st.one_of(st.just(65535), st.integers(1, 40))))
    cuts = sorted(draw(st.sets(st.integers(1, len(stream) - 1), max_size=12)))
    return messages, [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]


@given(streams(), st.data())
def test_in_a_quiet_moment_nothing_begins_and_all_else_passes(
    drawn: tuple[list[Message], list[bytes]], data: st.DataObject
) -> None:
    """Whatever is sent, however it is cut up: MAIN sees no new transaction, nothing is lost or kept in vain."""
    messages, reads = drawn
    _check_quiet(messages, reads, data.draw(st.integers(0, len(reads))))


QUERY = next(message for message in REQUESTS if message.body == run("CREATE (n)"))
SCRIPTS = {
    "messages": [BEGIN, QUERY.body, PULL, COMMIT, BEGIN, QUERY.body, PULL, COMMIT],
    "words": [run("BEGIN"), PULL, QUERY.body, PULL, run("COMMIT"), PULL, run("BEGIN"), PULL],
    "automatic": [QUERY.body, PULL, QUERY.body, PULL],
}


@pytest.mark.parametrize("script", SCRIPTS)
def test_transactions_in_a_pipeline_cut_at_every_byte(script: str) -> None:
    """A quiet moment between any two bytes of it, before and after any cut, begins nothing and loses nothing."""
    messages = [next(message for message in REQUESTS if message.body == body) for body in SCRIPTS[script]]
    stream = HANDSHAKE + b"".join(chunked(message.body) for message in messages)
    for cut in range(1, len(stream)):
        for silence_at in range(3):
            _check_quiet(messages, [stream[:cut], stream[cut:]], silence_at)
    single = [stream[at : at + 1] for at in range(len(stream))]
    for silence_at in range(len(single)):
        _check_quiet(messages, single, silence_at)


def _check_quiet(messages: list[Message], reads: list[bytes], silence_at: int) -> None:
    """Send these reads, a quiet moment beginning before this one and ending when something was held or all is sent."""
    line, server, passed = Line(), Server(), b""
    for read in reads[:silence_at]:
        assert line.ask(read) == len(read)
        server.receive(read)
        passed += read
    began = server.began
    if server.explicit:
        assert line.stands(Standing.INSIDE)
    line.quiet.on = True
    waiting = b"".join(reads[silence_at:])
    for read in reads[silence_at:]:
        count = line.ask(read)
        server.receive(read[:count])
        passed += read[:count]
        waiting = waiting[count:]
        if count < len(read):
            break
    assert server.began == began
    assert server.seen == _may_pass(messages, began)
    line.quiet.on = False
    if waiting:
        assert line.ask(waiting) == len(waiting)
        server.receive(waiting)
    assert passed + waiting == b"".join(reads)
    assert server.seen == len(messages)
    assert not line.opaque
    if server.explicit:
        assert line.stands(Standing.INSIDE)


def _may_pass(messages: list[Message], begun_before: int) -> int:
    """How many messages pass if everything does up to the first that would begin one transaction more."""
    begun, explicit = 0, False
    for number, message in enumerate(messages):
        if (message.begins_explicit or message.runs) and not explicit:
            begun += 1
            if begun > begun_before:
                return number
        explicit = message.begins_explicit or (explicit and not message.ends)
    return len(messages)


@given(st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(REQUESTS).map(lambda m: chunked(m.body)))))
def test_garbage_passes_unless_it_is_quiet_and_then_begins_nothing(pieces: list[bytes]) -> None:
    """Whatever garbage does to the framing, no whole BEGIN or RUN gets through a quiet moment."""
    garbage = b"".join(pieces)
    assert greeted().ask(garbage) == len(garbage)
    line = greeted()
    line.quiet.on = True
    passed = garbage[: line.ask(garbage)]
    assert not [body for body in _bodies(passed) if body[1:2] in (b"\x10", b"\x11")]


def _bodies(stream: bytes) -> list[bytes]:
    """The whole messages in a stream, whatever they are."""
    bodies, body = [], b""
    while len(stream) >= 2 and len(stream) >= 2 + (size := int.from_bytes(stream[:2], "big")):
        body += stream[2 : 2 + size]
        stream = stream[2 + size :]
        if not size and body:
            bodies.append(body)
            body = b""
    return bodies


@pytest.mark.parametrize("first", [b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n", b"\x60\x60\xb0\x18", b"x"])
def test_what_does_not_begin_like_bolt_is_opaque_at_once(first: bytes) -> None:
    """TLS, HTTP (Bolt over WebSocket too) and anything else: held in a quiet moment to the first byte."""
    line = Line()
    line.quiet.on = True
    assert line.ask(first) == 0
    assert line.opaque == 1
    assert line.stands(Standing.UNKNOWN)


def test_an_unknown_request_makes_a_dialogue_opaque() -> None:
    """A message of a protocol that is yet to come is never guessed at; what came before it passes."""
    line = greeted()
    line.quiet.on = True
    known = chunked(RESET)
    assert line.ask(known + chunked(b"\xb1\x77\xa0")) == len(known)
    assert line.stands(Standing.UNKNOWN)


def test_a_query_of_blanks_that_comes_in_pieces_is_not_guessed_at() -> None:
    """It could be the word BEGIN when it is all there."""
    line = greeted()
    blank = chunked(run(" " * 400 + "BEGIN"))
    assert line.ask(blank[:300]) == 300
    assert line.ask(blank[300:]) == len(blank) - 300
    assert line.opaque == 1


def test_a_text_of_many_blanks_in_one_piece_is_read_to_its_end() -> None:
    """Deeply indented queries are queries."""
    line = greeted()
    line.ask(chunked(run("\n" + " " * 400 + "MATCH (n) RETURN n")) + chunked(PULL))
    assert not line.opaque
    line.ask(chunked(run(" " * 400 + "BEGIN")))
    assert line.stands(Standing.INSIDE)


@pytest.mark.parametrize(
    ("asked", "answered", "standing"),
    [
        ((run(), PULL), (), Standing.ENDING),
        ((run(), PULL), (FIELDS,), Standing.ENDING),
        ((run(), PULL), (FIELDS, RECORD), Standing.ENDING),
        ((run(), PULL), (FIELDS, RECORD, MORE), Standing.INSIDE),
        ((run(), PULL), (FIELDS, RECORD, NO_MORE), Standing.BETWEEN),
        ((run(), PULL), (FAILURE, IGNORED), Standing.BETWEEN),
        ((run(),), (FIELDS,), Standing.INSIDE),
        ((run(),), (FAILURE,), Standing.BETWEEN),
        ((BEGIN,), (DONE,), Standing.INSIDE),
        ((BEGIN, run(), PULL), (DONE, FIELDS, NO_MORE), Standing.INSIDE),
        ((BEGIN, run(), PULL, COMMIT), (DONE, FIELDS, NO_MORE), Standing.ENDING),
        ((BEGIN, run(), PULL, COMMIT), (DONE, FIELDS, NO_MORE, DONE), Standing.BETWEEN),
        ((BEGIN, run(), PULL, COMMIT), (DONE, FIELDS, NO_MORE, FAILURE), Standing.BETWEEN),
        ((BEGIN, RESET), (DONE,), Standing.BETWEEN),
        ((run("BEGIN"), PULL), (FIELDS, NO_MORE), Standing.INSIDE),
        ((run("BEGIN"), PULL, run("COMMIT"), PULL), (FIELDS, NO_MORE, FIELDS), Standing.ENDING),
        ((run("BEGIN"), PULL, run("COMMIT"), PULL), (FIELDS, NO_MORE, FIELDS, NO_MORE), Standing.BETWEEN),
        ((), (), Standing.BETWEEN),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_where_answers_leave_a_connection(
    asked: tuple[bytes, ...],
    answered: tuple[bytes, ...],
    standing: Standing,
    apart: bool,
) -> None:
    """Requests and answers together, or each in a read of its own, mean the same."""
    line = greeted()
    for group in [(body,) for body in asked] if apart else [asked]:
        data = b"".join(chunked(body) for body in group)
        assert line.ask(data) == len(data)
    for group in [(body,) for body in answered] if apart else [answered]:
        line.answer(*group)
    assert line.stands(standing)


@pytest.mark.parametrize("split", range(1, len(chunked(NO_MORE))))
def test_an_answer_cut_in_two_anywhere_is_understood(split: int) -> None:
    """The last answer's end says that it is over, wherever the network cut it."""
    line = greeted()
    line.ask(chunked(run()) + chunked(PULL))
    line.answer(FIELDS, RECORD)
    assert line.stands(Standing.ENDING)
    whole = chunked(NO_MORE)
    line.answer(prefix=whole[:split])
    assert line.stands(Standing.ENDING)
    line.answer(prefix=whole[split:])
    assert line.stands(Standing.BETWEEN)


def test_records_that_look_like_the_end_of_an_answer_are_records() -> None:
    """A summary's bytes inside of a record have another length before them than they need."""
    line = greeted()
    line.ask(chunked(run()) + chunked(PULL))
    line.answer(FIELDS, b"\xb1\x71\x91" + text("x" * 20) + NO_MORE)
    assert line.stands(Standing.ENDING)


def test_held_requests_leave_the_standing_as_it_is() -> None:
    """A result that waits for its client goes on waiting, whatever else the client would begin."""
    line = greeted()
    line.ask(chunked(run()) + chunked(PULL))
    line.answer(FIELDS, MORE)
    line.quiet.on = True
    assert line.ask(chunked(run())) == 0
    assert line.stands(Standing.INSIDE)


def test_answers_in_a_quiet_moment_wake_who_waits_for_them() -> None:
    """Otherwise the end of the last transaction would be noticed late."""
    line = greeted()
    line.ask(chunked(run()) + chunked(PULL))
    line.answer(FIELDS)
    line.quiet.on = True
    line.answer(NO_MORE)
    assert line.stirred == 1


def test_how_much_of_a_read_may_begin_something_is_known() -> None:
    """What a slow MAIN is owed must be held too, if it has the beginning of a transaction in it."""
    line = greeted()
    one = chunked(run()) + chunked(PULL)
    line.ask(one + one)
    assert line.dialogue.fresh == len(one) + len(chunked(run()))
    begin = chunked(BEGIN)
    line.ask(begin + one)
    assert line.dialogue.fresh == len(begin)
    line.ask(one)
    assert line.dialogue.fresh == 0
    line.ask(chunked(COMMIT) + chunked(run())[:-1])
    assert line.dialogue.fresh == len(chunked(COMMIT) + chunked(run())) - 1
