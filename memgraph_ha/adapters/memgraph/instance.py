"""What this process keeps per instance: its connections, its command queue, and who may speak when."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import trio
from attrs import evolve, frozen

from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.adapters.memgraph.reading import Clock, has_schema, read_server, read_storage
from memgraph_ha.core.facts import Miss, ServerSeen, StorageSeen
from memgraph_ha.core.names import RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Member

THREADS_PER_INSTANCE: Final = 16
"""Three connections need three threads; the rest is room for calls that were given up and have not ended yet.
Each instance has its own limit, so that one that hangs never takes a thread from another."""

OPENING_PATIENCE_S: Final = 2.0
"""How long the liveness probe's login may take before it is begun anew."""

AFTERMATH_S: Final = 10.0
"""How long after it was sent a role or registration command that we gave up may still hold the locks that a
probe needs: REGISTER towards a frozen target waits 10 s for its answer (design 5; semantics 2.4)."""

SCHEMA_AGE_S: Final = 5.0
"""How long the answer "no index, no constraint" of an instance without data is believed by the routine look."""


@frozen(kw_only=True)
class _Schema:
    """Whether a run had an index or a constraint, and until when that is believed."""

    run: RunId
    found: bool
    until_s: float


class Line:
    """A kept connection: opened when needed, replaced when it ended, used by one conversation at a time.

    With users defined a login costs ~0.2 s of bcrypt (transcripts Q2), so connections are kept.
    """

    def __init__(self, dial: Callable[[], BoltConnection]) -> None:
        self._dial = dial
        self._queue = trio.Lock()
        self._connection: BoltConnection | None = None
        self._over = False

    @asynccontextmanager
    async def talk(self) -> AsyncIterator[BoltConnection]:
        """Wait for our turn, then hold a conversation on one connection, opened if there is none.

        Raises:
            ConnectionLostError: It cannot be opened, or the line was closed; or whatever the conversation raised.
        """
        async with self._queue:
            if self._over:
                raise ConnectionLostError(Miss.UNREADABLE, "the instance is not followed any more")
            connection = self._connection
            if connection is None or connection.broken():
                self.drop()
                self._connection = connection = self._dial()
                await connection.open()
            try:
                yield connection
            except ConnectionLostError:
                self.drop()
                raise

    def drop(self) -> None:
        """Close the connection, if there is one; the next conversation opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def close(self) -> None:
        """Close the connection for good: there will be no other."""
        self._over = True
        self.drop()


class PatientLine:
    """The liveness probe's connection: opened in the background, so that a login outlives the probe that began it.

    Were each probe to begin anew, a server whose logins take longer than one probe (bcrypt, behind a storm of
    reconnecting clients) would seem frozen for ever.

    Args:
        dial: Makes a connection that is not open yet.
        nursery: Where the opening runs.
    """

    def __init__(self, dial: Callable[[], BoltConnection], nursery: trio.Nursery) -> None:
        self._dial = dial
        self._nursery = nursery
        self._connection = dial()
        self._opening: trio.Event | None = None
        self._error: ConnectionLostError | None = None

    async def connection(self) -> BoltConnection:
        """Wait for the connection, opening one if there is none; cancellation leaves the opening under way.

        Raises:
            ConnectionLostError: It cannot be opened, found out after this call began.
        """
        if self._opening is None or (self._opening.is_set() and self._connection.broken()):
            self.drop()
            self._connection, self._opening, self._error = self._dial(), trio.Event(), None
            self._nursery.start_soon(self._open, self._connection, self._opening)
        await self._opening.wait()
        if self._error is not None:
            raise self._error
        return self._connection

    async def ended(self) -> None:
        """Wait until the open and idle connection ends; for ever if there is none."""
        if self._opening is None or not self._opening.is_set() or self._connection.broken():
            await trio.sleep_forever()
        await self._connection.ended()

    async def _open(self, connection: BoltConnection, done: trio.Event) -> None:
        try:
            with trio.fail_after(OPENING_PATIENCE_S):
                await connection.open()
        except trio.TooSlowError:
            self._error = ConnectionLostError(Miss.TIMED_OUT, f"no login within {OPENING_PATIENCE_S:g} s")
        except ConnectionLostError as error:
            self._error = error
        except QueryRefusedError as error:
            self._error = ConnectionLostError(Miss.UNREADABLE, error.message)
        finally:
            done.set()

    def drop(self) -> None:
        """Close the connection, if there is one, or the one that is being opened."""
        self._connection.close()


class RoleCommands:
    """Our own role and registration commands on one instance, which hold the locks that SHOW needs.

    While one is in flight nothing else is asked there: the server's try-lock would fail the command (semantics
    2.7), and the silence of the server would say nothing (design 5).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running = 0
        self._over = trio.Event()
        self._over.set()
        self._excused_until_s = float("-inf")

    @property
    def in_flight(self) -> bool:
        """Whether one is under way."""
        return self._running > 0

    @contextmanager
    def running(self, aftermath_s: float = AFTERMATH_S) -> Iterator[None]:
        """Mark one as under way; given up at its deadline, it may go on in the server until so long after it began."""
        began_s = self._clock()
        if not self._running:
            self._over = trio.Event()
        self._running += 1
        try:
            yield
        except trio.Cancelled:
            self._excused_until_s = max(self._excused_until_s, began_s + aftermath_s)
            raise
        finally:
            self._running -= 1
            self._excused_until_s = max(self._excused_until_s, self._clock())
            if not self._running:
                self._over.set()

    async def over(self) -> None:
        """Wait until none is under way."""
        while self.in_flight:
            await self._over.wait()

    def answered(self) -> None:
        """A probe was answered: whatever held the locks is over."""
        if not self.in_flight:
            self._excused_until_s = float("-inf")

    def excuses(self, asked_at_s: float) -> bool:
        """Whether a probe asked then had to wait for one of them."""
        return self.in_flight or asked_at_s <= self._excused_until_s


class Instance:
    """One followed instance in one incarnation.

    Attributes:
        member: As the platform has it.
        details: The connection for everything that may take longer.
        commands: The command queue and its connection.
        role_commands: See `RoleCommands`.
    """

    def __init__(self, member: Member, *, policy: Policy, auth: tuple[str, str] | None, clock: Clock) -> None:
        self.member = member
        self._auth = auth
        self._clock = clock
        self._limiter = trio.CapacityLimiter(THREADS_PER_INSTANCE)
        self._server: ServerSeen | None = None
        self._schema: _Schema | None = None
        self.details = Line(lambda: self.dial(policy.command_deadline_s))
        self.commands = Line(lambda: self.dial(policy.command_deadline_s))
        self.role_commands = RoleCommands(clock)

    def dial(self, undelivered_s: float) -> BoltConnection:
        """Make a connection to it that is not open yet; see `BoltConnection` for the argument."""
        return BoltConnection(self.member.bolt, auth=self._auth, limiter=self._limiter, undelivered_s=undelivered_s)

    def close(self) -> None:
        """Close the kept connections for good; whoever uses one gets a `ConnectionLostError`."""
        self.details.close()
        self.commands.close()

    async def server(self, connection: BoltConnection) -> ServerSeen:
        """How it is configured: asked once per run, then known."""
        if self._server is None or self._server.run != connection.run:
            self._server = await read_server(connection, self.member.name, self._clock)
        return evolve(self._server, at_s=self._clock())

    async def data_set(self, connection: BoltConnection) -> StorageSeen:
        """Which data set it holds, without opening a transaction; `empty` overlooks indexes and constraints."""
        server = await self.server(connection)
        return await read_storage(connection, self.member.name, self._clock, version=server.version)

    async def storage(self, connection: BoltConnection, *, routine: bool = False) -> StorageSeen:
        """Which data set it holds.

        Args:
            connection: To it.
            routine: For an instance without vertices and edges, believe for `SCHEMA_AGE_S` what was found about
                indexes and constraints: each question costs MAIN a timestamp, after which a lone commit no
                longer looks like one (`row_ts` of the no-op; semantics 1).
        """
        seen = await self.data_set(connection)
        if not seen.empty:
            return seen
        known = self._schema
        if not routine or known is None or known.run != seen.run or known.until_s < self._clock():
            found = await has_schema(connection)
            known = _Schema(run=seen.run, found=found, until_s=self._clock() + SCHEMA_AGE_S)
            self._schema = known
        return evolve(seen, at_s=self._clock(), empty=not known.found)
