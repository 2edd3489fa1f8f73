"""The faults of a scenario as they become due: by the clock, one after another, at an event, at a step of a reign."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from attrs import define, field

from memgraph_ha.sim.scenario.errors import UnmetError
from memgraph_ha.sim.scenario.judge import LOOK_S, Judge
from memgraph_ha.sim.scenario.model import Fault, Value, When
from memgraph_ha.sim.scenario.registry import Verb, Waits
from memgraph_ha.sim.scenario.stage import Stage
from memgraph_ha.sim.scenario.triggers import Come, armed
from memgraph_ha.sim.scenario.verbs import MENDING, VERBS
from memgraph_ha.sim.scenario.verbs_people import LOOK, ORDER
from memgraph_ha.trace.schema import Ghost

HARMLESS: Final = (LOOK, ORDER)
"""Groups of verbs that are no faults."""


@define(eq=False)
class Task:
    """Something that is to be done.

    Attributes:
        fault: What.
        place: Which of the file's faults it is; None for the end of one that lasts.
        due_s: When; None: not known yet.
        come: Tells whether the instant has come from which ``plus`` counts.
        until_s: It must have come by then.
        waits: What it waits for in the middle of being done.
        wait: The first of these.
        done: Whether it was.
    """

    fault: Fault
    place: int | None = None
    due_s: float | None = None
    come: Come | None = None
    until_s: float = 0.0
    waits: Waits | None = None
    wait: Callable[[], bool] | None = None
    done: bool = False


@define(eq=False)
class Script:
    """The faults of a scenario, as they become due."""

    stage: Stage
    judge: Judge
    tasks: list[Task] = field(factory=list)

    def run(self) -> None:
        """Let everything happen, and time pass until it has.

        Raises:
            ViolationError: A promise was broken meanwhile, or an event that something waits for did not come.
        """
        for place, fault in enumerate(self.faults):
            if fault.when.at_s is not None:
                due_s = self.stage.origin_s + fault.when.at_s + fault.when.plus_s
                self.tasks.append(Task(fault, place, due_s=due_s))
            elif place == 0:
                self._arm(place)
        while unfinished := [task for task in self.tasks if not task.done]:
            self.stage.cluster.world.run(self._pause_s(unfinished))
            for task in unfinished:
                self._go_on(task)
            self.judge.look()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What the file says."""
        return self.stage.scenario.faults

    def _pause_s(self, unfinished: list[Task]) -> float:
        """How long nothing can become due: until the next known instant, but somebody may have to be asked before."""
        known = [task.due_s for task in unfinished if task.due_s is not None and task.wait is None]
        asks = self.judge.looks or len(known) < len(unfinished)
        until_s = min(known, default=self.stage.cluster.now + LOOK_S) - self.stage.cluster.now
        return max(0.0, min(LOOK_S, until_s) if asks else until_s)

    def _arm(self, place: int) -> None:
        """Begin to wait for a fault that comes after the one before it, or after an event."""
        fault, now_s = self.faults[place], self.stage.cluster.now
        when, task = fault.when, Task(fault, place)
        self.tasks.append(task)
        if (when.after, when.once, when.step) == (None, None, None):
            task.due_s = now_s + when.plus_s
            return
        task.until_s = now_s + when.within_s
        task.come = armed(self.stage, when, partial(self._stepped, task))

    def _stepped(self, task: Task) -> None:
        """A step has come: without ``plus`` it is done in this very instant."""
        if task.due_s is not None:
            return  # it was not waited for any longer
        task.due_s = self.stage.cluster.now + task.fault.when.plus_s
        if not task.fault.when.plus_s:
            self._do(task)

    def _go_on(self, task: Task) -> None:
        now_s = self.stage.cluster.now
        if task.done:
            return
        if task.wait is not None:
            self._wait(task)
        elif task.due_s is not None:
            if task.due_s <= now_s:
                self._do(task)
        elif task.come is not None and task.come():
            self._stepped(task)
        elif now_s > task.until_s:
            if task.fault.when.anyway:
                self._stepped(task)
                return
            raise UnmetError(f"{_instant(task.fault.when)} did not come within {task.fault.when.within_s:g} s")

    def _do(self, task: Task) -> None:
        fault, verb = task.fault, VERBS[task.fault.do]
        given = verb.pinned(self.stage, dict(fault.args))
        self.stage.cluster.say("", f"-- {fault.do} {' '.join(str(value) for value in given.values())}".rstrip())
        self._tell(verb, given)
        if fault.for_s is not None:
            self._end_later(fault, given)
        task.waits = verb.do(self.stage, given)
        if task.waits is None:
            self._finish(task)
        else:
            self._wait(task)

    def _tell(self, verb: Verb, given: dict[str, Value]) -> None:
        """Tell whoever records what is broken or mended, and whose it is; looking and asking breaks nothing."""
        if verb.group not in HARMLESS:
            what = Ghost.REPAIR if verb.name in MENDING else Ghost.FAULT
            who = str(next(iter(given.values()), "cluster"))
            rest = {f"{name}_" if name in ("what", "who") else name: value for name, value in list(given.items())[1:]}
            self.stage.cluster.ghost(what, who, verb=verb.name, **rest)

    def _end_later(self, fault: Fault, given: dict[str, Value]) -> None:
        """Undo it in time, for the very same ones: who leads then may be another."""
        undo = VERBS[VERBS[fault.do].undo]
        args = tuple((name, value) for name, value in given.items() if name in undo.args)
        due_s = self.stage.cluster.now + (fault.for_s or 0.0)
        self.tasks.append(Task(Fault(do=undo.name, args=args), due_s=due_s))

    def _wait(self, task: Task) -> None:
        while task.wait is None or task.wait():
            task.wait = None if task.waits is None else next(task.waits, None)
            if task.wait is None:
                self._finish(task)
                return

    def _finish(self, task: Task) -> None:
        """Mark it done, and arm the one after it in the file."""
        task.done = True
        following = None if task.place is None else task.place + 1
        if following is not None and following < len(self.faults) and self.faults[following].when.at_s is None:
            self._arm(following)


def _instant(when: When) -> str:
    return f"the event '{when.after}'" if when.after else f"'{when.once}'" if when.once else f"the step '{when.step}'"
