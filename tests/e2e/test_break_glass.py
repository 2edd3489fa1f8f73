"""No controller is left, and a human promotes by hand: what that MAIN took survives the controller's return."""

import shutil

import pytest

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.topology import Role
from tests.e2e.cluster import M2, Cluster, writing
from tests.e2e.hands import TO_MAIN, by_hand, done, idle, level, standby_of, write_by_hand, written_by_hand

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]

COUNT = 10


async def _lose_the_controller(cluster: Cluster) -> Record:
    """Kill the only controller; gives the record when the last write through its gateway has ended."""
    before = await cluster.record()
    await cluster.kill_controller()
    await idle(cluster, before.main)
    await level(cluster)
    return before


async def _everywhere(cluster: Cluster) -> None:
    """Wait until everybody has what the human's MAIN took."""

    async def all_of_it() -> bool:
        return {await written_by_hand(cluster, spec.name) for spec in cluster.local.specs} == {COUNT}

    await cluster.until_true(all_of_it, "the human's writes are on every instance")


async def test_a_standby_promoted_by_hand_is_adopted(cluster: Cluster) -> None:
    """MAIN is dead and the human promotes the standby: the controller returns, adopts, and fills the rest."""
    async with writing(cluster) as ledger:
        ledger.fault()
        before = await _lose_the_controller(cluster)
        chosen = standby_of(before)
        await cluster.kill(before.main)
        await by_hand(cluster, chosen, TO_MAIN)
        await write_by_hand(cluster, chosen, COUNT)
        await cluster.start()
        after = await cluster.protected(above=before.generation)
        await ledger.more()
        await _everywhere(cluster)
    assert after.main == chosen
    assert [change.kind for change in after.history if change.generation > before.generation] == [ChangeKind.ADOPT]


async def test_a_standby_promoted_beside_a_living_main_keeps_its_writes(cluster: Cluster) -> None:
    """The old MAIN lived on: it stays MAIN, and what the other took by hand is kept until a human gives it up."""
    async with writing(cluster) as ledger:
        ledger.fault()
        before = await _lose_the_controller(cluster)
        stray = standby_of(before)
        await by_hand(cluster, stray, TO_MAIN)
        await write_by_hand(cluster, stray, COUNT)
        mark = cluster.mark()
        await cluster.start()
        await cluster.until_event(since=mark, event="command ended", kind="Demote", instance=stray, outcome="done")
        await ledger.more()
        await cluster.until_event(since=mark, event="decision", hold="DivergedReplica")
        assert await written_by_hand(cluster, stray) == COUNT
        assert not cluster.events(since=mark, event="command", kind="RebuildInstance")
        await done(cluster, "reinit", stray, "--yes")
        after = await cluster.protected()
        await ledger.more()
    assert after.main == before.main
    kept = cluster.spec(stray).place / "aside"
    assert kept.is_dir(), "the data of who was given up is moved aside, not deleted"


async def test_an_async_replica_promoted_by_hand_is_never_demoted_unasked(cluster: Cluster) -> None:
    """The pair was dead and the human took the third: all is held by name, until a human says whose data counts."""
    async with writing(cluster) as ledger:
        ledger.fault()
        before = await _lose_the_controller(cluster)
        await cluster.kill(before.main, standby_of(before))
        await by_hand(cluster, M2, TO_MAIN)
        await write_by_hand(cluster, M2, COUNT)
        mark = cluster.mark()
        await cluster.start()
        hold = await cluster.until_event(since=mark, event="decision", hold="RecordRegressed")
        assert M2 in str(hold["reason"])
        assert (await cluster.local.roles())[M2] is Role.MAIN
        assert await written_by_hand(cluster, M2) == COUNT
        assert not cluster.events(since=mark, event="command", kind="Promote")
        assert not cluster.events(since=mark, event="command", kind="Demote")
        await _say_that_the_third_counts(cluster, before)
        await ledger.more()
        await _everywhere(cluster)


async def _say_that_the_third_counts(cluster: Cluster, before: Record) -> None:
    """Let the ASYNC replica be one of the pair, and adopt what it holds."""
    file = cluster.root / "pair.toml"
    file.write_text(f'eligible = ["{M2}", "{before.main}"]\n')
    await done(cluster, "policy", "apply", str(file), "--yes")
    await done(cluster, "adopt", M2, "--yes")
    after = await cluster.until(lambda record: record.main == M2 and record.opened, "the human's MAIN reigns")
    assert after.history[-1].kind is ChangeKind.ADOPT
    for name in (before.main, standby_of(before)):
        if not await _has_all(cluster, name):
            await done(cluster, "reinit", name, "--yes")
    await cluster.protected()


async def _has_all(cluster: Cluster, name: InstanceName) -> bool:
    return await written_by_hand(cluster, name) == COUNT


async def test_the_record_is_lost_while_a_human_reigns(cluster: Cluster) -> None:
    """The way of the how-to page: the old record aside, all is held, `adopt` names who has the newest writes."""
    async with writing(cluster) as ledger:
        ledger.fault()
        before = await _lose_the_controller(cluster)
        chosen = standby_of(before)
        await cluster.kill(before.main)
        await by_hand(cluster, chosen, TO_MAIN)
        await write_by_hand(cluster, chosen, COUNT)
        record = cluster.data / "record.json"
        shutil.move(record, record.with_suffix(".before"))
        mark = cluster.mark()
        await cluster.start()
        await cluster.until_event(since=mark, event="decision", hold="RecordRegressed")
        assert not cluster.events(since=mark, event="command", kind="Demote")
        await done(cluster, "adopt", chosen, "--yes")
        after = await cluster.protected(above=before.generation)
        await ledger.more()
        await _everywhere(cluster)
    assert after.main == chosen
