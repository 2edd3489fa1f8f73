"""How a controller runs commands, as the daemon does: one batch at a time, in order, until the first that is not done.

A decision of an earlier, urgent rule cuts off the batch of a later one. Each command is sent only while the lease
outlives its deadline, and has an outcome by that deadline; without an answer it is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import define, field

from memgraph_ha.core import Decision
from memgraph_ha.core.commands import Command, CommitNoop, Quiesce, RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.core.facts import CommandEnded, Outcome, RecordSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.sim.checks import safety
from memgraph_ha.sim.world.errand import Errand
from memgraph_ha.trace.schema import Ghost

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

AFTERMATH_S: Final = 10.0
"""As the adapter: so long after it was sent, a command that was given up may still hold the locks of a probe."""

Ended = Callable[[CommandEnded], None]


@define(eq=False)
class Batch:
    """Commands on their way.

    Attributes:
        tick: The number of the tick that decided them, for the recorder.
        cut: No further one is sent.
        abort: Ends the wait for the one in flight, if it may be cut off.
    """

    decision: Decision
    rest: list[Command]
    tick: int
    cut: bool = False
    abort: Callable[[], None] | None = None


@define(eq=False)
class Runner:
    """Runs the commands of one controller.

    Attributes:
        batch: Those that are on their way.
        busy: How many role and registration commands are in flight, per instance.
        sent: How many commands of each kind it has sent, by the name of the class.
    """

    controller: Controller
    batch: Batch | None = None
    busy: dict[InstanceName, int] = field(factory=dict)
    sent: Counter[str] = field(factory=Counter)
    _excused_s: dict[InstanceName, float] = field(factory=dict)
    _stopped: dict[InstanceName, Incarnation] = field(factory=dict)

    def begin(self) -> None:
        """A process starts."""
        self.batch = None
        self.busy.clear()
        self._excused_s.clear()
        self._stopped.clear()

    # -- batches ---------------------------------------------------------------------------------

    def run(self, decision: Decision, tick: int) -> None:
        """Take up the commands of a decision, unless others are on their way that it does not preempt."""
        batch = self.batch
        if batch is not None and not batch.cut and self._preempts(decision, batch):
            batch.cut = True
            if batch.abort is not None:
                batch.abort()
        if self.batch is None and decision.commands:
            self.batch = Batch(decision, list(decision.commands), tick)
            self._next(self.batch)

    def _preempts(self, decision: Decision, batch: Batch) -> bool:
        if decision.hold is Hold.NOT_LEADING:
            return True
        order, urgent = self.controller.order, self.controller.urgent
        earlier = order[decision.rule] < order[batch.decision.rule]
        return bool(decision.commands) and earlier and decision.rule in urgent

    def _next(self, batch: Batch) -> None:
        controller, command = self.controller, batch.rest.pop(0)
        life = controller.life

        def ended(fact: CommandEnded) -> None:
            batch.abort = None
            if fact.outcome is not Outcome.DONE:
                controller.cluster.say(
                    controller.name, f"{type(command).__name__}: {fact.outcome.value} ({fact.detail})"
                )
            more = fact.outcome is Outcome.DONE and bool(batch.rest) and not batch.cut
            if not more:
                self.batch = None
            controller.file(fact)
            controller.spring(command, "after")
            if more and life == controller.life:
                self._next(batch)

        if controller.elector.left_s <= controller.policy.command_deadline_s:
            detail = "our lease is too short"
            ended(CommandEnded(at_s=controller.now_s, command=command, outcome=Outcome.NOT_SENT, detail=detail))
            return
        safety.check_sent(controller, command, batch.decision, controller.rules)
        controller.before(command)
        if life == controller.life:
            controller.spring(command, "before")
        if life == controller.life:
            self.sent[type(command).__name__] += 1
            controller.recorder.command(controller.name, command, by=batch.tick)
            self._send(batch, command, ended)

    def _send(self, batch: Batch, command: Command, ended: Ended) -> None:
        """Put a command on the wire; without an answer by its deadline its outcome is unknown."""
        controller, over, life = self.controller, [False], self.controller.life
        busy = self._mark_busy(command)

        def once(outcome: Outcome, detail: str = "", error: ErrorClass | None = None, *, answered: bool = True) -> None:
            if not over[0]:
                over[0] = True
                busy(answered)
                fact = CommandEnded(at_s=controller.now_s, command=command, outcome=outcome, detail=detail, error=error)
                ended(fact)

        if not isinstance(command, WriteRecord):
            batch.abort = lambda: once(Outcome.UNKNOWN, "cut off before its answer came", answered=False)
        deadline_s = controller.policy.command_deadline_s
        controller.after(deadline_s, lambda: once(Outcome.UNKNOWN, "no answer in time", answered=False))
        answer: Callable[..., None] = (lambda *_said: None) if controller.lose() else once
        match command:
            case WriteRecord():
                self._later(lambda: self._write(command, answer, life))
            case StopInstance() | RebuildInstance():
                self._later(lambda: self._end_process(command, answer, life))
            case _:
                Errand(controller, command, answer).send()

    def _later(self, action: Callable[[], None]) -> None:
        self.controller.cluster.world.at(self.controller.wire_s(), action)

    # -- what own commands excuse ----------------------------------------------------------------

    def _mark_busy(self, command: Command) -> Callable[[bool], None]:
        """Note a role or registration command in flight; returns what notes its end (design 5).

        One that was given up without an answer may go on in the server for `AFTERMATH_S`.
        """
        free = (CommitNoop, Quiesce, WriteRecord, StopInstance, RebuildInstance)
        if isinstance(command, free):
            return lambda _answered: None
        name, began_s = command.instance, self.controller.now_s
        self.busy[name] = self.busy.get(name, 0) + 1

        def end(answered: bool) -> None:
            self.busy[name] -= 1
            until_s = self.controller.now_s if answered else max(self.controller.now_s, began_s + AFTERMATH_S)
            self._excused_s[name] = max(self._excused_s.get(name, until_s), until_s)

        return end

    def in_flight(self, name: InstanceName) -> bool:
        """Whether a role or registration command is under way there: meanwhile nothing else is asked."""
        return self.busy.get(name, 0) > 0

    def excuses(self, name: InstanceName, asked_s: float) -> bool:
        """Whether a probe asked then had to wait for one of our own commands."""
        return self.busy.get(name, 0) > 0 or asked_s <= self._excused_s.get(name, -1.0)

    def answered(self, name: InstanceName) -> None:
        """A probe was answered: whatever held the locks is over."""
        if not self.busy.get(name):
            self._excused_s.pop(name, None)

    # -- through the API -------------------------------------------------------------------------

    def _write(self, command: WriteRecord, answer: Callable[..., None], life: int) -> None:
        """Compare-and-set, and what is there then."""
        controller, cluster = self.controller, self.controller.cluster
        name, asked_s = controller.name, controller.now_s

        def serve() -> tuple[bool, RecordSeen]:
            cluster.api.before_a_write()
            before = cluster.store.history[-1] if cluster.store.history else None
            done = cluster.store.swap(command.expected, command.record)
            if done:
                cluster.written(before, command.record, controller)
            cluster.ghost(
                Ghost.LANDED, name, command="WriteRecord", outcome="done" if done else "refused", led=controller.leads
            )
            return done, cluster.store.seen_at(asked_s)

        def answered(found: tuple[bool, RecordSeen] | None) -> None:
            if found is None:
                controller.reader.soon()
                answer(Outcome.UNKNOWN, "the API gave no answer")
                return
            done, seen = found
            controller.reader.take(seen)
            if not done:
                controller.reader.soon()
            answer(Outcome.DONE if done else Outcome.REFUSED, "" if done else "another version was there")

        controller.request(serve, answered, writes=True, life=life)

    def _end_process(self, command: StopInstance | RebuildInstance, answer: Callable[..., None], life: int) -> None:
        """End a process, if it is still this incarnation; emptied, if it is to be rebuilt.

        A stop is done once the API has accepted it; asked for again it is unknown, for its node may be lost
        (docs/decisions/0013).
        """
        controller, cluster = self.controller, self.controller.cluster
        name, rebuilds = command.instance, isinstance(command, RebuildInstance)

        def serve() -> Outcome:
            same = cluster.incarnation(name) == command.incarnation if name in cluster.names else False
            if same and rebuilds:
                cluster.rebuild(name)
            elif same:
                cluster.stop(name)
            cluster.ghost(
                Ghost.LANDED,
                controller.name,
                command=type(command).__name__,
                instance=name,
                outcome="done" if same else "refused",
                led=controller.leads,
            )
            if rebuilds:
                return Outcome.DONE if same else Outcome.REFUSED
            again = same and self._stopped.get(name) == command.incarnation
            self._stopped[name] = command.incarnation
            return Outcome.UNKNOWN if again else Outcome.DONE

        def answered(outcome: Outcome | None) -> None:
            if outcome is None:
                answer(Outcome.UNKNOWN, "the API gave no answer")
            else:
                answer(outcome)

        controller.request(serve, answered, life=life)
