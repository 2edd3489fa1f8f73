"""A MAIN that was left behind holds more than its successor: it is rebuilt by itself, its data put aside."""

from typing import Final

import pytest
import trio

from memgraph_ha.core.record import ChangeKind, Record
from tests.e2e.cluster import Cluster, writing
from tests.e2e.conftest import Making
from tests.e2e.hands import by_hand, done, level, standby_of, write_by_hand, written_by_hand

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]

ROUNDS = 6
"""How often MAIN is frozen in the middle of what eight writers commit."""

QUIET_S: Final = 0.3
"""DROP of an ASYNC row can kill MAIN, but not once nobody has written for so long (transcripts Q7e: 20 of 20)."""


async def _leave_behind_more(gated: Cluster) -> Record:
    """Give MAIN commits that nobody else has and nobody was told of, then lose it.

    A crash inside the two-phase window leaves one such commit (semantics 1.4). Here no luck is needed: while the
    controller stands still, MAIN's rows are dropped when no commit runs, and what it commits then is its own.
    """
    before = await gated.record()
    gated.freeze_controller(gated.local)
    await level(gated)  # what was on its way when the gateway stood still has ended
    await trio.sleep(QUIET_S)
    for row in await by_hand(gated, before.main, "SHOW REPLICAS"):
        await by_hand(gated, before.main, f"DROP REPLICA `{row['name']}`")
    await write_by_hand(gated, before.main)
    gated.keep_down(before.main)
    await gated.kill(before.main)
    gated.thaw_controller(gated.local)
    await gated.until(lambda record: record.generation > before.generation and record.opened, "another reign is open")
    return before


async def test_a_diverged_old_main_is_rebuilt_by_itself(gated: Cluster) -> None:
    """It comes back with commits of its own: history proves that none was acknowledged, and it is filled anew."""
    async with writing(gated) as ledger:
        ledger.fault()
        mark = gated.mark()
        before = await _leave_behind_more(gated)
        gated.let_up(before.main)
        after = await gated.protected(above=before.generation)
        await ledger.more()
        assert await written_by_hand(gated, before.main) == 0
    assert after.main == standby_of(before)
    rebuilt = gated.events(since=mark, event="command", kind="RebuildInstance")
    assert [event["instance"] for event in rebuilt] == [before.main]
    (aside,) = (gated.spec(before.main).place / "aside").iterdir()
    assert list(aside.iterdir()), "what it held is moved aside, not deleted"


async def test_a_diverged_old_main_waits_for_a_human_if_told_to(running: Making) -> None:
    """With `auto_reinit = never` it is held by name, and `reinit` gives it up."""
    async with running("--set=auto_reinit=never", gated=True) as gated, writing(gated) as ledger:
        ledger.fault()
        mark = gated.mark()
        before = await _leave_behind_more(gated)
        gated.let_up(before.main)
        await gated.until_event(since=mark, event="decision", hold="DivergedReplica")
        assert await written_by_hand(gated, before.main) > 0
        await ledger.more()
        assert not gated.events(since=mark, event="command", kind="RebuildInstance")
        await done(gated, "reinit", before.main, "--yes")
        await gated.protected(above=before.generation)
        await ledger.more()


async def test_main_frozen_in_the_middle_of_commits(cluster: Cluster) -> None:
    """Eight writers, MAIN frozen again and again: whatever it had committed alone was acknowledged to nobody."""
    async with writing(cluster, writers=8) as ledger:
        for _ in range(ROUNDS):
            before = await cluster.protected()
            ledger.fault()
            with cluster.frozen(before.main) as frozen:
                after = await cluster.protected(above=before.generation)
                assert frozen.ended
            await ledger.more()
            assert after.history[-1].kind is ChangeKind.FAILOVER
