"""Real `memgraph-ha-fake` processes for the adapter's tests, and the adapter that follows them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import trio
from attrs import define, field

from memgraph_ha.adapters.accounts import Accounts
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.core.commands import (
    CommitNoop,
    DropReplica,
    InstanceCommand,
    Promote,
    Quiesce,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
)
from memgraph_ha.core.facts import CommandEnded, Outcome, RoleSeen, RowsSeen, StorageSeen
from memgraph_ha.core.names import InstanceName, RowName, RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Member, Mode, Row, RowStatus, Trigger
from tests.adapters import memgraph_rig as rig
from tests.free_port import free_port

FAKE = Path(sys.executable).parent / "memgraph-ha-fake"


@define
class Server:
    """One instance's place: its directory, its ports, and its process while it has one."""

    name: str
    folder: Path
    bolt: int = field(factory=free_port)
    replication: int = field(factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    user: tuple[str, str] | None = None
    edition: str = "official"

    def start(self) -> None:
        """Start it as REPLICA, as `local` does, and wait until Bolt is open."""
        self.folder.mkdir(exist_ok=True)
        init = self.folder / "init.cypher"
        init.write_text(f"SET REPLICATION ROLE TO REPLICA WITH PORT {self.replication};\n")
        environment = dict(os.environ)
        if self.user is not None:
            environment["MEMGRAPH_USER"], environment["MEMGRAPH_PASSWORD"] = self.user
        argv = [
            str(FAKE),
            "--bolt-address=127.0.0.1",
            f"--bolt-port={self.bolt}",
            f"--data-directory={self.folder / 'data'}",
            "--storage-wal-enabled=true",
            "--storage-snapshot-interval-sec=300",
            "--storage-wal-file-flush-every-n-tx=1",
            f"--init-file={init}",
            "--fake-hazards=never",
            f"--fake-edition={self.edition}",
            "--fake-replication-address=127.0.0.1",
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log, env=environment)
        deadline = time.monotonic() + 20
        while not self._open():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def _open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.bolt)) == 0

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal; SIGSTOP returns when it has stopped."""
        assert self.process is not None
        self.process.send_signal(number)
        if number is signal.SIGSTOP:
            os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def kill(self) -> None:
        """End it by SIGKILL and reap it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @property
    def member(self) -> Member:
        """As the platform would report it."""
        pid = "gone" if self.process is None else str(self.process.pid)
        return rig.member(self.name, self.bolt, self.replication, pid)


@contextmanager
def servers(
    folder: Path, *names: str, user: tuple[str, str] | None = None, edition: str = "official"
) -> Iterator[list[Server]]:
    """Start one process per name; all of them are gone afterwards."""
    made = [Server(name, folder / name, user=user, edition=edition) for name in names]
    try:
        for server in made:
            server.start()
        yield made
    finally:
        for server in made:
            server.kill()


@define
class Cluster:
    """Servers, the adapter that follows them, and what it reported."""

    servers: list[Server]
    database: MemgraphDatabase
    sink: rig.Sink
    policy: Policy

    def __getitem__(self, name: str) -> Server:
        """The server of that name."""
        return next(server for server in self.servers if server.name == name)

    def follow(self) -> None:
        """Tell the adapter what runs now."""
        self.database.follow(tuple(server.member for server in self.servers))

    async def role(self, name: str) -> RoleSeen:
        """What it says now."""
        now_s = self._look(name)
        return await self.sink.next(RoleSeen, name, that=lambda seen: seen.asked_at_s >= now_s)

    async def run(self, name: str) -> RunId:
        """Which life it lives now."""
        return (await self.role(name)).run

    async def storage(self, name: str) -> StorageSeen:
        """What it holds now."""
        now_s = self._look(name)
        return await self.sink.next(StorageSeen, name, that=lambda seen: seen.asked_at_s >= now_s)

    async def rows(self, name: str) -> tuple[Row, ...]:
        """MAIN's rows now."""
        now_s = self._look(name)
        return (await self.sink.next(RowsSeen, name, that=lambda seen: seen.asked_at_s >= now_s)).rows

    def _look(self, name: str) -> float:
        now_s = rig.boottime_s()
        self.database.look([InstanceName(name)])
        return now_s

    async def execute(self, command: InstanceCommand) -> CommandEnded:
        """Run a command; it must end by its deadline."""
        began_s = trio.current_time()
        ended = await self.database.execute(command, self.sink)
        assert trio.current_time() - began_s < self.policy.command_deadline_s + 0.5
        assert ended.command == command
        return ended

    async def done(self, command: InstanceCommand) -> None:
        """Run a command that must succeed."""
        ended = await self.execute(command)
        assert ended.outcome is Outcome.DONE, ended

    async def promote(self, name: str) -> Promote:
        """The command that promotes it as it is now."""
        return Promote(instance=InstanceName(name), run=await self.run(name), generation=1)

    async def register(self, main: str, replica: str, *, mode: Mode = Mode.STRICT_SYNC) -> RegisterReplica:
        """The command that registers one at the other as both are now, under the row ``<replica>_1``."""
        return RegisterReplica(
            instance=InstanceName(main),
            run=await self.run(main),
            generation=1,
            row=RowName(f"{replica}_1"),
            replica=InstanceName(replica),
            replica_run=await self.run(replica),
            address=self[replica].member.replication,
            mode=mode,
            database_uuid=(await self.storage(main)).uuid,
        )

    async def drop(self, main: str, replica: str, *statuses: RowStatus) -> DropReplica:
        """The command that drops the row ``<replica>_1`` in one of these statuses."""
        return DropReplica(
            instance=InstanceName(main),
            run=await self.run(main),
            generation=1,
            row=RowName(f"{replica}_1"),
            address=self[replica].member.replication,
            statuses=frozenset(statuses),
        )

    async def noop(self, main: str, standby: str | None = None) -> CommitNoop:
        """The command that commits the no-op, with a witness behind ``<standby>_1`` if one is named."""
        return CommitNoop(
            instance=InstanceName(main),
            run=await self.run(main),
            generation=1,
            standby=None if standby is None else InstanceName(standby),
            row=None if standby is None else RowName(f"{standby}_1"),
            database_uuid=(await self.storage(main)).uuid,
        )

    async def quiesce(self, main: str, patience_s: float = 0.5) -> Quiesce:
        """The command that waits for a quiet moment on it as it is now."""
        return Quiesce(instance=InstanceName(main), run=await self.run(main), generation=1, patience_s=patience_s)

    async def restore_users(self, main: str) -> RestoreUsers:
        """The command that creates the accounts on it as it is now."""
        return RestoreUsers(instance=InstanceName(main), run=await self.run(main), generation=1)

    async def restore_triggers(self, main: str, *triggers: Trigger) -> RestoreTriggers:
        """The command that creates these on it as it is now."""
        return RestoreTriggers(instance=InstanceName(main), run=await self.run(main), generation=1, triggers=triggers)

    async def pair(self, mode: Mode = Mode.STRICT_SYNC) -> None:
        """Make ``a`` MAIN with ``b`` registered and ready."""
        await self.done(await self.promote("a"))
        await self.done(await self.noop("a"))
        await self.done(await self.register("a", "b", mode=mode))
        await self.until_ready("a", "b")

    async def until_ready(self, main: str, replica: str) -> None:
        """Wait until MAIN says so of the row ``<replica>_1``."""

        def is_ready(seen: RowsSeen) -> bool:
            return any(row.name == f"{replica}_1" and row.status is RowStatus.READY for row in seen.rows)

        await self.sink.next(RowsSeen, main, after=len(self.sink.facts), that=is_ready)


@asynccontextmanager
async def following(
    folder: Path,
    *names: str,
    policy: Policy | None = None,
    user: tuple[str, str] | None = None,
    accounts: Accounts | None = None,
    edition: str = "official",
) -> AsyncIterator[Cluster]:
    """Start servers, which have that user from their environment, and an adapter that watches them."""
    rules = policy or Policy()
    with servers(folder, *names, user=user, edition=edition) as made:
        database = MemgraphDatabase(rules, auth=user, accounts=accounts, clock=rig.boottime_s)
        cluster = Cluster(servers=made, database=database, sink=rig.Sink(), policy=rules)
        cluster.follow()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(database.watch, cluster.sink)
            for name in names:
                await cluster.sink.next(StorageSeen, name)
            yield cluster
            nursery.cancel_scope.cancel()
