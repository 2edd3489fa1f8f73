"""What a campaign asks of the failsafe: how a term may go on while nobody can reach the lease (decision 0011)."""

from collections.abc import Callable
from typing import Protocol

from memgraph_ha.adapters.lease_note import LeaseNote, Sight


class Failsafe(Protocol):
    """Told of everything that a campaign sees and sends; every call returns at once, on the campaign's task."""

    def saw(self, sight: Sight) -> None:
        """Take note of an answered look; also while we hold the lease."""
        ...

    def forbids(self, unchanged_s: float) -> str | None:
        """Say why the lease must not be taken now, in one sentence; None if it may.

        Args:
            unchanged_s: For how long this process has seen it unchanged, seconds.
        """
        ...

    def taking(self, token: str | None) -> None:
        """A take over this version is sent now; until `took`, no promise is given."""
        ...

    def took(self, done: bool | None) -> None:
        """That take ended; None: whether it was written is not known."""
        ...

    def annotation(self) -> str:
        """Who may lead, to be written with every take and renewal; empty for nothing."""
        ...

    def wrote(self, annotation: str) -> None:
        """A write with it is sent now."""
        ...

    def kept(self, note: LeaseNote, sent_s: float) -> None:
        """That write, sent at this time, was acknowledged: we hold the lease by it."""
        ...

    def lost(self) -> None:
        """Our term ended: it ran out, was released, or somebody else holds the lease."""
        ...

    def until_s(self, until_s: float) -> float:
        """When a term really ends that ends then by its last renewal: then or later."""
        ...

    def on_change(self, changed: Callable[[], None]) -> None:
        """Name whom to call when that moved."""
        ...


class NoFailsafe:
    """Implements `Failsafe` where there is none: a term ends when it is not renewed."""

    def saw(self, sight: Sight) -> None:
        """Forget it."""

    def forbids(self, unchanged_s: float) -> str | None:  # noqa: ARG002 - the port's
        """Forbid nothing."""
        return None

    def taking(self, token: str | None) -> None:
        """Forget it."""

    def took(self, done: bool | None) -> None:
        """Forget it."""

    def annotation(self) -> str:
        """Write nothing."""
        return ""

    def wrote(self, annotation: str) -> None:
        """Forget it."""

    def kept(self, note: LeaseNote, sent_s: float) -> None:
        """Forget it."""

    def lost(self) -> None:
        """Forget it."""

    def until_s(self, until_s: float) -> float:
        """End it then."""
        return until_s

    def on_change(self, changed: Callable[[], None]) -> None:
        """Nothing ever moves."""
