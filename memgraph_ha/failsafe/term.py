"""How the holder's term goes on by promises while it cannot renew the lease (0011)."""

from attrs import evolve, frozen

from memgraph_ha.failsafe.promiser import Question, Reply
from memgraph_ha.failsafe.roster import Peer, Roster, outlasting, read_roster


@frozen(kw_only=True)
class Round:
    """Questions to all peers at once.

    Attributes:
        serial: Of all its questions.
        sent_s: When they were sent: from then on the promises count for us.
        whom: The UIDs of those that were asked.
        missing: Of these, those that have not promised yet.
    """

    serial: int
    sent_s: float
    whom: frozenset[str]
    missing: frozenset[str]


@frozen(kw_only=True)
class Term:
    """A term of ours.

    Attributes:
        session: Of this process; ``term`` is its number.
        duration_s: How long it goes on after a renewal, or after questions that all promised.
        renewed_s: When the last renewal that was acknowledged was sent.
        roster: What stands in the lease by that; None: no list.
        sent: What may stand there instead, by writes whose outcome is not known.
        promised_s: Until when promises let it go on.
        asked: The last questions.
        round: Those, and who has promised; None: nothing was asked yet.
    """

    session: str
    term: int
    duration_s: float
    renewed_s: float
    roster: Roster | None = None
    sent: tuple[Roster | None, ...] = ()
    promised_s: float = 0.0
    asked: int = 0
    round: Round | None = None

    @property
    def until_s(self) -> float:
        """When it ends."""
        return max(self.renewed_s + self.duration_s, self.promised_s)

    @property
    def peers(self) -> tuple[Peer, ...]:
        """Everybody who must promise, by UID: whom any list names that may stand in the lease.

        Nobody if one of them names nobody: then whoever comes may take the lease as soon as it has run out.
        """
        rosters = (self.roster, *self.sent)
        if any(roster is None or not roster.peers for roster in rosters):
            return ()
        found = {peer.uid: peer for roster in rosters if roster is not None for peer in roster.peers}
        return tuple(found[uid] for uid in sorted(found))

    @property
    def longest_s(self) -> float:
        """When promises do not help any more, whatever list stands in the lease."""
        lists = [roster.longest_s for roster in (self.roster, *self.sent) if roster is not None]
        return self.renewed_s + min(lists, default=0.0)

    def writes(self, controllers: str) -> "Term":
        """A renewal with that list is sent now."""
        roster = read_roster(controllers)
        return self if roster in (self.roster, *self.sent) else evolve(self, sent=(*self.sent, roster))

    def renewed(self, controllers: str, sent_s: float) -> "Term":
        """A renewal was acknowledged: every earlier write of ours is over, for it was a compare-and-set."""
        return evolve(self, renewed_s=max(self.renewed_s, sent_s), roster=read_roster(controllers), sent=())

    def due(self, now_s: float, *, first_s: float, every_s: float) -> bool:
        """Whether to ask now.

        Args:
            now_s: On our clock.
            first_s: How long renewals must have failed.
            every_s: Pause between two rounds.
        """
        if self.round is not None and now_s < self.round.sent_s + every_s:
            return False
        return self.renewed_s + first_s <= now_s < min(self.until_s, self.longest_s) and bool(self.peers)

    def ask(self, now_s: float, *, reads: bool) -> tuple["Term", tuple[tuple[Peer, Question], ...]]:
        """Begin a round.

        Args:
            now_s: Right before the questions are sent.
            reads: Whether we can read the lease.

        Returns:
            The term, and what to ask of whom; nothing if nobody could help.
        """
        peers = self.peers
        if not peers or now_s >= self.until_s:
            return self, ()
        serial, for_s, whom = self.asked + 1, outlasting(self.duration_s), frozenset(peer.uid for peer in peers)
        questions = tuple(
            Question(session=self.session, term=self.term, serial=serial, to=peer.uid, for_s=for_s, reads=reads)
            for peer in peers
        )
        asking = Round(serial=serial, sent_s=now_s, whom=whom, missing=whom)
        return evolve(self, asked=serial, round=asking), tuple(zip(peers, questions, strict=True))

    def answered(self, reply: Reply, now_s: float) -> "Term":
        """Take an answer: the last promise of a round prolongs the term, unless it has ended before.

        A list that was written since the questions were sent may name others: then nothing is prolonged.
        """
        asking = self.round
        mine = (reply.session, reply.term) == (self.session, self.term)
        if asking is None or not mine or reply.serial != asking.serial:
            return self
        if not reply.promised or now_s >= self.until_s:
            return self
        asking = evolve(asking, missing=asking.missing - {reply.uid})
        peers = frozenset(peer.uid for peer in self.peers)
        if asking.missing or not peers or not peers <= asking.whom:
            return evolve(self, round=asking)
        until_s = min(asking.sent_s + self.duration_s, self.longest_s)
        return evolve(self, round=asking, promised_s=max(self.promised_s, until_s))
