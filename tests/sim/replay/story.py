"""A small trace, told by hand: a healthy cluster loses its MAIN, looks, and begins its standby's reign."""

import functools
from collections.abc import Callable, Iterable

from attrs import evolve

from memgraph_ha.core import RULES, Decision, Rule, Unmet, View
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import RecordSeen
from memgraph_ha.core.names import Token
from memgraph_ha.trace.recorder import ListSink
from memgraph_ha.trace.schema import CommandLine, Line, TickLine
from tests.core.changes import gate_shut, refuses
from tests.core.places import M0, NOW
from tests.core.views import HEALTHY
from tests.trace.told import Told, recorder_to

LOST_S = NOW + 0.01
BEGUN_S = NOW + 0.02


def failover() -> list[Line]:
    """Record it: steady, L30 with its command, and O10 once the record was read back."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.act()
    told.tick(NOW + 0.005)
    told.hear(HEALTHY.but(refuses(M0), gate_shut()).facts())
    told.act(LOST_S)
    told.hear(_read_back(told, sink.lines))
    told.act(BEGUN_S)
    told.recorder.end("c1", "told to")
    return sink.lines


def _read_back(told: Told, lines: Iterable[Line]) -> list[RecordSeen]:
    """Read the record that was just written."""
    written = [line.command for line in lines if isinstance(line, CommandLine)][-1]
    assert isinstance(written, WriteRecord)
    assert told.observed.record is not None
    return [RecordSeen(at_s=BEGUN_S, record=written.record, token=Token("token-2"))]


def ticks(lines: Iterable[Line]) -> list[TickLine]:
    """List the decisions."""
    return [line for line in lines if isinstance(line, TickLine)]


def rules_of(lines: Iterable[Line]) -> list[str]:
    """List which rules decided."""
    return ["" if line.decision is None else line.decision.rule for line in ticks(lines)]


def with_rule(rule_id: str, decide: Callable[[View], Decision | Unmet]) -> tuple[Rule, ...]:
    """Give today's rules with one that answers otherwise."""
    return tuple(evolve(rule, decide=decide) if rule.id == rule_id else rule for rule in RULES)


def stricter(rule_id: str) -> tuple[Rule, ...]:
    """Give today's rules with one that has a guard more, which always stops it."""
    return with_rule(rule_id, lambda _view: Unmet("a guard more"))


def wordier(rule_id: str) -> tuple[Rule, ...]:
    """Give today's rules with one that gives its reason in other words."""
    (rule,) = (rule for rule in RULES if rule.id == rule_id)

    @functools.wraps(rule.decide)
    def decide(view: View) -> Decision | Unmet:
        found = rule.decide(view)
        return evolve(found, reason=f"well, {found.reason}") if isinstance(found, Decision) else found

    return with_rule(rule_id, decide)
