"""The desk: every request ends with an answer or with the reason why there is none, and none is left behind."""

from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing
from attrs import evolve

from memgraph_ha.api.control import NoAnswer, NotLeading
from memgraph_ha.core import Ask, Decision, Fact, View, decide, observe
from memgraph_ha.core.facts import LeaseSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.desk import LEAST_WAIT_S, Desk
from tests.core.places import M1, M2, NOW, WALL
from tests.core.views import HEALTHY, Scene

pytestmark = pytest.mark.trio


class Turning:
    """A daemon's loop around a desk, that turns when the test says so."""

    def __init__(self, scene: Scene = HEALTHY) -> None:
        self.observed, self.policy, self.now_s = scene.observed, scene.view.policy, NOW
        self.desk = Desk(self.report, lambda: self.now_s, lambda: "pid 7")

    def report(self, fact: Fact) -> None:
        """File what the desk reports."""
        self.observed = observe(self.observed, fact)

    def tick(self, later_s: float = 0.0) -> Decision:
        """Let time pass, and turn once."""
        self.now_s += later_s
        view = View(observed=self.observed, policy=self.policy, now_s=self.now_s, wall_s=WALL + self.now_s - NOW)
        decision = decide(view)
        self.desk.tick(view, decision)
        return decision


async def turned(waits: Callable[[], Awaitable[object]], turns: Callable[[], object]) -> None:
    """Wait for something, and do something else meanwhile."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(waits)
        await trio.testing.wait_all_tasks_blocked()
        turns()


async def test_who_does_not_lead_says_at_once_who_does() -> None:
    """Nothing is filed, before the first tick or without the lease."""
    turning = Turning(evolve(HEALTHY, lease=None))
    for _ in range(2):
        with pytest.raises(NotLeading, match="pid 7"):
            await turning.desk.ask(Ask.PAUSE, None, by="me", reason="", wait_s=9)
        turning.tick()
    assert turning.observed.requests == ()


async def test_a_refusal_is_an_answer() -> None:
    """The rules' own words end the wait, and the request is withdrawn."""
    turning = Turning()
    turning.tick()

    async def ask() -> None:
        ended = await turning.desk.ask(Ask.SWITCHOVER, M2, by="me", reason="", wait_s=9)
        assert not ended.ok
        assert M2 in ended.text

    await turned(ask, turning.tick)
    assert turning.observed.requests == ()


async def test_a_switchover_without_a_target_goes_to_the_standby() -> None:
    """It is asked for by name, so that it means the same one for as long as it waits."""
    turning = Turning()
    turning.tick()
    assert turning.desk.whom(Ask.SWITCHOVER, None) == M1
    assert turning.desk.whom(Ask.SWITCHOVER, M2) == M2
    assert turning.desk.whom(Ask.PAUSE, None) is None


async def test_the_end_of_the_time_is_no_answer() -> None:
    """Also who does not wait at all is heard by the rules before the request is withdrawn."""
    turning = Turning()
    turning.tick()

    def turns() -> None:
        taken_up = turning.tick(LEAST_WAIT_S / 2)
        assert taken_up.name == "pause_by_order"
        turning.tick(LEAST_WAIT_S)

    async def ask() -> None:
        with pytest.raises(NoAnswer):
            await turning.desk.ask(Ask.PAUSE, None, by="me", reason="", wait_s=0)

    await turned(ask, turns)
    assert turning.observed.requests == ()


async def test_a_lease_that_is_lost_meanwhile_ends_the_wait() -> None:
    """It may still happen, but somebody else must be asked what became of it."""
    turning = Turning()
    turning.tick()

    def lose() -> None:
        turning.tick()
        turning.report(LeaseSeen(at_s=turning.now_s + 0.1, leading=False))
        turning.tick(0.1)

    async def ask() -> None:
        with pytest.raises(NotLeading):
            await turning.desk.ask(Ask.PAUSE, None, by="me", reason="", wait_s=9)

    await turned(ask, lose)


async def test_who_leaves_withdraws_the_request() -> None:
    """A hook whose pod is killed must not leave a request behind."""
    turning = Turning()
    turning.tick()
    with trio.CancelScope() as scope:

        async def ask() -> None:
            await turning.desk.ask(Ask.PAUSE, None, by="me", reason="", wait_s=9)

        def leave() -> None:
            assert len(turning.observed.requests) == 1
            scope.cancel()

        await turned(ask, leave)
    assert turning.observed.requests == ()


async def test_a_hold_keeps_its_beginning_as_long_as_it_lasts() -> None:
    """Asked at any time, also between two surveys; that of the decision comes first."""
    turning = Turning(evolve(HEALTHY, lease=None))
    assert turning.desk.holds() == ()
    turning.tick()
    began = turning.desk.holds()[0]
    assert (began.hold, began.since) == (Hold.NOT_LEADING, WALL)
    turning.tick(5.0)
    assert turning.desk.holds()[0].since == WALL
    assert turning.desk.age_s == 0
