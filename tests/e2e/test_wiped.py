"""MAIN loses its volume, with a standby and without one."""

import shutil

import pytest

from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.topology import Role
from memgraph_ha.drill.asking import count_writes
from tests.e2e.cluster import Cluster, writing

pytestmark = [pytest.mark.trio, pytest.mark.slow]


@pytest.mark.parametrize("back", ["at once", "after the failover"])
async def test_wiped_main_with_a_standby(gated: Cluster, back: str) -> None:
    """The standby takes over, and who lost everything is filled again from it, however early it is back."""
    async with writing(gated) as ledger:
        before = await gated.record()
        assert before.standby is not None
        ledger.fault()
        gated.keep_down(before.main)
        await gated.kill(before.main)
        gated.wipe(before.main)
        if back == "after the failover":
            await gated.until(lambda record: record.generation > before.generation and record.opened, "a failover")
            await ledger.more()
        gated.let_up(before.main)
        after = await gated.protected(above=before.generation)
        await ledger.more()
    assert after.main == before.standby.instance
    assert [change.kind for change in after.history if change.generation > before.generation] == [ChangeKind.FAILOVER]


async def test_wiped_main_without_a_standby(gated: Cluster) -> None:
    """Nobody certainly has everything: it is held by name, nobody is promoted; the volume restored, MAIN reigns."""
    async with writing(gated) as ledger:
        before = await gated.record()
        assert before.standby is not None
        main, standby = before.main, before.standby.instance
        ledger.fault()
        gated.keep_down(standby)
        await gated.kill(standby)
        await gated.until(lambda record: record.unprotected, "the reign goes on unprotected")
        await ledger.more()
        ledger.fault()
        gated.keep_down(main)
        await gated.kill(main)
        data = gated.spec(main).data
        aside = data.with_name("aside")
        data.rename(aside)
        gated.let_up(main)
        gated.let_up(standby)
        await _held_by_name(gated)
        assert await count_writes(gated.spec(main)) == 0
        assert (await gated.record()).generation == before.generation
        ledger.fault()
        gated.keep_down(main)
        await gated.kill(main)
        shutil.rmtree(data)
        aside.rename(data)
        gated.let_up(main)
        after = await gated.protected(above=before.generation)
        await ledger.more()
    assert after.main == main
    assert {change.kind for change in after.history if change.generation > before.generation} == {ChangeKind.REPROMOTE}


async def _held_by_name(gated: Cluster) -> None:
    """Wait until all three answer as REPLICA and the hold was named, and named again, since."""

    async def all_replicas() -> bool:
        return set((await gated.local.roles()).values()) == {Role.REPLICA}

    await gated.until_true(all_replicas, "everybody answers as REPLICA")
    mark = gated.mark()
    hold = await gated.until_event(since=mark, event="decision", hold="NoSafeCandidate", within_s=30)
    assert "another data set" in str(hold["reason"])
