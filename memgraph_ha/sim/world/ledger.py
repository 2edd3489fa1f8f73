"""What clients were told: the ledger against which every promise about writes is judged."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from attrs import define, field, frozen

from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.permit import Permit


@frozen(kw_only=True)
class Ack:
    """A write that a client was told is saved.

    Attributes:
        write: Its number.
        at_s: When the client was told, virtual seconds.
        permit: What the gateway relayed it under.
    """

    write: int
    at_s: float
    permit: Permit


@define(eq=False)
class Ledger:
    """What became of every write.

    Attributes:
        acks: Those that a client was told are saved, in that order.
        indeterminate: Sent, and no answer came: saved or not, either is right.
        refused: Refused by an instance or never sent: saved nowhere.
        by_hand: Those that a human made directly at an instance, and does not give up.
        forgiven: Those that a human gave up by name.
        writers: Which process each generation's writes were acknowledged by.
        writes: How many were begun.
        newest: The highest generation under which a write was acknowledged.
    """

    acks: list[Ack] = field(factory=list)
    indeterminate: set[int] = field(factory=set)
    refused: set[int] = field(factory=set)
    by_hand: set[int] = field(factory=set)
    forgiven: set[int] = field(factory=set)
    writers: dict[int, tuple[InstanceName, RunId]] = field(factory=dict)
    writes: int = 0
    newest: int = 0
    _acked: set[int] = field(factory=set)

    def begin(self, count: int = 1) -> range:
        """Number so many new writes."""
        first, self.writes = self.writes + 1, self.writes + count
        return range(first, self.writes + 1)

    def new_record(self) -> None:
        """A record was created: its reigns are numbered anew."""
        self.writers.clear()
        self.newest = 0

    @property
    def kept(self) -> AbstractSet[int]:
        """What must be kept: acknowledged, or written by hand and relied on."""
        acked = self._acked
        acked.update(ack.write for ack in self.acks[len(acked) :])  # each write is acknowledged once
        return acked | self.by_hand if self.by_hand else acked

    def give_up(self, kept: AbstractSet[int]) -> int:
        """A human gives up what is not among `kept`; returns how many writes that were acknowledged."""
        lost = {ack.write for ack in self.acks} - kept
        self.forgiven |= lost
        self.acks = [ack for ack in self.acks if ack.write in kept]
        self._acked.clear()
        return len(lost)
