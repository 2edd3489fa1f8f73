"""`decide` and `explain`: the first rule that matches, the same answer always."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from attrs import fields, has

from memgraph_ha.core.commands import CommitNoop, WriteRecord
from memgraph_ha.core.decide import decide, explain
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.rules import RULES, Rule
from tests.core.changes import just_failed, tried
from tests.core.corpus import corpus
from tests.core.scenes import LOST, PROMOTED, PROVEN
from tests.core.views import HEALTHY, NOW, Scene

ROOT = Path(__file__).parents[2]


def plain(value: object) -> object:
    """A value without the accidents of its printing: a set has no order."""
    if isinstance(value, frozenset):
        return sorted(repr(plain(item)) for item in value)
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if has(type(value)):
        names = [field.name for field in fields(type(value))]  # type: ignore[arg-type]  # `has` just said so
        return {name: plain(getattr(value, name)) for name in names}
    return repr(value)


def digest() -> str:
    """All decisions of the corpus, as one number."""
    text = "\n".join(f"{name}: {plain(decide(old.view))}" for name, old in corpus())
    return hashlib.sha256(text.encode()).hexdigest()


def test_the_same_view_decides_the_same() -> None:
    """Twice in one process, on views that are equal but not the same objects."""
    assert digest() == digest()


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_the_decision_does_not_depend_on_the_hash_seed(seed: str) -> None:
    """Sets of names have no order: a decision must not show the one that a process happens to have."""
    program = "from tests.core.test_decide import digest; print(digest())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout.strip() == digest()


def test_the_first_match_decides_and_is_named() -> None:
    """The decision carries id and name of its rule, and the route."""
    decision = decide(LOST.view)
    assert (decision.rule, decision.name) == ("L30", "fail_over_to_standby")
    assert decision.route.why.startswith("MAIN m0 is lost")


def test_explain_asks_every_rule_in_order() -> None:
    """One line per rule; the first decision among them is what `decide` returns."""
    lines = explain(LOST.view)
    assert [(line.rule, line.name) for line in lines] == [(rule.id, rule.name) for rule in RULES]
    first = next(line for line in lines if isinstance(line.answer, Decision))
    decision = decide(LOST.view)
    assert isinstance(first.answer, Decision)
    assert (first.rule, first.answer.commands) == (decision.rule, decision.commands)


def test_a_stopped_rule_says_guard_and_evidence() -> None:
    """As one text for a person."""
    lines = {line.rule: line.answer for line in explain(HEALTHY.view)}
    assert str(lines["N20"]) == "the lease is nearly over: 9.0"
    assert str(lines["U10"]) == "the standby is doubtful: nothing speaks against it"
    assert str(Unmet("there is a record")) == "there is a record"


@pytest.mark.parametrize("old", [LOST, PROVEN])
def test_a_write_that_just_failed_is_not_repeated_at_once(old: Scene) -> None:
    """No command of the decision is sent while the record's pause lasts: the record comes first."""
    decision = decide(old.but(just_failed(WriteRecord)).view)
    assert (decision.commands, decision.hold) == ((), Hold.BACKING_OFF)
    assert decision.rule == decide(old.view).rule
    assert decision.reason.endswith("waiting to write the record; last try: refused (it says no)")
    assert decide(old.but(just_failed(WriteRecord)).view).route == decide(old.view).route


def test_commands_that_write_nothing_do_not_wait_for_the_record() -> None:
    """A failed write holds up writes only."""
    decision = decide(PROMOTED.but(just_failed(WriteRecord)).view)
    assert [type(command) for command in decision.commands] == [CommitNoop]


def test_a_write_is_repeated_after_its_pause() -> None:
    """A tenth of a second after the first failure."""
    written = decide(LOST.view).commands[0]
    again = LOST.but(tried(written, Outcome.UNKNOWN, ago_s=0.1))
    assert decide(again.view).commands == decide(LOST.view).commands


def test_rules_have_distinct_ids_and_names() -> None:
    """An id in a log leads to one rule."""
    assert len({rule.id for rule in RULES}) == len({rule.name for rule in RULES}) == len(RULES)
    assert all(isinstance(rule, Rule) for rule in RULES)


def test_safety_may_cut_a_command_off_and_repair_may_not() -> None:
    """Which rules preempt a running command (docs/decisions/0003): up to the promotion's stop, never repair."""
    urgent = {rule.id for rule in RULES if rule.urgent}
    assert {"N10", "R10", "U10", "L30", "O20", "S10"} <= urgent
    assert urgent.isdisjoint({"F10", "D10", "H10", "A10", "A20", "P10", "A30", "K10", "Y10", "Z99"})


def test_a_decision_wakes_again() -> None:
    """Whatever happens, the next look is within two seconds, and never in the past."""
    for name, old in corpus():
        decision = decide(old.view)
        assert NOW <= decision.wake_at_s <= NOW + 2, name


def test_each_hold_has_a_word_and_a_way_out() -> None:
    """As operators see it."""
    assert Hold.NO_SAFE_CANDIDATE.word == "NoSafeCandidate"
    assert len({hold.word for hold in Hold}) == len(Hold)
    assert all(hold.value for hold in Hold)
