"""One process's side of the failsafe: its promises and its term, as one value (0011)."""

from attrs import evolve, frozen

from memgraph_ha.failsafe.promiser import Lease, Promiser, Question, Reply
from memgraph_ha.failsafe.roster import Peer
from memgraph_ha.failsafe.term import Term


@frozen(kw_only=True)
class State:
    """What a process knows, has promised and was promised.

    Attributes:
        promiser: What it has promised.
        term: Its term, while it leads.
        session: Its own name in the lease, once it has held it.
    """

    promiser: Promiser
    term: Term | None = None
    session: str = ""

    # --- what its campaign for the lease sees and sends -------------------------------------------

    def saw(self, lease: Lease, now_s: float) -> "State":
        """Take note of an answered look at the lease."""
        return evolve(self, promiser=self.promiser.saw(lease, now_s))

    def forbids(self, unchanged_s: float, now_s: float) -> str | None:
        """Say why the lease must not be taken now, see `Promiser.forbids`."""
        return self.promiser.forbids(unchanged_s, now_s, session=self.session)

    def taking(self, token: str | None) -> "State":
        """A take over that version is sent now."""
        return evolve(self, promiser=self.promiser.taking(token))

    def took(self, *, done: bool | None) -> "State":
        """It ended; None: it may still be done."""
        return evolve(self, promiser=self.promiser.took(done=done))

    def writes(self, controllers: str) -> "State":
        """A take or a renewal with that list is sent now."""
        return self if self.term is None else evolve(self, term=self.term.writes(controllers))

    def kept(self, session: str, term: int, duration_s: float, controllers: str, sent_s: float) -> "State":
        """A take or a renewal was acknowledged, and had not run out by then."""
        known = self.term
        if known is None or (known.session, known.term) != (session, term):
            asked = 0 if known is None else known.asked
            known = Term(session=session, term=term, duration_s=duration_s, renewed_s=sent_s, asked=asked)
        return evolve(self, session=session, term=known.renewed(controllers, sent_s))

    def lost(self) -> "State":
        """The term is over."""
        return evolve(self, term=None)

    def until_s(self, until_s: float) -> float:
        """When a term really ends that ends then by its last renewal."""
        return until_s if self.term is None else max(until_s, self.term.promised_s)

    def knows_gone(self, uids: frozenset[str], now_s: float) -> "State":
        """Take note of who in the lease's list is gone for good, see `Promiser.knows_gone`."""
        return evolve(self, promiser=self.promiser.knows_gone(uids, now_s))

    # --- asking and promising ---------------------------------------------------------------------

    def due(self, now_s: float, *, first_s: float, every_s: float) -> bool:
        """Whether to ask now, see `Term.due`."""
        return self.term is not None and self.term.due(now_s, first_s=first_s, every_s=every_s)

    def ask(self, now_s: float) -> tuple["State", tuple[tuple[Peer, Question], ...]]:
        """Begin a round of questions, see `Term.ask`."""
        if self.term is None:
            return self, ()
        reads = self.promiser.lease is not None and now_s < self.promiser.seen_s + self.promiser.fresh_s
        term, questions = self.term.ask(now_s, reads=reads)
        return evolve(self, term=term), questions

    def answered(self, reply: Reply, now_s: float) -> "State":
        """Take an answer, see `Term.answered`."""
        return self if self.term is None else evolve(self, term=self.term.answered(reply, now_s))

    def asked(self, question: Question, now_s: float) -> tuple["State", Reply]:
        """Answer a question, see `Promiser.asked`. The new state must be in force before the answer is sent."""
        holding = self.term is not None and now_s < self.term.until_s
        promiser, reply = self.promiser.asked(question, now_s, holding=holding)
        return evolve(self, promiser=promiser), reply
