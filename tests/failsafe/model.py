"""A small world of controllers, one lease and the messages between them, around the failsafe that ships.

Everything may be late, lost, or never happen; a process that stands still is one that does not move while time goes
on. What ships is `memgraph_ha.failsafe` and `may_take`; the loop around them is `Campaign`'s, step by step.
"""

from collections.abc import Iterator
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.adapters.lease_note import LeaseNote, Sight, may_take
from memgraph_ha.core.policy import Policy
from memgraph_ha.failsafe.promiser import Lease, Promiser, Question, Reply
from memgraph_ha.failsafe.roster import Peer, Roster
from memgraph_ha.failsafe.state import State

Move = tuple[str, "World"]

D: Final = 4.0
"""How long a lease lasts here; time moves by whole units."""

LONGEST: Final = 8.0
POLICY: Final = Policy(lease_duration_s=D, lease_renew_s=0.5, command_deadline_s=0.5)


@frozen(kw_only=True)
class Write:
    """A take or a renewal on its way: a compare-and-set."""

    over: str | None
    lease: Lease
    sent_s: float
    takes: bool


@frozen(kw_only=True)
class Process:
    """One controller; ``state`` is None while it does not run.

    Attributes:
        pod: How many pods there were in this place before: a new pod has a new UID.
        life: How many processes there were in this place before: each has a session of its own.
        reach: Whether it reaches the API.
        watched: The version that it saw last, and since when.
        write: What it sent and waits for.
    """

    place: int
    pod: int = 0
    life: int = 0
    reach: bool = True
    state: State | None
    watched: tuple[str | None, float] | None = None
    write: Write | None = None

    @property
    def uid(self) -> str:
        """Its pod's."""
        return f"{self.place}.{self.pod}"

    @property
    def session(self) -> str:
        """Its own."""
        return f"{self.place}/{self.life}"


@frozen(kw_only=True)
class World:
    """Everything, at one moment.

    Attributes:
        late: Writes that were given up and may still be done.
        asked: Questions on their way; ``said`` answers.
        gone: Pods that are gone for good, as the API knows.
        faults: How many more may happen.
    """

    now: int = 0
    lease: Lease
    processes: tuple[Process, ...]
    late: tuple[Write, ...] = ()
    asked: tuple[Question, ...] = ()
    said: tuple[Reply, ...] = ()
    gone: frozenset[str] = frozenset()
    faults: int = 0
    longest: float = LONGEST

    def put(self, process: Process) -> "World":
        """The same with another process in its place."""
        places = list(self.processes)
        places[process.place] = process
        return evolve(self, processes=tuple(places))

    def leaders(self) -> tuple[str, ...]:
        """Who leads by its own belief; a permit ends a second before."""
        found = []
        for process in self.processes:
            term = None if process.state is None else process.state.term
            if term is not None and self.now < term.until_s:
                found.append(process.session)
        return tuple(found)


def fresh_state(uid: str) -> State:
    """What a process knows that has just started."""
    return State(promiser=Promiser(uid=uid, duration_s=D, fresh_s=0.0))


def begin(listed: int, unlisted: int = 0, *, faults: int = 0, cut: tuple[int, ...] = ()) -> World:
    """Let the first of some controllers hold the lease, and the others have just seen its list.

    Args:
        listed: How many there are in its list, itself too.
        unlisted: How many have come since.
        faults: How many may happen: crashes, new pods, lost answers, and changes of who reaches the API.
        cut: The places of those that do not reach the API.
    """
    processes = tuple(Process(place=place, state=fresh_state(f"{place}.0")) for place in range(listed))
    world = World(lease=Lease(token=None), processes=processes, faults=faults)
    for _ in range(2):
        world = evolve(world, now=world.now + 1)
        world = _landed(_acted(world, world.processes[0]), 0, lost=False)
    came = tuple(Process(place=listed + index, state=fresh_state(f"{listed + index}.0")) for index in range(unlisted))
    world = evolve(world, processes=(*world.processes, *came))
    for process in world.processes[1:]:
        world = _acted(world, process)
    for place in cut:
        world = world.put(evolve(world.processes[place], reach=False))
    return world


# --- what can happen ----------------------------------------------------------------------------------


def moves(world: World) -> Iterator[Move]:
    """Everything that can happen next, by name."""
    yield "time", evolve(world, now=world.now + 1)
    for process in world.processes:
        yield from _own_moves(world, process)
    for index, write in enumerate(world.late):
        rest = evolve(world, late=world.late[:index] + world.late[index + 1 :])
        yield f"a late write of {write.lease.session} is done", _swapped(rest, write)[0]
    for question in world.asked:
        yield from _heard(world, question)
    for reply in world.said:
        yield from _told(world, reply)


def _own_moves(world: World, process: Process) -> Iterator[Move]:
    name = process.session
    if process.state is None:
        yield f"{process.place} starts", _started(world, process)
        if world.faults:
            gone = evolve(world, gone=world.gone | {process.uid}, faults=world.faults - 1)
            yield f"{process.place} gets a new pod", _started(gone, evolve(process, pod=process.pod + 1))
        return
    if process.write is not None:
        yield f"{name}'s write is done", _landed(world, process.place, lost=False)
        if world.faults:
            less = evolve(world, faults=world.faults - 1)
            yield f"{name}'s write is done without an answer", _landed(less, process.place, lost=True)
            yield f"{name} gives its write up", _given_up(less, process)
    elif process.reach:
        yield f"{name} looks", _acted(world, process)
    if process.state.due(float(world.now), first_s=1.0, every_s=1.0):
        yield f"{name} asks", _asking(world, process)
    if world.faults:
        less = evolve(world, faults=world.faults - 1)
        yield f"{name} crashes", _crashed(less, process)
        yield f"{name}'s reach changes", less.put(evolve(process, reach=not process.reach))


def _started(world: World, process: Process) -> World:
    return world.put(
        evolve(
            process,
            life=process.life + 1,
            state=fresh_state(process.uid),
            watched=None,
            write=None,
        )
    )


def _crashed(world: World, process: Process) -> World:
    late = world.late if process.write is None else (*world.late, process.write)
    return evolve(world, late=late).put(evolve(process, state=None, write=None))


def _acted(world: World, process: Process) -> World:
    """One turn of `Campaign`: look, then renew or take."""
    state, now_s, lease = process.state, float(world.now), world.lease
    assert state is not None
    if state.term is not None and now_s >= state.term.until_s:
        return world.put(evolve(process, state=state.lost()))
    state = state.saw(lease, now_s)
    if state.term is not None:
        if lease.session != process.session:
            return world.put(evolve(process, state=state.lost()))
        if now_s < state.term.renewed_s + 1.0:
            return world.put(evolve(process, state=_still(state)))
        text = _roster(world, process)
        renewal = evolve(lease, controllers=text)
        renewing = Write(over=lease.token, lease=renewal, sent_s=now_s, takes=False)
        return world.put(evolve(process, state=_still(state.writes(text)), write=renewing))
    watched = process.watched
    if watched is None or watched[0] != lease.token:
        watched = (lease.token, now_s)
    state = evolve(state, promiser=state.promiser.knows_gone(world.gone, now_s))
    unchanged_s = now_s - watched[1]
    write: Write | None = None
    sight = _sight(lease)
    allowed = may_take(sight, unchanged_s=unchanged_s, session=process.session, policy=POLICY)
    if allowed is not None and state.forbids(unchanged_s, now_s) is None:
        taken = Lease(token=None, session=process.session, term=lease.term + 1, duration_s=D)
        write = Write(over=lease.token, lease=taken, sent_s=now_s, takes=True)
        state = state.taking(lease.token)
    return world.put(evolve(process, state=_still(state), watched=watched, write=write))


def _still(state: State) -> State:
    """Forget when it looked: with ``fresh_s`` 0 that decides nothing, and fewer worlds differ."""
    return evolve(state, promiser=evolve(state.promiser, seen_s=0.0))


def _roster(world: World, process: Process) -> str:
    peers = tuple(
        Peer(pod=other.uid, uid=other.uid, address=other.uid) for other in world.processes if other is not process
    )
    return Roster(pod=process.uid, holder=process.uid, longest_s=world.longest, peers=peers).to_text()


def _sight(lease: Lease) -> Sight:
    if lease.token is None:
        return Sight(token=None, note=None, ever=False)
    note = LeaseNote(
        holder="",
        session=lease.session,
        term=lease.term,
        renewals=0,
        duration_s=lease.duration_s,
        floor=0,
        released=lease.released,
        clean=True,
    )
    return Sight(token=lease.token, note=note, ever=True)


def _next(token: str | None) -> str:
    return str(int(token or 0) + 1)


def _swapped(world: World, write: Write) -> tuple[World, bool]:
    done = world.lease.token == write.over
    made = evolve(write.lease, token=_next(world.lease.token))
    return (evolve(world, lease=made) if done else world), done


def _landed(world: World, place: int, *, lost: bool) -> World:
    """A write reaches the API; its answer its sender, unless it is lost."""
    process = world.processes[place]
    write, state, now_s = process.write, process.state, float(world.now)
    assert write is not None
    assert state is not None
    world, done = _swapped(world, write)
    known = None if lost else done
    if write.takes:
        state = state.took(done=known)
        alive = now_s < write.sent_s + D
    else:
        alive = state.term is not None and now_s < state.term.until_s
    if known and alive:
        lease = write.lease
        state = state.kept(lease.session, lease.term, lease.duration_s, lease.controllers, write.sent_s)
    return world.put(evolve(process, state=state, write=None))


def _given_up(world: World, process: Process) -> World:
    """No answer came in time; the write may still be on its way."""
    write, state = process.write, process.state
    assert write is not None
    assert state is not None
    state = state.took(done=None) if write.takes else state
    return evolve(world, late=(*world.late, write)).put(evolve(process, state=state, write=None))


def _asking(world: World, process: Process) -> World:
    assert process.state is not None
    state, questions = process.state.ask(float(world.now))
    asked = (*(old for old in world.asked if old.session != process.session), *(each for _, each in questions))
    said = tuple(old for old in world.said if old.session != process.session)
    return evolve(world, asked=asked, said=said).put(evolve(process, state=state))


def _heard(world: World, question: Question) -> Iterator[Move]:
    rest = evolve(world, asked=tuple(other for other in world.asked if other is not question))
    for process in world.processes:
        if process.uid == question.to and process.state is not None:
            state, reply = process.state.asked(question, float(world.now))
            said = (*rest.said, reply) if reply.promised else rest.said
            name = f"{process.session} {'promises' if reply.promised else 'refuses'}"
            yield name, evolve(rest, said=said).put(evolve(process, state=state))


def _told(world: World, reply: Reply) -> Iterator[Move]:
    rest = evolve(world, said=tuple(other for other in world.said if other is not reply))
    for process in world.processes:
        if process.session == reply.session and process.state is not None:
            state = process.state.answered(reply, float(world.now))
            yield f"{process.session} hears {reply.uid}", rest.put(evolve(process, state=state))
