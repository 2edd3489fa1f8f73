"""What a promotion loses, asked for and made again as `memgraph_ha.adapters.memgraph.restore` does: users, triggers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memgraph_ha.core.commands import RestoreTriggers, RestoreUsers
from memgraph_ha.core.cypher import create_trigger
from memgraph_ha.core.facts import Outcome, TriggersSeen
from memgraph_ha.core.names import RunId
from memgraph_ha.core.topology import Trigger
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.virtual import Ticket
from memgraph_ha.sim.world.line import Line

ACCOUNT: Final = "CREATE USER IF NOT EXISTS `app` IDENTIFIED BY 'secret'"
"""The one account of the simulated accounts file."""


def look_at_triggers(line: Line, done: Callable[[tuple[Trigger, ...] | None], None] = lambda _found: None) -> None:
    """Report which triggers a MAIN has; ``done`` is told too, None if it did not answer."""
    controller = line.controller
    asked_s = controller.now_s

    def answered(ticket: Ticket) -> None:
        if ticket.rows is None or line.run is None:
            done(None)
            return
        found = tuple(sorted(_trigger([str(value) for value in row]) for row in ticket.rows))
        run, now_s = RunId(line.run), controller.now_s
        controller.file(TriggersSeen(at_s=now_s, asked_at_s=asked_s, instance=line.name, run=run, triggers=found))
        done(found)

    line.ask("SHOW TRIGGERS", answered)


def _trigger(row: list[str]) -> Trigger:
    name, statement, event, phase = row[:4]
    return Trigger(name=name, event="" if event == "ANY" else event, phase=phase, statement=statement)


def restore(line: Line, command: RestoreUsers | RestoreTriggers, answer: Callable[[Outcome, str], None]) -> None:
    """Make what is missing; ``answer`` takes an outcome and what was said."""

    def begin(found: tuple[Trigger, ...] | None) -> None:
        if found is None:
            answer(Outcome.UNKNOWN, "the connection broke")
            return
        there = {trigger.name for trigger in found}
        wanted = command.triggers if isinstance(command, RestoreTriggers) else ()
        missing = [create_trigger(trigger) for trigger in wanted if trigger.name not in there]
        make([ACCOUNT] if isinstance(command, RestoreUsers) else missing)

    def make(rest: list[str]) -> None:
        if rest:
            line.ask(rest[0], lambda ticket: made(ticket, rest[1:]))
        else:
            look_at_triggers(line, lambda _found: answer(Outcome.DONE, ""))

    def made(ticket: Ticket, rest: list[str]) -> None:
        if isinstance(ticket.error, MemgraphError):
            answer(Outcome.REFUSED, ticket.error.message)
        elif ticket.error is not None:
            answer(Outcome.UNKNOWN, "the connection broke")
        else:
            make(rest)

    look_at_triggers(line, begin)
