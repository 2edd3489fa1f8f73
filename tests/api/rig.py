"""A controller to serve: its view is a scene of the core's tests, its decision is what the core decides of that."""

import contextlib
from collections.abc import AsyncIterator, Callable, MutableMapping
from typing import Any

import httpx
import structlog
import trio
from attrs import define, evolve, field, fields_dict

from memgraph_ha.api.accounting import Accounting
from memgraph_ha.api.control import Gate, Gateway, NoAnswer, NotLeading, NotSupported, Snapshot
from memgraph_ha.api.endpoints import LONGEST_WAIT_S, Access, Review
from memgraph_ha.api.holding import HoldLog
from memgraph_ha.api.server import serve
from memgraph_ha.core.decide import decide
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.requests import Answer, Ask
from memgraph_ha.proxy.counters import Counters, Refusal
from tests.core.views import M0, WALL, Scene

TOKEN = "a-token-nobody-may-see"  # noqa: S105 - made up, and looked for in every answer
USER, PASSWORD = "the-user-of-memgraph", "a-password-nobody-may-see"
TICK_S = 0.004


def counters(active: int = 3) -> Counters:
    """What a gateway counted: every number another one."""
    numbers = [each.name for each in fields_dict(Counters).values() if each.type is int]
    values: dict[str, Any] = {name: 100 + index for index, name in enumerate(numbers)}
    values |= {"active_now": active, "name": "of the tests", "relayed_to_now": {M0: active}}
    return Counters(refused=dict.fromkeys(Refusal, 2), **values)


@define
class SceneControl:
    """A controller that stands still in a scene; what it is asked for, it answers as the test says.

    Attributes:
        scene: What it sees; a test may put another in its place.
        answers: Says how a request ends; None: it never does.
        asked: Every request, as (ask, instance, by, reason).
        withdrawn: Requests whose caller left before their end.
        waiting: Set while somebody waits for an answer.
    """

    scene: Scene
    policy: Policy = field(factory=Policy)
    accounting: Accounting = field(factory=Accounting)
    restart_fields: frozenset[str] = frozenset({"lease_duration_s"})
    leader: str | None = "controller-a"
    identity: str = "controller-a"
    observe_only: bool = False
    tick_age_s: float = 0.01
    with_reads: bool = True
    cluster: str = "cluster-of-the-tests"
    answers: Callable[[Ask, InstanceName | None], Answer | None] = lambda ask, _instance: Answer(
        request_id="1", ok=True, text=f"{ask.value} is done"
    )
    asked: list[tuple[Ask, InstanceName | None, str, str]] = field(factory=list)
    withdrawn: list[Ask] = field(factory=list)
    waiting: int = 0
    members_answer: Answer | None = None
    fixed_policy: bool = False
    log: tuple[str, ...] = ("first line", "last line")
    holds: HoldLog = field(factory=HoldLog)

    def tick(self) -> None:
        """Let one turn of a loop pass, as the daemon's watcher would file it."""
        view = self.scene.view
        self.accounting.note_tick(view, decide(view), TICK_S)

    def now(self) -> Snapshot:
        """Say how things stand."""
        view = self.scene.view
        gateways = {Gate.RW: Gateway(port=7687, counters=counters())}
        if self.with_reads:
            gateways[Gate.RO] = Gateway(port=7688, counters=counters(active=4))
        return Snapshot(
            view=view,
            decision=decide(view),
            holds=self.holds.present(view),
            leader=self.leader,
            identity=self.identity,
            cluster=self.cluster,
            namespace="local",
            lease_name="the-lease",
            started_at=WALL - 3600,
            now=self.scene.wall_s,
            observe_only=self.observe_only,
            last_tick_age_s=self.tick_age_s,
            gateways=gateways,
        )

    def _must_lead(self) -> None:
        if self.leader != self.identity:
            raise NotLeading(self.leader)

    async def ask(self, ask: Ask, instance: InstanceName | None, *, by: str, reason: str, wait_s: float) -> Answer:
        """Take a request and wait for its end."""
        self._must_lead()
        self.asked.append((ask, instance, by, reason))
        answer = self.answers(ask, instance)
        if answer is not None:
            return answer
        self.waiting += 1
        try:
            with trio.move_on_after(wait_s):
                await trio.sleep_forever()
        except trio.Cancelled:
            self.withdrawn.append(ask)
            raise
        finally:
            self.waiting -= 1
        raise NoAnswer

    def refusal(self, ask: Ask, instance: InstanceName | None) -> str | None:
        """Say why it would be refused now."""
        self._must_lead()
        answer = self.answers(ask, instance)
        return None if answer is None or answer.ok else answer.text

    def at_stake(self, instance: InstanceName) -> str:
        """Say what could be lost."""
        return f"everything that {instance} lacks"

    async def apply_policy(self, policy: Policy) -> None:
        """Put another policy in force."""
        if self.fixed_policy:
            raise NotSupported("the policy is set by the chart; change its values")
        await trio.lowlevel.checkpoint()
        self.policy = policy

    async def change_members(self, count: int) -> Answer:
        """Grow or shrink."""
        await trio.lowlevel.checkpoint()
        self._must_lead()
        if self.members_answer is None:
            raise NotSupported("instances are changed by the StatefulSet's replicas")
        return evolve(self.members_answer, text=f"there are {count} now")

    def reset_connections(self) -> int:
        """Cut every client."""
        return 42

    def log_tail(self, lines: int) -> tuple[str, ...]:
        """Give the last lines."""
        return self.log[-lines:]


@define
class Served:
    """A server, a client of it, and what it logged; cancelling ``server`` ends it alone."""

    control: SceneControl
    port: int
    client: httpx.AsyncClient
    server: trio.CancelScope
    log: list[MutableMapping[str, Any]]

    @property
    def token(self) -> dict[str, str]:
        """The header that verbs need."""
        return {"Authorization": f"Bearer {TOKEN}"}

    async def connect(self) -> trio.SocketStream:
        """Open a raw connection."""
        return await trio.open_tcp_stream("127.0.0.1", self.port)


@contextlib.asynccontextmanager
async def served(
    control: SceneControl,
    *,
    accounts: bool = True,
    token: str | None = TOKEN,
    review: Review | None = None,
    hook_wait_s: float = LONGEST_WAIT_S,
) -> AsyncIterator[Served]:
    """Serve a controller on a free port of loopback while the block runs."""
    access = Access(token=token, basic=(USER, PASSWORD) if accounts else None, review=review)
    server = trio.CancelScope()
    with structlog.testing.capture_logs() as log:
        async with trio.open_nursery() as nursery:

            async def run(*, task_status: trio.TaskStatus[int]) -> None:
                with server:
                    await serve(
                        control,
                        host="127.0.0.1",
                        port=0,
                        access=access,
                        hook_wait_s=hook_wait_s,
                        task_status=task_status,
                    )

            port = await nursery.start(run)
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                yield Served(control=control, port=port, client=client, server=server, log=log)
            nursery.cancel_scope.cancel()


async def until(true: Callable[[], bool]) -> None:
    """Wait until something is so, for five seconds at most."""
    with trio.fail_after(5):
        while not true():  # noqa: ASYNC110 - what is waited for happens in code that knows no events
            await trio.sleep(0.005)
