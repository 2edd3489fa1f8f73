"""What the daemon needs of the world, as Protocols. Adapters implement them; the daemon knows nothing else.

Every source reports facts through a plain callback, never blocks its caller, and never ends by itself. Every
command ends by its deadline with a `CommandEnded`; what a peer does wrong becomes a fact, not an exception.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import trio

from memgraph_ha.core.commands import InstanceCommand, RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.core.facts import CommandEnded, Fact, RecordSeen
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.permit import Route
from memgraph_ha.core.topology import Member

Report = Callable[[Fact], None]
"""Where facts go; returns at once."""


class RecordStore(Protocol):
    """Where the record lives: linearizable reads, compare-and-set writes."""

    async def read(self) -> RecordSeen:
        """Read the record; trouble is in the fact."""
        ...

    async def write(self, command: WriteRecord, report: Report) -> CommandEnded:
        """Compare-and-set, then read back and report what is there now.

        ``REFUSED`` means another version was there; ``UNKNOWN`` that it may or may not have been written.
        """
        ...


class Lease(Protocol):
    """Who leads. Expiry is judged on this process's own clock by when it saw the lease change."""

    async def campaign(self, report: Report) -> None:
        """Gain, renew, lose and regain the lease for ever, reporting each change and renewal at once."""
        ...

    @property
    def leader(self) -> str | None:
        """Who holds it, as last read: the holder's identity; None if nobody does."""
        ...

    def raise_floor(self, generation: int) -> None:
        """Carry the highest generation seen into the lease at its next renewal."""
        ...

    async def release(self) -> None:
        """Give the lease back, if held; only after the gateways are cut."""
        ...


class Platform(Protocol):
    """What starts and stops instances."""

    async def watch(self, report: Report) -> None:
        """Report the members now and after every change, for ever."""
        ...

    async def stop(self, command: StopInstance) -> CommandEnded:
        """End that incarnation by the strongest means. ``DONE`` also if it is already gone or replaced."""
        ...

    async def rebuild(self, command: RebuildInstance) -> CommandEnded:
        """Stop that incarnation, move what it stored aside, start it with nothing.

        ``DONE`` once its data is aside and it was told to start; also if it was done before. ``REFUSED`` if the
        process is another one by now.
        """
        ...


class Database(Protocol):
    """The instances, over Bolt."""

    async def watch(self, report: Report) -> None:
        """Probe every followed instance, each on tasks of its own, for ever."""
        ...

    def follow(self, members: tuple[Member, ...]) -> None:
        """Probe exactly these from now on; a changed incarnation drops the connections to the old one."""
        ...

    def look(self, names: Iterable[InstanceName]) -> None:
        """Probe these at once, everything that a probe can tell, without waiting for their turn."""
        ...

    async def execute(self, command: InstanceCommand, report: Report) -> CommandEnded:
        """Check the command's guard and run it on one connection, read back, report; ends by its deadline."""
        ...


class Gateway(Protocol):
    """The gateways of this process: read/write to MAIN, read-only to replicas."""

    async def serve(self, report: Report, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and relay for ever; reports `SentinelBroke` and `GateSeen`."""
        ...

    def apply(self, route: Route) -> None:
        """Take over a route. On narrowing, every relayed connection is cut before this returns.

        On a quiet moment no new transaction passes to MAIN once this has returned; those under way may end.
        """
        ...

    def cut_open(self) -> None:
        """Cut every read/write connection that is, or may be, inside a transaction: it was ended by force."""
        ...
