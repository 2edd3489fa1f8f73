"""More than one instance is lost at once: both of the pair, everything, everything and the controller."""

import pytest
import trio

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.topology import Role
from tests.e2e.cluster import M0, M1, Cluster, writing

pytestmark = pytest.mark.trio

GAP_S = 0.03
"""Who comes back first is so much ahead."""


async def _lose_both(cluster: Cluster) -> tuple[Record, InstanceName]:
    """Kill MAIN and the standby, and keep both down until the loss was noticed."""
    before = await cluster.record()
    assert before.standby is not None
    cluster.keep_down(M0, M1)
    await cluster.kill(before.standby.instance, before.main)
    await cluster.until(lambda record: record.standby is None, "the dead standby is un-named")
    return before, before.standby.instance


def _only_repromoted(before: Record, after: Record) -> None:
    news = [change for change in after.history if change.generation > before.generation]
    assert news
    assert {(change.kind, change.main) for change in news} == {(ChangeKind.REPROMOTE, before.main)}


@pytest.mark.slow
@pytest.mark.parametrize("first", ["main", "standby"])
async def test_kill_both_and_return_closely(gated: Cluster, first: str) -> None:
    """Whoever is 30 ms ahead: MAIN reigns again, for the standby restarted and may lack a write (transcripts Q17)."""
    async with writing(gated) as ledger:
        ledger.fault()
        before, standby = await _lose_both(gated)
        order = [before.main, standby] if first == "main" else [standby, before.main]
        gated.let_up(order[0])
        await trio.sleep(GAP_S)
        gated.let_up(order[1])
        after = await gated.protected(above=before.generation)
        await ledger.more()
    _only_repromoted(before, after)


@pytest.mark.slow
async def test_a_standby_that_returns_alone_is_not_promoted(gated: Cluster) -> None:
    """While MAIN is away, its restarted standby waits, by name; then MAIN reigns again."""
    async with writing(gated) as ledger:
        ledger.fault()
        mark = gated.mark()
        before, standby = await _lose_both(gated)
        gated.let_up(standby)

        async def answers() -> bool:
            return (await gated.local.roles())[standby] is Role.REPLICA

        await gated.until_true(answers, f"{standby} answers as REPLICA")
        hold = await gated.until_event(since=mark, event="decision", hold="NoSafeCandidate")
        answered = gated.mark()
        said = await gated.until_event(since=answered, event="decision", hold="NoSafeCandidate", within_s=30)
        assert (await gated.record()).main == before.main
        assert (await gated.local.roles())[standby] is Role.REPLICA
        gated.let_up(before.main)
        after = await gated.protected(above=before.generation)
        await ledger.more()
    _only_repromoted(before, after)
    for each in (hold, said):
        assert before.main in str(each["reason"])
        assert "nobody may follow" in str(each["reason"])


async def test_stop_all_and_start_all(cluster: Cluster) -> None:
    """``--stop``, then a new start: the data is there, and MAIN is who it was."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        ledger.fault()
        assert await cluster.local.stop() == ()
        await cluster.start()
        after = await cluster.protected(above=before.generation)
        await ledger.more()
    _only_repromoted(before, after)


@pytest.mark.slow
async def test_end_the_controller_and_start_again(cluster: Cluster) -> None:
    """SIGTERM for the only controller ends everything, with exit code 0; a new one brings it back."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        ledger.fault()
        handles = [cluster.local.hold(spec.name) for spec in cluster.local.specs]
        assert await cluster.end_controller() == 0
        assert all(handle.ended for handle in handles)
        for handle in handles:
            handle.close()
        await cluster.start()
        after = await cluster.protected(above=before.generation)
        await ledger.more()
    _only_repromoted(before, after)


@pytest.mark.slow
async def test_everything_dies_at_once(cluster: Cluster) -> None:
    """SIGKILL for the controller and every instance, as when the machine dies; then all are started again."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        names = [spec.name for spec in cluster.local.specs]
        ledger.fault()
        cluster.freeze_controller(cluster.local)  # it must not restart anybody meanwhile
        await cluster.kill(*names)
        await cluster.kill_controller()
        await cluster.start()
        after = await cluster.protected(above=before.generation)
        await ledger.more()
    _only_repromoted(before, after)
