"""MAIN and a standby as scripts, the commands between them, and an adapter that only executes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio
from attrs import evolve

from memgraph_ha.adapters.accounts import Accounts
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.core.commands import CommitNoop, Demote, DropReplica, InstanceCommand, Promote, RegisterReplica
from memgraph_ha.core.facts import CommandEnded
from memgraph_ha.core.names import Address, InstanceName, RowName, RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Mode, RowStatus
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Value
from tests.adapters import memgraph_rig as rig
from tests.adapters import memgraph_script as play

A, B = InstanceName("a"), InstanceName("b")
B_AT = Address("127.0.0.1:20001")
NOOP = "CREATE (n:MemgraphHaNoop) DELETE n"
REGISTER = f'REGISTER REPLICA `b_1` STRICT_SYNC TO "{B_AT}"'
DROP = "DROP REPLICA `b_1`"
PROMOTE = "SET REPLICATION ROLE TO MAIN"
DONE: play.Table = ((), [])

PROMOTE_A = Promote(instance=A, run=RunId("run-1"), generation=1)
DEMOTE_A = Demote(instance=A, run=RunId("run-1"), generation=1, port=10000)
REGISTER_B = RegisterReplica(
    instance=A,
    run=RunId("run-1"),
    generation=1,
    row=RowName("b_1"),
    replica=B,
    replica_run=RunId("run-b"),
    address=B_AT,
    mode=Mode.STRICT_SYNC,
    database_uuid=play.UUID,
)
DROP_B = DropReplica(
    instance=A,
    run=RunId("run-1"),
    generation=1,
    row=RowName("b_1"),
    address=B_AT,
    statuses=frozenset({RowStatus.READY, RowStatus.INVALID}),
)
PROVE_B = CommitNoop(
    instance=A, run=RunId("run-1"), generation=7, standby=B, row=RowName("b_1"), database_uuid=play.UUID
)
COMMIT_ONLY = evolve(PROVE_B, standby=None, row=None)


def rows(status: str | None = "ready", *, ts: int = 10, mode: str = "strict_sync", address: str = B_AT) -> play.Table:
    """SHOW REPLICAS with the row of b; a status of None is a half row."""
    info: dict[str, Value] = {} if status is None else {"memgraph": {"ts": ts, "behind": 0, "status": status}}
    return ("name", "socket_address", "sync_mode", "system_info", "data_info"), [["b_1", address, mode, None, info]]


NO_ROWS: play.Table = (rows()[0], [])


def busy() -> MemgraphError:
    """What REGISTER says while commits hold the lock (transcripts Q8)."""
    return MemgraphError.client("Couldn't register replica b_1. Error: 6")


def one_by_one(*answers: play.Table | MemgraphError) -> Callable[[], Awaitable[play.Table]]:
    """Give these answers in turn; the last one again and again."""
    left = list(answers)

    async def answer() -> play.Table:
        await trio.lowlevel.checkpoint()
        now = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(now, MemgraphError):
            raise now
        return now

    return answer


def hanging(begun: trio.Event) -> Callable[[], Awaitable[play.Table]]:
    """Never answer; say when asked."""

    async def answer() -> play.Table:
        begun.set()
        await trio.sleep_forever()
        raise AssertionError

    return answer


@asynccontextmanager
async def two(
    main: play.Script,
    standby: play.Script | None = None,
    *,
    deadline_s: float = 2.0,
    accounts: Accounts | None = None,
) -> AsyncIterator[Callable[[InstanceCommand], Awaitable[tuple[CommandEnded, rig.Sink]]]]:
    """Follow a and b without probing them, so that only the command asks; yields what executes one."""
    other = standby or play.Script(play.healthy(), run_id="run-b")
    async with play.playing(main) as port, play.playing(other) as other_port:
        draws = iter([0.0, 1.0] * 1000)
        database = MemgraphDatabase(
            Policy(command_deadline_s=deadline_s),
            auth=None,
            accounts=accounts,
            clock=rig.boottime_s,
            draw=lambda: next(draws),
        )
        database.follow((rig.member("a", port), rig.member("b", other_port, int(B_AT.split(":")[1]))))

        async def execute(command: InstanceCommand) -> tuple[CommandEnded, rig.Sink]:
            sink, began_s = rig.Sink(), trio.current_time()
            ended = await database.execute(command, sink)
            assert trio.current_time() - began_s < deadline_s + 0.4
            assert ended.command == command
            return ended, sink

        try:
            yield execute
        finally:
            database.follow(())


def main_script(role: str = "main", **answers: play.Answer) -> play.Script:
    """A MAIN that has the row of b and knows these statements."""
    script = play.Script(play.healthy(role))
    script.answers["SHOW REPLICAS"] = rows()
    known = {"noop": NOOP, "register": REGISTER, "drop": DROP, "promote": PROMOTE}
    for name, answer in answers.items():
        script.answers[known[name]] = answer
    return script


def sent(script: play.Script) -> list[str]:
    """What the server was asked to change."""
    return [query for query in script.asked if not query.startswith("SHOW")]
