"""A controller that is told facts by hand, decides with the shipping rules, and records as the daemon does."""

from collections.abc import Iterable
from pathlib import Path

from memgraph_ha.core import RULES, Decision, Fact, Observed, Policy, Rule, View, decide, observe
from memgraph_ha.core.commands import Command
from memgraph_ha.core.facts import CommandEnded, Outcome
from memgraph_ha.trace.recorder import LineRecorder, ListSink, Recorder
from memgraph_ha.trace.schema import Line, Source
from memgraph_ha.trace.writing import write_trace
from tests.core.places import NOW, WALL
from tests.core.views import HEALTHY

BEGIN_S = 5000.0
"""The recorder's clock at the beginning: another one than the controller's."""


class Told:
    """One controller.

    Args:
        recorder: Told of everything.
        who: The controller's name.
        policy: The operator's choices.
        rules: By which it decides.
    """

    def __init__(
        self, recorder: Recorder, who: str = "c1", policy: Policy = HEALTHY.policy, rules: tuple[Rule, ...] = RULES
    ) -> None:
        self.recorder, self.who, self.policy, self.rules = recorder, who, policy, rules
        self.observed = Observed()
        recorder.start(who, policy)

    def hear(self, facts: Iterable[Fact]) -> None:
        """File facts."""
        for fact in facts:
            self.recorder.fact(self.who, fact)
            self.observed = observe(self.observed, fact)

    def view(self, now_s: float = NOW) -> View:
        """What it knows."""
        return View(observed=self.observed, policy=self.policy, now_s=now_s, wall_s=WALL + now_s - NOW)

    def tick(self, now_s: float = NOW) -> tuple[Decision, int]:
        """Decide."""
        view = self.view(now_s)
        decision = decide(view, self.rules)
        return decision, self.recorder.tick(self.who, view, decision)

    def act(self, now_s: float = NOW) -> Decision:
        """Decide, and do everything at once that is asked for."""
        decision, seq = self.tick(now_s)
        for command in decision.commands:
            self.send(command, seq, now_s)
        return decision

    def send(self, command: Command, by: int, now_s: float = NOW) -> None:
        """Send a command, and hear that it is done."""
        self.recorder.command(self.who, command, by=by)
        self.hear([CommandEnded(at_s=now_s, command=command, outcome=Outcome.DONE)])


class Clock:
    """A clock that goes on by a millisecond each time it is read."""

    def __init__(self) -> None:
        self.now_s = BEGIN_S

    def __call__(self) -> float:
        """Read it."""
        self.now_s += 0.001
        return self.now_s


def recorder_to(sink: ListSink) -> LineRecorder:
    """Make a recorder with a clock of its own."""
    return LineRecorder(sink, source=Source.SIMULATOR, clock=Clock(), seed=7, scenario="by hand")


def write_lines(path: Path, lines: Iterable[Line]) -> Path:
    """Write a trace, with its footer."""
    write_trace(path, lines, t=BEGIN_S + 1, verdict="ended")
    return path
