"""Clients: they write and read through whichever gateway lets them in, one request at a time, and note what became.

A client that is cut off or gets no answer in time counts its write as indeterminate and connects again; a driver does
the same. Nobody repeats a write: each has a number of its own.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, field

from memgraph_ha.fakes.memgraph.effects import Procedure
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.session import Session
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.world.ledger import Ack
from memgraph_ha.sim.world.passage import CLIENTS, Passage, Work
from memgraph_ha.trace.schema import Ghost, Plain

if TYPE_CHECKING:
    from memgraph_ha.sim.world.gateway import Gateway
    from memgraph_ha.sim.world.ground import Ground

AGAIN_S: Final = 0.1
"""How long a client that nobody let in waits before it tries again."""

JITTER: Final = 0.2
"""By which part of it a client's rest between two requests varies, either way."""

PATIENCE_S: Final = 10.0
"""How long a client waits to be let in somewhere, or for an answer; shorter than the 38 s for which a frozen standby
may stall a commit (transcripts Q4), for drivers have timeouts of their own."""

Rows = Procedure[list[list[object]]]

CREATE: Final = "CREATE (:W {id: $id})"
COUNT: Final = "MATCH (n:W) RETURN count(n)"


class Task(Protocol):
    """What a client does with its connection."""

    def step(self, client: Caller) -> None:
        """It is let in, or its last request was answered: ask for the next thing, or rest."""

    def ended(self, client: Caller, ticket: Ticket | None) -> None:
        """Its request ended: with an answer, or (None) cut off or given up."""


@define(eq=False)
class Caller:
    """A client's connection handling: it looks for a gateway, asks one thing at a time, and begins anew when cut off.

    Implements `memgraph_ha.sim.world.gateway.Client`.

    Attributes:
        dice: Its own: clients that were released at the same moment would else stay in step for ever, which makes
            ASYNC rows look invalid at every commit (semantics 2.10).
        reads: It uses the read-only gateways.
        gone: It has done what it wanted.
    """

    cluster: Ground
    task: Task
    dice: random.Random
    reads: bool = False
    gone: bool = False
    passage: Passage | None = None
    _turn: int = 0
    _tried: int = 0
    _asks: int = 0
    _knocking: bool = False
    _resting: bool = False

    def begin(self) -> None:
        """Look for a gateway, if there is no connection yet."""
        if self.passage is not None and not self.passage.over:
            self.task.step(self)
        elif not self._knocking and not self.gone:
            self._knocking, self._tried = True, 0
            self._knock()

    def _knock(self) -> None:
        """Try one gateway; the one that let it in last comes first."""
        names = list(self.cluster.controllers)
        if not names:
            self._rest()
            return
        controller = self.cluster.controllers[names[self._turn % len(names)]]
        gateway, net, asks = controller.gateway, self.cluster.net, self._asks
        if not controller.alive or net.path(CLIENTS, gateway.name) is Reach.REFUSED:
            self.turned_away()
            return
        net.carry(CLIENTS, gateway.name, lambda: controller.read(lambda: self._enter(gateway, asks)), PATIENCE_S)
        self._patience()

    def _enter(self, gateway: Gateway, asks: int) -> None:
        if self._asks != asks or not self._knocking:
            return  # it has given that one up
        if self.reads:
            gateway.admit_reader(self)
        else:
            gateway.admit(self)

    def _patience(self, seconds: float = PATIENCE_S) -> None:
        asks = self._asks

        def over() -> None:
            if self._asks == asks:
                self._abandon()

        self.cluster.world.at(seconds, over)

    def _abandon(self) -> None:
        """Nothing came of it in time: hang up."""
        passage = self.passage
        if self._knocking:
            self.turned_away()
        elif passage is not None and passage.busy:
            passage.cut()
            self.cut_off(passage)

    # -- what the gateway says -------------------------------------------------------------------

    def entered(self, passage: Passage) -> None:
        """It has a connection to an instance now."""
        self._asks += 1
        if self.gone or not self._knocking:
            passage.cut()
            return
        self._knocking, self.passage = False, passage
        self.task.step(self)

    def turned_away(self) -> None:
        """Try the next gateway at once, and after a round of all of them only after a rest."""
        self._asks += 1
        if not self._knocking:
            return
        self._turn, self._tried = self._turn + 1, self._tried + 1
        if self._tried >= len(self.cluster.controllers):
            self._rest()
        else:
            self._knock()

    def _rest(self) -> None:
        self._tried = 0
        self.cluster.world.at(AGAIN_S, lambda: self._knock() if self._knocking else None)

    def pause(self, every_s: float) -> None:
        """Rest, on average `every_s`, and begin again; who rests already goes on resting."""
        if not self._resting:
            self._resting = True
            self.cluster.world.at(self.pause_s(every_s), self._wake)

    def _wake(self) -> None:
        self._resting = False
        self.begin()

    def pause_s(self, every_s: float) -> float:
        """Draw how long it rests, on average `every_s`."""
        return every_s * (1 - JITTER + 2 * JITTER * self.dice.random())

    def ask(self, work: Work, *, begins: bool = True) -> None:
        """Ask for something on the connection."""
        assert self.passage is not None  # noqa: S101 - whoever steps has one
        self._asks += 1
        self.passage.send(work, begins=begins)
        refused = self.cluster.net.path(CLIENTS, self.passage.gateway.name) is Reach.REFUSED
        self._patience(AGAIN_S if refused else PATIENCE_S)

    def answered(self, ticket: Ticket) -> None:
        """What it asked for came to an end."""
        if self.passage is not None and not self.passage.over:
            self._asks += 1
            self.task.ended(self, ticket)

    def cut_off(self, passage: Passage) -> None:
        """That connection ended."""
        if self.passage is passage and not self.gone:
            self._asks += 1
            self.passage = None
            self.task.ended(self, None)


def run(query: str, **parameters: object) -> Work:
    """Work: one query, in a transaction of its own unless one is open."""

    def work(session: Session) -> Rows:
        answer = yield from session.run(query, parameters, 0)
        return (yield from answer.pull(-1)).rows

    return work


def begin(session: Session) -> Rows:
    """Work: BEGIN."""
    yield from session.begin()
    return []


def commit(session: Session) -> Rows:
    """Work: COMMIT."""
    yield from session.commit()
    return []


@define(eq=False)
class Writer:
    """Writes one number after another, each in a transaction of its own.

    Attributes:
        every_s: How long after an answer the next write begins.
        once: It writes one and leaves.
    """

    every_s: float
    once: bool = False
    number: int | None = None

    def step(self, client: Caller) -> None:
        """Begin a write, unless clients are to be calm."""
        cluster = client.cluster
        if cluster.calm:
            client.pause(self.every_s)
            return
        self.number = cluster.ledger.begin()[0]
        client.ask(run(CREATE, id=self.number))

    def ended(self, client: Caller, ticket: Ticket | None) -> None:
        """Note what became of it."""
        number, self.number = self.number, None
        passage = client.passage
        if number is not None:
            settle(client.cluster, range(number, number + 1), ticket, passage)
        if self.once and ticket is not None:
            client.gone = True
            if passage is not None:
                passage.cut()
        else:
            client.pause(self.every_s)


@define(eq=False)
class LongTransaction:
    """BEGIN, some writes, a long wait, COMMIT; then it leaves.

    Attributes:
        hold_s: How long it stays inside the transaction.
        count: How many writes it makes in it.
    """

    hold_s: float
    count: int = 1
    numbers: range = range(0)
    _done: int = -1
    _committing: bool = False

    def step(self, client: Caller) -> None:
        """BEGIN; whoever was cut off before it began tries again."""
        self.numbers, self._done = client.cluster.ledger.begin(self.count), -1
        client.ask(begin)

    def ended(self, client: Caller, ticket: Ticket | None) -> None:
        """Go on with the next statement, or note what became of it."""
        passage = client.passage
        if ticket is None or passage is None or ticket.error is not None:
            self._over(client, ticket)
            return
        passage.inside = True
        self._done += 1
        if self._done < self.count:
            client.ask(run(CREATE, id=self.numbers[self._done]), begins=False)
        elif self._done == self.count:
            client.cluster.world.at(self.hold_s, lambda: self._commit(client, passage))
        else:
            passage.inside = False
            self._over(client, ticket)

    def _commit(self, client: Caller, passage: Passage) -> None:
        if client.passage is passage and not passage.over:
            self._committing = True
            client.ask(commit, begins=False)

    def _over(self, client: Caller, ticket: Ticket | None) -> None:
        if self._committing:
            settle(client.cluster, self.numbers, ticket, client.passage)
        else:
            client.cluster.ledger.refused.update(self.numbers)
        client.gone = True
        if client.passage is not None:
            client.passage.inside = False
            client.passage.cut()


@define(eq=False)
class Reader:
    """Counts what was written, again and again, on a read-only connection.

    Attributes:
        every_s: How long it rests between two reads.
        served: How many reads were answered.
    """

    every_s: float
    served: int = 0

    def step(self, client: Caller) -> None:
        """Read."""
        client.ask(run(COUNT))

    def ended(self, client: Caller, ticket: Ticket | None) -> None:
        """Rest, and read again."""
        self.served += ticket is not None and ticket.error is None
        client.pause(self.every_s)


def settle(cluster: Ground, numbers: range, ticket: Ticket | None, passage: Passage | None) -> None:
    """Note what became of writes.

    Args:
        cluster: Whose ledger.
        numbers: Which writes.
        ticket: The answer; None: there was none, so they are indeterminate.
        passage: What they came through.
    """
    ledger = cluster.ledger
    outcome = "acknowledged"
    if ticket is None or passage is None or isinstance(ticket.error, Refused):
        ledger.indeterminate.update(numbers)
        outcome = "indeterminate"
    elif isinstance(ticket.error, MemgraphError):
        ledger.refused.update(numbers)
        outcome = "refused"
    else:
        for number in numbers:
            ledger.acks.append(Ack(write=number, at_s=cluster.now, permit=passage.permit))
        cluster.served()
    if cluster.recorded:
        permit = None if passage is None else passage.permit
        where: dict[str, Plain] = (
            {} if permit is None else {"instance": permit.instance, "generation": permit.generation}
        )
        first_and_last: dict[str, Plain] = {"first": numbers[0], "last": numbers[-1], "count": len(numbers)}
        cluster.ghost(Ghost.WRITES, "clients", outcome=outcome, **first_and_last, **where)


@define(eq=False)
class Clients:
    """All of them.

    Attributes:
        callers: Everyone that was ever started, in that order.
    """

    cluster: Ground
    dice: random.Random
    callers: list[Caller] = field(factory=list)

    def writers(self, count: int, every_s: float) -> None:
        """Let that many clients write unique numbers for ever, each `every_s` seconds after its last answer."""
        for place in range(count):
            self._start(Writer(every_s), after_s=every_s * place / count)

    def readers(self, count: int, every_s: float) -> list[Reader]:
        """Let that many clients read for ever through the read-only gateways; returns them."""
        tasks = [Reader(every_s) for _ in range(count)]
        for place, task in enumerate(tasks):
            self._start(task, after_s=every_s * place / count, reads=True)
        return tasks

    def long_transaction(self, hold_s: float, count: int = 1) -> LongTransaction:
        """Let one client BEGIN, make `count` writes, wait `hold_s` seconds, and COMMIT; returns it."""
        task = LongTransaction(hold_s, count)
        self._start(task)
        return task

    def storm(self, count: int, within_s: float = 1.0) -> None:
        """Let that many clients connect within so many seconds, make one write each, and leave (J3)."""
        for _ in range(count):
            self._start(Writer(0.1, once=True), after_s=within_s * self.dice.random())

    def _start(self, task: Task, *, after_s: float = 0.0, reads: bool = False) -> None:
        dice = self.cluster.dice(f"client {len(self.callers)}")
        caller = Caller(self.cluster, task, dice, reads=reads)
        self.callers.append(caller)
        self.cluster.world.at(after_s, caller.begin)
