"""Which rules decided in a search, which never did, and which of them matched together with another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from attrs import define, field

from memgraph_ha.core.decision import Decision
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.view import View

OUTSIDE: Final[dict[str, tuple[str, ...]]] = {
    "clocks stand still for nobody: the search pauses a controller by crashing it": ("N30",),
    "the world begins with a record and its members, which nobody removes or corrupts": ("R20", "R30", "K30"),
    "the world begins after the bootstrap": ("B10", "B20", "B30"),
    "nobody orders anything, announces a stop, or pauses the cluster": (
        "C10",
        "C15",
        "C20",
        "C30",
        "C40",
        "C50",
        "C90",
        "C95",
        "M10",
        "M20",
        "M30",
    ),
    "nobody promotes, replaces data or changes the storage mode by hand": ("L12", "W20"),
    "reigns lie outside of every window": ("L15",),
    "disks take every commit, and keep what they took": ("L80", "W30"),
    "everybody listens where the platform says, and is configured as it should be": ("F20", "Y05", "Y50", "Y60", "Y70"),
    "there are no triggers": ("O44", "K20", "Y40"),
    "accounts are restored under the policy restore-users only": ("O42",),
}
"""Why a rule cannot decide in the small world; the scenarios and the fuzzing go where the search does not."""


@define
class Coverage:
    """What was seen of the rules.

    Attributes:
        rules: In order.
        fired: Ids of those that decided.
        together: Neighbours that matched in the same view; the first of the two won.
        look_at_pairs: Whether to ask every rule in every view, which takes several times as long.
    """

    rules: tuple[Rule, ...] = RULES
    look_at_pairs: bool = False
    fired: set[str] = field(factory=set)
    together: set[tuple[str, str]] = field(factory=set)

    def note(self, view: View, decision: Decision) -> None:
        """Take note of one distinct view; this is a `Watch`."""
        self.fired.add(decision.rule)
        if self.look_at_pairs:
            matches = [isinstance(rule.decide(view), Decision) for rule in self.rules]
            for place in range(len(matches) - 1):
                if matches[place] and matches[place + 1]:
                    self.together.add((self.rules[place].id, self.rules[place + 1].id))

    def silent(self) -> Iterable[tuple[str, str]]:
        """Each rule that never decided, with the reason if the small world cannot bring it about."""
        reasons = {rule: why for why, rules in OUTSIDE.items() for rule in rules}
        for rule in self.rules:
            if rule.id not in self.fired:
                yield rule.id, reasons.get(rule.id, "needs more faults, or another policy")
