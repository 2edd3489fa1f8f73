"""A trace that was written with schema 1 stays readable: people keep the traces of their incidents."""

from pathlib import Path
from typing import Final

from memgraph_ha.core.facts import CommandEnded
from memgraph_ha.sim.replay.playing import play
from memgraph_ha.trace.codec import KINDS
from memgraph_ha.trace.reading import read_trace
from memgraph_ha.trace.schema import FactLine, Ghost, GhostLine, MemoryLine

KEPT: Final = Path(__file__).parent / "data" / "schema-1.jsonl"
"""Every kind of line, fact, command and ghost that schema 1 had at first. It is never written anew: a change that
cannot read it needs another schema, and a reader for both."""


def test_the_first_trace_of_schema_1_is_read_whole() -> None:
    """Fields may have been added since, each with a default; none was renamed, and no word."""
    trace = read_trace(KEPT)
    assert trace.intact
    assert not trace.truncated
    assert {type(line) for line in trace.lines} == set(KINDS.values())
    facts = [line.fact for line in trace.lines if isinstance(line, FactLine)]
    assert len({type(fact) for fact in facts}) == 18
    assert len({type(fact.command) for fact in facts if isinstance(fact, CommandEnded)}) == 11
    assert {line.what for line in trace.lines if isinstance(line, GhostLine)} == set(Ghost)
    assert any(isinstance(line, MemoryLine) and line.observed.attempts for line in trace.lines)


def test_it_can_still_be_played() -> None:
    """Whatever today's rules make of it: each decision is made again."""
    steps = list(play(read_trace(KEPT).lines))
    assert len(steps) == 5
    assert all(step.decision is not None or step.error for step in steps)
