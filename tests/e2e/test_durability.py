"""What `data_durability` promises while no standby is there: `required` waits for it, `preferred` says so and goes on.

The standby is kept away by the platform: each of its lives is killed, or it is frozen until the controller ends it, and
no life of it gets as far as to serve. The writers' own clocks and the record's file tell what came first.
"""

import contextlib
import json
import os
import time
from collections.abc import Callable, Mapping
from typing import Final

import pytest
import trio

from memgraph_ha.core.names import InstanceName
from memgraph_ha.drill.errors import DrillError
from tests.e2e.cluster import PATIENCE_S, Cluster, Ledger, writing
from tests.e2e.conftest import Making
from tests.e2e.hands import standby_of

pytestmark = [pytest.mark.trio, pytest.mark.slow]

GRACE_S: Final = 2.0
"""`standby_grace_s` in these tests."""

AWAY_S: Final = 5 * GRACE_S
"""How long the standby stays away from a cluster that must not go on without it."""

LIFE_S: Final = 0.5
"""Between two kills of an instance that is started again each time."""

BACK_S: Final = 3.0
"""How long after the grace the row is dropped and a writer has connected again, on a busy machine."""

_REALTIME_COARSE: Final = 5
"""The clock of file systems, as <linux/time.h> numbers it."""

EACH_WAY: Final = pytest.mark.parametrize("how", ["killed", "frozen"])


async def _leave(gated: Cluster, name: InstanceName, how: str) -> float:
    """Have an instance go and not come back; gives since when it confirms nothing (CLOCK_MONOTONIC)."""
    gated.keep_down(name)
    if how == "killed":
        await gated.kill(name)
        return time.monotonic()
    with gated.frozen(name) as process:
        left_s = time.monotonic()
        await gated.until_true(lambda: process.ended, "the frozen standby is ended")
    return left_s


def _first_acknowledged(ledger: Ledger, left_s: float) -> float | None:
    """When the first write that was begun after that moment was acknowledged."""
    now_s = time.monotonic()
    firsts = [log.first_acknowledged(begun_from_s=left_s, until_s=now_s) for log in ledger.writers.logs]
    return min((each for each in firsts if each is not None), default=None)


async def _said(gated: Cluster, wanted: Callable[[Mapping[str, object]], bool]) -> float:
    """Wait until the record's file says that; gives the latest moment at which it can have begun to.

    Its inode is changed last when it takes the file's place; the file system's clock ticks coarsely.
    """
    with trio.fail_after(PATIENCE_S):
        while True:
            with (gated.data / "record.json").open("rb") as file:
                changed_s = os.fstat(file.fileno()).st_ctime_ns / 1e9
                record = json.load(file)["record"]
            if wanted(record):
                tick_s = time.clock_getres(_REALTIME_COARSE)
                return changed_s + tick_s - (time.time() - time.monotonic())
            await trio.sleep(0.002)


@EACH_WAY
async def test_required_acknowledges_nothing_while_the_standby_is_away(running: Making, how: str) -> None:
    """Not one write, for many times the grace; the wait has a name, and ends with the standby's return."""
    policy = ("--set=data_durability=required", f"--set=standby_grace_s={GRACE_S}")
    async with running(*policy, gated=True) as gated, writing(gated, writers=4) as ledger:
        before = await gated.protected()
        standby = standby_of(before)
        mark = gated.mark()
        ledger.fault()
        left_s = await _leave(gated, standby, how)
        tried = sum(log.attempts for log in ledger.writers.logs)
        while time.monotonic() < left_s + AWAY_S:
            await trio.sleep(LIFE_S)
            with contextlib.suppress(DrillError):  # its next life has not begun yet
                await gated.kill(standby)
        assert _first_acknowledged(ledger, left_s) is None
        assert gated.events(since=mark, event="decision", hold="WaitingForStandby")
        assert sum(log.attempts for log in ledger.writers.logs) > tried
        assert not (await gated.record()).unprotected
        ledger.fault()
        gated.let_up(standby)
        after = await gated.protected()
        await ledger.more()
    assert (after.generation, after.main) == (before.generation, before.main)


@EACH_WAY
async def test_preferred_goes_on_after_the_grace_and_says_so_first(running: Making, how: str) -> None:
    """Writes come back when the grace is over, not before, and not before the record says `unprotected`."""
    async with running(f"--set=standby_grace_s={GRACE_S}", gated=True) as gated, writing(gated, writers=4) as ledger:
        before = await gated.protected()
        ledger.fault()
        left_s = await _leave(gated, standby_of(before), how)
        unnamed_s = await _said(gated, lambda record: record["standby"] is None)
        said_s = await _said(gated, lambda record: record["unprotected"] is True)
        await ledger.more()
        first_s = _first_acknowledged(ledger, left_s)
        assert first_s is not None
        assert said_s < first_s
        assert left_s + GRACE_S <= first_s < unnamed_s + GRACE_S + BACK_S
        ledger.fault()
        gated.let_up(standby_of(before))
        after = await gated.protected()
        await ledger.more()
    assert (after.generation, after.main, after.unprotected) == (before.generation, before.main, False)
