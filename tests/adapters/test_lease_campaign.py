"""The campaign and the failsafe: what is asked and told, in which order, on a lease in memory."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import trio
from attrs import define, evolve, field

from memgraph_ha.adapters.lease_campaign import Campaign, LeaseTroubleError
from memgraph_ha.adapters.lease_note import LeaseNote, Sight
from memgraph_ha.core.facts import Fact, LeaseSeen
from memgraph_ha.core.policy import Policy

POLICY = Policy(lease_duration_s=2, lease_renew_s=0.2, command_deadline_s=0.5)

pytestmark = pytest.mark.trio


@define
class MemoryBox:
    """Implements `LeaseBox` in memory, with a switch for each thing that can go wrong."""

    note: LeaseNote | None = None
    version: int = 0
    away: bool = False
    deaf: bool = False

    where = "memory"

    async def look(self, *, timeout_s: float) -> Sight:
        """Show what is there; with ``away`` nobody can tell."""
        del timeout_s
        await trio.lowlevel.checkpoint()
        if self.away:
            raise LeaseTroubleError("away")
        token = str(self.version) if self.note else None
        return Sight(token=token, note=self.note, ever=self.version > 0, beat=token)

    async def swap(self, note: LeaseNote, sight: Sight, *, until_s: float) -> bool:
        """Compare and set; with ``deaf`` it is done, and the answer is lost."""
        del until_s
        await trio.lowlevel.checkpoint()
        if self.away:
            raise LeaseTroubleError("away")
        if sight.token != (str(self.version) if self.note else None):
            return False
        self.note, self.version = note, self.version + 1
        if self.deaf:
            raise LeaseTroubleError("the answer was lost")
        return True


@define
class ToldFailsafe:
    """Implements `Failsafe`: keeps what it was told, and answers as it is set."""

    told: list[tuple[Any, ...]] = field(factory=list)
    forbidden: str | None = None
    promised_s: float = 0.0
    changed: Callable[[], None] | None = None

    def saw(self, sight: Sight) -> None:
        """Keep it."""
        self.told.append(("saw", sight.token))

    def forbids(self, unchanged_s: float) -> str | None:
        """Forbid what it is set to."""
        self.told.append(("forbids", unchanged_s >= 0))
        return self.forbidden

    def taking(self, token: str | None) -> None:
        """Keep it."""
        self.told.append(("taking", token))

    def took(self, done: bool | None) -> None:
        """Keep it."""
        self.told.append(("took", done))

    def annotation(self) -> str:
        """Name a set."""
        return "the set"

    def wrote(self, annotation: str) -> None:
        """Keep it."""
        self.told.append(("wrote", annotation))

    def kept(self, note: LeaseNote, sent_s: float) -> None:
        """Keep it."""
        self.told.append(("kept", note.term, note.controllers, sent_s > 0))

    def lost(self) -> None:
        """Keep it."""
        self.told.append(("lost",))

    def until_s(self, until_s: float) -> float:
        """Prolong to what is promised."""
        return max(until_s, self.promised_s)

    def on_change(self, changed: Callable[[], None]) -> None:
        """Remember whom to call."""
        self.changed = changed

    def of(self, *words: str) -> list[tuple[Any, ...]]:
        """Give what it was told by these calls, in order."""
        return [each for each in self.told if each[0] in words]


@define
class Rig:
    """One campaign on a box of its own."""

    box: MemoryBox = field(factory=MemoryBox)
    failsafe: ToldFailsafe = field(factory=ToldFailsafe)
    seen: list[LeaseSeen] = field(factory=list)

    def campaign(self) -> Campaign:
        """Make it."""
        return Campaign(
            self.box,
            holder="one",
            policy=POLICY,
            clock=now_s,
            floor=0,
            look_s=0.05,
            retry_s=0.05,
            failsafe=self.failsafe,
        )

    def report(self, fact: Fact) -> None:
        """Keep a fact."""
        assert isinstance(fact, LeaseSeen)
        self.seen.append(fact)

    async def until(self, wanted: Callable[[LeaseSeen], bool], within_s: float = 3) -> LeaseSeen:
        """Wait for the last report to be as wanted."""
        await eventually(lambda: bool(self.seen) and wanted(self.seen[-1]), within_s)
        return self.seen[-1]


async def eventually(holds: Callable[[], bool], within_s: float = 3) -> None:
    """Wait for something to hold that nothing announces."""
    with trio.fail_after(within_s):
        while not holds():  # noqa: ASYNC110 - said above
            await trio.sleep(0.01)


def now_s() -> float:
    """Give the clock that production uses."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def leading(seen: LeaseSeen) -> bool:
    """Whether a report says that we lead."""
    return seen.leading


def not_leading(seen: LeaseSeen) -> bool:
    """Whether a report says that we do not."""
    return not seen.leading


async def test_a_take_is_announced_before_it_is_sent(nursery: trio.Nursery) -> None:
    """Every take asks for leave, says over which version it is sent, and how it ended; the set goes with it."""
    rig = Rig()
    nursery.start_soon(rig.campaign().campaign, rig.report)
    await rig.until(leading)
    calls = [each[0] for each in rig.failsafe.told[:6]]
    assert calls == ["saw", "forbids", "taking", "wrote", "took", "kept"]
    assert rig.failsafe.of("taking", "took", "kept")[:3] == [
        ("taking", None),
        ("took", True),
        ("kept", 1, "the set", True),
    ]
    assert rig.box.note is not None
    assert rig.box.note.controllers == "the set"


async def test_a_renewal_is_no_take(nursery: trio.Nursery) -> None:
    """A holder's renewals carry the set and are kept, and ask nobody for leave."""
    rig = Rig()
    nursery.start_soon(rig.campaign().campaign, rig.report)
    await rig.until(lambda seen: seen.leading and len(rig.failsafe.of("kept")) >= 3)
    assert len(rig.failsafe.of("taking")) == len(rig.failsafe.of("forbids")) == 1
    assert len(rig.failsafe.of("wrote")) >= 3


async def test_what_is_forbidden_is_not_taken(nursery: trio.Nursery) -> None:
    """A promise keeps us from a lease that nobody holds, and its end lets us have it."""
    rig = Rig(failsafe=ToldFailsafe(forbidden="a promise runs"))
    nursery.start_soon(rig.campaign().campaign, rig.report)
    await trio.sleep(0.4)
    assert rig.box.note is None
    rig.failsafe.forbidden = None
    await rig.until(leading)


async def test_a_take_without_an_answer_is_in_doubt(nursery: trio.Nursery) -> None:
    """A take whose answer was lost ended in doubt, and is found to be ours by the next look."""
    rig = Rig(box=MemoryBox(deaf=True))
    nursery.start_soon(rig.campaign().campaign, rig.report)
    await eventually(lambda: bool(rig.failsafe.of("took")))
    assert rig.failsafe.of("took")[0] == ("took", None)
    rig.box.deaf = False
    await rig.until(leading)
    assert rig.failsafe.of("took")[-1] == ("took", True)


async def test_promises_prolong_a_term_until_they_end(nursery: trio.Nursery) -> None:
    """While the store is away a term goes on as long as it was promised, and not a moment longer."""
    rig = Rig()
    nursery.start_soon(rig.campaign().campaign, rig.report)
    gained = await rig.until(leading)
    rig.box.away = True
    rig.failsafe.promised_s = gained.at_s + 3.2
    assert rig.failsafe.changed is not None
    rig.failsafe.changed()
    assert rig.seen[-1].until_s == rig.failsafe.promised_s
    await trio.sleep(2.5)
    assert rig.seen[-1].leading
    assert rig.failsafe.of("lost") == []
    lost = await rig.until(not_leading, 2)
    assert 0 <= lost.at_s - rig.failsafe.promised_s < 0.3
    assert rig.failsafe.of("lost") == [("lost",)]


async def test_a_prolonged_term_is_renewed_when_the_store_is_back(nursery: trio.Nursery) -> None:
    """After an outage that was bridged by promises it is the same term that goes on."""
    rig = Rig()
    nursery.start_soon(rig.campaign().campaign, rig.report)
    gained = await rig.until(leading)
    rig.failsafe.promised_s = gained.at_s + 30
    rig.box.away = True
    await trio.sleep(2.3)
    kept = len(rig.failsafe.of("kept"))
    rig.box.away = False
    await eventually(lambda: len(rig.failsafe.of("kept")) > kept)
    rig.failsafe.promised_s = 0.0
    later = await rig.until(lambda seen: seen.leading and seen.until_s < now_s() + POLICY.lease_duration_s)
    assert later.since_s == gained.since_s
    assert rig.box.note is not None
    assert rig.box.note.term == 1
    assert rig.failsafe.of("lost") == []


async def test_promises_do_not_outweigh_a_successor(nursery: trio.Nursery) -> None:
    """Whoever finds another's name in the lease stops leading, whatever was promised."""
    rig = Rig()
    nursery.start_soon(rig.campaign().campaign, rig.report)
    gained = await rig.until(leading)
    rig.failsafe.promised_s = gained.at_s + 30
    assert rig.box.note is not None
    rig.box.note, rig.box.version = evolve(rig.box.note, holder="two", session="other"), rig.box.version + 1
    await rig.until(not_leading, 1)
    assert rig.failsafe.of("lost") == [("lost",)]


async def test_a_release_ends_the_term(nursery: trio.Nursery) -> None:
    """A holder that gives the lease back tells the failsafe before it writes that."""
    rig = Rig()
    campaign = rig.campaign()
    nursery.start_soon(campaign.campaign, rig.report)
    await rig.until(leading)
    await campaign.release()
    assert rig.failsafe.of("lost") == [("lost",)]
    assert rig.box.note is not None
    assert rig.box.note.released
