"""Recorders: who runs a controller tells one what happens, in the order in which it happens.

`LineRecorder` makes lines of it, for a list in memory or for a file (`memgraph_ha.trace.writing`); `NO_RECORDER` does
nothing, and is what runs where nobody asked for a trace.
"""

import platform
from collections.abc import Callable
from operator import attrgetter
from typing import Final, Protocol

from attrs import define, field, fields, frozen

from memgraph_ha.core import RULES, Decision, Fact, Policy, Rule, View
from memgraph_ha.core.commands import Command
from memgraph_ha.core.facts import CommandEnded, GapSeen, NoopSeen, ProbeMissed, RecordSeen, SentinelBroke
from memgraph_ha.trace.schema import (
    PRODUCT,
    CommandLine,
    EndLine,
    FactLine,
    Ghost,
    GhostLine,
    HeaderLine,
    Line,
    LostLine,
    MemoryLine,
    Plain,
    PolicyLine,
    Source,
    StartLine,
    TickLine,
    digest_of,
)


class Recorder(Protocol):
    """Told of everything that a replay needs. Every call returns at once, and no fault of a disk raises."""

    def start(self, who: str, policy: Policy) -> None:
        """Note that a controller's process begins, and remembers nothing.

        Args:
            who: The controller's name.
            policy: The operator's choices; later ones are seen in the views of `tick`.
        """

    def fact(self, who: str, fact: Fact) -> None:
        """Note a fact at the moment when it is filed: no `observe` without it, and in the same order."""

    def tick(self, who: str, view: View, decision: Decision) -> int:
        """Note a decision before it is acted upon.

        Returns:
            The number of the tick, for `command`.
        """

    def broke(self, who: str, view: View, error: Exception) -> None:
        """Note that `decide` raised instead of deciding."""

    def command(self, who: str, command: Command, *, by: int) -> None:
        """Note a command right before it is sent. Its end is the fact `CommandEnded`, noted when it is filed.

        Args:
            who: The controller's name.
            command: What is sent.
            by: The number of the tick that decided it.
        """

    def end(self, who: str, why: str) -> None:
        """Note that a controller's process ended: a crash, or in order."""

    def ghost(self, what: Ghost, who: str, /, **data: Plain) -> None:
        """Note what only the simulator can know; see `Ghost` for the data of each kind."""


class _Nobody:
    """Implements `Recorder` by doing nothing."""

    def start(self, who: str, policy: Policy) -> None:
        pass

    def fact(self, who: str, fact: Fact) -> None:
        pass

    def tick(self, who: str, view: View, decision: Decision) -> int:
        del who, view, decision
        return 0

    def broke(self, who: str, view: View, error: Exception) -> None:
        pass

    def command(self, who: str, command: Command, *, by: int) -> None:
        pass

    def end(self, who: str, why: str) -> None:
        pass

    def ghost(self, what: Ghost, who: str, /, **data: Plain) -> None:
        pass


NO_RECORDER: Final[Recorder] = _Nobody()
"""Keeps nothing."""


class Sink(Protocol):
    """Where lines go."""

    @property
    def full(self) -> bool:
        """Whether a new part should begin: the recorder then puts another header, and what each controller knows."""

    def put(self, line: Line) -> bool:
        """Take a line at once, or refuse it (False): the recorder then says in the trace that it is missing."""


@frozen
class ListSink:
    """Keeps every line in memory: for the simulator, and for tests.

    Attributes:
        lines: In order.
    """

    lines: list[Line] = field(factory=list)

    @property
    def full(self) -> bool:
        """Never."""
        return False

    def put(self, line: Line) -> bool:
        """Keep it."""
        self.lines.append(line)
        return True


_ALWAYS_NEW: Final = (CommandEnded, GapSeen, NoopSeen, ProbeMissed, SentinelBroke)
"""Facts that say something new each time: one more refused connection, one more commit."""

_TIMES: Final = frozenset({"at_s", "asked_at_s"})

_says: Final[dict[type[Fact], Callable[[Fact], object]]] = {}
"""How to read what a kind of fact says apart from its times; filled as they are met."""


def what_it_says(fact: Fact) -> object:
    """Give what a fact says apart from when: two that say the same can be told apart only by their times."""
    kind = type(fact)
    getter = _says.get(kind)
    if getter is None:
        names = [attribute.name for attribute in fields(kind) if attribute.name not in _TIMES]
        getter = _says[kind] = attrgetter(*names)
    if isinstance(fact, RecordSeen):
        return (fact.token, fact.trouble, fact.detail)  # the token names the record: no need to compare all of it
    return getter(fact)


@define(eq=False)
class _Voice:
    """One controller, as far as the recorder must remember.

    Attributes:
        policy: The last one written.
        said: The last that each kind of fact said of each subject.
        news: The numbers of the new facts since the last tick.
        sent: Commands whose end has not come, with their numbers.
        lost: How many of its lines the sink refused since the last that it took; the controller is silent until a
            tick can say so.
        stale: A new part has begun, and does not know yet what this controller knows; silent until its next tick.
    """

    policy: Policy
    said: dict[tuple[type[Fact], object], object] = field(factory=dict)
    news: list[int] = field(factory=list)
    sent: list[tuple[Command, int]] = field(factory=list)
    lost: int = 0
    stale: bool = False


class LineRecorder:
    """Implements `Recorder` by making lines.

    Args:
        sink: Where they go; the header goes there at once.
        source: Who records.
        clock: What stamps the lines, seconds: the world's clock in the simulator, CLOCK_BOOTTIME elsewhere.
        wall: Wall clock, seconds since 1970; None in the simulator.
        seed: Of the simulation.
        scenario: What is played.
        rules: By which it is decided; the default is what ships.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        source: Source,
        clock: Callable[[], float],
        wall: Callable[[], float] | None = None,
        seed: int | None = None,
        scenario: str = "",
        rules: tuple[Rule, ...] = RULES,
    ) -> None:
        self._sink, self._source, self._clock, self._wall = sink, source, clock, wall
        self._seed, self._scenario, self._rules = seed, scenario, tuple(rule.id for rule in rules)
        self._seq, self._part = 0, 0
        self._voices: dict[str, _Voice] = {}
        self._header()

    def start(self, who: str, policy: Policy) -> None:
        """See `Recorder.start`."""
        self._voices[who] = _Voice(policy)
        self._put(who, StartLine(seq=self._next(), t=self._clock(), who=who, policy=policy))

    def fact(self, who: str, fact: Fact) -> None:
        """See `Recorder.fact`."""
        voice, seq = self._voices[who], self._next()
        of = self._ended(voice, fact) if isinstance(fact, CommandEnded) else None
        key, says = (type(fact), getattr(fact, "instance", None)), what_it_says(fact)
        if isinstance(fact, _ALWAYS_NEW) or key not in voice.said or voice.said[key] != says:
            voice.news.append(seq)
        voice.said[key] = says
        self._put(who, FactLine(seq=seq, t=self._clock(), who=who, fact=fact, of=of))

    def tick(self, who: str, view: View, decision: Decision) -> int:
        """See `Recorder.tick`."""
        return self._tick(who, view, decision, "")

    def broke(self, who: str, view: View, error: Exception) -> None:
        """See `Recorder.broke`."""
        self._tick(who, view, None, str(error) or type(error).__name__)

    def command(self, who: str, command: Command, *, by: int) -> None:
        """See `Recorder.command`."""
        seq = self._next()
        self._voices[who].sent.append((command, seq))
        self._put(who, CommandLine(seq=seq, t=self._clock(), who=who, by=by, command=command))

    def end(self, who: str, why: str) -> None:
        """See `Recorder.end`."""
        self._put(who, EndLine(seq=self._next(), t=self._clock(), who=who, why=why))

    def ghost(self, what: Ghost, who: str, /, **data: Plain) -> None:
        """See `Recorder.ghost`."""
        self._sink.put(GhostLine(t=self._clock(), who=who, what=what, data=tuple(sorted(data.items()))))

    def _next(self) -> int:
        self._seq += 1
        return self._seq

    def _header(self) -> None:
        self._part += 1
        header = HeaderLine(
            product=PRODUCT,
            python=platform.python_version(),
            source=self._source,
            rules=self._rules,
            digest=digest_of(self._rules),
            seed=self._seed,
            scenario=self._scenario,
            part=self._part,
            began_at=None if self._wall is None else self._wall(),
        )
        self._sink.put(header)
        for voice in self._voices.values():
            voice.stale = True

    def _ended(self, voice: _Voice, fact: CommandEnded) -> int | None:
        for index, (command, seq) in enumerate(voice.sent):
            if command == fact.command:
                del voice.sent[index]
                return seq
        return None

    def _tick(self, who: str, view: View, decision: Decision | None, error: str) -> int:
        voice, t = self._voices[who], self._clock()
        if self._sink.full:
            self._header()
        if voice.stale or voice.lost:
            self._resume(who, voice, view, t)
        elif view.policy != voice.policy:
            self._put(who, PolicyLine(seq=self._next(), t=t, who=who, policy=view.policy))
        voice.policy, news, voice.news = view.policy, tuple(voice.news), []
        seq = self._next()
        line = TickLine(
            seq=seq,
            t=t,
            who=who,
            now_s=view.now_s,
            wall_s=view.wall_s,
            decision=decision,
            causes=news,
            error=error,
        )
        self._put(who, line)
        return seq

    def _resume(self, who: str, voice: _Voice, view: View, t: float) -> None:
        """Begin anew with everything that is known at this tick: nothing before it is needed to replay what follows."""
        if voice.lost and not self._sink.put(LostLine(seq=self._next(), t=t, who=who, lines=voice.lost)):
            return
        voice.stale, voice.lost = False, 0
        self._put(who, MemoryLine(seq=self._next(), t=t, who=who, policy=view.policy, observed=view.observed))

    def _put(self, who: str, line: Line) -> None:
        """Hand a line on; once one was refused, those after it are useless until the next tick can begin anew."""
        voice = self._voices[who]
        if voice.stale:
            return
        if voice.lost or not self._sink.put(line):
            voice.lost += 1
