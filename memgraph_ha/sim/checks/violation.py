"""How a broken promise is told: which, when, by whom, and what was done."""

from __future__ import annotations

import re
from typing import Final

from memgraph_ha.core.commands import Command

_ID: Final = re.compile(r"\b([SL]\d{1,2}): ")


class ViolationError(AssertionError):
    """A promise was broken; the text begins with which.

    Args:
        text: ``S1: what was found``.
        at_s: When, virtual seconds; None: not at one moment.
        who: The controller, instance or client that broke it; empty if nobody did alone.
        cause: The command whose effect it was, if it was one.

    Attributes:
        check: ``S1`` to ``S14`` or ``L1`` to ``L9``; empty if the text names none.
    """

    def __init__(self, text: str, *, at_s: float | None = None, who: str = "", cause: Command | None = None) -> None:
        super().__init__(text)
        found = _ID.search(text)
        self.check = "" if found is None else found[1]
        self.text, self.at_s, self.who, self.cause = text, at_s, who, cause

    @property
    def safety(self) -> bool:
        """Whether something happened that never may; else something did not happen that must."""
        return not self.check.startswith("L")


class SafetyViolation(ViolationError):  # noqa: N818 - "Violation" is the field's word for it
    """Something happened that never may (S1-S14)."""


class LivenessViolation(ViolationError):  # noqa: N818 - "Violation" is the field's word for it
    """Something did not happen that must (L1-L9)."""


def broken(
    check: str, what: str, *, at_s: float | None = None, who: str = "", cause: Command | None = None
) -> ViolationError:
    """Make the exception for a check.

    Args:
        check: ``S1`` to ``S14``, ``L1`` to ``L9``.
        what: What was found.
        at_s: When, virtual seconds.
        who: By whom.
        cause: The command whose effect it was.
    """
    kind = LivenessViolation if check.startswith("L") else SafetyViolation
    return kind(f"{check}: {what}", at_s=at_s, who=who, cause=cause)
