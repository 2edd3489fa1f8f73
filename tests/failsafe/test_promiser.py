"""What is promised, what binds, and who may take the lease."""

import pytest
from attrs import evolve

from memgraph_ha.failsafe.promiser import MOST_S, Lease, Promiser, Question
from memgraph_ha.failsafe.roster import Peer, Roster, outlasting

ROSTER = Roster(pod="h", holder="uid-h", peers=(Peer(pod="a", uid="uid-a", address="10.0.0.1:8080"),))
HELD = Lease(token="7", session="h1", term=3, duration_s=10, controllers=ROSTER.to_text())  # noqa: S106 - a version
A = Promiser(uid="uid-a", duration_s=10, fresh_s=2).saw(HELD, 100.0)
ASKED = Question(session="h1", term=3, serial=1, to="uid-a", for_s=12, reads=False)
NOW = 105.0


def _asked(promiser: Promiser, question: Question = ASKED, now_s: float = NOW, *, holding: bool = False) -> str:
    """Ask; returns why nothing is promised, empty if it is."""
    then, reply = promiser.asked(question, now_s, holding=holding)
    assert (reply.uid, reply.session, reply.term) == (promiser.uid, question.session, question.term)
    assert reply.serial == question.serial
    assert reply.promised is not bool(reply.why)
    assert (then == promiser) is not reply.promised
    return reply.why


def test_a_promise_binds_for_as_long_as_was_asked_and_no_longer() -> None:
    """Counted from the question, on the promiser's own clock."""
    then, reply = A.asked(ASKED, NOW, holding=False)
    assert reply.promised
    assert then.forbids(50.0, NOW + 11.9) == "we promised to let its holder lead for 0.1 s more"
    assert then.forbids(50.0, NOW + 12) is None
    longer, _ = then.asked(evolve(ASKED, serial=2, for_s=1), NOW + 1, holding=False)
    assert longer.promised_until_s == then.promised_until_s, "a shorter promise takes nothing back"


def test_a_lease_that_was_given_back_may_be_taken_at_once() -> None:
    """Who gave it back led, so whoever was before is over."""
    then, _ = A.asked(ASKED, NOW, holding=False)
    assert then.saw(evolve(HELD, released=True), NOW).forbids(0.0, NOW) is None


@pytest.mark.parametrize(
    ("promiser", "question", "why"),
    [
        (A, evolve(ASKED, to="uid-b"), "another pod is asked"),
        (A, evolve(ASKED, for_s=MOST_S + 1), "nobody promises anything for 662 s; at most 661 s are allowed"),
        (A, evolve(ASKED, for_s=0.0), "nobody promises anything for 0 s; at most 661 s are allowed"),
        (A.taking("7"), ASKED, "I am taking the lease, or may have taken it"),
        (A.taking("7").took(done=None), ASKED, "I am taking the lease, or may have taken it"),
        (A, evolve(ASKED, term=2), "the lease is in term 3"),
        (A, evolve(ASKED, session="h0"), "the lease is not yours"),
        (A.saw(evolve(HELD, released=True), 100.0), ASKED, "the lease is not yours"),
        (A.saw(HELD, NOW - 1.9), ASKED, "I can reach the lease: let me take it"),
    ],
)
def test_nothing_is_promised(promiser: Promiser, question: Question, why: str) -> None:
    """To whom it is not due, or while the lease is sought; and the answer says why."""
    assert _asked(promiser, question) == why


@pytest.mark.parametrize(
    ("promiser", "question"),
    [
        (A, ASKED),
        (Promiser(uid="uid-a", duration_s=10, fresh_s=2), ASKED),
        (A, evolve(ASKED, term=4, session="i1")),
        (A.saw(HELD, NOW), evolve(ASKED, reads=True)),
        (A.taking("7").took(done=False), ASKED),
        (A.taking("7").took(done=None).saw(evolve(HELD, token="8"), 101.0), ASKED),  # noqa: S106 - a version
    ],
    ids=["cut off", "started", "behind", "nobody can write", "refused", "a version later"],
)
def test_it_is_promised(promiser: Promiser, question: Question) -> None:
    """By whoever is cut off, has just started, is behind, or knows that its own take will never be done."""
    assert _asked(promiser, question) == ""


def test_whoever_holds_the_lease_promises_nothing() -> None:
    """It relays itself."""
    assert _asked(A, holding=True) == "I hold the lease"


def test_a_question_is_worth_something_once() -> None:
    """What somebody recorded on the wire binds nobody; in another term the numbers begin anew."""
    then, _ = A.asked(evolve(ASKED, serial=5), NOW, holding=False)
    for serial in (5, 4):
        assert _asked(then, evolve(ASKED, serial=serial), NOW + 20) == "that was asked before"
    assert _asked(then, evolve(ASKED, serial=6), NOW + 20) == ""
    assert _asked(then, evolve(ASKED, term=4), NOW + 20) == ""


class TestWhoIsNotListed:
    """Nobody asked it for a promise, so it waits until none can keep the holder leading."""

    STRANGER = Promiser(uid="uid-b", duration_s=10, fresh_s=2).saw(HELD, 100.0)

    def test_it_waits_for_the_longest_time(self) -> None:
        """That stands in the list."""
        assert self.STRANGER.forbids(990.9, 5000.0) is not None
        assert self.STRANGER.forbids(outlasting(900.0), 5000.0) is None

    @pytest.mark.parametrize("gone", ["uid-a", "uid-h"])
    def test_or_until_somebody_listed_has_been_gone_for_long_enough(self, gone: str) -> None:
        """One is enough: all would have to promise."""
        knows = self.STRANGER.knows_gone(frozenset({gone}), 200.0).knows_gone(frozenset({gone, "x"}), 205.0)
        assert knows.forbids(100.0, 211.9) is not None
        assert knows.forbids(100.0, 212.0) is None

    def test_somebody_else_who_is_gone_is_no_news(self) -> None:
        """Nor is one of a list that was."""
        assert self.STRANGER.knows_gone(frozenset({"uid-x"}), 200.0).gone_since_s is None
        knows = self.STRANGER.knows_gone(frozenset({"uid-a"}), 200.0)
        other = evolve(ROSTER, peers=(Peer(pod="c", uid="uid-c", address="10.0.0.3:8080"),)).to_text()
        assert knows.saw(evolve(HELD, token="8", controllers=other), 201.0).gone_since_s is None  # noqa: S106

    @pytest.mark.parametrize(
        "controllers", ["", Roster(pod="h", holder="uid-h").to_text()], ids=["no list", "only the holder"]
    )
    def test_where_nobody_could_promise_it_waits_for_nothing(self, controllers: str) -> None:
        """Such a holder's term ends with its lease."""
        assert self.STRANGER.saw(evolve(HELD, controllers=controllers), 100.0).forbids(10.0, 110.0) is None

    def test_a_list_that_makes_no_sense_lets_nobody_in(self) -> None:
        """Before the longest time is over."""
        spoilt = A.saw(evolve(HELD, controllers="{"), 100.0)
        assert spoilt.forbids(10.0, 110.0) is not None
        assert spoilt.forbids(outlasting(900.0), 2000.0) is None

    @pytest.mark.parametrize("uid", ["uid-a", "uid-h"])
    def test_who_is_listed_waits_for_nothing(self, uid: str) -> None:
        """The peer, and a new process in the holder's own pod."""
        assert Promiser(uid=uid, duration_s=10, fresh_s=2).saw(HELD, 100.0).forbids(10.0, 110.0) is None
