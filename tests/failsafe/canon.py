"""One name for all worlds that can never be told apart: times as ages, versions as the present one or a past one."""

from collections.abc import Iterable
from typing import Final

from attrs import evolve

from memgraph_ha.failsafe.promiser import Lease, Promiser
from memgraph_ha.failsafe.roster import outlasting
from memgraph_ha.failsafe.state import State
from memgraph_ha.failsafe.term import Term
from tests.failsafe.model import Process, World, Write

PRESENT: Final = "1"
PAST: Final = "0"


def canonical(world: World) -> World:
    """Give the world that stands for all that are like this one, at time 0."""
    oldest_s = -2 * outlasting(world.longest)
    ranks = _ranks(world)
    kept = [write for write in world.late if write.over == world.lease.token]
    token = world.lease.token

    def write_of(write: Write | None, now_s: float) -> Write | None:
        if write is None:
            return None
        over = PRESENT if write.over == token else PAST
        return evolve(write, over=over, sent_s=_age(write.sent_s, now_s, oldest_s), lease=_unnamed(write.lease))

    def process_of(process: Process) -> Process:
        now_s, state, watched = world.clock(process), process.state, process.watched
        if state is None:
            return process
        if watched is not None:
            watched = (PRESENT if watched[0] == token else PAST, _age(watched[1], now_s, oldest_s))
        return evolve(
            process,
            state=_state(state, token, now_s, oldest_s, ranks),
            watched=watched,
            write=write_of(process.write, now_s),
        )

    return evolve(
        world,
        now=0,
        lease=evolve(world.lease, token=PRESENT),
        processes=tuple(process_of(process) for process in world.processes),
        late=tuple(sorted({_late(write) for write in kept}, key=repr)),
        asked=tuple(sorted((evolve(each, serial=ranks[each.session, each.serial]) for each in world.asked), key=repr)),
        said=tuple(sorted((evolve(each, serial=ranks[each.session, each.serial]) for each in world.said), key=repr)),
    )


def _late(write: Write) -> Write:
    """Nobody waits for it: when it was sent makes no difference."""
    return evolve(write, over=PRESENT, sent_s=0.0, lease=_unnamed(write.lease))


def _unnamed(lease: Lease) -> Lease:
    """The version that a write would make is given when it is made."""
    return evolve(lease, token=PAST)


def _age(at_s: float, now_s: float, oldest_s: float) -> float:
    return max(round(at_s - now_s, 6), oldest_s)


def _left(until_s: float, now_s: float) -> float:
    return max(round(until_s - now_s, 6), 0.0)


def _state(
    state: State, token: str | None, now_s: float, oldest_s: float, ranks: dict[tuple[str, int], int]
) -> State:
    term = state.term
    return evolve(
        state,
        promiser=_promiser(state.promiser, token, now_s, oldest_s, ranks),
        term=None if term is None else _term(term, now_s, oldest_s, ranks),
    )


def _promiser(
    promiser: Promiser, token: str | None, now_s: float, oldest_s: float, ranks: dict[tuple[str, int], int]
) -> Promiser:
    lease = promiser.lease
    if lease is not None:
        lease = evolve(lease, token=PRESENT if lease.token == token else PAST)
    serials = []
    for series, serial in promiser.serials:
        session = series.partition(" ")[0]
        if (session, serial) in ranks:
            serials.append((series, ranks[session, serial]))
    gone_s = promiser.gone_since_s
    return evolve(
        promiser,
        started_s=_age(promiser.started_s, now_s, oldest_s),
        promised_until_s=_left(promiser.promised_until_s, now_s),
        lease=lease,
        over=(PRESENT if promiser.over == token else PAST) if promiser.doubt else None,
        serials=tuple(serials),
        gone_since_s=None if gone_s is None else _age(gone_s, now_s, oldest_s),
    )


def _term(term: Term, now_s: float, oldest_s: float, ranks: dict[tuple[str, int], int]) -> Term:
    asking = term.round
    if asking is not None:
        asking = evolve(
            asking, serial=ranks[term.session, asking.serial], sent_s=_age(asking.sent_s, now_s, oldest_s)
        )
    return evolve(
        term,
        renewed_s=_age(term.renewed_s, now_s, oldest_s),
        promised_s=_left(term.promised_s, now_s),
        asked=ranks[term.session, term.asked],
        round=asking,
    )


def _ranks(world: World) -> dict[tuple[str, int], int]:
    """Number the questions of each process that can still matter: only their order does."""
    found: set[tuple[str, int]] = {(each.session, each.serial) for each in (*world.asked, *world.said)}
    living = set()
    for process in world.processes:
        term = None if process.state is None else process.state.term
        if term is not None:
            living.add(term.session)
            found.add((term.session, term.asked))
            if term.round is not None:
                found.add((term.session, term.round.serial))
    for process in world.processes:
        for series, serial in () if process.state is None else process.state.promiser.serials:
            session = series.partition(" ")[0]
            if session in living or any(session == each.session for each in world.asked):
                found.add((session, serial))
    return dict(_numbered(found))


def _numbered(found: Iterable[tuple[str, int]]) -> Iterable[tuple[tuple[str, int], int]]:
    by_session: dict[str, list[int]] = {}
    for session, serial in sorted(found):
        by_session.setdefault(session, []).append(serial)
    for session, serials in by_session.items():
        first = 0 if serials[0] == 0 else 1
        for rank, serial in enumerate(serials, first):
            yield (session, serial), rank
