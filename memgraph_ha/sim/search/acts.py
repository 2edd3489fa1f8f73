"""What controllers do: look and decide, send, be answered; as the daemon does (memgraph_ha/daemon.py)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from memgraph_ha.core.commands import Command, CommitNoop, RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.core.facts import CommandEnded, Fact, Outcome, RecordSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.search.checks import check_naming, check_rebuild, check_record
from memgraph_ha.sim.search.effects import AT_S, Answer, guard, landed, must_wait, platform, target_of, unheard
from memgraph_ha.sim.search.ground import disconnected, is_known, resting, shifted, with_controller
from memgraph_ha.sim.search.lives import end
from memgraph_ha.sim.search.memgraph import Places
from memgraph_ha.sim.search.mind import ANSWERS, REFUSED, SILENT, Mind, Scene, Sight, Thought
from memgraph_ha.sim.search.renaming import Shift
from memgraph_ha.sim.search.state import BLIND, CATCHING_UP, LEADS, ROBBED, Flight, State
from memgraph_ha.sim.search.words import CURRENT, EVERYBODY, GENERATION, INDEX, ROW

LATE_LIMIT = 2
"""How many commands may be on the wire that nobody waits for; of more, the first never lands."""


class Acts:
    """The moves of controllers.

    Args:
        mind: The production core.
    """

    def __init__(self, mind: Mind) -> None:
        self.mind = mind
        self._urgent = frozenset(mind.place[rule.id] for rule in mind.rules if rule.urgent)

    # --- looking ---

    def scene(self, state: State, index: int) -> Scene:
        """What a look would tell that controller now."""
        controller = state.controllers[index]
        busy = state.write is not None and state.write.via == index
        return Scene(
            mode=controller.mode,
            floor=state.floor,
            record=-1 if controller.mode == BLIND else state.record,
            sights=_sights(state.instances, controller.unreached),
            settled=not busy,
        )

    def look(self, state: State, index: int) -> tuple[State, Thought]:
        """One tick: facts, decision, route, and if nothing is in flight the first command."""
        thought = self.mind.look(state.controllers[index].mind, self.scene(state, index))
        return self.apply(state, index, thought), thought

    def wait(self, state: State, index: int) -> Iterator[tuple[float, State, Thought]]:
        """Time passes until it would decide otherwise; nothing if it never would, or something is in flight."""
        controller = state.controllers[index]
        if controller.flight is not None:
            return
        for pause_s, thought in self.mind.wait(controller.mind, self.scene(state, index)):
            begun = state
            if pause_s > self.mind.policy.lease_duration_s:  # who lost the lease unseen has noticed by then
                for other, rival in enumerate(state.controllers):
                    if rival.mode == ROBBED and other != index:
                        begun = self.rest(begun, other)
            yield pause_s, self.apply(begun, index, thought), thought

    def apply(self, state: State, index: int, thought: Thought) -> State:
        """The narrower route first, then what was in flight, then the commands (design 2)."""
        controller = state.controllers[index]
        old, new = controller.gate, thought.gate
        if old is not None and (new is None or new._replace(quiet=old.quiet) != old):
            state = state._replace(write=disconnected(state.write, index))
        floor = state.floor if controller.mode == BLIND else max(state.floor, GENERATION)
        state = with_controller(state, index, controller._replace(mind=thought.mind, gate=new))._replace(floor=floor)
        flight = controller.flight
        if state.frail and flight is None and is_known(self.mind, state):
            state = state._replace(frail=0)  # from here on the residual of design 1 is over: it has been seen
        if flight is None:
            return self.send(state, index, thought.rule, thought.commands) if thought.commands else state
        if self._preempts(thought, flight) and not isinstance(self._command(flight.command), WriteRecord):
            return self.give_up(state, index)
        return state

    def _preempts(self, thought: Thought, flight: Flight) -> bool:
        if thought.hold is Hold.NOT_LEADING:
            return True
        return bool(thought.commands) and thought.rule < flight.rule and thought.rule in self._urgent

    def _command(self, number: int) -> Command:
        return self.mind.commands.values[number]

    # --- sending ---

    def send(self, state: State, index: int, rule: int, commands: tuple[int, ...]) -> State:
        """Check the first command's guard and put it on the wire; if the guard answers, it has ended."""
        controller = state.controllers[index]
        flight = Flight(rule, commands[0], commands[1:])
        command = self._command(commands[0])
        state = with_controller(state, index, controller._replace(flight=flight))
        if controller.mode == BLIND:
            return self.ended(state, index, Answer(Outcome.NOT_SENT))
        if isinstance(command, RebuildInstance) and controller.mode == LEADS:
            check_rebuild(self.mind, state, command, sent=True)
        if isinstance(command, (WriteRecord, StopInstance, RebuildInstance)):
            return state
        answer = guard(state, command, controller.unreached)
        return state if answer is None else self.ended(state, index, answer)

    def ended(self, state: State, index: int, answer: Answer) -> State:
        """Tell the sender how its command ended, and send the next one of the batch if it was done."""
        controller = state.controllers[index]
        flight = controller.flight
        if flight is None:
            raise AssertionError("nothing is in flight")
        facts: tuple[Fact, ...] = (
            *answer.facts,
            CommandEnded(at_s=AT_S, command=self._command(flight.command), outcome=answer.outcome, error=answer.error),
        )
        told = controller._replace(mind=self.mind.tell(controller.mind, facts), flight=None)
        state = with_controller(state, index, told)
        if answer.outcome is Outcome.DONE and flight.rest:
            return self.send(state, index, flight.rule, flight.rest)
        return state

    def give_up(self, state: State, index: int) -> State:
        """Its command's answer is not waited for any more: the outcome is unknown, and it may still land."""
        flight = state.controllers[index].flight
        if flight is None:
            raise AssertionError("nothing is in flight")
        state = self.adrift(state, flight.command)
        held = state.controllers[index]
        if held.flight is not None:
            held = held._replace(flight=held.flight._replace(rest=()))
        return self.ended(with_controller(state, index, held), index, Answer(Outcome.UNKNOWN))

    def adrift(self, state: State, number: int) -> State:
        """A command stays on the wire if the process that it is bound to still lives."""
        command = self._command(number)
        target = target_of(command)
        bound = target is not None and state.instances[target].up and _run(command).endswith("~0")
        fresh = isinstance(command, WriteRecord) and command.expected == CURRENT
        if not (bound or fresh or isinstance(command, (StopInstance, RebuildInstance))):
            return state
        if isinstance(command, CommitNoop):
            return state  # nobody hears whom it proved, and commits of clients do all else that it could
        late = (*(other for other in state.late if other != number), number)[-LATE_LIMIT:]
        return state._replace(late=tuple(sorted(late)))

    def rest(self, state: State, index: int) -> State:
        """It does not lead any more, or begins anew: its gateway is shut, what it sent may still land."""
        controller = state.controllers[index]
        if controller.flight is not None:
            state = self.adrift(state, controller.flight.command)
        state = state._replace(write=disconnected(state.write, index))
        return with_controller(state, index, resting(self.mind, controller))

    # --- landing ---

    def land(self, state: State, index: int) -> State | None:
        """Its command takes effect, and it hears of it if it can; None if it cannot land now."""
        controller = state.controllers[index]
        if controller.flight is None:
            return None
        command = self._command(controller.flight.command)
        if isinstance(command, WriteRecord):
            if controller.mode == BLIND:
                return None
            state, done = self.write(state, command)
            record = RecordSeen(at_s=AT_S, record=self.mind.records.values[state.record], token=CURRENT)
            return self.ended(state, index, Answer(Outcome.DONE if done else Outcome.REFUSED, None, (record,)))
        found = self.effect(state, command)
        if found is None:
            return None
        state, answer = found
        target = target_of(command)
        deaf = target is not None and (controller.unreached >> target & 1 or not state.instances[target].up)
        if deaf:
            return self.ended(unheard(state, command), index, Answer(Outcome.UNKNOWN))
        return self.ended(state, index, answer)

    def land_late(self, state: State, place: int) -> State | None:
        """A command that nobody waits for takes effect."""
        command = self._command(state.late[place])
        state = state._replace(late=state.late[:place] + state.late[place + 1 :])
        if isinstance(command, WriteRecord):
            return self.write(state, command)[0]
        found = self.effect(state, command)
        return None if found is None else unheard(found[0], command)

    def effect(self, state: State, command: Command) -> tuple[State, Answer] | None:
        """What it does; None if it cannot land now, or never: the process that it is bound to is gone."""
        if isinstance(command, (StopInstance, RebuildInstance)):
            struck = platform(self.mind, state, command)
            if struck is not None:
                state = end(struck, INDEX[command.instance], wiped=isinstance(command, RebuildInstance))
            return state, Answer(Outcome.DONE)
        if isinstance(command, WriteRecord) or must_wait(state, command):
            return None
        index = INDEX[command.instance]
        if not state.instances[index].up or not command.run.endswith("~0"):
            return None
        state, answer = landed(self.mind, state, command)
        if state.write is not None and state.write.main == index and not state.instances[index].up:
            state = state._replace(write=None)
        return state, answer

    def write(self, state: State, command: WriteRecord) -> tuple[State, bool]:
        """Compare-and-set; whether it was done. Everybody's tokens move with the record."""
        if command.expected != CURRENT:
            return state, False
        old, new = self.mind.records.values[state.record], command.record
        check_record(state, old, new)
        check_naming(state, old, new)
        shift = Shift(reigns=new.generation - old.generation, rows=new.row_seq - ROW, written=True)
        if shift.reigns:
            state = state._replace(older=state.record if state.budget else -1)
        state = shifted(self.mind, state, shift)
        moved = self.mind.shifted_record(self.mind.records.of(new), shift)
        return state._replace(record=moved, floor=max(state.floor, GENERATION)), True


def _run(command: Command) -> str:
    return "" if isinstance(command, (WriteRecord, StopInstance, RebuildInstance)) else str(command.run)


@cache
def _sights(places: Places, unreached: int) -> tuple[Sight, Sight, Sight]:
    """What a controller sees that does not reach some of them."""
    first, second, third = (_sight(places, index, unreached) for index in EVERYBODY)
    return first, second, third


def _sight(places: Places, index: int, unreached: int) -> Sight:
    """An empty replica says that it holds MAIN's data set as soon as it is being filled (transcripts Q13)."""
    place = places[index]
    if unreached >> index & 1:
        return Sight(SILENT)
    if not place.up:
        return Sight(REFUSED)
    main = places[place.follows] if place.follows >= 0 else None
    filling = main is not None and any(row.to == index and row.status == CATCHING_UP for row in main.rows)
    return Sight(ANSWERS, main=place.main, own=place.log is None and not filling, rows=place.rows)
