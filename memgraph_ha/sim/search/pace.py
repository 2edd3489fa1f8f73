"""How fast controllers are, beside everything else that happens.

A look and a command take milliseconds; a heartbeat comes once a second, a process takes longer to start, a lease to run
out, a link to heal. At `Pace.PROMPT` a controller is done with what it has seen before any of these happen, so that
histories that differ only in how its steps and theirs interleave are told once. What may come in between all the same:
clients' writes, and faults; right after a fault the controller may be slow, so that a process can be back before
anybody saw that it was gone; and a command that is slower than that costs the fault `delay`. At `Pace.ANY` nothing is
faster than anything else.
"""

from __future__ import annotations

import enum
from typing import Final

from memgraph_ha.sim.search.acts import Acts
from memgraph_ha.sim.search.checks import check_state
from memgraph_ha.sim.search.ground import LEADERS, settled
from memgraph_ha.sim.search.state import State

_LOOKS: Final = 16
"""More than it ever takes until a look tells a controller nothing new; beyond it the rules go round in a circle."""


class Pace(enum.Enum):
    """Whether controllers are faster than the world."""

    PROMPT = "prompt"
    ANY = "any"


def all_looked(acts: Acts, state: State) -> State:
    """Let everybody who leads look, until no look changes anything; each state on the way is checked.

    Raises:
        ViolationError: A promise is broken on the way.
    """
    for _look in range(_LOOKS):
        before = state
        for index, controller in enumerate(state.controllers):
            if controller.mode in LEADERS:
                looked, _thought = acts.look(state, index)
                if looked != state:
                    check_state(settled(looked))
                    state = looked
        if state == before:
            return state
    raise AssertionError("controllers look without end, and each look changes something")


def all_seen(acts: Acts, state: State) -> bool:
    """Whether a look tells nobody who leads anything new: not so if a fault has just struck."""
    return all(
        controller.mode not in LEADERS or acts.look(state, index)[0] == state
        for index, controller in enumerate(state.controllers)
    )
