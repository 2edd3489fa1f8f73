"""The lease in a file: one leader among real processes that are killed, frozen and continued."""
# ruff: noqa: ASYNC240 - a test is the only task in its loop: blocking for a small file delays nobody

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio
from attrs import evolve, frozen

from memgraph_ha.adapters.files_lease import FileLease
from memgraph_ha.adapters.files_lease_note import see, to_bytes
from memgraph_ha.adapters.lease_note import Claim, LeaseNote, Sight, may_take
from memgraph_ha.adapters.process_os import ProcessIdentity, own_identity
from memgraph_ha.core.policy import Policy
from tests.adapters.lease_candidate import Candidate, leading, not_leading

POLICY = Policy(lease_duration_s=2, lease_renew_s=0.3, command_deadline_s=0.5)


def now_s() -> float:
    """Give the clock that production uses."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def candidate(path: Path, name: str, clock: Callable[[], float] = now_s, policy: Policy = POLICY) -> Candidate:
    """Make one of several candidates for the lease at this path."""
    return Candidate(FileLease(path, holder=name, policy=policy, clock=clock))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the lease's path in an empty directory."""
    return tmp_path / "lease.json"


_CHILD = """
import sys, time, trio
from pathlib import Path
from memgraph_ha.adapters.files_lease import FileLease
from memgraph_ha.core.policy import Policy

def say(fact):
    print("fact", fact.at_s, int(fact.leading), fact.until_s, flush=True)

policy = Policy(lease_duration_s=2, lease_renew_s=0.3, command_deadline_s=0.5)
clock = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
trio.run(FileLease(Path(sys.argv[1]), holder="child", policy=policy, clock=clock, floor=7).campaign, say)
"""


@frozen
class Child:
    """Another process that campaigns."""

    process: "subprocess.Popen[str]"

    async def line(self) -> tuple[float, bool, float]:
        """Wait for its next report: when, whether it leads, until when."""
        assert self.process.stdout is not None
        text = ""
        with trio.fail_after(10):
            while not text.startswith("fact"):  # the others are its log
                text = await trio.to_thread.run_sync(self.process.stdout.readline, abandon_on_cancel=True)
        _, at_s, leads, until_s = text.split()
        return float(at_s), leads == "1", float(until_s)

    async def gain(self) -> None:
        """Wait until it leads."""
        while not (await self.line())[1]:
            pass


@pytest.fixture
def child(path: Path) -> Iterator[Child]:
    """Start a process that campaigns with generation floor 7."""
    command = [sys.executable, "-c", _CHILD, str(path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    yield Child(process)
    process.kill()
    process.communicate()


@pytest.mark.trio
async def test_the_first_lease_is_gained_at_once_and_renewed(path: Path, nursery: trio.Nursery) -> None:
    """Where there never was a lease it is gained cleanly; each renewal moves its end, not its beginning."""
    one = candidate(path, "one")
    began_s = now_s()
    nursery.start_soon(one.lease.campaign, one.report)
    first = await one.until(leading, 1)
    assert not one.seen[0].leading
    assert first.clean
    assert began_s < first.until_s - POLICY.lease_duration_s < first.since_s <= first.at_s
    later = await one.until(lambda seen: seen.until_s > first.until_s, 1)
    assert (later.since_s, later.leading) == (first.since_s, True)


@pytest.mark.trio
async def test_only_one_of_several_leads(path: Path, nursery: trio.Nursery) -> None:
    """Of three that start together one leads, for longer than the lease lasts without renewal."""
    three = [candidate(path, name) for name in ("one", "two", "three")]
    for each in three:
        nursery.start_soon(each.lease.campaign, each.report)
    await trio.sleep(POLICY.lease_duration_s + 1)
    assert sorted(any(map(leading, each.seen)) for each in three) == [False, False, True]


@pytest.mark.trio
async def test_a_released_lease_is_taken_at_once_with_its_floor(path: Path, nursery: trio.Nursery) -> None:
    """After a release another leads within moments, cleanly, and knows the highest generation."""
    one, two = candidate(path, "one"), candidate(path, "two")
    nursery.start_soon(one.lease.campaign, one.report)
    await one.until(leading)
    nursery.start_soon(two.lease.campaign, two.report)
    one.lease.raise_floor(5)
    await one.lease.release()
    assert not one.seen[-1].leading
    gained = await two.until(leading, 1.2)
    assert (gained.clean, gained.floor_generation) == (True, 5)
    await trio.sleep(2 * POLICY.lease_renew_s)
    assert not one.seen[-1].leading
    assert json.loads(path.read_text())["term"] == 2


@pytest.mark.trio
async def test_a_floor_is_written_soon(path: Path, nursery: trio.Nursery) -> None:
    """A raised floor does not wait for the next renewal, and a lower one changes nothing."""
    one = candidate(path, "one", policy=Policy(lease_renew_s=4))
    nursery.start_soon(one.lease.campaign, one.report)
    await one.until(leading)
    one.lease.raise_floor(12)
    one.lease.raise_floor(11)
    await one.until(lambda seen: seen.floor_generation == 12, 1)
    assert json.loads(path.read_text())["floor"] == 12


@pytest.mark.trio
async def test_a_killed_holder_is_replaced_at_once(path: Path, child: Child, nursery: trio.Nursery) -> None:
    """A process that is gone relays nothing: its lease is taken in moments, not after it ran out."""
    await child.gain()
    two = candidate(path, "two")
    nursery.start_soon(two.lease.campaign, two.report)
    await trio.sleep(0.3)
    assert not two.seen[-1].leading
    child.process.kill()
    gained = await two.until(leading, 1.2)
    assert (gained.clean, gained.floor_generation) == (True, 7)


@pytest.mark.trio
async def test_a_frozen_holder_keeps_its_lease_until_it_ran_out(
    path: Path, child: Child, nursery: trio.Nursery
) -> None:
    """A stopped process is alive, so its lease is waited for; continued, it says first that it lost."""
    await child.gain()
    two = candidate(path, "two")
    nursery.start_soon(two.lease.campaign, two.report)
    await trio.sleep(0.5)
    child.process.send_signal(signal.SIGSTOP)
    gained = await two.until(leading, 4)
    child.process.send_signal(signal.SIGCONT)
    last_until_s = 0.0
    while (line := await child.line())[1]:
        last_until_s = line[2]
    assert gained.clean
    assert gained.since_s >= last_until_s > 0
    assert line[0] > last_until_s
    await trio.sleep(0.5)
    assert two.seen[-1].leading


@pytest.mark.trio
@pytest.mark.parametrize("content", [None, b"", b"garbage", b"{}"])
async def test_a_living_holder_puts_its_lease_back(path: Path, nursery: trio.Nursery, content: bytes | None) -> None:
    """A lease that somebody removed or overwrote stays with its living holder: nobody is cut off."""
    one, two = candidate(path, "one"), candidate(path, "two")
    nursery.start_soon(one.lease.campaign, one.report)
    await one.until(leading)
    nursery.start_soon(two.lease.campaign, two.report)
    await trio.sleep(0.2)
    path.unlink() if content is None else path.write_bytes(content)
    await trio.sleep(1.5)
    assert json.loads(path.read_text())["holder"] == "one"
    assert not any(map(leading, two.seen))
    assert one.seen[-1].leading


@pytest.mark.trio
async def test_a_removed_lease_without_a_holder_is_not_clean(path: Path, child: Child, nursery: trio.Nursery) -> None:
    """Where a lease was removed nobody knows whose permit still lives: the next term says so, and stays so."""
    await child.gain()
    child.process.kill()
    path.unlink()
    two = candidate(path, "two")
    nursery.start_soon(two.lease.campaign, two.report)
    gained = await two.until(leading, 2)
    assert not gained.clean
    later = await two.until(lambda seen: seen.until_s > gained.until_s)
    assert not later.clean


@pytest.mark.trio
async def test_a_lost_disk_ends_the_term_and_its_return_begins_another(path: Path, nursery: trio.Nursery) -> None:
    """Renewals that fail leave the end where it was; past it the loss is told, and the campaign goes on."""
    one = candidate(path, "one")
    nursery.start_soon(one.lease.campaign, one.report)
    gained = await one.until(leading)
    away = path.parent.rename(path.parent.with_name("away"))
    lost = await one.until(not_leading, 4)
    last = [seen for seen in one.seen if seen.leading][-1]
    assert last.until_s <= lost.at_s < last.until_s + 0.3
    away.rename(path.parent)
    again = await one.until(leading, 1)
    assert again.since_s > gained.since_s


@pytest.mark.trio
async def test_a_sleep_of_the_machine_ends_the_term(path: Path, nursery: trio.Nursery) -> None:
    """After a jump of the clock beyond the end the next report is the loss, not a renewal."""
    jump_s = 0.0
    one = candidate(path, "one", lambda: now_s() + jump_s)
    nursery.start_soon(one.lease.campaign, one.report)
    await one.until(leading)
    reported = len(one.seen)
    jump_s = 60.0
    await one.until(not_leading, 1)
    assert len(one.seen) == reported + 1


@pytest.mark.trio
async def test_a_successor_ends_the_term(path: Path, nursery: trio.Nursery) -> None:
    """Whoever finds another's name in the lease stops leading at once, however long its own term would last."""
    one = candidate(path, "one")
    nursery.start_soon(one.lease.campaign, one.report)
    gained = await one.until(leading)
    path.write_bytes(to_bytes(evolve(NOTE, holder="other", session="theirs"), own_identity()))
    lost = await one.until(not_leading, 1)
    assert lost.at_s < gained.until_s


@pytest.mark.trio
async def test_releasing_what_is_not_held_does_nothing(path: Path, nursery: trio.Nursery) -> None:
    """A release by a candidate that does not lead leaves the leader's lease alone."""
    one, two = candidate(path, "one"), candidate(path, "two")
    nursery.start_soon(one.lease.campaign, one.report)
    await one.until(leading)
    await two.lease.release()
    assert not json.loads(path.read_text())["released"]
    assert await trio.Path(path).exists()


NOTE = LeaseNote(
    holder="one",
    session="theirs",
    term=3,
    renewals=4,
    duration_s=10,
    floor=2,
    released=False,
    clean=True,
)
OURS = own_identity()
DEAD = evolve(OURS, start=OURS.start + 1)


@pytest.mark.parametrize(
    ("note", "process", "unchanged_s", "clean"),
    [
        (NOTE, OURS, 9.9, None),
        (NOTE, OURS, 10.0, True),
        (evolve(NOTE, duration_s=60), OURS, 59, None),  # the holder's own duration counts, if it is the longer
        (evolve(NOTE, duration_s=2), OURS, 9.9, None),  # and ours, if that is
        (evolve(NOTE, released=True), OURS, 0, True),
        (NOTE, DEAD, 0, True),  # the pid lives, but started at another time: it is somebody else
        (NOTE, evolve(DEAD, boot="other"), 9.9, None),  # another machine, perhaps: not seen from here
        (NOTE, evolve(DEAD, namespace="other"), 9.9, None),  # another container
        (evolve(NOTE, session="ours"), OURS, 0, True),
        (evolve(NOTE, released=True, clean=False), OURS, 0, False),  # the doubt outlives the term that had it
        (evolve(NOTE, clean=False), DEAD, 0, False),
        (evolve(NOTE, session="ours", clean=False), OURS, 0, False),
        (evolve(NOTE, clean=False), OURS, 10, True),  # but not a whole duration
    ],
)
def test_when_a_lease_may_be_taken(
    note: LeaseNote, process: ProcessIdentity, unchanged_s: float, clean: bool | None
) -> None:
    """A lease is taken when it ran out before our eyes, or when its holder cannot rely on it any more."""
    sight = see(to_bytes(note, process), ever=True, where="lease.json")
    assert sight.note == note
    claim = may_take(sight, unchanged_s=unchanged_s, session="ours", policy=Policy())
    assert (claim and claim.clean) == clean


@pytest.mark.parametrize(
    ("sight", "unchanged_s", "clean"),
    [
        (Sight(token=None, note=None, ever=False), 0, True),
        (Sight(token=None, note=None, ever=True), 3.9, None),  # two renewals: a living holder puts it back
        (Sight(token=None, note=None, ever=True), 4, False),
        (Sight(token="t", note=None, ever=True), 9.9, None),  # noqa: S106 - a version, no secret
        (Sight(token="t", note=None, ever=True), 10, False),  # noqa: S106 - a version, no secret
    ],
)
def test_when_a_lease_that_says_nothing_may_be_taken(sight: Sight, unchanged_s: float, clean: bool | None) -> None:
    """Only where there never was a lease is its absence clean."""
    claim: Claim | None = may_take(sight, unchanged_s=unchanged_s, session="ours", policy=Policy())
    assert (claim and claim.clean) == clean
