"""A controller's mind: the production `observe` and `decide`, asked once for each distinct thing that it can know.

Nothing of a rule is repeated here. What a controller knows, the record and the commands are values of the core, told
by number, so that a state of the world is small and a question that was asked before costs a look into a table.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

from attrs import evolve

from memgraph_ha.core.commands import Command
from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.errors import InvariantViolation
from memgraph_ha.core.facts import (
    Fact,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    PortSeen,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
    RowsSeen,
    ServerSeen,
    StorageSeen,
)
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.record import Record
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.topology import Mode, Role, RowStatus, StorageMode
from memgraph_ha.core.topology import Row as SeenRow
from memgraph_ha.core.view import View
from memgraph_ha.sim.search.clock import PAUSES, STEP_S, TRYING_S, settle
from memgraph_ha.sim.search.renaming import Shift, rename
from memgraph_ha.sim.search.state import BLIND, HALF, Gate, Row, ViolationError
from memgraph_ha.sim.search.words import (
    CLUSTER,
    CURRENT,
    DATA,
    EVERYBODY,
    GENERATION,
    INDEX,
    LONG_AGO,
    MEMBERS,
    NAMES,
    NOW,
    WALL,
    address_of,
    own_data,
    row_name,
    run_of,
)

_Value = TypeVar("_Value")

REFUSED, SILENT, ANSWERS = 0, 1, 2
"""How a probe of an instance ends: no process, cut off, answered."""


class Numbers(Generic[_Value]):
    """Values by number, each once."""

    def __init__(self) -> None:
        self.values: list[_Value] = []
        self._known: dict[_Value, int] = {}

    def of(self, value: _Value) -> int:
        """Its number; a new value gets the next."""
        number = self._known.get(value)
        if number is None:
            number = self._known[value] = len(self.values)
            self.values.append(value)
        return number


class Sight(NamedTuple):
    """What a probe of one instance tells: how it ended, and if it was answered, what was said."""

    how: int
    main: bool = False
    own: bool = False
    rows: tuple[Row, ...] = ()


class Scene(NamedTuple):
    """Everything that a look tells one controller."""

    mode: int
    floor: int
    record: int
    sights: tuple[Sight, Sight, Sight]
    settled: bool


class Thought(NamedTuple):
    """What a look led to.

    Attributes:
        mind: What it knows then.
        rule: The number of the rule that decided.
        commands: What it asks for, by number.
        gate: The gateway that it wants; None: shut.
        hold: What it waits for, if it says so.
    """

    mind: int
    rule: int
    commands: tuple[int, ...]
    gate: Gate | None
    hold: Hold | None


Watch = Callable[[View, Decision], None]
"""Told of each view that was decided on for the first time."""


class Mind:
    """The production core, with a memory of what it was asked.

    Args:
        policy: The operator's choices.
        rules: In order.
        watch: See `Watch`.
    """

    def __init__(self, policy: Policy, rules: tuple[Rule, ...] = RULES, watch: Watch | None = None) -> None:
        self.policy, self.rules = policy, rules
        self.minds: Numbers[Observed] = Numbers()
        self.records: Numbers[Record] = Numbers()
        self.commands: Numbers[Command] = Numbers()
        self.place: Final = {rule.id: number for number, rule in enumerate(rules)}
        self._watch = watch
        self._looks: dict[tuple[int, Scene], Thought] = {}
        self._waits: dict[tuple[int, Scene], tuple[tuple[float, Thought], ...]] = {}
        self._told: dict[tuple[int, tuple[Fact, ...]], int] = {}
        self._shifted: dict[tuple[str, int, Shift], int] = {}
        self.empty = self.minds.of(Observed())

    # --- looking ---

    def look(self, mind: int, scene: Scene) -> Thought:
        """Ask everybody, and decide.

        Raises:
            ViolationError: The core itself found that its decision breaks a promise.
        """
        key = (mind, scene)
        found = self._looks.get(key)
        if found is None:
            found = self._looks[key] = self._think(mind, scene, NOW + STEP_S)
        return found

    def wait(self, mind: int, scene: Scene) -> tuple[tuple[float, Thought], ...]:
        """Let time pass, with nothing else happening, up to where it would decide otherwise.

        What is tried again and again would keep every longer pause from ever being over; so time may also pass up to
        the end of the longest at once, the tries having come to nothing meanwhile.

        Returns:
            After how many seconds, and the decision; empty if it never would decide otherwise.
        """
        key = (mind, scene)
        if key not in self._waits:
            base = self.look(mind, scene)
            found: tuple[tuple[float, Thought], ...] = ()
            for pause_s in PAUSES:
                observed, decision = self._decide(mind, scene, NOW + pause_s)
                if self._conclude(decision) != base[1:4]:
                    thought = self._thought(observed, decision, scene, NOW + pause_s)
                    longer_s = self._again(mind, thought)
                    more = () if longer_s <= pause_s else ((longer_s, self._think(mind, scene, NOW + longer_s)),)
                    found = ((pause_s, thought), *more)
                    break
            self._waits[key] = found
        return self._waits[key]

    def _again(self, mind: int, thought: Thought) -> float:
        """For how long it might do the same again and again: prove its standby, or try once more what failed."""
        if self.rules[thought.rule].id == "P10":
            return PAUSES[-1]
        kind = type(self.commands.values[thought.commands[0]]) if thought.commands else None
        failed = any(tried.kind is kind and tried.failures for tried in self.minds.values[mind].attempts)
        return TRYING_S if failed else 0.0

    def _think(self, mind: int, scene: Scene, now_s: float) -> Thought:
        observed, decision = self._decide(mind, scene, now_s)
        return self._thought(observed, decision, scene, now_s)

    def _thought(self, observed: Observed, decision: Decision, scene: Scene, now_s: float) -> Thought:
        """What a decision at that time comes to, and what is known after it."""
        observed = observe(observed, _gate_seen(decision, scene, now_s))
        rule, commands, gate = self._conclude(decision)
        known = self.minds.of(settle(observed, now_s, blind=scene.mode == BLIND))
        return Thought(mind=known, rule=rule, commands=commands, gate=gate, hold=decision.hold)

    def _decide(self, mind: int, scene: Scene, now_s: float) -> tuple[Observed, Decision]:
        observed = self.minds.values[mind]
        for fact in self._facts(observed, scene, now_s):
            observed = observe(observed, fact)
        view = View(observed=observed, policy=self.policy, now_s=now_s, wall_s=WALL)
        try:
            decision = decide(view, self.rules)
        except InvariantViolation as broken:
            raise ViolationError("INVARIANT", str(broken)) from broken
        if self._watch is not None:
            self._watch(view, decision)
        return observed, decision

    def _conclude(self, decision: Decision) -> tuple[int, tuple[int, ...], Gate | None]:
        """What follows from a decision: its rule, its commands, and the gateway that it wants."""
        permit = decision.route.permit
        return (
            self.place[decision.rule],
            tuple(self.commands.of(_plain(command)) for command in decision.commands),
            None if permit is None else _gate(permit, quiet=decision.route.quiet),
        )

    def _facts(self, observed: Observed, scene: Scene, now_s: float) -> list[Fact]:
        lease = observed.lease
        until_s = now_s + (2.0 if scene.mode == BLIND else self.policy.lease_duration_s)
        facts: list[Fact] = [MembersSeen(at_s=now_s, cluster=CLUSTER, members=MEMBERS)]
        if lease is not None:
            facts.append(evolve(lease, at_s=now_s, until_s=until_s, floor_generation=scene.floor))
        if scene.mode != BLIND:
            facts.append(RecordSeen(at_s=now_s, record=self.records.values[scene.record], token=CURRENT))
        for instance in EVERYBODY:
            seen = observed.of(NAMES[instance])
            first_s = seen.timeouts_first_s if seen is not None and seen.timeouts else now_s
            facts.extend(_probed(instance, scene.sights[instance], now_s, first_s, self.policy))
        return facts

    # --- being told ---

    def lead(self, *, clean: bool, floor: int) -> int:
        """What a controller knows that has just taken the lease."""
        lease = LeaseSeen(
            at_s=NOW,
            leading=True,
            since_s=NOW,
            until_s=NOW + self.policy.lease_duration_s,
            clean=clean,
            floor_generation=floor,
        )
        return self.minds.of(settle(observe(Observed(), lease), NOW))

    def tell(self, mind: int, facts: tuple[Fact, ...]) -> int:
        """File facts that came with the end of a command, all of them at ``NOW + STEP_S``."""
        key = (mind, facts)
        found = self._told.get(key)
        if found is None:
            observed = self.minds.values[mind]
            for fact in facts:
                observed = observe(observed, fact)
            blind = self.minds.values[mind].record is not None
            found = self._told[key] = self.minds.of(settle(observed, NOW + STEP_S, blind=blind))
        return found

    def blinded(self, mind: int, record: int) -> int:
        """What a controller knows that loses sight of the record: it goes by the last that it read."""
        seen = RecordSeen(at_s=NOW, record=self.records.values[record], token=CURRENT)
        return self.minds.of(settle(observe(self.minds.values[mind], seen), NOW, blind=True))

    # --- renaming ---

    def shifted_mind(self, mind: int, shift: Shift) -> int:
        """What a controller knows, in the words of after that shift."""
        key = ("mind", mind, shift)
        if key not in self._shifted:
            renamed = rename(self.minds.values[mind], shift)
            self._shifted[key] = self.minds.of(settle(renamed, NOW, blind=renamed.record is not None))
        return self._shifted[key]

    def shifted_command(self, command: int, shift: Shift) -> int:
        """A command on the wire, likewise."""
        key = ("command", command, shift)
        if key not in self._shifted:
            self._shifted[key] = self.commands.of(rename(self.commands.values[command], shift))
        return self._shifted[key]

    def shifted_record(self, record: int, shift: Shift) -> int:
        """A record, likewise; its own generation and ``row_seq`` only if it is not the record that moved."""
        key = ("record", record, shift)
        if key not in self._shifted:
            self._shifted[key] = self.records.of(tidy_record(rename(self.records.values[record], shift)))
        return self._shifted[key]


def _plain(command: Command) -> Command:
    """Without the words that only people read."""
    made: Command = rename(command, Shift())
    return made


def _gate(permit: Permit, *, quiet: bool) -> Gate:
    ago = int(permit.run.partition("~")[2])
    return Gate(to=INDEX[permit.instance], ago=ago, reign=permit.generation - GENERATION, quiet=quiet)


def _gate_seen(decision: Decision, scene: Scene, now_s: float) -> GateSeen:
    """What the gateway says once the route is applied, right after the decision."""
    route = decision.route
    return GateSeen(at_s=now_s + 0.001, permit=route.permit, quiet=route.quiet, settled=route.quiet and scene.settled)


@lru_cache(maxsize=4096)
def _probed(instance: int, sight: Sight, now_s: float, first_s: float, policy: Policy) -> tuple[Fact, ...]:
    """The facts of a round of probes. A verdict of loss takes as many as the policy wants: they are told at once."""
    name = NAMES[instance]
    if sight.how == REFUSED:
        gap_s = policy.refused_gap_s * 1.05  # not to be one rounding short of it
        asked = [now_s - gap_s * (policy.refused_count - 1 - count) for count in range(policy.refused_count)]
        return tuple(ProbeMissed(at_s=at_s, asked_at_s=at_s, instance=name, miss=Miss.REFUSED) for at_s in asked)
    if sight.how == SILENT:
        return _silence(instance, now_s, first_s, policy)
    run = run_of(instance)
    role = Role.MAIN if sight.main else Role.REPLICA
    facts: list[Fact] = [
        RoleSeen(at_s=now_s, asked_at_s=now_s, instance=name, run=run, role=role),
        StorageSeen(
            at_s=now_s,
            asked_at_s=now_s,
            instance=name,
            run=run,
            uuid=own_data(instance) if sight.own else DATA,
            empty=sight.own,
            mode=StorageMode.TRANSACTIONAL,
        ),
        ServerSeen(at_s=now_s, instance=name, run=run, version="3.6.1", wal=True, flush_every=1, init_file="/init"),
    ]
    if sight.main:
        rows = seen_rows(sight.rows)
        facts.append(RowsSeen(at_s=now_s, asked_at_s=now_s, instance=name, run=run, rows=rows))
    else:
        facts.append(PortSeen(at_s=now_s, asked_at_s=now_s, instance=name, open=True))
    return tuple(facts)


def _silence(instance: int, now_s: float, first_s: float, policy: Policy) -> tuple[Fact, ...]:
    """As many time-outs as make the verdict, the first of them when the silence began."""
    begun_s = min(first_s, now_s - (policy.frozen_count - 1) * 0.001)
    step_s = (now_s - begun_s) / (policy.frozen_count - 1)
    asked = [begun_s + step_s * count for count in range(policy.frozen_count)]
    return tuple(
        ProbeMissed(at_s=at_s, asked_at_s=at_s, instance=NAMES[instance], miss=Miss.TIMED_OUT) for at_s in asked
    )


@lru_cache(maxsize=4096)
def _seen_row(row: Row) -> SeenRow:
    whole = row.status != HALF
    return SeenRow(
        name=row_name(row.to, strict=row.strict, number=row.number),
        address=address_of(row.to),
        mode=Mode.STRICT_SYNC if row.strict else Mode.ASYNC,
        status=RowStatus.HALF if not whole else RowStatus(row.status),
        ts=int(row.moved) if whole else None,
        behind=0 if whole else None,
    )


def seen_rows(rows: tuple[Row, ...]) -> tuple[SeenRow, ...]:
    """What SHOW REPLICAS says of them."""
    return tuple(_seen_row(row) for row in rows)


def tidy_record(record: Record) -> Record:
    """Without what only people read, and without the history that nobody's level depends on."""
    oldest = min([level for _name, level in record.level] or [record.generation])
    kept = [change for change in record.history if change.generation > oldest] or list(record.history[-1:])
    history = tuple(evolve(change, standby=None, rule="", reason="", by="", at=LONG_AGO) for change in kept)
    return evolve(record, history=history)
