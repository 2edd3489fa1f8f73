"""The simplest gateway that keeps its contract, and what becomes of it with one mistake."""

import time

import trio
from attrs import define, field

from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.facts import GateSeen
from memgraph_ha.core.permit import Permit, Route

SHUT = Route(permit=None, hold=False, why="it begins")


@define(eq=False)
class Passing:
    """One client that is let through."""

    permit: Permit
    scope: trio.CancelScope


@define
class PlainGateway:
    """A relay; ``mistake`` says which clause it breaks."""

    mistake: str = ""
    port: int = 0
    first: Permit | None = None
    route: Route = SHUT
    passing: list[Passing] = field(factory=list)
    changed: trio.Event = field(factory=trio.Event)
    told: Report = field(default=lambda _fact: None)

    async def serve(self, report: Report, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Accept and relay for ever."""
        self.told = report
        async with trio.open_nursery() as nursery:
            listeners = await nursery.start(trio.serve_tcp, self._client, 0)
            self.port = listeners[0].socket.getsockname()[1]
            task_status.started()

    def apply(self, route: Route) -> None:
        """Take over a route."""
        old, self.route = self.route.permit, route
        if route.permit is not None and self.first is None:
            self.first = route.permit
        for each in tuple(self.passing):
            if not self._stays(each.permit, route.permit):
                each.scope.cancel()
                self.passing.remove(each)
        if old != route.permit and self.mistake != "says nothing":
            self.told(GateSeen(at_s=now_s(), permit=route.permit))
        self.changed.set()
        self.changed = trio.Event()

    def cut_open(self) -> None:
        """Nothing is ever quiet here."""

    def _stays(self, mine: Permit, now: Permit | None) -> bool:
        if now is None:
            return self.mistake == "shuts the door only"
        renewed = now.extends(mine) and (self.mistake != "cuts at a renewal" or now == mine)
        return renewed or self.mistake == "keeps connections"

    async def _client(self, client: trio.SocketStream) -> None:
        if self.mistake == "always open" and self.route.permit is None:
            await client.send_all(b"at your service")
        permit = await self._let_in()
        if permit is None:
            return
        host, _, port = permit.address.rpartition(":")
        async with await trio.open_tcp_stream(host, int(port)) as main:
            with trio.CancelScope() as scope:
                passing = Passing(permit, scope)
                self.passing.append(passing)
                async with trio.open_nursery() as nursery:
                    for one, other in ((client, main), (main, client)):
                        nursery.start_soon(self._copy, one, other, passing)

    async def _let_in(self) -> Permit | None:
        while self.route.permit is None and self.route.hold and self.mistake != "sends away":
            await self.changed.wait()
        return self.first if self.mistake == "keeps its first MAIN" else self.route.permit

    async def _copy(self, one: trio.SocketStream, other: trio.SocketStream, passing: Passing) -> None:
        try:
            async for chunk in one:
                if self._lapsed(passing.permit):
                    break
                await other.send_all(b"?" if self.mistake == "changes bytes" else chunk)
        except trio.BrokenResourceError:
            pass
        passing.scope.cancel()

    def _lapsed(self, permit: Permit) -> bool:
        current = self.route.permit if self.route.permit is not None and self.route.permit.extends(permit) else permit
        return self.mistake != "never looks at the clock" and now_s() >= current.valid_until_s


def now_s() -> float:
    """The clock of permits."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
