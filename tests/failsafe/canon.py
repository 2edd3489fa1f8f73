"""One name for all worlds that can never be told apart: times as ages, versions as the present one or a past one."""

from typing import Final

from attrs import evolve, frozen

from memgraph_ha.failsafe.promiser import Lease, Promiser
from memgraph_ha.failsafe.roster import outlasting
from memgraph_ha.failsafe.state import State
from memgraph_ha.failsafe.term import Term
from tests.failsafe.model import D, Process, World, Write

PRESENT: Final = "1"
PAST: Final = "0"

_TERM: Final = 10
"""What the present term is called; two terms that are long over are called the same."""

_OLDEST_TERM: Final = 8


@frozen
class _Dial:
    """What times, versions, terms and questions are called.

    Attributes:
        now_s: What the process's clock says.
        token: The present version.
        term: The present term.
        longest: As in `World`.
        ranks: The place of each question among those of its process that can still matter.
    """

    now_s: float
    token: str | None
    term: int
    longest: float
    ranks: dict[tuple[str, int], int]

    def age(self, at_s: float, matters_s: float) -> float:
        """A time of the past, as far as it matters how long ago it was."""
        return max(round(at_s - self.now_s, 6), -matters_s)

    def left(self, until_s: float) -> float:
        """A time of the future."""
        return max(round(until_s - self.now_s, 6), 0.0)

    def version(self, token: str | None) -> str:
        """A version: of those that are past none will ever be there again."""
        return PRESENT if token == self.token else PAST

    def number(self, term: int) -> int:
        """A term."""
        return max(term - self.term + _TERM, _OLDEST_TERM)

    def lease(self, lease: Lease, token: str) -> Lease:
        """The lease as somebody saw it, or would write it."""
        return Lease(
            token=token,
            session=lease.session,
            term=self.number(lease.term),
            duration_s=lease.duration_s,
            released=lease.released,
            controllers=lease.controllers,
        )

    def write(self, write: Write) -> Write:
        """A write: the version that it would make is given when it is made."""
        return Write(
            over=self.version(write.over),
            lease=self.lease(write.lease, PAST),
            sent_s=self.age(write.sent_s, D + 1),
            takes=write.takes,
        )


def canonical(world: World) -> World:
    """Give the world that stands for all that are like this one, at time 0."""
    token, term, ranks = world.lease.token, world.lease.term, _ranks(world)
    dial = _Dial(0.0, token, term, world.longest, ranks)
    late = {evolve(dial.write(write), sent_s=0.0) for write in world.late if write.over == token}
    asked = (evolve(q, serial=ranks[q.session, q.serial], term=dial.number(q.term)) for q in world.asked)
    said = (evolve(each, serial=ranks[each.session, each.serial], term=dial.number(each.term)) for each in world.said)
    return World(
        now=0,
        lease=dial.lease(world.lease, PRESENT),
        processes=tuple(
            _process(each, _Dial(float(world.now), token, term, world.longest, ranks)) for each in world.processes
        ),
        late=tuple(sorted(late, key=lambda write: (write.lease.session, write.lease.controllers, write.takes))),
        asked=tuple(sorted(asked, key=lambda each: (each.session, each.serial, each.to))),
        said=tuple(sorted(said, key=lambda each: (each.session, each.serial, each.uid))),
        gone=world.gone,
        faults=world.faults,
        longest=world.longest,
    )


def _process(process: Process, dial: _Dial) -> Process:
    if process.state is None:
        return process
    watched = process.watched
    if watched is not None:
        watched = (dial.version(watched[0]), dial.age(watched[1], outlasting(dial.longest) + 1))
    state = process.state
    return Process(
        place=process.place,
        pod=process.pod,
        life=process.life,
        reach=process.reach,
        state=State(
            promiser=_promiser(state.promiser, dial),
            term=None if state.term is None else _term(state.term, dial),
            session=state.session,
        ),
        watched=watched,
        write=None if process.write is None else dial.write(process.write),
    )


def _promiser(promiser: Promiser, dial: _Dial) -> Promiser:
    lease, gone_s = promiser.lease, promiser.gone_since_s
    serials = [(series.partition(" ")[0], serial, int(series.partition(" ")[2])) for series, serial in promiser.serials]
    return Promiser(
        uid=promiser.uid,
        duration_s=promiser.duration_s,
        fresh_s=promiser.fresh_s,
        promised_until_s=dial.left(promiser.promised_until_s),
        lease=None if lease is None else dial.lease(lease, dial.version(lease.token)),
        over=dial.version(promiser.over) if promiser.doubt else None,
        doubt=promiser.doubt,
        serials=tuple(
            (f"{session} {dial.number(term)}", dial.ranks[session, serial])
            for session, serial, term in serials
            if (session, serial) in dial.ranks
        ),
        gone_since_s=None if gone_s is None else dial.age(gone_s, outlasting(D) + 1),
    )


def _term(term: Term, dial: _Dial) -> Term:
    asking = term.round
    if asking is not None:
        serial = dial.ranks[term.session, asking.serial]
        asking = evolve(asking, serial=serial, sent_s=dial.age(asking.sent_s, D + 1))
    return Term(
        session=term.session,
        term=dial.number(term.term),
        duration_s=term.duration_s,
        renewed_s=dial.age(term.renewed_s, dial.longest + 1),
        roster=term.roster,
        sent=term.sent,
        promised_s=dial.left(term.promised_s),
        asked=dial.ranks[term.session, term.asked],
        round=asking,
    )


def _ranks(world: World) -> dict[tuple[str, int], int]:
    """Number the questions of each process that can still matter: only their order does."""
    found = {(each.session, each.serial) for each in world.asked} | {(each.session, each.serial) for each in world.said}
    alive = {session for session, _ in found}
    for process in world.processes:
        term = None if process.state is None else process.state.term
        if term is not None:
            alive.add(term.session)
            found.add((term.session, term.asked))
            if term.round is not None:
                found.add((term.session, term.round.serial))
    for process in world.processes:
        for series, serial in () if process.state is None else process.state.promiser.serials:
            session = series.partition(" ")[0]
            if session in alive:
                found.add((session, serial))
    ranks: dict[tuple[str, int], int] = {}
    last = ("", 0)
    for session, serial in sorted(found):
        first = 0 if serial == 0 else 1
        last = (session, last[1] + 1 if last[0] == session else first)
        ranks[session, serial] = last[1]
    return ranks
