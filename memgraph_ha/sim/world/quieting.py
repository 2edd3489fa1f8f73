"""The quiet moment on MAIN, as the adapter reaches it: look, wait, look again, and end by force what stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

from memgraph_ha.core.commands import Quiesce
from memgraph_ha.core.cypher import string_literal
from memgraph_ha.core.facts import Outcome, QuietSeen
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket
from memgraph_ha.sim.world.restoring import look_at_triggers

if TYPE_CHECKING:
    from memgraph_ha.core.topology import Trigger
    from memgraph_ha.sim.world.errand import Errand

LOOK_PAUSE_S: Final = 0.005
"""As the adapter: between two looks."""

LAST_TRY_S: Final = 0.2
"""So long before the command's deadline it is given up."""

OWN: Final = "SHOW TRANSACTIONS"


@define(eq=False)
class QuietMoment:
    """The looks of one command, until nobody else is inside a transaction and no commit is under way.

    Attributes:
        ended: The ids of transactions that were ended by force.
    """

    errand: Errand
    command: Quiesce
    ended: set[str] = field(factory=set)
    _asked: set[str] = field(factory=set)
    _commits_over: bool = False

    def begin(self) -> None:
        """Look for the first time."""
        self._look()

    def _look(self) -> None:
        self.errand.line.ask(OWN, self._saw)

    def _saw(self, ticket: Ticket) -> None:
        if ticket.rows is None:
            refused = isinstance(ticket.error, Refused)
            self.errand.answer(Outcome.UNKNOWN if refused else Outcome.REFUSED, "the connection broke")
            return
        others = [str(row[1]) for row in ticket.rows if str(row[1]) not in self.ended and list(row[2]) != [OWN]]
        controller, now_s = self.errand.controller, self.errand.controller.now_s
        waited_s = now_s - self.errand.asked_s
        if not others and self._commits_over:
            self._quiet(now_s)
        elif not others:
            self._commits_over = True
            look_at_triggers(self.errand.line, self._saw_triggers)
        elif waited_s > controller.policy.command_deadline_s - LAST_TRY_S:
            detail = f"not quiet: {len(others)} transactions are open; ended by force: {len(self.ended)}"
            self.errand.answer(Outcome.REFUSED, detail)
        else:
            self._commits_over = False
            to_end = [each for each in others if each not in self._asked]
            if waited_s >= self.command.patience_s and to_end:
                self._asked.update(to_end)
                query = "TERMINATE TRANSACTIONS " + ", ".join(string_literal(each) for each in to_end)
                self.errand.line.ask(query, self._terminated)
            else:
                controller.after(LOOK_PAUSE_S, self._look)

    def _saw_triggers(self, _found: tuple[Trigger, ...] | None) -> None:
        """A question that needs the storage was answered: the commits under way are over; look once more."""
        self._look()

    def _terminated(self, ticket: Ticket) -> None:
        self.ended.update(str(row[0]) for row in ticket.rows or [] if row[1] is True)
        self._look()

    def _quiet(self, asked_s: float) -> None:
        command = self.command
        self.errand.controller.file(
            QuietSeen(
                at_s=asked_s,
                instance=command.instance,
                run=command.run,
                generation=command.generation,
                ended=len(self.ended),
            )
        )
        self.errand.answer(Outcome.DONE)
