"""Volumes are lost or rolled back: of the standby before MAIN dies, of both, of MAIN, of the ASYNC replica."""

import shutil

import pytest

from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.topology import Role
from memgraph_ha.drill.asking import count_writes
from tests.e2e.cluster import M2, Cluster, writing
from tests.e2e.hands import done, operate, standby_of

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_the_standby_is_emptied_and_main_dies(gated: Cluster) -> None:
    """Its proof was of another process: nobody is promoted, MAIN is waited for (scenario G2)."""
    async with writing(gated) as ledger:
        before = await gated.protected()
        standby = standby_of(before)
        gated.keep_down(before.main, standby)
        ledger.fault()
        await gated.kill(before.main, standby)
        gated.wipe(standby)
        gated.let_up(standby)
        mark = gated.mark()
        await gated.until_event(since=mark, event="decision", hold="NoSafeCandidate")

        async def answers() -> bool:
            return (await gated.local.roles())[standby] is Role.REPLICA

        await gated.until_true(answers, "the emptied standby answers")
        assert await count_writes(gated.spec(standby)) == 0
        assert not gated.events(since=mark, event="command", kind="Promote")
        gated.let_up(before.main)
        after = await gated.protected(above=before.generation)
        await ledger.more()
    assert {change.kind for change in after.history if change.generation > before.generation} == {ChangeKind.REPROMOTE}


async def test_both_of_the_pair_are_emptied(gated: Cluster) -> None:
    """The ASYNC replica alone has data: nothing touches it until a human lets it reign (scenario G3)."""
    async with writing(gated):
        pass  # in the end all three are level
    before = await gated.protected()
    kept = await count_writes(gated.spec(M2))
    pair = (before.main, standby_of(before))
    gated.keep_down(*pair)
    mark = gated.mark()
    await gated.kill(*pair)
    for name in pair:
        gated.wipe(name)
        gated.let_up(name)
    hold = await gated.until_event(since=mark, event="decision", hold="NoSafeCandidate")
    while "another data set" not in str(hold["reason"]):
        answered = gated.mark()
        hold = await gated.until_event(since=answered, event="decision", hold="NoSafeCandidate")
    refused = await operate(gated, "failover", "--accept-data-loss", before.main, "--yes")
    assert refused.code == 1, "an empty one is not taken while another has the data"
    assert await count_writes(gated.spec(M2)) == kept
    touching = {event["kind"] for event in gated.events(since=mark, event="command")}
    assert touching <= {"WriteRecord"}, touching
    file = gated.root / "pair.toml"
    file.write_text(f'eligible = ["{M2}", "{before.main}"]\n')
    await done(gated, "policy", "apply", str(file), "--yes")
    await done(gated, "failover", "--accept-data-loss", M2, "--yes")
    after = await gated.protected(above=before.generation)
    assert after.history[-1].kind is ChangeKind.FORCED
    assert after.main == M2

    async def everywhere() -> bool:
        return {await count_writes(spec) for spec in gated.local.specs} == {kept}

    await gated.until_true(everywhere, f"everybody has the {kept} writes")


async def test_mains_volume_is_rolled_back(gated: Cluster) -> None:
    """Both die, and MAIN returns without its last commits: held by name until a human takes who has them (G1, F4)."""
    before = await gated.record()
    assert await gated.local.stop() == ()
    old = gated.root / "old"
    shutil.copytree(gated.spec(before.main).data, old)
    await gated.start()
    before = await gated.protected(above=before.generation)
    async with writing(gated, bounded=False) as ledger:
        standby = standby_of(before)
        gated.keep_down(before.main, standby)
        ledger.fault()
        await gated.kill(before.main, standby)
        gated.wipe(before.main)
        shutil.copytree(old, gated.spec(before.main).data)
        mark = gated.mark()
        gated.let_up(before.main)
        gated.let_up(standby)
        await gated.until_event(since=mark, event="decision", hold="MainLostData")
        assert not gated.events(since=mark, event="command", kind="RebuildInstance")
        ledger.fault()
        await done(gated, "failover", "--accept-data-loss", standby, "--yes")
        await _give_up_all_but(gated, standby)
        after = await gated.protected(above=before.generation)
        await ledger.more()
    assert after.main == standby


async def _give_up_all_but(cluster: Cluster, main: str) -> None:
    """Rebuild whoever holds something else than MAIN, as the holds' command says."""
    await cluster.until(lambda record: record.main == main and record.opened, f"{main} reigns")
    for spec in cluster.local.specs:
        if spec.name != main:
            await done(cluster, "reinit", spec.name, "--yes")
    await cluster.until(lambda record: not record.rebuild, "both are rebuilt")


async def test_the_async_replica_is_emptied(gated: Cluster) -> None:
    """Its row is dropped in a quiet moment, and it is filled anew: no managed transaction fails for it."""
    async with writing(gated, writers=4, stock=True) as ledger:
        before = await gated.protected()
        gated.keep_down(M2)
        await gated.kill(M2)
        gated.wipe(M2)
        mark = gated.mark()
        gated.let_up(M2)
        drop = await gated.until_event(since=mark, event="command ended", kind="DropReplica", outcome="done")
        await ledger.more()

        async def filled() -> bool:
            main, replica = await count_writes(gated.spec(before.main)), await count_writes(gated.spec(M2))
            return main is not None and replica is not None and replica > 0.9 * main

        await gated.until_true(filled, "the emptied one has the data again")
        assert not ledger.failed()
        after = await gated.record()
    assert drop["kind"] == "DropReplica"
    assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)
