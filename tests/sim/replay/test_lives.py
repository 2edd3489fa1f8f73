"""Traces of simulated clusters, with failovers, switchovers, crashes and pauses in them."""

import functools
import os
import random
import subprocess
import sys
from typing import Final

import pytest
from attrs import evolve

from memgraph_ha.core import RULES, Decision
from memgraph_ha.core.facts import LeaseSeen, RoleSeen
from memgraph_ha.core.topology import Role
from memgraph_ha.sim.replay.comparing import ACTS, compare_all
from memgraph_ha.sim.replay.explaining import explain_tick
from memgraph_ha.trace.codec import Decoder, Encoder, digest_lines
from memgraph_ha.trace.schema import EndLine, FactLine, GhostLine, Line, TickLine
from tests.sim.replay.lives import life
from tests.sim.replay.story import rules_of, stricter, ticks

SEEDS: Final = (0, 1, 2)
"""Between them: failovers after a kill, a freeze and a cut, a wiped replica, a crash and a pause of the leader."""


@functools.cache
def recorded(seed: int) -> tuple[Line, ...]:
    """Record a life, once for all tests."""
    return tuple(life(seed, faults=5))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_life_replays_to_identical_decisions(seed: int) -> None:
    """Of both controllers, through every fault, also after the file was written and read."""
    lines = recorded(seed)
    encoder, decoder = Encoder(), Decoder()
    back = [decoder.decode(encoder.encode(line)) for line in lines]
    assert tuple(back) == lines
    found = compare_all(back, strict=True)
    assert found.first is None
    assert found.ticks > 300
    assert len({line.who for line in ticks(lines)}) == 2


def test_the_lives_are_worth_replaying() -> None:
    """Reigns begin, standbys are attached and proven, rules hold; a controller ends and begins anew."""
    fired = {rule for seed in SEEDS for rule in rules_of(recorded(seed))}
    assert fired >= {"B10", "O20", "O30", "O50", "A10", "A15", "A20", "L10", "L30", "P10", "Z99", "N10"}
    assert any(isinstance(line, EndLine) for seed in SEEDS for line in recorded(seed))
    assert any(isinstance(line, GhostLine) for seed in SEEDS for line in recorded(seed))


@pytest.mark.parametrize("rule", ["L30", "O20", "A15", "U10", "N10"])
def test_a_guard_that_was_changed_is_found_at_the_first_decision_that_it_changes(rule: str) -> None:
    """Nothing before it differs, and it is one that the rule had decided, with a command or a route."""
    lines = recorded(SEEDS[0])
    found = compare_all(lines, stricter(rule))
    decided = [line for line in ticks(lines) if line.decision is not None and line.decision.rule == rule]
    if not decided:
        assert found.first is None
    elif found.act is None:
        assert all(not line.decision.commands for line in decided if line.decision is not None)
    else:
        assert found.act.step.line in decided
        assert set(found.act.fields) & set(ACTS)
        assert found.same + sum(found.reasons.values()) == ticks(lines).index(found.act.step.line)


def test_every_rule_that_asked_for_something_is_missed() -> None:
    """Left out, it is found at the first decision that it had made and nobody else would have made."""
    lines = recorded(SEEDS[1])
    acted = {line.decision.rule for line in ticks(lines) if line.decision is not None and line.decision.commands}
    assert len(acted) > 8
    missed = set()
    for rule in sorted(acted):
        found = compare_all(lines, tuple(each for each in RULES if each.id != rule))
        if found.act is not None:
            assert found.act.step.line.decision is not None
            assert found.act.step.line.decision.rule == rule
            missed.add(rule)
    assert missed == acted


def test_a_fact_that_was_changed_is_found_after_it_and_nowhere_before() -> None:
    """An answer turned into its opposite: what was decided before it stands, and a later decision gives it away."""
    lines = recorded(SEEDS[0])
    for at in random.Random(1).sample(relied_on(lines), 12):
        line = lines[at]
        assert isinstance(line, FactLine)
        assert isinstance(line.fact, RoleSeen)
        other = Role.MAIN if line.fact.role is Role.REPLICA else Role.REPLICA
        changed = [*lines[:at], evolve(line, fact=evolve(line.fact, role=other)), *lines[at + 1 :]]
        found = compare_all(changed)
        assert found.first is not None
        assert found.first.step.line.seq > line.seq


def relied_on(lines: tuple[Line, ...]) -> list[int]:
    """Where a leader is told a role that it then decides by: no newer answer of the same instance comes first."""
    leading, newest, found = dict[str, bool](), dict[tuple[str, str], int](), list[int]()
    for index, line in enumerate(lines):
        match line:
            case FactLine(fact=LeaseSeen() as fact):
                leading[line.who] = fact.leading
            case FactLine(fact=RoleSeen() as fact) if leading.get(line.who):
                newest[line.who, fact.instance] = index
            case TickLine():
                found += [newest.pop(key) for key in list(newest) if key[0] == line.who]
            case _:
                pass
    return found


def test_the_digest_is_the_same_whatever_the_order_in_which_python_hashes() -> None:
    """The same seed in two processes that hash texts differently, and in this one."""
    program = (
        "from tests.sim.replay.lives import life; from memgraph_ha.trace.codec import digest_lines;"
        f"print(digest_lines(life({SEEDS[1]}, 1)))"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hashing},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for hashing in ("1", "4242")
    }
    assert digests == {digest_lines(life(SEEDS[1], 1))}
    assert digest_lines(life(SEEDS[2], 1)) not in digests


@pytest.mark.parametrize("seed", SEEDS)
def test_each_kind_of_decision_can_be_explained(seed: int) -> None:
    """The first of every rule: it rests on something, and without that something else would have been decided."""
    lines = recorded(seed)
    firsts: dict[str, TickLine] = {}
    for line in ticks(lines):
        if line.decision is not None:
            firsts.setdefault(line.decision.rule, line)
    for rule, line in firsts.items():
        found = explain_tick(lines, line.seq)
        assert found.now == line.decision
        assert found.causes or found.in_time is not None or rule == "N10"
        for cause in found.causes:
            assert isinstance(cause.otherwise, Decision | None)
            assert cause.otherwise != line.decision
            assert cause.statement.last.seq < line.seq
            if cause.origin is not None and cause.origin.command is not None:
                assert cause.origin.tick.seq == cause.origin.command.by < cause.statement.first.seq


def test_a_new_reign_is_explained_by_the_loss_of_the_old_one() -> None:
    """Somebody asks why it failed over, and reads who did not answer."""
    lines = recorded(SEEDS[1])
    line = next(line for line in ticks(lines) if line.decision is not None and line.decision.rule == "L30")
    found = explain_tick(lines, line.seq)
    record = found.view.record
    assert record is not None
    about = {getattr(cause.statement.last.fact, "instance", None) for cause in found.causes}
    kinds = {type(cause.statement.last.fact).__name__ for cause in found.causes}
    assert record.main in about or "MembersSeen" in kinds
    assert record.standby is not None
    assert record.standby.instance in about
    assert {each.rule for each in found.near} >= {"L10", "L20"}
