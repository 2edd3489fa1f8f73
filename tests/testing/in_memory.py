"""A store and a lease in memory that keep their contracts, or make one mistake."""

import trio
from attrs import define, evolve, field

from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import CommandEnded, LeaseSeen, Outcome, RecordSeen
from memgraph_ha.core.names import Token
from memgraph_ha.core.record import Record

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
