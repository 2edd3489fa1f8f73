"""What random lives may not do: the promises hold within a fault model (scenarios 5.0), and so do the lives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from memgraph_ha.sim.scenario.model import Fault, Setting, Value

PAIR: Final = 2
"""How many instances may be MAIN."""

EXCLUDED: Final = frozenset(
    {
        "query",  # any text
        "mark",  # does nothing
        "keep-volume",  # of use only with a name that is kept; an old volume has scenarios of its own
        "restore-volume",
        "keep-record",  # likewise
        "restore-record",
        "replace-data",  # RECOVER SNAPSHOT by hand gives acknowledged writes up, at once and everywhere
        "recover-snapshot",
        "start-clients",  # the clients are drawn
    }
)
"""Verbs that lives do not use."""

NARROWED: Final[Mapping[str, Mapping[str, tuple[Value, ...]]]] = {
    "ask": {"answer": ("any",), "wait": (True, False, False, False)},  # an answer is no expectation here
    "write-by-hand": {"counts": (False,)},  # past the gateways nothing is promised
    "flap": {"every": (0.02, 0.3, 1.0)},  # while it flaps nothing else happens
    "scale": {"to": (3, 4, 5)},  # whoever may be MAIN stays
}
"""Arguments that lives draw from these values only."""

ENDS: Final = frozenset({"foreign-record", "spoil-record"})
"""Nothing but their undoing ends them, so they always are undone."""

APART: Final = (
    frozenset({"delete-record", "forget-floor"}),  # the floor in the lease tells that there was a record
    frozenset({"delete-record", "spoil-record"}),  # then there is none to put back
    frozenset({"delete-record", "foreign-record"}),
)
"""Each of these alone is survived, because the other is left."""

LAST: Final = frozenset({"lose-finalize"})
"""Nothing follows them: if MAIN dies before the next commit shows that a Finalize was lost, so is the write (design 1).

That is what Memgraph itself leaves open, and no promise. The exhaustive search has it before and after other faults.
"""

EMPTIES: Final = frozenset({"lose-volume", "empty-volume"})
"""They destroy what one instance stored."""

DOUBTS: Final = frozenset({"delete-record", "foreign-record", "spoil-record", "forget-floor", "set-role", "ask"})
"""After them a person may have to say whose data counts, or may have ordered what loses data."""


def loses_data(fault: Fault) -> bool:
    """Whether only a person may be able to end what it leads to."""
    return fault.do in EMPTIES | DOUBTS


def within_limits(fault: Fault, before: Sequence[Fault], setting: Setting) -> bool:
    """Whether a fault may come after those.

    None comes after one that must be the last. Not both of two that are only survived alone. At most one of the pair
    loses its volume, and it does so while the other one holds everything: first of all. Those that can never be MAIN
    may lose theirs whenever they like.
    """
    done = {other.do for other in before}
    if done & LAST:
        return False
    if any(fault.do in apart and done & (apart - {fault.do}) for apart in APART):
        return False
    if fault.do not in EMPTIES:
        return True
    if has_others(setting) and fault.get("on") == "async":
        return True
    return not before


def has_others(setting: Setting) -> bool:
    """Whether there are instances beside the pair: those that can never be MAIN."""
    return setting.instances > PAIR
