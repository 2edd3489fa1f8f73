"""Adapters in memory that keep their contracts, or make one mistake."""

from collections.abc import Iterable

import trio
from attrs import define, evolve, field

from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.commands import InstanceCommand, Promote, RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.core.facts import (
    CommandEnded,
    LeaseSeen,
    MembersSeen,
    Miss,
    Outcome,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
)
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId, Token
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Member, Role

TERM_S = 4.0
RENEW_S = 0.5
LOOK_S = 0.1

NOT_LEADING = LeaseSeen(at_s=0.0, leading=False)


@define
class Shelf:
    """What all clients of a store share."""

    record: Record | None = None
    version: int = 0
    cached: dict[int, RecordSeen] = field(factory=dict)


@define
class MemoryStore:
    """A record store; ``mistake`` says which clause it breaks."""

    shelf: Shelf
    mistake: str = ""
    number: int = 0

    async def read(self) -> RecordSeen:
        """Read."""
        await trio.lowlevel.checkpoint()
        seen = self._look()
        if self.mistake == "cached":
            return self.shelf.cached.setdefault(id(self), seen)
        return seen

    async def write(self, command: WriteRecord, report: Report) -> CommandEnded:
        """Write if nobody else did."""
        matches = command.expected == self._look().token or self.mistake == "overwrites"
        matches = matches or (self.mistake == "creates over" and command.expected is None)
        if self.mistake == "looks first":
            await trio.lowlevel.checkpoint()
        if matches:
            levels = () if self.mistake == "forgets levels" else command.record.level
            self.shelf.record = evolve(command.record, level=levels)
            self.shelf.version += 1
        if self.mistake != "says nothing":
            report(self._look())
        outcome = Outcome.DONE if matches or self.mistake == "always done" else Outcome.REFUSED
        return CommandEnded(at_s=trio.current_time(), command=command, outcome=outcome)

    def _look(self) -> RecordSeen:
        shelf, now_s = self.shelf, trio.current_time()
        if shelf.record is None:
            return RecordSeen(at_s=now_s, record=None, token=None)
        same = self.mistake == "version of the text"
        token = Token(str(shelf.record.generation if same else shelf.version))
        return RecordSeen(at_s=now_s, record=shelf.record, token=token)


@define
class Board:
    """What all candidates for a lease share."""

    holder: str | None = None
    renewals: int = 0
    floor: int = 0
    free: bool = True


@define
class MemoryLease:
    """A lease; ``mistake`` says which clause it breaks."""

    board: Board
    name: str
    mistake: str = ""
    told: Report = field(default=lambda _fact: None)
    mine: LeaseSeen = NOT_LEADING
    rest_until_s: float = 0.0
    seen: tuple[tuple[str | None, int], float] = ((None, -1), 0.0)

    @property
    def leader(self) -> str | None:
        """Who holds it."""
        return None if self.mistake == "cannot name" else self.board.holder

    def raise_floor(self, generation: int) -> None:
        """Carry a generation."""
        if self.mistake == "floor falls":
            self.board.floor = generation
        elif self.mistake != "no floor":
            self.board.floor = max(self.board.floor, generation)

    async def release(self) -> None:
        """Give it back."""
        await trio.lowlevel.checkpoint()
        self.rest_until_s = trio.current_time() + 2 * TERM_S
        self.mine = evolve(self.mine, leading=False)
        if self.mistake != "keeps it":
            self.board.holder, self.board.free = None, True
        if self.mistake != "released in silence":
            self.told(self.mine)

    async def campaign(self, report: Report) -> None:
        """Campaign for ever."""
        self.told = report
        report(self.mine)
        while True:
            self._round()
            await trio.sleep(RENEW_S if self.mine.leading else LOOK_S)

    def _round(self) -> None:
        now_s, board = trio.current_time(), self.board
        until_s = now_s + TERM_S * (2 if self.mistake == "too long" else 1)
        if self.mine.leading:
            if self.mistake == "never renews":
                return
            board.renewals += 1
            since_s = now_s if self.mistake == "new terms" else self.mine.since_s
            self.mine = evolve(self.mine, at_s=now_s, until_s=until_s, since_s=since_s, floor_generation=board.floor)
            self.told(self.mine)
            return
        if (board.holder, board.renewals) != self.seen[0]:
            self.seen = ((board.holder, board.renewals), now_s)
        patience_s = 1.0 if self.mistake == "impatient" else TERM_S
        over = board.free or now_s - self.seen[1] >= patience_s or self.mistake == "everybody leads"
        if over and now_s >= self.rest_until_s:
            board.holder, board.free, board.renewals = self.name, False, board.renewals + 1
            clean = self.mistake != "never clean"
            self.mine = LeaseSeen(
                at_s=now_s, leading=True, until_s=until_s, since_s=now_s, clean=clean, floor_generation=board.floor
            )
            self.told(self.mine)


M0, M1 = (InstanceName(name) for name in ("m0", "m1"))


def member(name: InstanceName, life: int | None) -> Member:
    """One of two members."""
    return Member(
        name=name,
        bolt=Address(f"{name}:7687"),
        replication=Address(f"{name}:10000"),
        incarnation=None if life is None else Incarnation(f"{name}/{life}"),
    )


@define
class MemoryPlatform:
    """A platform of two members; ``mistake`` says which clause it breaks."""

    mistake: str = ""
    lives: dict[InstanceName, int] = field(factory=lambda: {M0: 1, M1: 1})
    rebuilt: set[Incarnation] = field(factory=set)
    told: Report = field(default=lambda _fact: None)

    async def watch(self, report: Report) -> None:
        """Report for ever."""
        self.told = report
        self._tell()
        await trio.sleep_forever()

    async def stop(self, command: StopInstance) -> CommandEnded:
        """End that life."""
        await trio.lowlevel.checkpoint()
        if self._is(command.instance, command.incarnation) or self.mistake == "stops anybody":
            self._end(command.instance)
        elif self.mistake == "refuses to stop the dead":
            return self._ended(command, Outcome.REFUSED)
        return self._ended(command, Outcome.DONE)

    async def rebuild(self, command: RebuildInstance) -> CommandEnded:
        """Empty that life's data."""
        await trio.lowlevel.checkpoint()
        if command.incarnation in self.rebuilt and self.mistake != "forgets rebuilds":
            return self._ended(command, Outcome.DONE)
        if not self._is(command.instance, command.incarnation) and self.mistake != "rebuilds anybody":
            return self._ended(command, Outcome.REFUSED)
        self.rebuilt.add(command.incarnation)
        self._end(command.instance)
        return self._ended(command, Outcome.DONE)

    def _is(self, name: InstanceName, life: Incarnation) -> bool:
        return member(name, self.lives[name]).incarnation == life

    def _end(self, name: InstanceName) -> None:
        if self.mistake != "leaves it dead":
            self.lives[name] += 0 if self.mistake == "the same life again" else 1
        self._tell()

    def _ended(self, command: StopInstance | RebuildInstance, outcome: Outcome) -> CommandEnded:
        return CommandEnded(at_s=trio.current_time(), command=command, outcome=outcome)

    def _tell(self) -> None:
        if self.mistake != "says nothing":
            names = (M0, M0) if self.mistake == "two of a name" else (M0, M1)
            cluster = "" if self.mistake == "no name" else "c"
            members = tuple(member(name, self.lives[name]) for name in names)
            self.told(MembersSeen(at_s=trio.current_time(), cluster=cluster, members=members))


@define
class MemoryDatabase:
    """One instance behind a database adapter; ``mistake`` says which clause it breaks."""

    mistake: str = ""
    role: Role = Role.REPLICA
    followed: tuple[Member, ...] = ()
    told: Report = field(default=lambda _fact: None)

    async def watch(self, report: Report) -> None:
        """Probe for ever."""
        self.told = report
        while True:
            for each in self.followed:
                self._probe(each)
            await trio.sleep(0.2)

    def follow(self, members: tuple[Member, ...]) -> None:
        """Probe these."""
        if members or self.mistake != "never forgets":
            self.followed = members

    def look(self, names: Iterable[InstanceName]) -> None:
        """Probe at once."""
        for each in self.followed:
            if each.name in names:
                self._probe(each)

    async def execute(self, command: InstanceCommand, report: Report) -> CommandEnded:
        """Promote or demote."""
        await trio.sleep(60 if self.mistake == "never ends" else 0.01)
        outcome = Outcome.REFUSED
        if command.run == RUN or self.mistake == "checks no guard":
            outcome = Outcome.UNKNOWN if self.mistake == "is never sure" else Outcome.DONE
            self.role = Role.MAIN if isinstance(command, Promote) else Role.REPLICA
        if self.mistake != "reads nothing back":
            report(self._seen(command.instance))
        return CommandEnded(at_s=trio.current_time(), command=command, outcome=outcome)

    def _probe(self, each: Member) -> None:
        now_s = trio.current_time()
        if each.bolt == DEAD:
            miss = Miss.TIMED_OUT if self.mistake == "waits for the dead" else Miss.REFUSED
            self.told(ProbeMissed(at_s=now_s, asked_at_s=now_s, instance=each.name, miss=miss))
        else:
            self.told(self._seen(each.name))

    def _seen(self, name: InstanceName) -> RoleSeen:
        now_s = trio.current_time()
        asked_s = {"stamps late": now_s + 1, "stamps once": -1.0}.get(self.mistake, now_s)
        run = RunId(str(now_s)) if self.mistake == "a run a probe" else RUN
        return RoleSeen(at_s=now_s, asked_at_s=asked_s, instance=name, run=run, role=self.role)


DEAD = Address("dead:1")
RUN = RunId("run 1")
