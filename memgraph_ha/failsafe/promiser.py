"""What one controller promises to another: not to take the lease for a while; and when it may take it (0011).

A `Promiser` is a value. It is told everything that its process sees and sends, on the process's own clock
(CLOCK_BOOTTIME, so that a machine that slept has kept its promise), and says what may be promised and what taken.
"""

from typing import Final

from attrs import evolve, field, frozen

from memgraph_ha.failsafe.roster import Roster, outlasting, read_roster

MOST_S: Final = outlasting(600.0)
"""The longest promise that is given: for the longest lease that policy allows."""


_REMEMBERED: Final = 8
"""Of so many terms the last question is remembered."""


@frozen(kw_only=True)
class Lease:
    """What one answered look at the lease showed.

    Attributes:
        token: Its version; None if there is none.
        session: The process that holds it; empty if that cannot be read.
        term: How many times it changed hands.
        duration_s: For how long its holder relies on it without renewing.
        released: The holder gave it back.
        controllers: Its list, as it stands there.
    """

    token: str | None
    session: str = ""
    term: int = 0
    duration_s: float = 0.0
    released: bool = False
    controllers: str = ""


@frozen(kw_only=True)
class Question:
    """What a holder asks of one peer: to let it lead for a while, though it cannot renew.

    Attributes:
        session: Of the process that asks.
        term: Of the lease that it holds.
        serial: Rises with each question of that process: what was recorded on the wire is worth nothing later.
        to: The UID of the pod that is asked: its address may have become another's.
        for_s: How long the promise must hold, counted by whoever gives it from when it is asked.
        reads: Whether whoever asks can read the lease, and only fails to renew it.
    """

    session: str
    term: int
    serial: int
    to: str
    for_s: float
    reads: bool


@frozen(kw_only=True)
class Reply:
    """What becomes of a question.

    Attributes:
        uid: Of the pod that answers.
        session: Whose question it was, in which ``term``; ``serial`` which one.
        promised: It will take no lease for as long as was asked.
        why: Why not, in one sentence.
    """

    uid: str
    session: str
    term: int
    serial: int
    promised: bool
    why: str = ""


@frozen(kw_only=True)
class Promiser:
    """What one process has promised, and what it knows of the lease.

    Attributes:
        uid: Its pod's UID.
        duration_s: Policy ``lease_duration_s``.
        fresh_s: For so long after an answer the lease counts as within reach.
        promised_until_s: Until when it takes no lease but one that was given back.
        lease: What the lease was when it was last seen; None: never.
        seen_s: When that was.
        over: The version over which a take of ours is under way, or may still be done.
        doubt: Whether there is such a take.
        serials: The last question in each term in which it was asked, in the order in which it first was.
        gone_since_s: Since when somebody in the lease's list is known to be gone for good; None: nobody is.
    """

    uid: str
    duration_s: float
    fresh_s: float
    promised_until_s: float = 0.0
    lease: Lease | None = None
    seen_s: float = 0.0
    over: str | None = None
    doubt: bool = False
    serials: tuple[tuple[str, int], ...] = field(default=())
    gone_since_s: float | None = None

    # --- what it is told --------------------------------------------------------------------------

    def saw(self, lease: Lease, now_s: float) -> "Promiser":
        """Take note of an answered look.

        A take of ours over another version than this can never be done any more: it was a compare-and-set.
        """
        same = self.lease is not None and self.lease.controllers == lease.controllers
        return evolve(
            self,
            lease=lease,
            seen_s=now_s,
            doubt=self.doubt and self.over == lease.token,
            gone_since_s=self.gone_since_s if same else None,
        )

    def taking(self, token: str | None) -> "Promiser":
        """A take over that version is sent now."""
        return evolve(self, over=token, doubt=True)

    def took(self, *, done: bool | None) -> "Promiser":
        """It ended; None: it may still be done."""
        return self if done is None else evolve(self, doubt=False)

    def knows_gone(self, uids: frozenset[str], now_s: float) -> "Promiser":
        """Take note of who in the lease's list is gone for good: no process can live under that UID any more."""
        roster = self.roster
        if roster is None or not roster.pods.keys() & uids:
            return evolve(self, gone_since_s=None)
        return self if self.gone_since_s is not None else evolve(self, gone_since_s=now_s)

    @property
    def roster(self) -> Roster | None:
        """The list in the lease, as it was last seen."""
        return None if self.lease is None else read_roster(self.lease.controllers)

    # --- promising --------------------------------------------------------------------------------

    def asked(self, question: Question, now_s: float, *, holding: bool) -> tuple["Promiser", Reply]:
        """Answer a question.

        Args:
            question: What is asked.
            now_s: On this process's clock.
            holding: Whether it holds the lease itself.

        Returns:
            What it is bound to now, and the answer: to be remembered before the answer is sent.
        """
        why = "I hold the lease" if holding else self._unwilling(question, now_s)
        newest = tuple({**dict(self.serials), _series(question): question.serial}.items())[-_REMEMBERED:]
        reply = Reply(
            uid=self.uid,
            session=question.session,
            term=question.term,
            serial=question.serial,
            promised=not why,
            why=why,
        )
        if why:
            return self, reply
        until_s = max(self.promised_until_s, now_s + question.for_s)
        return evolve(self, promised_until_s=until_s, serials=newest), reply

    def _unwilling(self, question: Question, now_s: float) -> str:
        """Why nothing is promised; empty if it is. Every other answer than a promise changes nothing."""
        if question.to != self.uid:
            return "another pod is asked"
        if not 0 < question.for_s <= MOST_S:
            return f"nobody promises anything for {question.for_s:g} s; at most {MOST_S:g} s are allowed"
        if question.serial <= dict(self.serials).get(_series(question), 0):
            return "that was asked before"
        if self.doubt:
            return "I am taking the lease, or may have taken it"
        seen = self.lease
        if seen is not None and seen.term > question.term:
            return f"the lease is in term {seen.term}"
        if seen is not None and seen.term == question.term and (seen.session != question.session or seen.released):
            return "the lease is not yours"
        if seen is not None and now_s < self.seen_s + self.fresh_s and not question.reads:
            return "I can reach the lease: let me take it"
        return ""

    # --- taking -----------------------------------------------------------------------------------

    def forbids(self, unchanged_s: float, now_s: float, *, session: str = "") -> str | None:
        """Say why the lease, which may be taken by its own rule, must not be taken now.

        Args:
            unchanged_s: For how long this process has seen it unchanged.
            now_s: On this process's clock.
            session: Ours, if we held the lease before.

        Returns:
            One sentence; None if it may be taken.
        """
        lease = self.lease
        if lease is not None and lease.released:
            return None  # who gave it back led: whoever was before is over
        if now_s < self.promised_until_s:
            return f"we promised to let its holder lead for {self.promised_until_s - now_s:.1f} s more"
        if lease is None or (lease.session and lease.session == session):
            return None
        return self._outside(unchanged_s, now_s, max(lease.duration_s, self.duration_s))

    def _outside(self, unchanged_s: float, now_s: float, duration_s: float) -> str | None:
        """Who is not in the list was not asked: it waits until no promise can keep the holder leading."""
        roster = self.roster
        if roster is None or not roster.peers or self.uid in roster.pods:
            return None
        left_s = outlasting(roster.longest_s) - unchanged_s
        if self.gone_since_s is not None:
            left_s = min(left_s, self.gone_since_s + outlasting(duration_s) - now_s)
        if left_s <= 0:
            return None
        return f"its list does not name this pod; those whom it names may let it go on for {left_s:.0f} s more"


def _series(question: Question) -> str:
    return f"{question.session} {question.term}"
