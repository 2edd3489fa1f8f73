"""Memgraph in the small world: what role, registration and commit do to the three instances. Each fact has its source.

All here is pure: instances in, instances out. What the fake models in full (`memgraph_ha.fakes.memgraph`) is cut down
to what decides whether a write survives: logs, epochs, allegiance, rows, and the two phases of a STRICT_SYNC commit.
"""

from __future__ import annotations

from memgraph_ha.sim.search.state import (
    CATCHING_UP,
    DIVERGED,
    HALF,
    INVALID,
    NOOP,
    READY,
    Commit,
    Instance,
    Row,
    link,
)

Places = tuple[Instance, Instance, Instance]

NEW_EPOCH = 99
"""The epoch of a promotion that has not committed yet; `canonical` renames it with the first commit."""


def replace(places: Places, index: int, changed: Instance) -> Places:
    """One instance for another."""
    made = list(places)
    made[index] = changed
    return made[0], made[1], made[2]


def reaches(cuts: int, source: int, target: int) -> bool:
    """Whether a message gets from one to the other."""
    return not cuts & link(source, target)


def calls(places: Places, cuts: int, main: int, replica: int) -> bool:
    """Whether MAIN gets an answer from a replica: both directions are open, and a process listens as REPLICA."""
    return hears(places, cuts, main, replica) and reaches(cuts, replica, main)


def hears(places: Places, cuts: int, main: int, replica: int) -> bool:
    """Whether a request of MAIN arrives at a replica, whatever becomes of the answer."""
    other = places[replica]
    return other.up and not other.main and reaches(cuts, main, replica)


# --- data ---


def epoch_of(place: Instance) -> int:
    """The epoch in which it would commit, or did last (semantics 4.1)."""
    if place.fresh:
        return NEW_EPOCH
    return place.log[-1][0] if place.log else 0


def last_epoch(log: tuple[Commit, ...]) -> int:
    """The epoch of a replica's last commit, which is what it reports."""
    return log[-1][0] if log else 0


def branched(main: Instance, log: tuple[Commit, ...] | None) -> bool:
    """Whether a replica with that log holds commits that MAIN's history does not cover (semantics 4.4).

    Only the epoch of its last commit and its position are compared: one that is ahead in MAIN's own epoch is not
    found out (semantics 4.5; transcripts Q3, "NOT detected").
    """
    if log is None:
        return False  # an empty replica never is
    if main.log is None:
        return True  # an empty MAIN knows no epoch of anybody (transcripts Q10)
    epoch = last_epoch(log)
    if epoch == epoch_of(main):
        return False
    ends = [place + 1 for place, commit in enumerate(main.log) if commit[0] == epoch]
    known = bool(ends) or epoch == 0
    return not known or (ends[-1] if ends else 0) < len(log)


def filled(main: Instance, log: tuple[Commit, ...] | None) -> tuple[Commit, ...]:
    """What a replica holds after MAIN has sent what it lacks, by position (semantics 4.9)."""
    have = main.log or ()
    return have if log is None else log + have[len(log) :]


def commit(main: Instance, token: int) -> Instance:
    """MAIN commits; its epoch is durable from then on (Q3)."""
    return main._replace(log=((*(main.log or ()), (epoch_of(main), token))), fresh=False)


# --- rows ---


def row_to(main: Instance, replica: int) -> Row | None:
    """MAIN's row of an instance; two to one address are refused by Memgraph (`Error: 2`)."""
    return next((row for row in main.rows if row.to == replica), None)


def with_row(main: Instance, row: Row) -> Instance:
    """The same MAIN with that row changed."""
    return main._replace(rows=tuple(row if old.to == row.to else old for old in main.rows))


def strict_rows(main: Instance) -> list[Row]:
    """The rows that a commit waits for; half rows are ignored (transcripts, Summary)."""
    return [row for row in main.rows if row.strict and row.status != HALF]


def takes(places: Places, cuts: int, index: int, row: Row) -> bool:
    """Whether a replica takes MAIN's next commit: nothing before it is missing there (Q18: a gap is refused)."""
    main, other = places[index], places[row.to]
    if row.status != READY or other.follows != index or other.log is None or main.log is None:
        return False
    return calls(places, cuts, index, row.to) and len(other.log) >= len(main.log)


def taken(log: tuple[Commit, ...] | None, position: int, done: Commit) -> tuple[Commit, ...]:
    """A replica's log after a commit at that position of MAIN's; one that is ahead just says yes (semantics 4.5)."""
    have = log or ()
    return (*have, done) if len(have) == position else have


def ship(places: Places, cuts: int, index: int) -> Places:
    """Send MAIN's last commit to its ASYNC replicas at once: one that lags is one that could not be reached."""
    for row in places[index].rows:
        if row.strict or row.status != READY:
            continue
        other, main = places[row.to], places[index]
        arrives = hears(places, cuts, index, row.to) and other.follows == index and main.log is not None
        fits = other.log is not None and main.log is not None and len(other.log) == len(main.log) - 1
        if arrives and fits and main.log is not None and other.log is not None:
            places = replace(places, row.to, other._replace(log=(*other.log, main.log[-1])))
        if not (arrives and fits) or not reaches(cuts, row.to, index):
            places = replace(places, index, with_row(places[index], row._replace(status=INVALID)))
    return places


def beat(places: Places, cuts: int, index: int, replica: int) -> Places:
    """MAIN's heartbeat to one replica, and what follows from it (semantics 2.10, 4.4; transcripts, Event table).

    A `ready` row whose replica is gone turns `invalid`; an `invalid` one whose replica is back is compared: fenced,
    diverged, behind (a STRICT_SYNC one catches up with the next beat) or level.
    """
    main = places[index]
    row = row_to(main, replica)
    if row is None or row.status in (HALF, DIVERGED):
        return places
    other = places[replica]
    if not calls(places, cuts, index, replica) or other.follows != index:
        told = row.status if row.status == READY and calls(places, cuts, index, replica) else INVALID
        return replace(places, index, with_row(main, row._replace(status=told)))
    if row.status == CATCHING_UP:
        log = filled(main, other.log)
        places = replace(places, replica, other._replace(log=log))
        return replace(places, index, with_row(main, row._replace(status=READY, moved=row.strict)))
    if row.status != INVALID:
        return places
    status = compared(main, other)
    places = replace(places, index, with_row(main, row._replace(status=status)))
    return places if row.strict or status != CATCHING_UP else beat(places, cuts, index, replica)


def compared(main: Instance, other: Instance) -> str:
    """What a heartbeat makes of a replica that obeys (semantics 4.4)."""
    if branched(main, other.log):
        return DIVERGED
    level = other.log is not None and len(other.log) >= len(main.log or ())
    return READY if level else CATCHING_UP


# --- lives and roles ---


def ended(place: Instance, *, wiped: bool) -> Instance:
    """Its process ends; what is durable stays: log, allegiance, rows (semantics 4.2; the epoch in memory does not)."""
    if wiped:
        return Instance(up=False, main=False, log=None, fresh=False, follows=-1, rows=())
    return place._replace(up=False, fresh=False)


def started(places: Places, cuts: int, index: int) -> Places:
    """Its process starts. An old MAIN pushes to its stored rows before the init file demotes it (Q1, Q20)."""
    place = places[index]
    if place.main:
        for row in place.rows:
            other = places[row.to]
            arrives = hears(places, cuts, index, row.to) and other.follows == index
            if arrives and not branched(place, other.log):
                places = replace(places, row.to, other._replace(log=filled(place, other.log)))
        places = unfollowed(places, index)
    return replace(places, index, place._replace(up=True, main=False, rows=(), fresh=False))


def unfollowed(places: Places, index: int) -> Places:
    """Its ``main_uuid`` is drawn anew with every change of role: who obeyed it obeys nobody (semantics 2.2, 2.3)."""
    made = [place._replace(follows=-1) if place.follows == index else place for place in places]
    return made[0], made[1], made[2]


def promoted(places: Places, index: int) -> Places:
    """SET REPLICATION ROLE TO MAIN: no rows, a new epoch in memory (Q3); the prepared transaction is lost (Q7b)."""
    places = unfollowed(places, index)
    return replace(places, index, places[index]._replace(main=True, fresh=True, follows=-1, rows=()))


def demoted(places: Places, index: int) -> Places:
    """SET REPLICATION ROLE TO REPLICA: all rows are forgotten, and it obeys nobody until a REGISTER."""
    places = unfollowed(places, index)
    return replace(places, index, places[index]._replace(main=False, fresh=False, follows=-1, rows=()))


def registered(places: Places, cuts: int, index: int, row: Row) -> tuple[Places, int]:
    """REGISTER REPLICA on MAIN.

    Returns:
        The instances, and the number in its error: 0 done, 1 the name exists, 2 the address does, 3 diverged,
        5 not accepted. After 3 and 5 the row stays, half (transcripts, Summary); even after 3 the replica obeys.
    """
    main, other = places[index], places[row.to]
    if any((old.strict, old.number, old.to) == (row.strict, row.number, row.to) for old in main.rows):
        return places, 1
    if row_to(main, row.to) is not None:
        return places, 2
    half = main._replace(rows=tuple(sorted((*main.rows, row._replace(status=HALF)))))
    if not hears(places, cuts, index, row.to):
        return replace(places, index, half), 5
    places = replace(places, row.to, other._replace(follows=index))
    if not reaches(cuts, row.to, index):
        return replace(places, index, half), 5
    status = compared(main, other)
    if status == DIVERGED:
        return replace(places, index, half), 3
    return replace(places, index, with_row(half, row._replace(status=status))), 0


def dropped(places: Places, index: int, row: Row) -> tuple[Places, bool]:
    """DROP REPLICA; whether MAIN survives: a row in `recovery` kills it (Q5: 81 of 81)."""
    main = places[index]
    rest = main._replace(rows=tuple(old for old in main.rows if old.to != row.to))
    if row.status == CATCHING_UP:
        return replace(places, index, ended(rest, wiped=False)), False
    return replace(places, index, rest), True


def noop(places: Places, cuts: int, index: int) -> tuple[Places, bool]:
    """The no-op commit in all its phases; whether it was acknowledged (Q18)."""
    main = places[index]
    strict = strict_rows(main)
    if not all(takes(places, cuts, index, row) for row in strict):
        return refused(places, cuts, index), False
    position = len(main.log or ())
    places = replace(places, index, commit(main, NOOP))
    done = (places[index].log or ())[-1]
    for row in strict:
        other = places[row.to]
        places = replace(places, row.to, other._replace(log=taken(other.log, position, done)))
    return ship(places, cuts, index), True


def refused(places: Places, cuts: int, index: int) -> Places:
    """A commit that a STRICT_SYNC row aborted leaves the rows that failed `invalid` (Q18)."""
    for row in strict_rows(places[index]):
        if row.status == READY and not takes(places, cuts, index, row):
            places = replace(places, index, with_row(places[index], row._replace(status=INVALID)))
    return places


# --- names ---


def canonical(places: Places) -> Places:
    """Forget what all logs have in common, tell no-ops apart only where logs part, and name epochs by appearance.

    Of several no-ops in a row that the same instances hold only one is kept: positions are compared, and these move
    together. (Where two logs part within one epoch, by how far they went apart is lost; that they did is not.)
    """
    if not any(place.log for place in places):
        return places
    places = _common_to_pair(places)
    whole = [place.log for place in places if place.log is not None]
    common = 0
    while all(len(log) > common for log in whole) and len({log[common] for log in whole}) == 1:
        common += 1
    names = {whole[0][common - 1][0] if common else 0: 0}
    made: list[Instance] = []
    for place in places:
        if place.log is None:
            made.append(place)
            continue
        log = tuple(
            commit
            for position, commit in enumerate(place.log)
            if position >= common and not _doubles(place.log, position, common, whole)
        )
        for epoch, _token in log:
            names.setdefault(epoch, len(names))
        made.append(place._replace(log=tuple((names[epoch], token) for epoch, token in log)))
    return made[0], made[1], made[2]


def _common_to_pair(places: Places) -> Places:
    """Writes that both of the pair hold, or the only one whose volume is not new, need no name any more.

    Nobody who may be MAIN lacks one without lacking everything; that m2 lacks it stands in its log all the same.
    """
    tokens = [{token for _epoch, token in place.log} for place in places[:2] if place.log is not None]
    known = set.intersection(*tokens) - {NOOP} if tokens else set()
    if not known:
        return places
    made = [
        place
        if not place.log
        else place._replace(log=tuple((epoch, NOOP if token in known else token) for epoch, token in place.log))
        for place in places
    ]
    return made[0], made[1], made[2]


def _doubles(log: tuple[Commit, ...], position: int, common: int, logs: list[tuple[Commit, ...]]) -> bool:
    """Whether a commit is a no-op right after another one in its epoch, and exactly the same logs go on with it."""
    if position == common or log[position][1] != NOOP or log[position - 1] != log[position]:
        return False
    before, now = log[:position], log[: position + 1]
    return all(other[:position] != before or other[: position + 1] == now for other in logs)
