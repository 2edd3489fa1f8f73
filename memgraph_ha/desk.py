"""The desk: where requests come in and are answered, and what the last tick looked like. The daemon owns it."""

import math
import uuid
from collections.abc import Callable
from typing import Final

import trio
from attrs import define, evolve

from memgraph_ha.api.control import HoldSince, NoAnswer, NotLeading
from memgraph_ha.api.holding import HoldLog
from memgraph_ha.core import Answer, Ask, Decision, Request, View, answer
from memgraph_ha.core.facts import Fact, RequestEnded, RequestSeen
from memgraph_ha.core.names import InstanceName

SURVEY_S: Final = 0.5
"""How often every rule is asked for what it holds: the one that decides hides those after it."""

LEAST_WAIT_S: Final = 0.5
"""A request stays for so long at least: nobody waits for one that is withdrawn before a rule has seen it."""


@define
class _Open:
    """A request that somebody waits for: its end is an answer, or the reason why there is none."""

    done: trio.Event
    end: Answer | NoAnswer | NotLeading | None = None


class Desk:
    """Takes requests for the rules, hands out their answers, and keeps the last tick for whoever looks.

    Args:
        report: Where facts go.
        clock: The daemon's clock, seconds.
        leader: Who holds the lease, as last read; None if nobody does.
    """

    def __init__(
        self, report: Callable[[Fact], None], clock: Callable[[], float], leader: Callable[[], str | None]
    ) -> None:
        self._report, self._clock, self._leader = report, clock, leader
        self._open: dict[str, _Open] = {}
        self._log = HoldLog()
        self._surveyed: View | None = None
        self._holds: tuple[HoldSince, ...] = ()
        self.view: View | None = None
        self.decision: Decision | None = None

    @property
    def age_s(self) -> float:
        """How long ago the last tick was, seconds; infinite before the first."""
        return math.inf if self.view is None else self._clock() - self.view.now_s

    def leading_view(self) -> View:
        """Give the last tick's view, if this controller led in it.

        Raises:
            NotLeading: It did not.
        """
        if self.view is None or self.view.lease is None:
            raise NotLeading(self._leader())
        return self.view

    def whom(self, ask: Ask, instance: InstanceName | None) -> InstanceName | None:
        """Say of whom it is asked: a switchover that names nobody goes to the standby that is named now."""
        named = None if self.view is None or self.view.record is None else self.view.record.standby
        return named.instance if ask is Ask.SWITCHOVER and instance is None and named is not None else instance

    async def ask(self, ask: Ask, instance: InstanceName | None, *, by: str, reason: str, wait_s: float) -> Answer:
        """File a request and wait for its end; cancelling withdraws it.

        Args:
            ask: What is asked for.
            instance: Of whom; see `whom`.
            by: Who asks.
            reason: Why, in their words.
            wait_s: How long to wait, seconds; at least `LEAST_WAIT_S` are waited.

        Returns:
            What became of it.

        Raises:
            NotLeading: This controller does not lead, or stopped leading meanwhile.
            NoAnswer: ``wait_s`` passed; what was asked for may still happen.
        """
        self.leading_view()
        now_s, request_id = self._clock(), uuid.uuid4().hex
        request = Request(
            id=request_id,
            ask=ask,
            instance=self.whom(ask, instance),
            by=by,
            reason=reason,
            asked_s=now_s,
            until_s=now_s + max(wait_s, LEAST_WAIT_S),
        )
        waiting = self._open[request_id] = _Open(trio.Event())
        self._report(RequestSeen(at_s=now_s, request=request))
        try:
            await waiting.done.wait()
        finally:
            del self._open[request_id]
            self._report(RequestEnded(at_s=self._clock(), request_id=request_id))
        match waiting.end:
            case Answer():
                return waiting.end
            case NoAnswer() | NotLeading():
                raise waiting.end
            case None:  # pragma: no cover - the event is set with the end only
                raise RuntimeError("a request ended without an end")

    def tick(self, view: View, decision: Decision) -> None:
        """Answer what has come to its end, and keep this tick."""
        self.view, self.decision = view, decision
        if self._surveyed is None or view.now_s - self._surveyed.now_s >= SURVEY_S:
            self._survey(view)
        for request in view.observed.requests:
            waiting = self._open.get(request.id)
            if waiting is not None and waiting.end is None:
                waiting.end = self._end(view, request)
                if waiting.end is not None:
                    waiting.done.set()

    def holds(self) -> tuple[HoldSince, ...]:
        """Every hold that is present, that of the decision first, with since when (to within `SURVEY_S`)."""
        if self.view is not None and self.view is not self._surveyed:
            self._survey(self.view)
        return self._holds

    def _end(self, view: View, request: Request) -> Answer | NoAnswer | NotLeading | None:
        if view.lease is None:
            return NotLeading(self._leader())
        ended = answer(view, evolve(request, until_s=math.inf))  # that time is over is no answer, see below
        return NoAnswer() if ended is None and view.now_s >= request.until_s else ended

    def _survey(self, view: View) -> None:
        self._surveyed, self._holds = view, self._log.present(view)
