"""Every move of the small world: what anybody may do next, and what may go wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.sim.search.acts import Acts
from memgraph_ha.sim.search.checks import check_ack, check_state, serves
from memgraph_ha.sim.search.effects import target_of
from memgraph_ha.sim.search.ground import LEADERS, free_token, settled, shifted, with_controller
from memgraph_ha.sim.search.lives import end, start
from memgraph_ha.sim.search.memgraph import (
    beat,
    commit,
    hears,
    refused,
    replace,
    ship,
    strict_rows,
    taken,
    takes,
)
from memgraph_ha.sim.search.mind import Mind
from memgraph_ha.sim.search.mirror import upright
from memgraph_ha.sim.search.pace import Pace, all_looked, all_seen
from memgraph_ha.sim.search.renaming import Shift
from memgraph_ha.sim.search.state import BLIND, IDLE, LEADS, ROBBED, State, Write, link
from memgraph_ha.sim.search.words import EVERYBODY, GENERATION, PAIR, ROW

LINKS: Final = tuple((source, target) for source in EVERYBODY for target in EVERYBODY if source != target)


def calm(state: State) -> bool:
    """Whether everybody lives and reaches everybody, and nothing but a controller's own time is under way.

    Only then may time pass beyond what is tried again and again: elsewhere something else comes first some day.
    """
    reached = not any(controller.unreached for controller in state.controllers)
    still = not state.cuts and not state.late and state.write is None
    return reached and still and all(place.up for place in state.instances)


class Move(NamedTuple):
    """One move: what happens, to whom, and whether it costs a fault."""

    verb: str
    who: tuple[int, ...]
    fault: bool


class Moves:
    """The transition relation.

    Args:
        mind: The production core.
        without: Verbs of faults that never happen.
        pace: How fast controllers are.
        mirror: Whether a state and its mirror image are one (see `mirror`); who tells a history wants them apart.

    Attributes:
        trying: The move that is being made, of whoever iterates over `after`.
    """

    def __init__(
        self,
        mind: Mind,
        without: frozenset[str] = frozenset(),
        pace: Pace = Pace.PROMPT,
        *,
        mirror: bool = True,
    ) -> None:
        self.mind, self.acts, self.without, self.pace, self.mirror = mind, Acts(mind), without, pace, mirror

    def after(self, state: State) -> Iterator[tuple[Move, State]]:
        """Every next state, each in its one form and checked.

        Raises:
            ViolationError: A move breaks a promise; `trying` says which.
        """
        busy = False
        for move, found in self._checked(state, self._quick(state)):
            busy = busy or move.verb == "land"
            yield move, found
        if self.pace is Pace.ANY or not busy or not all_seen(self.acts, state):
            yield from self._checked(state, self._slow(state))
        if state.budget:
            faults = self._faults(state._replace(budget=state.budget - 1))
            yield from self._checked(state, (fault for fault in faults if fault[0].verb not in self.without))

    def _checked(self, state: State, moves: Iterable[tuple[Move, State]]) -> Iterator[tuple[Move, State]]:
        """What comes of moves, each in its one form and checked, but for those that change nothing."""
        for move, made in moves:
            found = self._formed(move, made)
            if found != state:
                check_state(found)
                yield move, found

    def _formed(self, move: Move, made: State) -> State:
        """What comes of a move, in its one form; prompt controllers have seen it then, unless it is a fault."""
        if self.pace is Pace.PROMPT and not move.fault and move.verb != "look":
            made = all_looked(self.acts, made)
        return settled(upright(self.mind, made) if self.mirror else made)

    def _quick(self, state: State) -> Iterator[tuple[Move, State]]:
        """What takes no time that matters, and what clients do, in a fixed order; some may change nothing."""
        self.trying = Move("nothing", (), fault=False)
        yield from self._controllers(state)
        yield from self._landings(state)
        yield from self._clients(state)

    def _slow(self, state: State) -> Iterator[tuple[Move, State]]:
        yield from self._expiries(state)
        yield from self._instances(state)
        yield from self._lease(state)
        yield from self._mending(state)

    def _try(self, verb: str, *who: int, fault: bool = False) -> Move:
        self.trying = Move(verb, who, fault)
        return self.trying

    # --- controllers ---

    def _controllers(self, state: State) -> Iterator[tuple[Move, State]]:
        for index, controller in enumerate(state.controllers):
            if controller.mode not in LEADERS:
                continue
            move = self._try("look", index)
            looked, thought = self.acts.look(state, index)
            yield move, looked
            if looked.controllers[index].mind == controller.mind and not thought.commands:
                for number, later in enumerate(self.acts.wait(looked, index)):
                    if not number or calm(state):
                        yield self._try("wait-long" if number else "wait", index), later[1]

    def _landings(self, state: State) -> Iterator[tuple[Move, State]]:
        for index in range(len(state.controllers)):
            move = self._try("land", index)
            made = self.acts.land(state, index)
            if made is not None:
                yield move, made

    def _expiries(self, state: State) -> Iterator[tuple[Move, State]]:
        """Commands that run into their deadline, and what becomes of those that nobody waits for any more."""
        for index in range(len(state.controllers)):
            if self.acts.land(state, index) is None and self._hopeless(state, index):
                yield self._try("expire", index), self.acts.give_up(state, index)
        for place in range(len(state.late)):
            move = self._try("land-late", place)
            made = self.acts.land_late(state, place)
            if made is not None:
                yield move, made
            yield (
                self._try("lose-late", place),
                state._replace(late=state.late[:place] + state.late[place + 1 :]),
            )

    def _hopeless(self, state: State, index: int) -> bool:
        """Whether its command will not land as things are: it runs into its deadline."""
        controller = state.controllers[index]
        if controller.flight is None:
            return False
        command = self.mind.commands.values[controller.flight.command]
        if isinstance(command, WriteRecord):
            return controller.mode == BLIND
        target = target_of(command)
        if target is None:
            return False
        gone = not state.instances[target].up or not str(getattr(command, "run", "")).endswith("~0")
        return gone or bool(controller.unreached >> target & 1)

    # --- clients ---

    def _clients(self, state: State) -> Iterator[tuple[Move, State]]:
        write = state.write
        if write is not None:
            yield self._try("finalize"), self._finalize(state, write, arrives=True)
            return
        token = free_token(state)
        for index, controller in enumerate(state.controllers):
            gate = controller.gate
            main = serves(state, gate)
            if gate is None or main is None or gate.quiet or controller.unreached >> gate.to & 1 or token is None:
                continue
            rows = strict_rows(main)
            if all(takes(state.instances, state.cuts, gate.to, row) for row in rows):
                write = Write(token=token, main=gate.to, via=index, held=rows[0].to if rows else -1)
                yield self._try("write", index), self._commit(state, write)
            else:
                aborted = refused(state.instances, state.cuts, gate.to)
                yield self._try("write-aborts", index), state._replace(instances=aborted)

    def _commit(self, state: State, write: Write) -> State:
        main = commit(state.instances[write.main], write.token)
        rows = tuple(row._replace(moved=True) if row.strict else row for row in main.rows)
        return state._replace(instances=replace(state.instances, write.main, main._replace(rows=rows)), write=write)

    def _finalize(self, state: State, write: Write, *, arrives: bool) -> State:
        """The verdict goes to who prepared; MAIN does not look whether it arrived, and answers (Q17)."""
        places, held = state.instances, write.held
        main = places[write.main]
        reached = held >= 0 and hears(places, state.cuts, write.main, held) and places[held].follows == write.main
        lost = held >= 0 and places[held].up and not (arrives and reached)
        if arrives and reached and main.log:
            log = taken(places[held].log, len(main.log) - 1, main.log[-1])
            places = replace(places, held, places[held]._replace(log=log))
        done = state._replace(instances=ship(places, state.cuts, write.main), write=None)
        return self._answered(done, write, lost=lost)

    def _answered(self, state: State, write: Write, *, lost: bool) -> State:
        """The client hears of it, if its connection still stands and the permit that it came under holds (design 7)."""
        if write.via < 0:
            return state
        controller = state.controllers[write.via]
        gate = controller.gate
        if serves(state, gate) is None or gate is None or controller.unreached >> write.main & 1:
            return state
        check_ack(state, gate)
        bit = 1 << write.token if write.token else 0
        return state._replace(acked=state.acked | bit, frail=state.frail | (bit if lost else 0))

    # --- instances ---

    def _instances(self, state: State) -> Iterator[tuple[Move, State]]:
        for index in EVERYBODY:
            place = state.instances[index]
            if not place.up:
                yield self._try("start", index), start(self.mind, state, index)
            elif place.main and not (state.write is not None and state.write.main == index):
                for row in place.rows:
                    beaten = beat(state.instances, state.cuts, index, row.to)
                    yield self._try("beat", index, row.to), state._replace(instances=beaten)

    # --- the lease ---

    def _lease(self, state: State) -> Iterator[tuple[Move, State]]:
        for index, controller in enumerate(state.controllers):
            if controller.mode == IDLE and state.free:
                mind = self.mind.lead(clean=not state.stolen, floor=0 if state.stolen else state.floor)
                led = with_controller(state, index, controller._replace(mode=LEADS, mind=mind))
                floor = 0 if state.stolen else state.floor
                yield self._try("take-lease", index), led._replace(free=False, stolen=False, floor=floor)
            elif controller.mode == ROBBED:
                yield self._try("notice", index), self.acts.rest(state, index)
            elif controller.mode == BLIND:
                yield self._try("lapse", index), self.acts.rest(state, index)._replace(free=True)

    # --- mending ---

    def _mending(self, state: State) -> Iterator[tuple[Move, State]]:
        for source, target in LINKS:
            if state.cuts & link(source, target):
                yield self._try("heal", source, target), state._replace(cuts=state.cuts & ~link(source, target))
        for index, controller in enumerate(state.controllers):
            for place in EVERYBODY:
                if controller.unreached >> place & 1:
                    seeing = controller._replace(unreached=controller.unreached & ~(1 << place))
                    yield self._try("heal-controller", index, place), with_controller(state, index, seeing)
            if controller.mode == BLIND:
                seeing = controller._replace(mode=LEADS)
                yield self._try("heal-api", index), with_controller(state, index, seeing)

    # --- faults ---

    def _faults(self, state: State) -> Iterator[tuple[Move, State]]:
        """What may go wrong; each costs one of the budget, which was taken already."""
        for index in EVERYBODY:
            if state.instances[index].up:
                yield self._try("crash", index, fault=True), end(state, index, wiped=False)
            if state.instances[index].log is not None:
                yield self._try("wipe", index, fault=True), end(state, index, wiped=True)
        for source, target in LINKS:
            if not state.cuts & link(source, target) and (source in PAIR or target in PAIR):
                yield (
                    self._try("cut", source, target, fault=True),
                    state._replace(cuts=state.cuts | link(source, target)),
                )
        if state.write is not None and state.write.held >= 0:
            lost = self._finalize(state, state.write, arrives=False)
            yield self._try("lose-finalize", fault=True), lost
        for index, controller in enumerate(state.controllers):
            if controller.mode in LEADERS:
                yield from self._controller_faults(state, index)
        if state.older >= 0:
            yield self._try("restore-record", fault=True), self._restore(state)

    def _controller_faults(self, state: State, index: int) -> Iterator[tuple[Move, State]]:
        controller = state.controllers[index]
        held = controller.mode != ROBBED
        gone = self.acts.rest(state, index)
        yield self._try("crash-controller", index, fault=True), gone._replace(free=state.free or held)
        for place in EVERYBODY:
            if not controller.unreached >> place & 1:
                cut = controller._replace(unreached=controller.unreached | 1 << place)
                yield self._try("cut-controller", index, place, fault=True), with_controller(state, index, cut)
        if controller.flight is not None and not self._hopeless(state, index):
            yield self._try("delay", index, fault=True), self.acts.give_up(state, index)
        if controller.mode == LEADS:
            blind = controller._replace(mode=BLIND, mind=self.mind.blinded(controller.mind, state.record))
            robbed = controller._replace(mode=ROBBED)
            yield self._try("cut-api", index, fault=True), with_controller(state, index, blind)
            stolen = with_controller(state, index, robbed)._replace(free=True, stolen=True)
            yield self._try("steal-lease", index, fault=True), stolen

    def _restore(self, state: State) -> State:
        """Somebody puts the record of the reign before back (scenarios E4)."""
        present, older = self.mind.records.values[state.record], self.mind.records.values[state.older]
        shift = Shift(reigns=older.generation - GENERATION, rows=older.row_seq - ROW, written=True)
        moved = shifted(self.mind, state, shift)
        record = self.mind.shifted_record(state.older, shift)
        return moved._replace(record=record, older=-1, overtaken=state.overtaken or present.opened)
