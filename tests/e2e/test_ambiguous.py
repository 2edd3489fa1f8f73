"""The record is gone: whose data counts is said by a human, and an emptied MAIN is never the answer."""

import pytest

from memgraph_ha.core.record import ChangeKind
from memgraph_ha.drill.asking import count_writes
from tests.e2e.cluster import Cluster, writing
from tests.e2e.hands import done, standby_of

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]


async def _forget(cluster: Cluster) -> None:
    """Stop everything, and lose whatever said whose reign it was."""
    assert await cluster.local.stop() == ()
    (cluster.data / "record.json").unlink()
    for note in cluster.data.glob("lease*"):
        note.unlink()


@pytest.mark.parametrize("emptied", [False, True], ids=["both have the data", "MAIN is emptied"])
async def test_nobody_is_chosen_by_role_alone(cluster: Cluster, emptied: bool) -> None:
    """Without a record all that live are REPLICA: held by name until `adopt` (scenarios G5, G6)."""
    async with writing(cluster) as ledger:
        before = await cluster.protected()
        chosen = standby_of(before)
        ledger.fault()
        await _forget(cluster)
        if emptied:
            cluster.wipe(before.main)
        mark = cluster.mark()
        await cluster.start()
        await cluster.until_event(since=mark, event="decision", hold="AmbiguousBootstrap")
        assert not cluster.events(since=mark, event="command")

        async def as_it_was_left() -> bool:
            found = await count_writes(cluster.spec(before.main))
            return found is not None and (found == 0) is emptied

        await cluster.until_true(as_it_was_left, "the old MAIN answers, with what it was left")
        await done(cluster, "adopt", chosen, "--yes")
        after = await cluster.protected()
        await ledger.more()
    assert after.main == chosen
    assert [change.kind for change in after.history] == [ChangeKind.ADOPT]
