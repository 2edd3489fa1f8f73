"""What single clients see of a failover: long transactions, readers, bytes that were sent to somebody else."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import neo4j
import neo4j.exceptions
import pytest
import trio

from memgraph_ha.core.topology import Role
from memgraph_ha.drill.asking import count_writes
from tests.e2e.cluster import M2, PATIENCE_S, Cluster, writing
from tests.e2e.hands import by_hand, standby_of

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]

RO_OFFSET: Final = 13
"""Where `port_arguments` puts the read-only gateway, from the first port."""


async def _count(cluster: Cluster, label: str) -> int:
    """Count nodes of a label on MAIN."""
    (row,) = await by_hand(cluster, (await cluster.record()).main, f"MATCH (n:{label}) RETURN count(n) AS count")
    count: int = row["count"]
    return count


@pytest.mark.parametrize("lost", ["killed", "frozen"])
async def test_a_transaction_that_lives_longer_than_main(cluster: Cluster, lost: str) -> None:
    """Begun before a failover and committed after it: it fails at the client and is nowhere (scenarios J1, J2)."""
    async with writing(cluster) as ledger:
        before = await cluster.protected()
        address = f"bolt://127.0.0.1:{cluster.gateway_port}"
        with neo4j.GraphDatabase.driver(address) as driver, driver.session() as session:
            transaction = await trio.to_thread.run_sync(session.begin_transaction)
            await trio.to_thread.run_sync(lambda: transaction.run("CREATE (:Long)").consume())
            ledger.fault()
            if lost == "killed":
                await cluster.kill(before.main)
                await cluster.protected(above=before.generation)
            else:
                with cluster.frozen(before.main):
                    await cluster.protected(above=before.generation)
            with pytest.raises((neo4j.exceptions.ServiceUnavailable, neo4j.exceptions.SessionExpired)):
                await trio.to_thread.run_sync(transaction.commit)
            await trio.to_thread.run_sync(transaction.close)
        assert await _count(cluster, "Long") == 0
        await ledger.more()


async def test_a_reader_of_whoever_is_promoted_is_cut_before(gated: Cluster) -> None:
    """While the ASYNC replica is away reads come from the standby: promoted, it takes no write of theirs (J5)."""
    async with writing(gated) as ledger:
        before = await gated.protected()
        target = standby_of(before)
        gated.keep_down(M2)
        await gated.kill(M2)
        address = f"bolt://127.0.0.1:{gated.base + RO_OFFSET}"
        with neo4j.GraphDatabase.driver(address) as driver, driver.session() as session:
            await _reads_come_from(gated, session, Role.REPLICA)
            ledger.fault()
            await gated.kill(before.main)
            after = await gated.until(lambda record: record.main == target and record.opened, "the standby reigns")
            with pytest.raises(
                (neo4j.exceptions.ServiceUnavailable, neo4j.exceptions.SessionExpired, neo4j.exceptions.Neo4jError)
            ):
                await trio.to_thread.run_sync(lambda: session.run("CREATE (:ByReader)").consume())
        assert after.generation == before.generation + 1
        assert await _count(gated, "ByReader") == 0
        gated.let_up(M2)
        await ledger.more()


async def _reads_come_from(cluster: Cluster, session: neo4j.Session, role: Role) -> None:
    """Wait until the read-only gateway leads to an instance of that role."""

    def ask() -> str | None:
        try:
            return str(session.run("SHOW REPLICATION ROLE").single(strict=True)[0])
        except (neo4j.exceptions.ServiceUnavailable, neo4j.exceptions.SessionExpired):
            return None

    async def leads_there() -> bool:
        return await trio.to_thread.run_sync(ask) == role.name.lower()

    await cluster.until_true(leads_there, f"reads come from a {role.name}")


async def test_a_stranger_on_mains_port_gets_no_byte(gated: Cluster, tmp_path: Path) -> None:
    """MAIN is gone, and another Memgraph, an empty MAIN, listens where it was: no client reaches it (H5)."""
    async with writing(gated) as ledger:
        before = await gated.protected()
        gated.keep_down(before.main)
        ledger.fault()
        await gated.kill(before.main)
        with _stranger(tmp_path / "stranger", gated.spec(before.main).ports.bolt):
            await gated.until(lambda record: record.generation > before.generation and record.opened, "another reign")
            await ledger.more()
            await gated.until_true(lambda: _answers(gated, before.main), "the stranger answers")
            await ledger.more()
            assert await count_writes(gated.spec(before.main)) == 0
        gated.let_up(before.main)
        after = await gated.protected(above=before.generation)
        await ledger.more()
    assert after.main == standby_of(before)


async def _answers(cluster: Cluster, name: Any) -> bool:
    return (await cluster.local.roles())[name] is not None


class _stranger:  # noqa: N801 - it is used as a context manager
    """Run a Memgraph of nobody's on a port."""

    def __init__(self, root: Path, port: int) -> None:
        self._root, self._port = root, port

    def __enter__(self) -> None:
        self._root.mkdir()
        fake = Path(sys.executable).parent / "memgraph-ha-fake"
        arguments = [f"--bolt-port={self._port}", "--bolt-address=127.0.0.1", f"--data-directory={self._root / 'data'}"]
        off = ["--monitoring-port=0", "--metrics-port=0"]
        with (self._root / "log").open("wb") as log:
            self._process = subprocess.Popen([fake, *arguments, *off], stdout=log, stderr=log, cwd=self._root)

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.wait(PATIENCE_S)
