"""One command on its way: what was sent, what was answered, and what that means for its outcome."""

from collections.abc import Callable
from typing import Final

import trio
from attrs import define, field, frozen

from memgraph_ha.adapters.memgraph.connection import Answer, BoltConnection, QueryRefusedError
from memgraph_ha.adapters.memgraph.instance import Instance
from memgraph_ha.adapters.memgraph.reading import Clock, read_role, read_rows
from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.facts import Outcome, RoleSeen, RowsSeen
from memgraph_ha.core.messages import ErrorClass

RETRY_FIRST_S: Final = 0.02
RETRY_LAST_S: Final = 0.06
"""Busy locks are tried again after 20 to 60 ms, drawn anew each time (transcripts Q7, Q9: 20 ms was enough)."""

LAST_TRY_S: Final = 0.2
"""No try begins when less than this is left: cut off in the middle, its outcome would be unknown."""

TARGET_TIMEOUT_S: Final = 1.0
"""How long a replica may take to say what it is, right before it is registered or proven."""


@frozen
class End:
    """How a command ended.

    Attributes:
        outcome: See `Outcome`.
        detail: Why, or the server's text.
        error: What that text means.
    """

    outcome: Outcome
    detail: str = ""
    error: ErrorClass | None = None


@define(kw_only=True)
class Errand:
    """What the steps of one command share.

    Attributes:
        instance: Where it goes.
        clock: For the facts' times.
        report: Where facts go.
        draw: A number from [0, 1), for the pauses between tries.
        sent_s: When the statement that may change something was sent; None while nothing was, or while the
            server is known to have refused all that was.
        refusal: The server's last refusal.
        settled: The outcome, once it is certain, whatever happens to the questions that follow.
    """

    instance: Instance
    clock: Clock
    report: Report
    draw: Callable[[], float]
    sent_s: float | None = field(default=None, init=False)
    refusal: QueryRefusedError | None = field(default=None, init=False)
    settled: End | None = field(default=None, init=False)

    async def send(self, connection: BoltConnection, statement: str) -> QueryRefusedError | None:
        """Send a statement that changes something.

        Returns:
            The server's refusal; None if it was done. While the answer is missing the outcome is unknown.
        """
        try:
            await self.change(connection, statement)
        except QueryRefusedError as refusal:
            return refusal
        return None

    async def change(self, connection: BoltConnection, statement: str) -> Answer:
        """Send a statement that changes something and answers with rows.

        Raises:
            QueryRefusedError: The server's refusal.
        """
        self.sent_s = self.clock()
        try:
            answer = await connection.ask(statement)
        except QueryRefusedError as refusal:
            self.refusal = refusal
            raise
        self.refusal = None
        return answer

    async def pause(self) -> None:
        """Nothing has changed: wait a little before the next try.

        Raises:
            trio.TooSlowError: Too little time is left for another try to be answered.
        """
        self.sent_s = None
        if trio.current_effective_deadline() - trio.current_time() < LAST_TRY_S:
            raise trio.TooSlowError
        await trio.sleep(RETRY_FIRST_S + (RETRY_LAST_S - RETRY_FIRST_S) * self.draw())

    async def role(self, connection: BoltConnection) -> RoleSeen:
        """Read and report the role."""
        seen = await read_role(connection, self.instance.member.name, self.clock)
        self.report(seen)
        return seen

    async def rows(self, connection: BoltConnection) -> RowsSeen:
        """Read and report MAIN's rows."""
        seen = await read_rows(connection, self.instance.member.name, self.clock)
        self.report(seen)
        return seen

    def end_without_answer(self, detail: str) -> End:
        """The outcome when no more answers will come."""
        if self.settled is not None:
            return self.settled
        if self.sent_s is not None:
            return End(Outcome.UNKNOWN, detail)
        if self.refusal is not None:
            return End(Outcome.REFUSED, self.refusal.message, self.refusal.meaning)
        return End(Outcome.NOT_SENT, detail)
