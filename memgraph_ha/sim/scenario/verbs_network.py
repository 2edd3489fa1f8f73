"""Verbs of the network and of the Kubernetes API."""

from __future__ import annotations

from typing import Final

from memgraph_ha.core.names import InstanceName
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.scenario.registry import ANY_CONTROLLER, END, INSTANCE, TIME, Arg, ArgKind, verb
from memgraph_ha.sim.scenario.stage import Stage
from memgraph_ha.sim.world.controller import Controller

NETWORK: Final = "The network"
KUBERNETES: Final = "The Kubernetes API"

HOW: Final = Arg(kind=ArgKind.WORD, choices=("lost", "refused"), default="lost")
WAYS: Final = Arg(kind=ArgKind.WORD, choices=("both", "there"), default="both")
COUNT: Final = Arg(kind=ArgKind.COUNT, default=1)
CHANCE: Final = Arg(kind=ArgKind.CHANCE)
REACH: Final = {"lost": Reach.BLACK_HOLE, "refused": Reach.REFUSED}


@verb("cut", NETWORK, {"between": END, "and": END, "how": HOW, "ways": WAYS}, undo="mend")
def cut(stage: Stage, between: str, how: str, ways: str, **ends: str) -> None:
    """Bytes between two are lost (a black hole) or refused (an open connection is reset); or only those `there`."""
    stage.cluster.net.cut(between, ends["and"], REACH[how], both=ways == "both")


@verb("mend", NETWORK, {"between": END, "and": END})
def mend(stage: Stage, between: str, **ends: str) -> None:
    """The links between two are as good as new."""
    stage.cluster.net.heal(between, ends["and"])


@verb("isolate", NETWORK, {"on": END, "how": HOW}, undo="reconnect")
def isolate(stage: Stage, on: str, how: str) -> None:
    """Cut one off from everybody."""
    stage.cluster.isolate(on, REACH[how])


@verb("reconnect", NETWORK, {"on": END})
def reconnect(stage: Stage, on: str) -> None:
    """Everybody reaches it again."""
    stage.cluster.reconnect(on)


@verb("slow-link", NETWORK, {"between": END, "and": END, "by": TIME, "ways": WAYS}, undo="mend")
def slow_link(stage: Stage, between: str, by: float, ways: str, **ends: str) -> None:
    """Everything between two takes so long, one way."""
    stage.cluster.net.slow(between, ends["and"], by, both=ways == "both")


@verb("lossy-link", NETWORK, {"between": END, "and": END, "part": CHANCE, "ways": WAYS}, undo="mend")
def lossy_link(stage: Stage, between: str, part: float, ways: str, **ends: str) -> None:
    """So many packets between two are lost: messages come late by the kernel's retransmissions."""
    stage.cluster.net.lossy(between, ends["and"], part, both=ways == "both")


@verb("hold-link", NETWORK, {"between": END, "and": END}, undo="release-link")
def hold_link(stage: Stage, between: str, **ends: str) -> None:
    """What the first sends the second is kept, in order, until it is released."""
    stage.cluster.net.hold(between, ends["and"])


@verb("release-link", NETWORK, {"between": END, "and": END})
def release_link(stage: Stage, between: str, **ends: str) -> None:
    """What was kept between two arrives."""
    stage.cluster.net.release(between, ends["and"])


@verb("repeat-link", NETWORK, {"between": END, "and": END, "part": CHANCE}, undo="mend")
def repeat_link(stage: Stage, between: str, part: float, **ends: str) -> None:
    """So many requests and events of the first reach the second twice."""
    stage.cluster.net.duplicate(between, ends["and"], part)


@verb("lose-answers", NETWORK, {"between": END, "and": END, "count": COUNT}, undo="mend")
def lose_answers(stage: Stage, between: str, count: int, **ends: str) -> None:
    """The second does what the first asks for next, so often, and its answers are lost."""
    stage.cluster.net.drop_answers(between, ends["and"], count)


@verb("heal", NETWORK, {})
def heal(stage: Stage) -> None:
    """Every link is as good as new."""
    stage.cluster.net.heal()


@verb("stall-copies", NETWORK, {"to": INSTANCE}, undo="unstall-copies")
def stall_copies(stage: Stage, to: InstanceName) -> None:
    """What it answers to a recovery is lost: its row stays in recovery until MAIN gives the call up (30-60 s)."""
    stage.cluster.platform.stall_copies_to(to)


@verb("unstall-copies", NETWORK, {})
def unstall_copies(stage: Stage) -> None:
    """Recoveries are answered again."""
    stage.cluster.world.lose = lambda _source, _target, _request: False


@verb("mislead-dns", NETWORK, {"on": INSTANCE, "to": Arg(kind=ArgKind.INSTANCE, optional=True)}, undo="mend-dns")
def mislead_dns(stage: Stage, on: InstanceName, to: InstanceName | None) -> None:
    """Its host name leads to another instance (a stale record) or, without ``to``, to nobody (NXDOMAIN)."""
    stage.cluster.dns(on, to)


@verb("mend-dns", NETWORK, {"on": INSTANCE})
def mend_dns(stage: Stage, on: InstanceName) -> None:
    """Its host name leads to itself again."""
    stage.cluster.dns(on, on)


# --- the Kubernetes API


def _name(who: Controller | None) -> str | None:
    return None if who is None else who.name


@verb("api-down", KUBERNETES, {"who": ANY_CONTROLLER, "how": HOW}, undo="api-up")
def api_down(stage: Stage, who: Controller | None, how: str) -> None:
    """The API answers nothing, or refuses, for one controller or (without ``who``) for all."""
    stage.cluster.api.down(_name(who), REACH[how])


@verb("api-up", KUBERNETES, {})
def api_up(stage: Stage) -> None:
    """Every controller reaches the API again."""
    stage.cluster.api.up()


@verb(
    "api-throttle",
    KUBERNETES,
    {
        "who": ANY_CONTROLLER,
        "least": Arg(kind=ArgKind.TIME, default=5.0),
        "most": Arg(kind=ArgKind.TIME, default=10.0),
        "refused": Arg(kind=ArgKind.CHANCE, default=0.0),
    },
    undo="api-unthrottle",
)
def api_throttle(stage: Stage, who: Controller | None, least: float, most: float, refused: float) -> None:
    """The API answers so late, and turns that part of all requests away (429)."""
    stage.cluster.api.throttle(least, most, refused, _name(who))


@verb("api-unthrottle", KUBERNETES, {})
def api_unthrottle(stage: Stage) -> None:
    """The API answers everybody at once again."""
    for who in (None, *stage.cluster.controllers):
        stage.cluster.api.unthrottle(who)


@verb("api-stale", KUBERNETES, {"who": ANY_CONTROLLER, "versions": COUNT}, undo="api-fresh")
def api_stale(stage: Stage, who: Controller | None, versions: int) -> None:
    """Reads of the record, and new lists of members, show what was there so many changes ago."""
    stage.cluster.api.stale(versions, _name(who))


@verb("api-fresh", KUBERNETES, {})
def api_fresh(stage: Stage) -> None:
    """The API shows everybody the newest again."""
    for who in (None, *stage.cluster.controllers):
        stage.cluster.api.manners(who).back = 0
    stage.cluster.api.expire()


@verb("watch-lag", KUBERNETES, {"who": ANY_CONTROLLER, "by": TIME}, undo="watch-prompt")
def watch_lag(stage: Stage, who: Controller | None, by: float) -> None:
    """Changes of the list of members are heard of so much later."""
    stage.cluster.api.lag(by, _name(who))


@verb("watch-prompt", KUBERNETES, {})
def watch_prompt(stage: Stage) -> None:
    """Changes are heard of at once again."""
    for who in (None, *stage.cluster.controllers):
        stage.cluster.api.lag(0.0, who)


@verb("watch-gap", KUBERNETES, {"who": ANY_CONTROLLER}, undo="watch-expire")
def watch_gap(stage: Stage, who: Controller | None) -> None:
    """Changes of the list of members are not heard of at all."""
    stage.cluster.api.gap(_name(who))


@verb("watch-expire", KUBERNETES, {})
def watch_expire(stage: Stage) -> None:
    """Every watch ends with 410 Gone: members are listed anew, and watched without gaps."""
    for who in (None, *stage.cluster.controllers):
        stage.cluster.api.end_gap(who)
    stage.cluster.api.expire()


@verb("cas-lost-answer", KUBERNETES, {"who": ANY_CONTROLLER, "count": COUNT})
def cas_lost_answer(stage: Stage, who: Controller | None, count: int) -> None:
    """The next writes are done, and their answers are lost."""
    stage.cluster.api.lose_write_answer(count, _name(who))


@verb("cas-conflict", KUBERNETES, {"count": COUNT})
def cas_conflict(stage: Stage, count: int) -> None:
    """Somebody touches the record right before each of the next writes."""
    stage.cluster.api.conflict(count)
