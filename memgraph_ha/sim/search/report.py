"""What one search found, for people and as JSON."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from typing import Any

from attrs import frozen

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.search.coverage import Coverage
from memgraph_ha.sim.search.explore import Graph, Progress, Search
from memgraph_ha.sim.search.liveness import Liveness, judge
from memgraph_ha.sim.search.moves import Move
from memgraph_ha.sim.search.pace import Pace
from memgraph_ha.sim.search.plants import rules_for
from memgraph_ha.sim.search.policies import POLICIES
from memgraph_ha.sim.search.scenario import SmallScenario, dump_small
from memgraph_ha.sim.search.story import tell
from memgraph_ha.sim.search.verbs import FAULTS, names_of


@frozen(kw_only=True)
class Options:
    """What is searched.

    Attributes:
        faults: How many may happen.
        kinds: Which.
        pace: How fast controllers are beside everything else.
        taken_out: Ids of rules that are left out.
        plant: Which wrong rules, if any.
        limit: After how many states to stop; None: never.
        pairs: Whether to look for neighbours that match together.
    """

    faults: int
    kinds: frozenset[str] = frozenset(FAULTS)
    pace: Pace = Pace.PROMPT
    taken_out: tuple[str, ...] = ()
    plant: str | None = None
    limit: int | None = None
    pairs: bool = False


@frozen(kw_only=True)
class Report:
    """What was found under one policy.

    Attributes:
        policy: Its name.
        options: What was searched.
        graph: All states.
        liveness: None if a promise was broken, or not everything was seen.
        coverage: Which rules decided.
        way: The shortest counterexample; empty if there is none.
        story: The same, told.
        scenario: The same, as a file.
        exit: How `memgraph-ha sim check` ends.
        memory_mib: The most memory that the process ever had.
    """

    policy: str
    options: Options
    graph: Graph
    liveness: Liveness | None
    coverage: Coverage
    way: tuple[Move, ...]
    story: tuple[str, ...]
    scenario: str | None
    exit: Exit
    memory_mib: int

    @property
    def exhausted(self) -> bool:
        """Whether every state was seen."""
        return self.liveness is not None

    def lines(self) -> Iterator[str]:
        """Tell it to a person."""
        graph, rate = self.graph, len(self.graph.states) / max(self.graph.cpu_seconds, 0.001)
        took = f"{graph.seconds:.1f} s, {graph.cpu_seconds:.1f} s of them computing ({rate:,.0f} states/s)"
        yield (
            f"{self.policy}, {self.options.faults} faults: {len(graph.states):,} states, {graph.edges:,} edges, "
            f"{graph.depth} steps deep, {took}, {self.memory_mib} MiB"
        )
        if graph.broken is not None:
            yield f"BROKEN {graph.broken.check}: {graph.broken.text}"
        elif self.liveness is None:
            yield "not exhausted: nothing is proven"
        else:
            yield from self._living(self.liveness)
        yield from self.story
        yield f"rules that decided: {len(self.coverage.fired)} of {len(self.coverage.rules)}"
        for rule, why in self.coverage.silent():
            yield f"  never {rule}: {why}"
        for first, second in sorted(self.coverage.together):
            yield f"  together: {first} before {second}"

    def _living(self, liveness: Liveness) -> Iterator[str]:
        total = len(self.graph.states)
        yield f"all is well in {liveness.goals:,}; {liveness.back:,} of {total:,} can come back by themselves"
        for stuck in liveness.classes:
            nearest = f"{stuck.states:,} states, the nearest after {len(stuck.example)} steps"
            yield f"  waits for a human: {stuck.hold.word}, {nearest}"
        if liveness.lost is not None:
            yield "STUCK without a documented name:"

    def document(self) -> dict[str, Any]:
        """Tell it to a program."""
        graph, liveness = self.graph, self.liveness
        return {
            "policy": self.policy,
            "faults": self.options.faults,
            "pace": self.options.pace.value,
            "states": len(graph.states),
            "edges": graph.edges,
            "depth": graph.depth,
            "seconds": round(graph.seconds, 3),
            "cpu_seconds": round(graph.cpu_seconds, 3),
            "memory_mib": self.memory_mib,
            "exhausted": self.exhausted,
            "exit": int(self.exit),
            "broken": None if graph.broken is None else {"check": graph.broken.check, "text": graph.broken.text},
            "steps": [{"do": move.verb, "who": list(names_of(move))} for move in self.way],
            "liveness": None
            if liveness is None
            else {
                "well": liveness.goals,
                "come_back": liveness.back,
                "wait": {stuck.hold.word: stuck.states for stuck in liveness.classes},
            },
            "fired": sorted(self.coverage.fired),
            "never": dict(self.coverage.silent()),
            "together": [list(pair) for pair in sorted(self.coverage.together)],
        }


def check_policy(name: str, options: Options, progress: Progress | None = None) -> Report:
    """Search under one policy.

    Args:
        name: One of `POLICIES`.
        options: What is searched.
        progress: Told how far it is.

    Raises:
        ValueError: A rule or plant does not exist.
    """
    rules = rules_for(options.plant, options.taken_out)
    coverage = Coverage(rules=rules, look_at_pairs=options.pairs)
    without = frozenset(FAULTS) - options.kinds
    search = Search(
        POLICIES[name], options.faults, rules=rules, without=without, pace=options.pace, watch=coverage.note
    )
    graph = search.run(options.limit, progress)
    stopped = options.limit is not None and len(graph.states) >= options.limit
    liveness = None if graph.broken is not None or stopped else judge(search, graph)
    way: tuple[Move, ...] = ()
    found, code = "", Exit.OK
    if graph.broken is not None:
        way, found, code = graph.broken.moves, graph.broken.check, Exit.SAFETY
    elif liveness is not None and liveness.lost is not None:
        way, found, code = search.unfolded(liveness.lost), "L4", Exit.LIVENESS
    scenario = None
    if way:
        title = f"{found}: {graph.broken.text}" if graph.broken is not None else "a state from which nothing leads back"
        scenario = dump_small(
            SmallScenario(
                id=f"small-{found.lower()}-{name}",
                title=title,
                policy=POLICIES[name],
                plant=options.plant,
                without=options.taken_out,
                pace=options.pace,
                steps=way,
                found=found,
            )
        )
    return Report(
        policy=name,
        options=options,
        graph=graph,
        liveness=liveness,
        coverage=coverage,
        way=way,
        story=tuple(tell(search, way)) if way else (),
        scenario=scenario,
        exit=code,
        memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )
