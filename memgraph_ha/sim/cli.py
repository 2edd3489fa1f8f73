"""`memgraph-ha sim`: the verbs, each loaded when it is called."""

from typing import Final

import click

from memgraph_ha.lazy import Late, LazyGroup


def _verb(name: str, summary: str) -> Late:
    return Late(f"memgraph_ha.sim.commands.{name}:{name}", summary)


VERBS: Final[dict[str, Late]] = {
    "run": _verb("run", "Play scenarios, each from a whole cluster to a whole cluster."),
    "list": _verb("list", "List the scenarios, what they are for and which rules they justify."),
    "check": _verb("check", "Search a small world exhaustively for broken promises."),
    "fuzz": _verb("fuzz", "Play random lives, and shrink whatever breaks a promise."),
    "shrink": _verb("shrink", "Make a failing scenario as small as it can be."),
    "replay": _verb("replay", "Feed a trace's facts to today's rules: do they decide the same?"),
    "diff": _verb("diff", "Say where today's rules decide otherwise than a trace."),
    "explain": _verb("explain", "Walk back from a decision of a trace to its causes."),
    "render": _verb("render", "Draw a trace as a timeline: one HTML file, or text."),
    "mutate": _verb("mutate", "Break the rules one by one, and see who notices."),
}
"""In the order in which somebody meets them."""


@click.group(cls=LazyGroup, late=VERBS, short_help="Replay, search and explain failures in a simulated cluster.")
def sim() -> None:
    """Replay, search and explain failures: the shipping rules in a simulated cluster, in virtual time.

    \b
    Every scenario:       memgraph-ha sim run
    Every history:        memgraph-ha sim check
    What did it do, why:  memgraph-ha sim explain TRACE --last
    """
