"""The lines of a trace: what a controller was told, what it decided and what it sent, in the order in which it was so.

One schema for the simulator, `memgraph-ha local` and the daemon. A trace holds everything that `observe` and `decide`
take, so that today's rules can be fed with it and compared (docs/reference/trace.md is made from these classes).
Every line but the header, ghosts and the footer has a number, ``seq``, that others refer to.
"""

import enum
import hashlib
from typing import Final

from attrs import frozen

from memgraph_ha import __version__
from memgraph_ha.core import Decision, Fact, Observed, Policy
from memgraph_ha.core.commands import Command

PRODUCT: Final = f"memgraph-ha {__version__}"
"""Who writes, by name and version."""

SCHEMA: Final = 1
"""The schema that this version writes, and the only one that it reads."""


class Source(enum.Enum):
    """Who recorded."""

    SIMULATOR = "simulator"
    LOCAL = "local"
    DAEMON = "daemon"


class Ghost(enum.Enum):
    """What only the simulator can know; the value says which data such a line carries.

    ``who`` is the instance, controller or client that it is about.
    """

    INSTANCE = (
        "an instance changed: `state` (`up`, `starting`, `frozen`, `down`), `role` (`MAIN`, `REPLICA`), `run`; "
        "what is unknown or does not exist is left out"
    )
    FAULT = "somebody broke something: `verb`, and what it was given"
    REPAIR = "somebody mended something: `verb`, and what it was given"
    WRITES = (
        "clients' writes ended: `outcome` (`acknowledged`, `indeterminate`, `refused`), `first` and `last` number, "
        "`count`, and `instance` and `generation` of the permit that they went through"
    )
    GATE = "a gateway changed: `state` (`open`, `held`, `quiet`, `shut`), `instance`, `generation`"
    LANDED = "a command took effect, perhaps long after it was sent: `command`, `instance`, `outcome`"
    VIOLATION = "a promise was broken: `check` (S1-S14, L1-L9), `text`"
    NOTE = "anything else worth a word: `text`"


Plain = str | int | float | bool | None | tuple[str, ...]
"""What a ghost line may carry."""


def digest_of(rules: tuple[str, ...]) -> str:
    """Name a table of rules by its ids in order: ``sha256:`` and 64 hexadecimal digits."""
    return "sha256:" + hashlib.sha256(" ".join(rules).encode()).hexdigest()


@frozen(kw_only=True)
class HeaderLine:
    """The first line of every file.

    Attributes:
        schema: The version of this schema.
        product: Name and version of the program that recorded.
        python: The Python that it ran on.
        source: Who recorded.
        rules: The ids of the rules in order.
        digest: `digest_of` them: two traces with the same digest were decided by the same table.
        seed: Of everything left to chance; None where chance is real.
        scenario: What was played; empty outside the simulator.
        part: 1 for the first file of a recording, one more for each that continues it.
        began_at: Wall clock at the beginning of this file, seconds since 1970; None in the simulator.
    """

    schema: int = SCHEMA
    product: str
    python: str
    source: Source
    rules: tuple[str, ...]
    digest: str
    seed: int | None = None
    scenario: str = ""
    part: int = 1
    began_at: float | None = None


@frozen(kw_only=True)
class StartLine:
    """A controller's process begins: it remembers nothing.

    Attributes:
        seq: The line's number.
        t: The recorder's clock, seconds: of the world in the simulator, CLOCK_BOOTTIME elsewhere.
        who: The controller's name.
        policy: The operator's choices in force.
    """

    seq: int
    t: float
    who: str
    policy: Policy


@frozen(kw_only=True)
class MemoryLine:
    """Everything that a controller had filed: where a file continues another one, or lines were lost.

    Attributes:
        seq: The line's number.
        t: The recorder's clock, seconds.
        who: The controller's name.
        policy: The operator's choices in force.
        observed: What was filed.
    """

    seq: int
    t: float
    who: str
    policy: Policy
    observed: Observed


@frozen(kw_only=True)
class PolicyLine:
    """The operator's choices changed; they hold from the next tick on.

    Attributes:
        seq: The line's number.
        t: The recorder's clock, seconds.
        who: The controller's name.
        policy: The new ones.
    """

    seq: int
    t: float
    who: str
    policy: Policy


@frozen(kw_only=True)
class FactLine:
    """A fact was filed. The result of a command is one too: `CommandEnded`.

    Attributes:
        seq: The line's number.
        t: The recorder's clock, seconds.
        who: The controller's name.
        fact: As the core received it.
        of: The number of the command whose end this is; None for other facts, and for one that was never sent.
    """

    seq: int
    t: float
    who: str
    fact: Fact
    of: int | None = None


@frozen(kw_only=True)
class TickLine:
    """The controller decided.

    Attributes:
        seq: The line's number.
        t: The recorder's clock, seconds.
        who: The controller's name.
        now_s: The controller's own monotonic clock, seconds: what its view was given.
        wall_s: Its wall clock, seconds since 1970.
        decision: What it decided; None if it broke.
        causes: The numbers of the facts since its last tick that said something new; none if only time passed.
        error: How it broke: the text of the `InvariantViolation`; empty if it decided.
    """

    seq: int
    t: float
    who: str
    now_s: float
    wall_s: float
    decision: Decision | None
    causes: tuple[int, ...] = ()
    error: str = ""


@frozen(kw_only=True)
class CommandLine:
    """A command was sent.

    Attributes:
        seq: The line's number.
        t: The recorder's clock, seconds.
        who: The controller's name.
        by: The number of the tick that decided it.
        command: What was sent.
    """

    seq: int
    t: float
    who: str
    by: int
    command: Command


@frozen(kw_only=True)
class EndLine:
    """A controller's process ended.

    Attributes:
        seq: The line's number.
        t: The recorder's clock, seconds.
        who: The controller's name.
        why: In a few words.
    """

    seq: int
    t: float
    who: str
    why: str


@frozen(kw_only=True)
class LostLine:
    """Lines were dropped, because the disk did not take them in time; a `MemoryLine` follows before the next tick.

    Attributes:
        seq: The line's number.
        t: The recorder's clock, seconds.
        who: The controller's name.
        lines: How many of its lines are missing, at least.
    """

    seq: int
    t: float
    who: str
    lines: int


@frozen(kw_only=True)
class GhostLine:
    """What only the simulator can know. No rule ever sees it, and no digest covers it.

    Attributes:
        t: The world's clock, seconds.
        who: Whom it is about.
        what: What kind of thing.
        data: More about it, by name, in alphabetical order.
    """

    t: float
    who: str
    what: Ghost
    data: tuple[tuple[str, Plain], ...] = ()


@frozen(kw_only=True)
class FooterLine:
    """The last line of a recording that was ended in order.

    Attributes:
        t: The recorder's clock, seconds.
        verdict: What the simulator found; elsewhere ``ended``, or ``continued`` if another part follows.
        lines: How many lines came before it in this file, ghosts not counted.
        digest: ``sha256:`` of those lines: equal for the same seed, whatever the order in which Python hashes.
    """

    t: float
    verdict: str
    lines: int
    digest: str


Numbered = StartLine | MemoryLine | PolicyLine | FactLine | TickLine | CommandLine | EndLine | LostLine
"""Lines of a controller: they have a ``seq`` and a ``who``."""

Line = HeaderLine | Numbered | GhostLine | FooterLine
"""Every kind of line."""
