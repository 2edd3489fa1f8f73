"""How a term goes on by promises, and when it does not."""

import pytest
from attrs import evolve

from memgraph_ha.failsafe.promiser import Promiser, Reply
from memgraph_ha.failsafe.roster import Peer, Roster
from memgraph_ha.failsafe.state import State
from memgraph_ha.failsafe.term import Term

PEERS = tuple(Peer(pod=name, uid=f"uid-{name}", address=f"10.0.0.{index}:8080") for index, name in enumerate("ab"))
ROSTER = Roster(pod="h", holder="uid-h", peers=PEERS)
TERM = Term(session="h1", term=3, duration_s=10, renewed_s=100, roster=ROSTER)


def _promise(uid: str, serial: int = 1) -> Reply:
    return Reply(uid=uid, session="h1", term=3, serial=serial, promised=True)


def _all(term: Term, at_s: float) -> Term:
    """Everybody promises then."""
    for peer in term.peers:
        term = term.answered(_promise(peer.uid, term.asked), at_s)
    return term


def test_a_term_goes_on_from_when_everybody_was_asked() -> None:
    """Not from when they answered, and not before the last one did."""
    term, questions = TERM.ask(105.0, reads=False)
    assert [(peer.uid, question.to, question.for_s) for peer, question in questions] == [
        ("uid-a", "uid-a", 12.0),
        ("uid-b", "uid-b", 12.0),
    ]
    term = term.answered(_promise("uid-a"), 105.5)
    assert term.until_s == 110
    assert term.answered(_promise("uid-b"), 109.9).until_s == 115


def test_a_term_that_is_over_is_not_revived() -> None:
    """Another one may have begun."""
    term, _ = TERM.ask(105.0, reads=False)
    assert _all(term, 110.0).until_s == 110


@pytest.mark.parametrize(
    "reply",
    [
        evolve(_promise("uid-b"), promised=False, why="no"),
        evolve(_promise("uid-b"), serial=0),
        evolve(_promise("uid-b"), session="h0"),
        evolve(_promise("uid-b"), term=2),
        _promise("uid-a"),
        _promise("uid-c"),
    ],
    ids=[
        "refused",
        "to another question",
        "to another process",
        "in another term",
        "twice by the same",
        "by a stranger",
    ],
)
def test_every_single_promise_is_needed(reply: Reply) -> None:
    """Of this round, and of each pod in the list."""
    term, _ = TERM.ask(105.0, reads=False)
    assert term.answered(_promise("uid-a"), 106.0).answered(reply, 106.0).until_s == 110


def test_whoever_may_stand_in_the_lease_must_promise() -> None:
    """After a renewal without an answer there are two lists; and after one with an answer, one."""
    more = evolve(ROSTER, peers=(*PEERS[:1], Peer(pod="c", uid="uid-c", address="10.0.0.9:8080")))
    term = TERM.writes(more.to_text())
    assert [peer.uid for peer in term.peers] == ["uid-a", "uid-b", "uid-c"]
    renewed = term.renewed(more.to_text(), 104.0)
    assert [peer.uid for peer in renewed.peers] == ["uid-a", "uid-c"]
    asked, _ = TERM.ask(105.0, reads=False)
    late = asked.writes(more.to_text())
    for uid in ("uid-a", "uid-b"):
        late = late.answered(_promise(uid), 106.0)
    assert late.until_s == 110, "the third one was not asked"


@pytest.mark.parametrize("text", ["", Roster(pod="h", holder="uid-h").to_text()], ids=["no list", "nobody else"])
def test_with_nobody_to_promise_nothing_goes_on(text: str) -> None:
    """Also if such a list only may stand in the lease: then whoever comes may take it."""
    for term in (TERM.writes(text), TERM.renewed(text, 100.0)):
        assert term.peers == ()
        assert not term.due(106.0, first_s=4, every_s=2)
        assert term.ask(106.0, reads=False) == (term, ())


def test_no_term_goes_on_for_ever_without_a_renewal() -> None:
    """Whoever is not in the list counts on that."""
    short = evolve(TERM, roster=evolve(ROSTER, longest_s=12.0))
    term, _ = short.ask(105.0, reads=False)
    assert _all(term, 106.0).until_s == 112
    assert not _all(term, 106.0).due(112.0, first_s=4, every_s=2)


def test_when_to_ask() -> None:
    """When renewals have failed for a while, again and again, and not after the end."""
    due = {"first_s": 4.0, "every_s": 2.0}
    assert not TERM.due(103.9, **due)
    assert TERM.due(104.0, **due)
    term, _ = TERM.ask(104.0, reads=False)
    assert not _all(term, 104.1).due(105.9, **due)
    assert _all(term, 104.1).due(106.0, **due)
    assert not TERM.due(110.0, **due)


def test_a_process_that_leads_again_asks_in_numbers_that_nobody_has_heard() -> None:
    """Its second term is another series, and a lost one leaves nothing behind."""
    state = State(promiser=Promiser(uid="uid-h", duration_s=10, fresh_s=2))
    state = state.kept("h1", 3, 10.0, ROSTER.to_text(), 100.0)
    state, _ = state.ask(105.0)
    assert state.until_s(110.0) == 110.0
    lost = state.lost()
    assert not lost.due(106.0, first_s=4, every_s=2)
    assert lost.answered(_promise("uid-a"), 106.0) == lost
    again = lost.kept("h1", 5, 10.0, ROSTER.to_text(), 130.0)
    _, questions = again.ask(135.0)
    assert {(question.term, question.serial) for _, question in questions} == {(5, 1)}
