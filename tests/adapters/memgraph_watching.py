"""An adapter that watches scripted servers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import trio

from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.adapters.ports import Database
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Member
from tests.adapters import memgraph_rig as rig
from tests.adapters import memgraph_script as play


@asynccontextmanager
async def watching(
    *members: Member, policy: Policy | None = None, auth: tuple[str, str] | None = None
) -> AsyncIterator[tuple[Database, rig.Sink]]:
    """Follow these members with an adapter of their own."""
    database, sink = MemgraphDatabase(policy or Policy(), auth=auth, clock=rig.boottime_s), rig.Sink()
    database.follow(members)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.watch, sink)
        yield database, sink
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def scripted(
    script: play.Script,
    *,
    policy: Policy | None = None,
    auth: tuple[str, str] | None = None,
    replication: int | None = None,
) -> AsyncIterator[tuple[Database, rig.Sink]]:
    """Follow one instance, ``a``, that plays the script; its replication port is the Bolt port unless given."""
    async with (
        play.playing(script) as port,
        watching(rig.member("a", port, replication or port), policy=policy, auth=auth) as pair,
    ):
        yield pair


def stuck(event: trio.Event, table: play.Table) -> Callable[[], Awaitable[play.Table]]:
    """An answer that waits for an event."""

    async def answer() -> play.Table:
        await event.wait()
        return table

    return answer
