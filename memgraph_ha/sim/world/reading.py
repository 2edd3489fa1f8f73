"""How a controller reads the record: again and again, one read at a time, each stamped with when it was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, evolve

from memgraph_ha.core.facts import RecordSeen, RecordTrouble

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

POLL_S: Final = 1.0
"""As the daemon: how often the record is read without a reason."""


@define(eq=False)
class RecordReader:
    """Reads the record for one controller.

    Attributes:
        newest: The highest version that this process has read or written. What is older was served by somebody who is
            behind, and is no record to go by (catalogue I2, as the Kubernetes adapter does).
    """

    controller: Controller
    newest: int = 0
    _reading: bool = False
    _again: bool = False
    _serial: int = 0

    def begin(self) -> None:
        """A process starts."""
        self._reading = self._again = False
        self.newest = 0
        self.soon()

    def soon(self) -> None:
        """Read now, or right after the read that is under way."""
        if self._reading:
            self._again = True
        else:
            self._read()

    def _read(self) -> None:
        self._reading, self._again = True, False
        self._serial += 1
        controller, serial = self.controller, self._serial
        asked_s, cluster = controller.now_s, controller.cluster
        name = controller.name

        def answered(seen: RecordSeen | None) -> None:
            self._reading = False
            if seen is None:
                seen = RecordSeen(
                    at_s=asked_s, record=None, token=None, trouble=RecordTrouble.UNANSWERED, detail="no answer"
                )
            self.take(seen)
            if self._again:
                self._read()
            else:
                controller.after(POLL_S, lambda: self._read() if serial == self._serial else None)

        controller.request(lambda: cluster.store.seen_at(asked_s, cluster.api.record_back(name)), answered)

    def take(self, seen: RecordSeen) -> None:
        """File what was read, unless it is older than what was; whoever leads carries its generation into the lease."""
        version = None if seen.token is None else int(seen.token)
        if version is not None and version < self.newest:
            trouble, detail = RecordTrouble.UNREADABLE, "an older version was served"
            seen = evolve(seen, record=None, token=None, trouble=trouble, detail=detail)
        elif version is not None:
            self.newest = version
        if seen.record is not None:
            self.controller.elector.raise_floor(seen.record.generation)
        self.controller.file(seen)
