"""Signed messages, and the list in the lease."""

import json

import pytest

from memgraph_ha.failsafe.promiser import Question, Reply
from memgraph_ha.failsafe.roster import MOST_PEERS, UNREADABLE, Peer, Roster, read_roster
from memgraph_ha.failsafe.wire import (
    WireError,
    failsafe_key,
    read_question,
    read_reply,
    write_question,
    write_reply,
)

KEY = failsafe_key("the token")
QUESTION = Question(session="h1", term=3, serial=1, to="uid-a", for_s=12.5, reads=True)
REPLY = Reply(uid="uid-a", session="h1", term=3, serial=1, promised=False, why="I hold the lease")
ROSTER = Roster(pod="h", holder="uid-h", peers=(Peer(pod="a", uid="uid-a", address="[::1]:8080"),))


def test_messages_come_through_whole() -> None:
    """By JSON, as they travel."""
    assert read_question(json.loads(json.dumps(write_question(QUESTION, KEY))), KEY) == QUESTION
    assert read_reply(json.loads(json.dumps(write_reply(REPLY, KEY))), KEY) == REPLY


def test_only_who_has_the_key_can_speak() -> None:
    """Another token, a changed message, and a question for an answer are refused; nothing shows the key."""
    signed = write_question(QUESTION, KEY)
    changed = {**signed, "message": signed["message"].replace("12.5", "99")}
    for bad, key in ((signed, failsafe_key("another")), (changed, KEY), ({**signed, "mac": "ü"}, KEY)):
        with pytest.raises(WireError, match="not of our key"):
            read_question(bad, key)
    with pytest.raises(WireError, match="not of our key"):
        read_reply(signed, KEY)
    assert "the token" not in str(signed)
    assert KEY.hex() not in str(signed)


@pytest.mark.parametrize(
    "signed", [None, [], {}, {"message": "{}"}, {"message": 1, "mac": ""}, {"message": "x" * 5000, "mac": ""}]
)
def test_what_is_no_message_is_refused(signed: object) -> None:
    """Whoever sent it."""
    with pytest.raises(WireError):
        read_question(signed, KEY)


def test_a_list_comes_back_as_it_was_written() -> None:
    """And none is none."""
    assert read_roster(ROSTER.to_text()) == ROSTER
    assert read_roster("") is None


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        json.dumps({**json.loads(ROSTER.to_text()), "more": 1}),
        ROSTER.to_text().replace("900.0", "901"),
        ROSTER.to_text().replace("900.0", "NaN"),
        ROSTER.to_text().replace("900.0", "true"),
        ROSTER.to_text().replace("uid-a", "uid-h"),
        ROSTER.to_text().replace("[::1]:8080", ""),
        Roster(pod="h", holder="").to_text(),
        Roster(pod="h", holder="h", peers=ROSTER.peers * 2).to_text(),
        Roster(
            pod="h", holder="h", peers=tuple(Peer(pod="p", uid=str(n), address="a") for n in range(MOST_PEERS + 1))
        ).to_text(),
    ],
)
def test_a_spoilt_list_is_known_as_one(text: str) -> None:
    """It names nobody whom anybody could be, and somebody who may have promised."""
    assert read_roster(text) == UNREADABLE
