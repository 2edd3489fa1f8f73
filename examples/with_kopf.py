"""The core inside an operator of your own: a skeleton for kopf, complete but for the hands that touch the cluster.

`Hands` is what you write: four methods that ask, relay and act. `Keeper` is the loop that keeps what the contract asks
of a caller (docs/explanation/contract.md); it knows neither kopf nor Kubernetes. The two handlers at the end hang it
into kopf: `kopf run examples/with_kopf.py` starts one loop for each StatefulSet that is labelled for it.

It needs kopf beside attrs: `pip install memgraph-ha kopf`.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable
from typing import Any, Protocol

import kopf

from memgraph_ha.core import Command, Decision, Fact, Observed, Policy, Route, View, decide, observe
from memgraph_ha.core.facts import CommandEnded, Outcome

LONGEST_SLEEP_S = 0.2
"""Between two rounds, whatever a decision allows: new facts must not wait."""


class Hands(Protocol):
    """What you bring: everything that touches Kubernetes, Memgraph or a connection."""

    async def look(self) -> Iterable[Fact]:
        """Ask whatever is due: the lease, the record, the pods, the instances. A missing answer is a fact too."""
        ...

    async def relay(self, route: Route) -> None:
        """Let clients through as far as the route says, and no further: what it does not name is cut on return."""
        ...

    async def do(self, command: Command) -> tuple[CommandEnded, Iterable[Fact]]:
        """Check the command's guard, do it and read back, all on one connection; return by its deadline.

        No answer is `Outcome.UNKNOWN`, never a guess; and nothing is sent once the lease is over.
        """
        ...


class Keeper:
    """One controller: looks, decides, relays, acts; over and over.

    Args:
        hands: Yours.
        policy: The operator's choices.
    """

    def __init__(self, hands: Hands, policy: Policy) -> None:
        self._hands = hands
        self._policy = policy
        self._observed = Observed()

    async def round(self) -> Decision:
        """Do one round: first the route, then the commands in order, up to the first that is not done."""
        self.file(await self._hands.look())
        now_s = time.clock_gettime(time.CLOCK_BOOTTIME)  # it counts a suspended machine
        view = View(observed=self._observed, policy=self._policy, now_s=now_s, wall_s=time.time())
        decision = decide(view)
        await self._hands.relay(decision.route)
        for command in decision.commands:
            ended, facts = await self._hands.do(command)
            self.file([*facts, ended])
            if ended.outcome is not Outcome.DONE:
                break
        return decision

    async def close(self) -> None:
        """Relay nothing any more; the lease may be given back only after this."""
        await self._hands.relay(Route(permit=None, hold=False, why="this controller ends"))

    def file(self, facts: Iterable[Fact]) -> None:
        """File what was seen; only what was seen changes what is decided."""
        for fact in facts:
            self._observed = observe(self._observed, fact)


async def keep(keeper: Keeper, stopped: asyncio.Event) -> None:
    """Go round until stopped; when that happens, or anything is wrong, nothing is relayed any more."""
    try:
        while not stopped.is_set():
            decision = await keeper.round()
            left_s = decision.wake_at_s - time.clock_gettime(time.CLOCK_BOOTTIME)
            wait_s = 0.0 if decision.commands else max(0.0, min(left_s, LONGEST_SLEEP_S))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), wait_s)
    finally:
        await keeper.close()


# --- kopf


def hands_of(name: str, namespace: str) -> Hands:
    """Make your hands for one StatefulSet. This is the part that is yours."""
    raise NotImplementedError(f"write the hands that touch {namespace}/{name}")


@kopf.on.startup()
async def begin(settings: kopf.OperatorSettings, **_: Any) -> None:
    """Let kopf keep its own marks away from the record."""
    settings.persistence.finalizer = "memgraph-ha.example/kept"


@kopf.daemon("apps", "v1", "statefulsets", labels={"memgraph-ha": "keep"}, cancellation_timeout=10.0)
async def keep_statefulset(
    name: str | None, namespace: str | None, stopped: kopf.DaemonStopped, logger: kopf.Logger, **_: Any
) -> None:
    """Keep one StatefulSet for as long as it is there."""
    logger.info("keeping %s", name)
    ending = asyncio.Event()
    task = asyncio.create_task(keep(Keeper(hands_of(str(name), str(namespace)), Policy()), ending))
    await stopped.wait()
    ending.set()
    await task
