"""What exists once per data directory runs only in the controller that leads: the processes and the ports.

On Kubernetes every controller has an address of its own and watches the same platform. On one machine two
controllers of one data directory share both, so all but the leader keep their hands off them.
"""

from collections.abc import Awaitable, Callable

import trio

from memgraph_ha.adapters.ports import Lease, Report
from memgraph_ha.core.facts import Fact, LeaseSeen


class Leading:
    """Whether this controller leads, to wait for."""

    def __init__(self) -> None:
        self._now = False
        self._changed = trio.Event()

    @property
    def now(self) -> bool:
        """Whether it leads at this moment."""
        return self._now

    def set(self, *, leading: bool) -> None:
        """Note a change, and wake who waits for it."""
        if leading != self._now:
            self._now = leading
            self._changed.set()
            self._changed = trio.Event()

    async def wait(self, *, leading: bool) -> None:
        """Return as soon as it leads (or no longer does)."""
        while self._now != leading:
            await self._changed.wait()

    async def run_while(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` for ever, in every term anew; cancel it when the lease is lost."""
        while True:
            await self.wait(leading=True)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._cancel_on_loss, nursery.cancel_scope)
                await work()
                nursery.cancel_scope.cancel()

    async def _cancel_on_loss(self, scope: trio.CancelScope) -> None:
        await self.wait(leading=False)
        scope.cancel()


class WatchedLease:
    """A lease that tells `Leading` what it reports.

    Args:
        lease: The real one.
        leading: Whom to tell.
    """

    def __init__(self, lease: Lease, leading: Leading) -> None:
        self._lease, self._leading = lease, leading

    async def campaign(self, report: Report) -> None:
        """Campaign for ever, noting every change."""

        def noted(fact: Fact) -> None:
            report(fact)
            if isinstance(fact, LeaseSeen):
                self._leading.set(leading=fact.leading)

        await self._lease.campaign(noted)

    @property
    def leader(self) -> str | None:
        """As the real one."""
        return self._lease.leader

    def raise_floor(self, generation: int) -> None:
        """As the real one."""
        self._lease.raise_floor(generation)

    async def release(self) -> None:
        """As the real one."""
        await self._lease.release()
