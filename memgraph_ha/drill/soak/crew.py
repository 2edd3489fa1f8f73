"""The soak's writers: half keep their sessions, half open a new connection for each write; half retry, half do not.

They write at a pace, so that an hour of them can be read back, but without one after a failure: how soon service is
back is what they are there to see.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from typing import Final

import neo4j

from memgraph_ha.core.names import Address
from memgraph_ha.drill.ledger import Outcome
from memgraph_ha.drill.writers import StockWriter, Writer, Writers

KEEPING, OPENING = 8, 8
"""How many keep their sessions, and how many open new ones."""

PACE_S: Final = 0.1
"""After an acknowledged write on a session that is kept."""

OPENING_PACE_S: Final = 0.25
"""After an acknowledged write on a session of its own: connecting costs more."""


class KeepingWriter(Writer):
    """Keeps its session, never retries, reconnects at once."""

    def _write_one(self, session: neo4j.Session) -> Outcome:
        return _pace(super()._write_one(session), self._halt, PACE_S)


class KeepingStockWriter(StockWriter):
    """Keeps its driver, and leaves retries to `execute_write`."""

    def _write_one(self, session: neo4j.Session) -> Outcome:
        return _pace(super()._write_one(session), self._halt, PACE_S)


class _OneWriteError(Exception):
    """One write was made; a session ends with it. Not an error: the writer's way out of its loop."""


class OpeningWriter(Writer):
    """Opens a new connection for each write, never retries, reconnects at once."""

    def _write_one(self, session: neo4j.Session) -> Outcome:
        _pace(super()._write_one(session), self._halt, OPENING_PACE_S)
        raise _OneWriteError


class OpeningStockWriter(StockWriter):
    """Makes a new driver for each write, and leaves retries to `execute_write`."""

    def _write_over(self, driver: neo4j.Driver) -> None:
        with driver.session() as session:
            _pace(self._write_one(session), self._halt, OPENING_PACE_S)


class Crew(Writers):
    """All writers of a soak.

    Resource handling: as of `Writers`.

    Args:
        address: The gateway's, ``host:port``.
        keeping: How many keep their sessions; every other one retries.
        opening: How many open new ones; every other one retries.
    """

    def __init__(self, address: Address, keeping: int = KEEPING, opening: int = OPENING) -> None:
        super().__init__(address, 0)
        keepers = ((KeepingWriter, KeepingStockWriter)[number % 2] for number in range(keeping))
        openers = ((OpeningWriter, OpeningStockWriter)[number % 2] for number in range(opening))
        for kind in (*keepers, *openers):
            self._writers.append(kind(len(self._writers), address, self._halt))


@contextlib.contextmanager
def quiet_driver() -> Iterator[None]:
    """Keep one defect of the driver off the screen meanwhile; everything else is still printed.

    neo4j 6.4.1: a peer that resets right after the handshake leaves a half-made ``Bolt``, whose ``__del__`` raises.
    """
    usual = sys.unraisablehook

    def pass_on(unraisable: "sys.UnraisableHookArgs") -> None:
        name = getattr(unraisable.object, "__qualname__", "")
        if not (name == "Bolt.__del__" and isinstance(unraisable.exc_value, AttributeError)):
            usual(unraisable)

    sys.unraisablehook = pass_on
    try:
        yield
    finally:
        sys.unraisablehook = usual


def _pace(outcome: Outcome, halt: threading.Event, pace_s: float) -> Outcome:
    if outcome is Outcome.ACKNOWLEDGED:
        halt.wait(pace_s)
    return outcome
