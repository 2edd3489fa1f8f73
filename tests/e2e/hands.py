"""What a human does with Bolt and the command line: past the gateway, on one instance, or by a verb."""

import json
from typing import Any

import neo4j
import neo4j.exceptions
import trio
from attrs import frozen

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Record
from memgraph_ha.drill.asking import count_writes
from tests.e2e.cluster import PATIENCE_S, Cluster, command_line

TO_MAIN = "SET REPLICATION ROLE TO MAIN"


@frozen
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The object that it printed."""
        return json.loads(self.out)


async def operate(cluster: Cluster, *arguments: str) -> Said:
    """Run one command of the operator's on this cluster."""
    command = command_line(*arguments, "--data", str(cluster.data))
    with trio.fail_after(PATIENCE_S):
        ended = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
    return Said(ended.returncode, ended.stdout.decode(), ended.stderr.decode())


async def done(cluster: Cluster, *arguments: str) -> Said:
    """Run one that must end well."""
    said = await operate(cluster, *arguments)
    assert said.code == 0, f"{arguments}: {said}\n{cluster.local.tail()}"
    return said


def standby_of(record: Record) -> InstanceName:
    """Give the named standby, who must be there."""
    assert record.standby is not None
    return record.standby.instance


async def by_hand(cluster: Cluster, name: InstanceName, query: str) -> list[dict[str, Any]]:
    """Run a query on an instance, past the gateway.

    A change of role that finds the instance busy is tried again (transcripts Q6).
    """

    def run() -> list[dict[str, Any]] | None:
        with (
            neo4j.GraphDatabase.driver(f"bolt://{cluster.spec(name).bolt}") as driver,
            driver.session() as session,
        ):
            try:
                return session.run(neo4j.Query(query)).data()
            except neo4j.exceptions.ClientError as error:
                if "Couldn't set role" not in str(error):
                    raise
                return None

    with trio.fail_after(PATIENCE_S):
        while True:
            found = await trio.to_thread.run_sync(run)
            if found is not None:
                return found


async def write_by_hand(cluster: Cluster, name: InstanceName, count: int = 10) -> None:
    """Make that many nodes on an instance, each in a commit of its own."""
    for number in range(count):
        await by_hand(cluster, name, f"CREATE (:ByHand {{id: {number}}})")


async def written_by_hand(cluster: Cluster, name: InstanceName) -> int:
    """Count what `write_by_hand` left on an instance."""
    (row,) = await by_hand(cluster, name, "MATCH (n:ByHand) RETURN count(DISTINCT n.id) AS count")
    count: int = row["count"]
    return count


async def level(cluster: Cluster) -> None:
    """Wait until every instance answers that it holds equally many writes; nobody may be able to write more."""

    async def equal() -> bool:
        counts = {await count_writes(spec) for spec in cluster.local.specs}
        return None not in counts and len(counts) == 1

    await cluster.until_true(equal, "the instances are level")


async def idle(cluster: Cluster, name: InstanceName) -> None:
    """Wait until no transaction but the question itself is open on an instance."""

    async def quiet() -> bool:
        return len(await by_hand(cluster, name, "SHOW TRANSACTIONS")) <= 1

    await cluster.until_true(quiet, f"{name} has no open transaction")
