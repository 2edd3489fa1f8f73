"""A readable builder of views: a scene is what has been seen, a change turns it into another.

`HEALTHY` is the base: record open in generation 4, MAIN m0, standby m1 named, m2 ASYNC. Every scene goes through
`observe`, so that the views are ones that facts can lead to. Changes stand in `changes.py`.
"""

from collections.abc import Callable
from functools import reduce
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.core.candidate import Candidate, Rejection, choose
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.decide import decide, explain
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import (
    CommandEnded,
    Fact,
    GapSeen,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    NoopSeen,
    Outcome,
    QuietSeen,
    RecordSeen,
    RecordTrouble,
    RequestEnded,
    RequestSeen,
)
from memgraph_ha.core.names import InstanceName, RowName, RunId, Token
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.record import Change, ChangeKind, Record, Standby
from memgraph_ha.core.requests import Request
from memgraph_ha.core.topology import Mode, Role, Row, RowStatus
from memgraph_ha.core.view import View
from tests.core.places import (
    CLUSTER,
    DATA,
    M0,
    M1,
    M2,
    NOW,
    TOKEN,
    WALL,
    Place,
    incarnation_of,
    replication_of,
    run_of,
)

__all__ = [
    "CLUSTER",
    "DATA",
    "DEFAULTS",
    "HEALTHY",
    "M0",
    "M1",
    "M2",
    "NOW",
    "STANDBY",
    "TOKEN",
    "WALL",
    "Place",
    "Scene",
    "SceneChange",
    "answer",
    "assert_stopped",
    "async_row",
    "chosen",
    "decided",
    "incarnation_of",
    "noop",
    "permit_for",
    "replication_of",
    "rewritten",
    "run_of",
    "strict_row",
]

DEFAULTS: Final = Policy()


@frozen(kw_only=True)
class Scene:
    """Everything that one decision is made from, in the words of the tests.

    Attributes:
        record_since_s: When the record was first read as it is; ``record_before`` was read a second earlier.
        gate: What our gateway allows; ``gate_s`` since when.
        quiet_s: Since when it has let no new transaction pass; ``quiet_until_s`` when it ended that.
        settled: Whether all clients had their answers right then.
        quiets: When MAIN was found without transactions, oldest first.
        gates: Whether a gateway has reported at all.
        noops: No-op commits, oldest first.
        ended: Commands that ended, oldest first.
        requests: What was asked for, oldest first; nobody waits any more for ``answered`` ones.
    """

    places: tuple[Place, ...]
    record: Record | None
    record_since_s: float = NOW - 600
    record_before: Record | None = None
    token: Token | None = TOKEN
    trouble: RecordTrouble | None = None
    marked: InstanceName | None = None
    record_was_read: bool = True
    members_known: bool = True
    cluster: str = CLUSTER
    lease: LeaseSeen | None
    gates: bool = True
    gate: Permit | None = None
    gate_s: float = NOW - 500
    quiet_s: float | None = None
    quiet_until_s: float | None = None
    settled: bool = True
    quiets: tuple[QuietSeen, ...] = ()
    noops: tuple[NoopSeen, ...] = ()
    ended: tuple[CommandEnded, ...] = ()
    requests: tuple[Request, ...] = ()
    answered: frozenset[str] = frozenset()
    gap_at_s: float | None = None
    policy: Policy = DEFAULTS
    now_s: float = NOW
    wall_s: float = WALL

    def but(self, *changes: "SceneChange") -> "Scene":
        """The same with changes, one after the other."""
        return reduce(lambda scene, change: change(scene), changes, self)

    def place(self, name: InstanceName) -> Place:
        """What has been seen of that instance."""
        return next(place for place in self.places if place.name == name)

    @property
    def recorded(self) -> Record:
        """The record, in a scene that has one."""
        assert self.record is not None
        return self.record

    def facts(self) -> list[Fact]:
        """Every fact, in the order in which it was learnt where that matters."""
        found: list[Fact] = []
        if self.gap_at_s is not None:
            found.append(GapSeen(at_s=self.gap_at_s, gap_s=3.0))
        if self.members_known:
            members = tuple(place.member for place in self.places)
            found.append(MembersSeen(at_s=0.0, cluster=self.cluster, members=members))
        if self.lease is not None:
            found.append(self.lease)
        if self.record_was_read:
            found += self._readings()
        found += [RequestSeen(at_s=request.asked_s, request=request) for request in self.requests]
        found += [RequestEnded(at_s=NOW, request_id=name) for name in sorted(self.answered)]
        for place in self.places:
            found += place.facts()
        found += self.noops
        found += self.ended
        return found + self._gates()

    def _readings(self) -> list[Fact]:
        readings = [(self.record_since_s, self.record), (NOW, self.record)]
        if self.record_before is not None:
            readings.insert(0, (self.record_since_s - 1, self.record_before))
        return [
            RecordSeen(
                at_s=at_s,
                record=record,
                token=self.token,
                trouble=self.trouble,
                detail="the detail",
                marked=self.marked,
            )
            for at_s, record in readings
        ]

    def _gates(self) -> list[Fact]:
        if not self.gates:
            return list(self.quiets)
        times = [(self.gate_s, False), (self.quiet_s, True), (self.quiet_until_s, False)]
        reports = [
            GateSeen(at_s=at_s, permit=self.gate, quiet=on, settled=on and self.settled)
            for at_s, on in times
            if at_s is not None
        ]
        return [*reports, *self.quiets]

    @property
    def observed(self) -> Observed:
        """The facts, filed."""
        return reduce(observe, self.facts(), Observed())

    @property
    def view(self) -> View:
        """What `decide` is given."""
        return View(observed=self.observed, policy=self.policy, now_s=self.now_s, wall_s=self.wall_s)


SceneChange = Callable[[Scene], Scene]
"""Turns a scene into another; its name says what happened."""


def strict_row(name: str = "m1_7", to: InstanceName = M1, status: RowStatus = RowStatus.READY, ts: int = 40) -> Row:
    """A STRICT_SYNC row."""
    return _row(name, to, Mode.STRICT_SYNC, status, ts)


def async_row(name: str = "m2", to: InstanceName = M2, status: RowStatus = RowStatus.READY) -> Row:
    """An ASYNC row."""
    return _row(name, to, Mode.ASYNC, status, 40)


def _row(name: str, to: InstanceName, mode: Mode, status: RowStatus, ts: int) -> Row:
    half = status is RowStatus.HALF
    return Row(
        name=RowName(name),
        address=replication_of(to),
        mode=mode,
        status=status,
        ts=None if half else ts,
        behind=None if half else 0,
    )


def noop(
    main: InstanceName = M0,
    witness: Standby | None = None,
    *,
    generation: int = 4,
    asked_s: float = NOW - 0.5,
    outcome: Outcome = Outcome.DONE,
    row_ts: int | None = 40,
    run: RunId | None = None,
    detail: str = "",
) -> NoopSeen:
    """One no-op commit."""
    return NoopSeen(
        at_s=asked_s + 0.01,
        asked_at_s=asked_s,
        instance=main,
        run=run or run_of(main),
        generation=generation,
        outcome=outcome,
        witness=witness,
        row_ts=row_ts if witness is not None else None,
        detail=detail,
    )


STANDBY: Final = Standby(instance=M1, run=run_of(M1), row=RowName("m1_7"))
"""The named standby of the base scene."""


def _place(name: InstanceName) -> Place:
    return Place(name=name, incarnation=incarnation_of(name), run=run_of(name))


def permit_for(scene: Scene) -> Permit:
    """The permit that the scene's record and lease allow to its MAIN's present life."""
    main = scene.place(scene.recorded.main)
    assert main.run is not None
    assert main.incarnation is not None
    assert scene.lease is not None
    return Permit(
        instance=main.name,
        address=main.member.bolt,
        run=main.run,
        incarnation=main.incarnation,
        generation=scene.recorded.generation,
        valid_until_s=scene.lease.until_s - 1.0,
    )


def _healthy() -> Scene:
    began = Change(
        generation=4,
        main=M0,
        previous=M1,
        kind=ChangeKind.SWITCHOVER,
        standby=M1,
        rule="L30",
        reason="long ago",
        at=WALL - 100_000,
    )
    record = Record(
        cluster=CLUSTER,
        generation=4,
        main=M0,
        main_run=run_of(M0),
        opened=True,
        standby=STANDBY,
        fallback=None,
        unprotected=False,
        row_seq=7,
        rebuild=frozenset(),
        database_uuid=DATA,
        level=((M0, 4), (M1, 4), (M2, 4)),
        history=(began,),
    )
    rows = (strict_row(), async_row())
    scene = Scene(
        places=(evolve(_place(M0), role=Role.MAIN, rows=rows), _place(M1), _place(M2)),
        record=record,
        lease=LeaseSeen(at_s=NOW - 0.5, leading=True, until_s=NOW + 9, since_s=NOW - 500, floor_generation=4),
        noops=(noop(witness=STANDBY),),
    )
    return evolve(scene, gate=permit_for(scene))


HEALTHY: Final = _healthy()


def answer(scene: Scene, rule: str) -> Decision | Unmet:
    """What one rule says of a scene."""
    return next(line.answer for line in explain(scene.view) if line.rule == rule)


def decided(scene: Scene, rule: str) -> Decision:
    """The decision of a scene, which must be that rule's."""
    decision = decide(scene.view)
    assert decision.rule == rule, f"{decision.rule} decided ({decision.reason}), not {rule}: {answer(scene, rule)}"
    return decision


def assert_stopped(scene: Scene, rule: str, guard: str, evidence: str = "") -> None:
    """Check that the rule did not fire, and that `explain` names its guard and what it saw."""
    found = answer(scene, rule)
    assert isinstance(found, Unmet), f"{rule} fired: {found.reason}"
    assert found.guard == guard
    assert evidence in str(found.evidence)
    assert decide(scene.view).rule != rule


def chosen(scene: Scene) -> Candidate | tuple[Rejection, ...]:
    """Who begins the next reign in that scene."""
    return choose(scene.view)


def rewritten(scene: Scene, rule: str) -> Record:
    """The record that this rule writes over the one of the scene, as its only command."""
    (command,) = decided(scene, rule).commands
    assert isinstance(command, WriteRecord)
    assert command.expected == scene.token
    return command.record
