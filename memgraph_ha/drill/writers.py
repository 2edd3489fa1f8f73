"""Writers: threads with the stock `neo4j` driver that write through the gateway as fast as they are answered.

Two kinds. A *fast* writer never retries a write; when it loses its connection it makes another at once, so it shows
when service is back and which writes are in doubt. A *stock* writer leaves everything to the driver's managed
transactions, as an application would.

The driver bounds no query on a connection it has; `driver.close()` from another thread ends it at once (transcripts
Q15). So one watchdog looks after all of them: a call that takes longer than `CALL_MAX_S` is ended by it, and so is
what is still under way some time after the writers were told to stop.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Sequence
from typing import Final

import neo4j
from neo4j import GraphDatabase, NotificationMinimumSeverity
from neo4j.exceptions import Neo4jError

from memgraph_ha.core.names import Address
from memgraph_ha.drill.ledger import Outcome, WriterLog, outcome_of_refusal

QUERY: Final = "CREATE (:Write {id: $id})"

BREATH_S: Final = 0.002
"""Between a failure and the next connection: a client that reconnects at once, but does not spin."""

REFUSED_BREATH_MAX_S: Final = 0.016
"""After a write that the server refused the breath doubles up to this: aborts come by the hundred while a STRICT_SYNC
standby catches up (transcripts Q12), and must not take the processor from it."""

REFUSED_MOST: Final = 30
"""After so many refusals in a row a writer connects anew: perhaps it speaks to the wrong one."""

CONNECT_MAX_S: Final = 10.0
"""Longest wait for an open connection. A gateway holds a new one while a reign begins; then the wait starts again."""

CALL_MAX_S: Final = 60.0
"""A write without an answer for so long is given up. A frozen STRICT_SYNC replica stalls one up to 38 s (Q4)."""

DRAIN_S: Final = 2.0
"""How long writes under way may take after the writers were told to stop."""

_WATCH_S: Final = 0.05

logging.getLogger("neo4j").addHandler(logging.NullHandler())  # it prints each lost connection; the ledger counts them


class _HaltedError(Exception):
    """No more connections: the writer is to end. Not an error that the driver retries."""


class Writer(threading.Thread):
    """One writer: one connection at a time, one write at a time.

    Resource handling: owns one driver at a time and closes it before it ends. A daemon thread, so that a defect here
    can never keep the process alive.

    Args:
        number: Its number; part of every id.
        address: The gateway's, ``host:port``.
        halt: Set to end it.
    """

    def __init__(self, number: int, address: Address, halt: threading.Event) -> None:
        super().__init__(name=f"writer-{number}", daemon=True)
        self.log = WriterLog(number)
        self._address = address
        self._halt = halt
        self._driver: neo4j.Driver | None = None
        self._calling_since_s: float | None = None
        self._was_cut = False

    def run(self) -> None:
        """Write until told to stop."""
        while not self._halt.is_set():
            self._was_cut = False
            driver = self._driver = self._make_driver()
            try:
                self._write_over(driver)
            finally:
                _close(driver)
            self._halt.wait(BREATH_S)

    def cut(self) -> None:
        """End the call under way, from another thread; it ends indeterminate."""
        self._was_cut = True
        if self._driver is not None:
            _close(self._driver)

    def overdue(self, now_s: float) -> bool:
        """Whether its present call takes longer than any should."""
        since_s = self._calling_since_s
        return since_s is not None and now_s - since_s > CALL_MAX_S

    def _make_driver(self) -> neo4j.Driver:
        return GraphDatabase.driver(
            f"bolt://{self._address}",
            max_connection_pool_size=1,
            max_connection_lifetime=-1,
            connection_acquisition_timeout=CONNECT_MAX_S,
            connection_timeout=CONNECT_MAX_S,
            notifications_min_severity=NotificationMinimumSeverity.OFF,
            telemetry_disabled=True,
        )

    def _write_over(self, driver: neo4j.Driver) -> None:
        """Open the driver's one connection and write over it until something goes wrong."""
        try:
            driver.verify_connectivity()
        except Exception as error:  # noqa: BLE001 - whatever the driver trips over, nothing was sent
            self.log.connect_failed(_words(error))
            return
        with contextlib.suppress(Exception), driver.session() as session:  # only its end can raise here
            refused = 0
            while not self._halt.is_set() and refused < REFUSED_MOST:
                match self._write_one(session):
                    case Outcome.ACKNOWLEDGED:
                        refused = 0
                    case Outcome.REFUSED:
                        self._halt.wait(min(BREATH_S * 2**refused, REFUSED_BREATH_MAX_S))
                        refused += 1
                    case Outcome.INDETERMINATE:
                        return

    def _write_one(self, session: neo4j.Session) -> Outcome:
        """Make one write and note its end."""
        self._calling_since_s = time.monotonic()
        name = self.log.begin(self._calling_since_s)
        outcome: Outcome = Outcome.INDETERMINATE
        error: Exception | None = None
        try:
            self._send(session, name)
            outcome = Outcome.ACKNOWLEDGED
        except Neo4jError as answer:
            outcome, error = outcome_of_refusal(answer.message or ""), answer
        except _HaltedError:
            if not self._was_cut:  # between two tries: the driver retries only what certainly was not committed
                outcome = Outcome.REFUSED
        except Exception as broken:  # noqa: BLE001 - whatever the driver trips over, no answer came
            error = broken
        self._calling_since_s = None
        self.log.end(outcome, time.monotonic(), None if error is None else _words(error))
        return outcome

    def _send(self, session: neo4j.Session, name: str) -> None:
        session.run(QUERY, id=name).consume()


class StockWriter(Writer):
    """A writer as applications are written: one driver for good, `execute_write`, the driver's own retries.

    The driver retries a managed transaction only if it knows that it was not committed, so an id is still written at
    most once. Its first retry comes after about a second (design 10). The options that differ from the defaults bound
    the wait for a connection and end the retries, so that the writer can be stopped.
    """

    def _make_driver(self) -> neo4j.Driver:
        return GraphDatabase.driver(
            f"bolt://{self._address}",
            connection_acquisition_timeout=CONNECT_MAX_S,
            resolver=self._resolve,
            telemetry_disabled=True,
        )

    def _resolve(self, address: neo4j.Address) -> list[neo4j.Address]:
        """Let nobody connect once the writer is to end: the driver would retry on, also when it was closed."""
        if self._halt.is_set():
            raise _HaltedError
        return [address]

    def _write_over(self, driver: neo4j.Driver) -> None:
        while not self._halt.is_set() and not self._was_cut:
            with driver.session() as session:
                if self._write_one(session) is not Outcome.ACKNOWLEDGED:
                    self._halt.wait(BREATH_S)

    def _send(self, session: neo4j.Session, name: str) -> None:
        session.execute_write(self._work, name)

    def _work(self, transaction: neo4j.ManagedTransaction, name: str) -> None:
        self.log.begin_again(time.monotonic())
        transaction.run(QUERY, id=name).consume()


class Writers:
    """All writers of one drill, and the watchdog that makes sure that they end.

    Resource handling: `start` starts threads; `stop` must be called, and ends them all within `stop_max_s`.

    Args:
        address: The gateway's, ``host:port``.
        count: How many, at least 1.
        kind: How they write; a `StockWriter` lets the driver retry.
        first: The first one's number: ids of writers with the same number would be the same.
    """

    def __init__(self, address: Address, count: int, *, kind: type[Writer] = Writer, first: int = 0) -> None:
        self._halt = threading.Event()
        self._writers = [kind(number, address, self._halt) for number in range(first, first + count)]
        self._done = threading.Event()
        self._watchdog = threading.Thread(target=self._watch, name="writers-watchdog", daemon=True)

    @property
    def logs(self) -> Sequence[WriterLog]:
        """Every writer's log, live."""
        return [writer.log for writer in self._writers]

    @property
    def stop_max_s(self) -> float:
        """Longest time that `stop` may take."""
        return DRAIN_S + CONNECT_MAX_S + 1.0

    def acknowledged(self) -> int:
        """How many writes were acknowledged so far."""
        return sum(log.count(Outcome.ACKNOWLEDGED) for log in self.logs)

    def acknowledged_since(self, at_s: float) -> bool:
        """Whether an acknowledgement came after that time (CLOCK_MONOTONIC)."""
        return any((log.last_acknowledged_s or 0.0) > at_s for log in self.logs)

    def start(self) -> None:
        """Begin."""
        for writer in self._writers:
            writer.start()
        self._watchdog.start()

    def stop(self) -> tuple[str, ...]:
        """Tell them to stop, let writes under way end, cut what does not.

        Returns:
            The names of threads that did not end in time: a defect, to be reported.
        """
        self._halt.set()
        end_s = time.monotonic() + self.stop_max_s
        for writer in self._writers:
            if writer.ident is not None:
                writer.join(max(0.0, end_s - time.monotonic()))
        self._done.set()
        if self._watchdog.ident is not None:
            self._watchdog.join(1.0)
        return tuple(thread.name for thread in (*self._writers, self._watchdog) if thread.is_alive())

    def _watch(self) -> None:
        halted_s: float | None = None
        while not self._done.wait(_WATCH_S):
            now_s = time.monotonic()
            if halted_s is None and self._halt.is_set():
                halted_s = now_s
            closing = halted_s is not None and now_s - halted_s > DRAIN_S
            for writer in self._writers:
                if writer.is_alive() and (closing or writer.overdue(now_s)):
                    writer.cut()


def _close(driver: neo4j.Driver) -> None:
    with contextlib.suppress(Exception):  # a goodbye to a peer that is gone, or to a driver that is closed
        driver.close()


def _words(error: Exception) -> str:
    """Name an error in one line, without what differs each time."""
    text = error.message if isinstance(error, Neo4jError) and error.message else str(error)
    return f"{type(error).__name__}: {text.splitlines()[0] if text else '(no text)'}"
