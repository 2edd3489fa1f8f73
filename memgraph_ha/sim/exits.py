"""How every verb of `memgraph-ha sim` ends (scenarios 6.6)."""

import enum


class Exit(enum.IntEnum):
    """The exit codes. They are part of the interface: a script may rely on each."""

    OK = 0
    UNMET = 1
    USAGE = 2
    SAFETY = 3
    LIVENESS = 4
    NOT_DETERMINISTIC = 5
    DIFFERENT = 6
    INTERNAL = 7


MEANINGS = {
    Exit.OK: "nothing was found",
    Exit.UNMET: "an expectation of a scenario is not met, or a score is too low",
    Exit.USAGE: "the command line, a scenario or a trace is wrong: the message names file, field, value and the fix",
    Exit.SAFETY: "a safety promise was broken (S1-S14)",
    Exit.LIVENESS: "a cluster did not come back, or waits under no documented name (L1-L9)",
    Exit.NOT_DETERMINISTIC: "the same seed gave two histories",
    Exit.DIFFERENT: "today's rules decide otherwise than the trace says",
    Exit.INTERNAL: "a bug in the simulator itself",
}
"""What each means, for the help and the reference."""
