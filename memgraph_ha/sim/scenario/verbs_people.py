"""Verbs of what people do: by hand at an instance, as clients, and by what they ask of the controllers."""

from __future__ import annotations

from typing import Final

from memgraph_ha.core import Ask
from memgraph_ha.core.names import InstanceName
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket
from memgraph_ha.sim.checks.violation import ViolationError
from memgraph_ha.sim.scenario.errors import UnmetError
from memgraph_ha.sim.scenario.model import Client
from memgraph_ha.sim.scenario.registry import ASKS, INSTANCE, NAME, TIME, Arg, ArgKind, Waits, verb
from memgraph_ha.sim.scenario.stage import Stage
from memgraph_ha.sim.world.platform import PORT

HAND: Final = "By hand"
USE: Final = "Clients"
ORDER: Final = "What operators ask for"
LOOK: Final = "Looking"

ROLES: Final = {
    "main": "SET REPLICATION ROLE TO MAIN",
    "replica": f"SET REPLICATION ROLE TO REPLICA WITH PORT {PORT}",
}
PATIENCE_S: Final = 60.0
"""How long a human waits for an answer: a frozen process gives none."""

ANSWERS: Final = ("ok", "refused", "any")
STRANGER: Final = "backup"
SILENCE_S: Final = 1.0
"""So long after clients fell silent none of their transactions is open any more."""

ANSWER_PAUSE_S: Final = 1.0
"""So much longer than the question waits an answer may take."""


def _sent(stage: Stage, name: InstanceName, query: str) -> Waits:
    """Send a query and wait for its outcome, whatever it is; nothing if nobody is there."""
    outcome: list[Ticket] = []
    if stage.cluster.answers(name):
        stage.cluster.send(name, query, outcome.append)
        until_s = stage.cluster.now + PATIENCE_S
        yield lambda: bool(outcome) or stage.cluster.now > until_s
    if outcome and isinstance(outcome[0].error, MemgraphError):
        stage.cluster.say("", f"{name} answers a human: {outcome[0].error.message}")


@verb("set-role", HAND, {"on": INSTANCE, "role": Arg(kind=ArgKind.WORD, choices=tuple(ROLES))})
def set_role(stage: Stage, on: InstanceName, role: str) -> Waits:
    """A human runs SET REPLICATION ROLE there."""
    yield from _sent(stage, on, ROLES[role])


@verb("query", HAND, {"on": INSTANCE, "text": NAME})
def query(stage: Stage, on: InstanceName, text: str) -> Waits:
    """A human runs a query there, and waits for its outcome."""
    yield from _sent(stage, on, text)


@verb(
    "write-by-hand",
    HAND,
    {
        "on": INSTANCE,
        "count": Arg(kind=ArgKind.COUNT, default=1),
        "counts": Arg(kind=ArgKind.YES_NO, default=True),
    },
)
def write_by_hand(stage: Stage, on: InstanceName, count: int, *, counts: bool) -> None:
    """A human writes there past the gateways; ``counts``: and relies on it as on what was acknowledged."""
    before = set(stage.cluster.ledger.by_hand)
    try:
        stage.cluster.hands.write(on, count)
    except (MemgraphError, Refused, TimeoutError) as error:
        stage.cluster.say("", f"{on} takes nothing by hand: {error}")
        return
    stage.written = frozenset(stage.cluster.ledger.by_hand - before)
    if not counts:
        stage.cluster.ledger.by_hand = before


@verb("start-stranger", HAND, {})
def start_stranger(stage: Stage) -> None:
    """Start a Memgraph named ``backup`` that is no member, a REPLICA from its start."""
    world = stage.cluster.world
    if STRANGER not in world.hosts:
        settings = world.hosts[stage.instance("main")].settings
        world.start(STRANGER, settings, (f"{ROLES['replica']};",), wait=False)


@verb("query-in-silence", HAND, {"on": INSTANCE, "text": NAME})
def query_in_silence(stage: Stage, on: InstanceName, text: str) -> Waits:
    """The same while no client writes: rows are registered and dropped by hand only then (transcripts Q7)."""
    since_s, stage.cluster.calm = stage.cluster.now, True
    yield lambda: stage.cluster.now >= since_s + SILENCE_S
    yield from _sent(stage, on, text)
    stage.cluster.calm = False


@verb("replace-data", HAND, {"on": INSTANCE})
def replace_data(stage: Stage, on: InstanceName) -> None:
    """A human recovers a snapshot of another data set there (RECOVER SNAPSHOT)."""
    stage.cluster.hands.replace_data(on)


@verb("recover-snapshot", HAND, {"on": INSTANCE})
def recover_snapshot(stage: Stage, on: InstanceName) -> None:
    """A human recovers the newest snapshot there (RECOVER SNAPSHOT ... FORCE)."""
    stage.cluster.hands.recover_snapshot(on)


# --- clients


@verb("hush", USE, {}, undo="unhush")
def hush(stage: Stage) -> None:
    """No client writes anything."""
    stage.cluster.calm = True


@verb("unhush", USE, {})
def unhush(stage: Stage) -> None:
    """Clients write again."""
    stage.cluster.calm = False


@verb(
    "start-clients",
    USE,
    {
        "count": Arg(kind=ArgKind.COUNT, default=3),
        "every": Arg(kind=ArgKind.TIME, default=0.15),
        "kind": Arg(kind=ArgKind.WORD, choices=("writer", "reader"), default="writer"),
    },
)
def start_clients(stage: Stage, count: int, every: float, kind: str) -> None:
    """So many more clients write, or read through the read-only gateways, each resting so long after an answer."""
    stage.use(Client(kind=kind, count=count, every_s=every))


@verb("long-transaction", USE, {"hold": TIME, "writes": Arg(kind=ArgKind.COUNT, default=1)})
def long_transaction(stage: Stage, hold: float, writes: int) -> None:
    """One client says BEGIN, writes, waits, and says COMMIT."""
    stage.cluster.clients.long_transaction(hold, writes)


@verb("storm", USE, {"count": Arg(kind=ArgKind.COUNT), "within": Arg(kind=ArgKind.TIME, default=1.0)})
def storm(stage: Stage, count: int, within: float) -> None:
    """So many clients connect within a time, write once, and leave."""
    stage.cluster.clients.storm(count, within)


# --- orders


@verb(
    "ask",
    ORDER,
    {
        "what": Arg(kind=ArgKind.WORD, choices=ASKS),
        "of": Arg(kind=ArgKind.INSTANCE, optional=True),
        "within": Arg(kind=ArgKind.TIME, default=10.0),
        "answer": Arg(kind=ArgKind.WORD, choices=ANSWERS, default="ok"),
        "wait": Arg(kind=ArgKind.YES_NO, default=True),
    },
)
def ask(stage: Stage, what: str, of: InstanceName | None, within: float, answer: str, *, wait: bool) -> Waits:
    """Ask the leader for something as `memgraph-ha` does, and wait for that answer."""
    leader, said = stage.leader, f"{what} {of or ''}".strip()
    if leader is None:
        if answer == "ok":
            raise ViolationError(f"L6: nobody leads whom one could ask for {said}")
        return
    count = len(leader.answers)
    leader.ask(Ask(what), of, within)
    if not wait:
        return
    until_s = stage.cluster.now + within + ANSWER_PAUSE_S
    yield lambda: len(leader.answers) > count or stage.cluster.now > until_s
    if answer == "any":
        return
    if len(leader.answers) == count:
        raise ViolationError(f"L7: nobody answered {said} within {within:g} s")
    found = leader.answers[-1]
    if found.ok is not (answer == "ok"):
        raise ViolationError(f"L7: {said} should be {answer}: {found.text}")


# --- looking


@verb("mark", LOOK, {})
def mark(stage: Stage) -> None:
    """From now on ``pause``, ``acks``, ``reigns`` and ``rebuilds`` count anew."""
    stage.mark()


@verb(
    "check",
    LOOK,
    {"that": Arg(kind=ArgKind.EXPRESSION), "within": Arg(kind=ArgKind.TIME, default=0.0)},
)
def check(stage: Stage, that: str, within: float) -> Waits:
    """Demand that an expression is true now, or becomes true within a time; what follows waits for it."""
    until_s, holds = stage.cluster.now + within, stage.asking(that)
    yield lambda: holds(stage) is True or stage.cluster.now >= until_s
    if holds(stage) is not True:
        raise UnmetError(f"expected {that}" + (f" within {within:g} s" if within else ""))
