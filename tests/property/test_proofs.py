"""A proof only ever allows: without it, no rule does what it would not do with it, but ask for another one."""

from attrs import evolve
from hypothesis import given

from memgraph_ha.core.commands import Command, CommitNoop, WriteRecord
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.rules import RULES
from memgraph_ha.core.view import View
from tests.core.scenes import PROVEN
from tests.core.views import Scene
from tests.property.test_metamorphic import scenes


def without_proof(scene: Scene) -> View:
    """The same no-op commits with the same ends, seen by nobody."""
    return evolve(scene, noops=tuple(evolve(noop, witness=None, row_ts=None) for noop in scene.noops)).view


def needs_no_proof(command: Command) -> bool:
    """Whether it asks for a proof, or writes that there is none."""
    return isinstance(command, CommitNoop) or (isinstance(command, WriteRecord) and command.record.standby is None)


def commands_of(found: Decision | Unmet) -> tuple[Command, ...]:
    """What a rule would do."""
    return found.commands if isinstance(found, Decision) else ()


@given(scenes())
def test_removing_a_proof_never_adds_a_command(scene: Scene) -> None:
    """Rule by rule: what is done without a witness is done with one too, but asking for it or doing without."""
    proven, bare = scene.view, without_proof(scene)
    for rule in RULES:
        added = set(commands_of(rule.decide(bare))) - set(commands_of(rule.decide(proven)))
        assert all(needs_no_proof(command) for command in added), (rule.id, added)


def test_a_proof_allows_something() -> None:
    """So that the property above is not about rules that never look at one."""
    lost = {
        rule.id
        for rule in RULES
        if commands_of(rule.decide(PROVEN.view)) and not commands_of(rule.decide(without_proof(PROVEN)))
    }
    assert "A15" in lost
