"""A scenario as a value: what a file says, what the fuzzer draws, what the shrinker makes smaller.

A file that sweeps a value (a list where one value is meant) is several of these, one for each combination.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from memgraph_ha.core import Policy
from memgraph_ha.core.holds import Hold

SCHEMA: Final = 1
"""Of the files; another one is refused."""

Value = str | int | float | bool
"""What an argument of a verb may be: a word, a number, yes or no. Times are seconds here and ``"1.5s"`` in a file."""


def _pairs(given: Mapping[str, Value] | tuple[tuple[str, Value], ...]) -> tuple[tuple[str, Value], ...]:
    return tuple(given.items()) if isinstance(given, Mapping) else given


@frozen(kw_only=True)
class When:
    """An instant. At most one of ``after``, ``once`` and ``step`` is given.

    Attributes:
        at_s: So long after the origin; None: counted from the fault before it, as soon as that one is done. The
            origin is when the cluster was first whole, or, for one that starts new, when its controllers start.
        after: An event that comes after the fault before it was done, e.g. ``promoted m1``.
        once: An expression; the first instant at which it is true after the fault before it was done.
        step: A command on its way, e.g. ``before promote m1``, ``after write-record``, ``before 3`` (the third).
        plus_s: So much later, seconds.
        within_s: The event, state or step must come within so long, seconds.
        anyway: If it does not, the fault is done then; otherwise the scenario has failed.
    """

    at_s: float | None = None
    after: str | None = None
    once: str | None = None
    step: str | None = None
    plus_s: float = 0.0
    within_s: float = 60.0
    anyway: bool = False


@frozen(kw_only=True)
class Fault:
    """Something that happens, or is done.

    Attributes:
        do: The verb, as `memgraph_ha.sim.scenario.verbs.VERBS` lists them.
        args: Its arguments, by name.
        when: At which instant.
        for_s: It is undone after so long, seconds; None: it stays until something else undoes it, or the end.
    """

    do: str
    args: tuple[tuple[str, Value], ...] = field(default=(), converter=_pairs)
    when: When = field(factory=When)
    for_s: float | None = None

    def get(self, name: str) -> Value | None:
        """An argument, None if it is not given."""
        return dict(self.args).get(name)


@frozen(kw_only=True)
class Client:
    """People who use the cluster, all alike.

    Attributes:
        kind: ``writer`` or ``reader``.
        count: How many.
        every_s: How long each rests after an answer, seconds.
    """

    kind: str = "writer"
    count: int = 3
    every_s: float = 0.15


PLATFORMS: Final = ("local", "kubernetes")
"""What starts and stops instances, by name: see `Setting.kubernetes`."""


@frozen(kw_only=True)
class Setting:
    """The cluster, as it is before anything goes wrong.

    Attributes:
        instances: How many, ``m0`` first; the first two are the pair unless the policy says otherwise.
        controllers: How many, ``C1`` first.
        whole: The origin is when it is whole; otherwise when the controllers start.
        lossy: Some commands land seconds late, some answers are lost.
        weight: How many vertices each simulated one stands for, where it matters how much is to be copied.
        kubernetes: Rows lead to addresses of pods, each of which ends with its pod, and whoever is stopped by order
            gets another pod; otherwise, as on one machine, an instance keeps its address.
    """

    instances: int = 3
    controllers: int = 2
    whole: bool = True
    lossy: bool = False
    weight: int = 1
    kubernetes: bool = False


class Kind(enum.Enum):
    """What an expectation says of its expression."""

    THAT = "that"
    ALWAYS = "always"
    NEVER = "never"


@frozen(kw_only=True)
class Expect:
    """Something that must be so; the promises S1-S14 and L1-L9 always must.

    Attributes:
        when: From which instant; None: from the last fault on for ``that``, from the origin on for the others.
        kind: With an expression: it is true within ``within_s``, or as long as it is looked at, or at no time then.
        expression: In the language of `memgraph_ha.sim.scenario.expressions`; None if something else is expected.
        within_s: ``that``: how long it may take; ``always`` and ``never``: how long it is looked at, seconds;
            None: at that very instant, or until everything is healed.
        says: A hold that the leader must say, from ``when`` on.
        commands: How often each command is sent from the origin to the end, e.g. ``promote`` to ``1`` or ``<= 2``.
        rule_fired: A rule that must decide.
    """

    when: When | None = None
    kind: Kind = Kind.THAT
    expression: str | None = None
    within_s: float | None = None
    says: Hold | None = None
    commands: tuple[tuple[str, str], ...] = ()
    rule_fired: str | None = None


@frozen(kw_only=True)
class Timing:
    """How fast things are, and how long the run may take.

    Attributes:
        then_s: How long after the last fault nothing is healed yet, seconds.
        heal_s: How long everything has to come back by itself before a person helps, seconds.
        converge_s: Within which everything must be whole then, seconds.
    """

    then_s: float = 2.0
    heal_s: float = 2.0
    converge_s: float = 90.0


@frozen(kw_only=True)
class Scenario:
    """One run: everything but the dice.

    Attributes:
        id: Of the file.
        run: Which run of it, e.g. ``plus=5s``; empty if the file sweeps nothing.
        title: One line.
        description: What it is about, and why.
        catalogue: Which entries of the catalogue it plays, e.g. ``B3``.
        tags: Words to choose by.
        rules: Ids of the rules it justifies: without each of them it fails.
        seed: Of the dice; used unless another one is asked for.
        setting: The cluster.
        policy: The operator's choices.
        timing: How long things take.
        clients: Who uses it.
        before: Done in this order before there are controllers.
        faults: What happens.
        expects: What must come of it.
        operator: At the end a person does what the leader's hold asks for.
        stuck: It ends waiting under this name, for the reason in ``description``; None: it ends whole.
    """

    id: str
    run: str = ""
    title: str = ""
    description: str = ""
    catalogue: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    seed: int = 1
    setting: Setting = field(factory=Setting)
    policy: Policy = field(factory=Policy)
    timing: Timing = field(factory=Timing)
    clients: tuple[Client, ...] = (Client(),)
    before: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()
    expects: tuple[Expect, ...] = ()
    operator: bool = False
    stuck: Hold | None = None

    @property
    def name(self) -> str:
        """Id and run, as people type it."""
        return f"{self.id}/{self.run}" if self.run else self.id


@frozen(kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        seed: Of its dice.
        fired: Ids of the rules that decided at least once, sorted.
        holds: What the controllers waited for, by name, sorted.
        acked: How many writes were acknowledged.
        seconds: How long it lasted, virtual seconds.
        pause_s: The longest time in which nothing was acknowledged, from the origin until everything was healed.
        reigns: How many began.
        unneeded: Those of them whose MAIN before could have acknowledged a write.
        sent: How often each command was sent from the origin on.
        trace: What happened, one line per event.
    """

    seed: int
    fired: tuple[str, ...]
    holds: tuple[str, ...]
    acked: int
    seconds: float
    pause_s: float
    reigns: int
    unneeded: int
    sent: tuple[tuple[str, int], ...]
    trace: tuple[str, ...]
