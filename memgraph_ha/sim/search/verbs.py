"""The moves of the small world by name, as scenario files and stories tell them."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from memgraph_ha.sim.search.moves import Move
from memgraph_ha.sim.search.words import INDEX, NAMES

CONTROLLERS: Final = ("c0", "c1")
"""The first and the second of a state: nothing else tells them apart, so who is which may change from step to step."""


@frozen
class Verb:
    """One kind of move.

    Attributes:
        takes: What it takes: ``c`` a controller, ``i`` an instance, ``n`` the number of a late command.
        says: The sentence that tells it.
        fault: Whether it costs one of the budget.
    """

    takes: str
    says: str
    fault: bool = False


VERBS: Final[dict[str, Verb]] = {
    "look": Verb("c", "{0} looks"),
    "wait": Verb("c", "{0} has waited long enough"),
    "wait-long": Verb("c", "{0} has tried again and again for long enough"),
    "land": Verb("c", "{0}'s command lands"),
    "expire": Verb("c", "{0}'s command gets no answer in time"),
    "land-late": Verb("n", "late command {0} lands"),
    "lose-late": Verb("n", "late command {0} is lost for good"),
    "write": Verb("c", "a client writes through {0}; MAIN has committed"),
    "write-aborts": Verb("c", "a client's write through {0} is aborted by STRICT_SYNC"),
    "finalize": Verb("", "MAIN tells its replicas that the write is committed, and answers the client"),
    "start": Verb("i", "the platform starts {0}"),
    "beat": Verb("ii", "{0} asks its replica {1} how it is"),
    "take-lease": Verb("c", "{0} takes the lease"),
    "notice": Verb("c", "{0} notices that it does not lead any more"),
    "lapse": Verb("c", "{0}'s lease ends on its own clock"),
    "heal": Verb("ii", "the link from {0} to {1} is whole again"),
    "heal-controller": Verb("ci", "{0} reaches {1} again"),
    "heal-api": Verb("c", "{0} reaches record and lease again"),
    "crash": Verb("i", "{0} is killed", fault=True),
    "wipe": Verb("i", "{0} is killed and its volume is lost", fault=True),
    "cut": Verb("ii", "nothing gets from {0} to {1} any more", fault=True),
    "lose-finalize": Verb("", "MAIN answers the client, but its word to the replica is lost", fault=True),
    "crash-controller": Verb("c", "{0} is killed", fault=True),
    "cut-controller": Verb("ci", "{0} does not reach {1} any more", fault=True),
    "delay": Verb("c", "{0}'s command is late: its deadline passes", fault=True),
    "cut-api": Verb("c", "{0} does not reach record and lease any more", fault=True),
    "steal-lease": Verb("c", "somebody removes the lease that {0} holds", fault=True),
    "restore-record": Verb("", "somebody puts the record of the reign before back", fault=True),
}
"""Every kind of move."""

FAULTS: Final = tuple(name for name, verb in VERBS.items() if verb.fault)


def names_of(move: Move) -> tuple[str, ...]:
    """Who takes part in a move, by name."""
    words = {"c": CONTROLLERS, "i": NAMES}
    takes = VERBS[move.verb].takes
    return tuple(
        str(words[kind][who]) if kind in words else str(who) for kind, who in zip(takes, move.who, strict=True)
    )


def told(move: Move) -> str:
    """A move in a sentence."""
    return VERBS[move.verb].says.format(*names_of(move))


def parse(verb: str, who: tuple[str, ...]) -> Move:
    """Read a move as a scenario file names it.

    Raises:
        ValueError: There is no such verb, or it takes something else; the message says what.
    """
    known = VERBS.get(verb)
    if known is None:
        raise ValueError(f"step field do: {verb!r} is unknown; allowed are {', '.join(VERBS)}")
    if len(who) != len(known.takes):
        raise ValueError(f"step {verb!r} field who: {list(who)} has {len(who)} names; give {len(known.takes)}")
    return Move(
        verb, tuple(_number(verb, kind, name) for kind, name in zip(known.takes, who, strict=True)), known.fault
    )


def _number(verb: str, kind: str, name: str) -> int:
    allowed = {"c": dict(zip(CONTROLLERS, (0, 1), strict=True)), "i": {str(key): at for key, at in INDEX.items()}}
    if kind == "n" and name.isdecimal():
        return int(name)
    if name not in allowed.get(kind, {}):
        words = ", ".join(allowed.get(kind, {})) or "a number"
        raise ValueError(f"step {verb!r} field who: {name!r} is not one of {words}")
    return allowed[kind][name]
