"""The desk: where requests come in and are answered, and what the last tick looked like. The daemon owns it."""

import math
import uuid
from collections.abc import Callable
from typing import Final

import trio
from attrs import define

from memgraph_ha.api.control import HoldSince
from memgraph_ha.core import Answer, Ask, Decision, Request, View, answer, explain
from memgraph_ha.core.facts import Fact, RequestEnded, RequestSeen
from memgraph_ha.core.names import InstanceName

SURVEY_S: Final = 0.5
"""How often every rule is asked for what it holds: the one that decides hides those after it."""


@define
class _Open:
    """A request that somebody waits for."""

    done: trio.Event
    answer: Answer | None = None


class Desk:
    """Takes requests for the rules, hands out their answers, and keeps the last tick for whoever looks.

    Args:
        report: Where facts go.
        clock: The daemon's clock, seconds.
    """

    def __init__(self, report: Callable[[Fact], None], clock: Callable[[], float]) -> None:
        self._report, self._clock = report, clock
        self._open: dict[str, _Open] = {}
        self._surveyed_s = -math.inf
        self._holds: tuple[HoldSince, ...] = ()
        self.view: View | None = None
        self.decision: Decision | None = None

    @property
    def age_s(self) -> float:
        """How long ago the last tick was, seconds; infinite before the first."""
        return math.inf if self.view is None else self._clock() - self.view.now_s

    async def ask(self, ask: Ask, instance: InstanceName | None, *, by: str, reason: str, wait_s: float) -> Answer:
        """File a request and wait for its end; cancelling withdraws it.

        Args:
            ask: What is asked for.
            instance: Of whom; a switchover without one goes to the standby that is named now.
            by: Who asks.
            reason: Why, in their words.
            wait_s: How long to wait, seconds.

        Returns:
            What became of it; ``ok`` False also if there was no end in time.
        """
        named = None if self.view is None or self.view.record is None else self.view.record.standby
        if ask is Ask.SWITCHOVER and instance is None and named is not None:
            instance = named.instance
        now_s, request_id = self._clock(), uuid.uuid4().hex
        request = Request(
            id=request_id, ask=ask, instance=instance, by=by, reason=reason, asked_s=now_s, until_s=now_s + wait_s
        )
        waiting = self._open[request_id] = _Open(trio.Event())
        self._report(RequestSeen(at_s=now_s, request=request))
        try:
            await waiting.done.wait()
        finally:
            del self._open[request_id]
            self._report(RequestEnded(at_s=self._clock(), request_id=request_id))
        if waiting.answer is None:  # pragma: no cover - the event is set with the answer only
            raise RuntimeError("a request ended without an answer")
        return waiting.answer

    def tick(self, view: View, decision: Decision) -> None:
        """Answer what has come to its end, and keep this tick."""
        self.view, self.decision = view, decision
        if view.now_s - self._surveyed_s >= SURVEY_S:
            self._survey(view)
        for request in view.observed.requests:
            waiting, ended = self._open.get(request.id), answer(view, request)
            if ended is not None and waiting is not None and waiting.answer is None:
                waiting.answer = ended
                waiting.done.set()

    def holds(self) -> tuple[HoldSince, ...]:
        """Every hold that some rule names now, in their order, with since when (to within `SURVEY_S`)."""
        if self.view is not None:
            self._survey(self.view)
        return self._holds

    def _survey(self, view: View) -> None:
        since = {(each.hold, each.rule): each.since for each in self._holds}
        found: list[HoldSince] = []
        for line in explain(view):
            if isinstance(line.answer, Decision) and line.answer.hold is not None:
                hold, began = line.answer.hold, since.get((line.answer.hold, line.rule), view.wall_s)
                found.append(HoldSince(hold=hold, rule=line.rule, reason=line.answer.reason, since=began))
        self._surveyed_s, self._holds = view.now_s, tuple(found)
