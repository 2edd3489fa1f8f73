"""The search: what it exhausts, what it finds when rules are wrong, and that it can be told and played again."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from memgraph_ha.core.holds import Hold
from memgraph_ha.core.rules import RULES
from memgraph_ha.sim.commands.check import check
from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.search.coverage import OUTSIDE
from memgraph_ha.sim.search.pace import Pace
from memgraph_ha.sim.search.plants import PLANTS
from memgraph_ha.sim.search.policies import POLICIES
from memgraph_ha.sim.search.report import Options, check_policy
from memgraph_ha.sim.search.scenario import SmallScenarioError, dump_small, load_small, play, play_small
from memgraph_ha.sim.search.verbs import FAULTS
from tests.core.test_order import NEIGHBOURS

QUICK = frozenset({"crash", "wipe", "lose-finalize", "crash-controller", "delay", "cut-api", "steal-lease"})
"""The kinds of faults whose histories are few."""

FOUND_BY = frozenset({"crash", "cut-controller"})
"""The kinds that find the planted mistakes within a few steps."""


def test_nothing_goes_wrong_where_nothing_fails() -> None:
    """Without faults the cluster stays well, whatever clients and timers do, in a number of states that is known."""
    report = check_policy("default", Options(faults=0))
    assert report.exit is Exit.OK
    assert report.exhausted
    assert report.liveness is not None
    assert report.liveness.back == len(report.graph.states) == 10
    assert report.coverage.fired == {"O30", "P10", "Z99"}
    assert all(check_policy(policy, Options(faults=0)).exit is Exit.OK for policy in POLICIES)


@pytest.mark.parametrize("policy", ["default", "required"])
def test_one_fault_breaks_no_promise_and_is_mended(policy: str) -> None:
    """With one fault every state is safe, and every one comes back to a whole cluster or waits by name."""
    report = check_policy(policy, Options(faults=1, kinds=QUICK))
    assert report.graph.broken is None, "\n".join(report.story)
    assert report.liveness is not None
    assert report.liveness.lost is None, "\n".join(report.story)
    assert {"U10", "L20", "L30", "O20", "O30", "O50", "A10", "A15", "A20"} <= report.coverage.fired


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("policy", POLICIES)
def test_one_fault_of_any_kind_is_exhausted(policy: str) -> None:
    """The same with every kind of fault, and nothing faster than anything else."""
    report = check_policy(policy, Options(faults=1, pace=Pace.ANY))
    assert report.exit is Exit.OK, "\n".join(report.lines())


def test_two_faults_of_the_controllers_break_nothing() -> None:
    """Two faults among those that concern only controllers and the lease; the numbers are those of today's rules."""
    kinds = frozenset({"crash-controller", "delay", "cut-api", "steal-lease"})
    report = check_policy("default", Options(faults=2, kinds=kinds))
    assert report.exit is Exit.OK, "\n".join(report.lines())
    assert (len(report.graph.states), report.graph.edges, report.graph.depth) == (239, 855, 12)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_faults_of_any_kind_break_nothing() -> None:
    """Two faults of every kind, exhausted; the numbers are those of today's rules, the holds those of the page."""
    report = check_policy("default", Options(faults=2))
    assert report.exit is Exit.OK, "\n".join(report.lines())
    assert (len(report.graph.states), report.graph.edges, report.graph.depth) == (534_385, 1_226_025, 59)
    assert report.liveness is not None
    waiting = {stuck.hold for stuck in report.liveness.classes}
    assert waiting == {Hold.RECORD_REGRESSED, Hold.NO_SAFE_CANDIDATE, Hold.DIVERGED_REPLICA}


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("policy", [policy for policy in POLICIES if policy != "default"])
def test_two_faults_under_every_policy_break_nothing(policy: str) -> None:
    """The same under every other policy."""
    report = check_policy(policy, Options(faults=2))
    assert report.exit is Exit.OK, "\n".join(report.lines())


@pytest.mark.parametrize("plant", PLANTS)
def test_wrong_rules_are_found_out(plant: str, tmp_path: Path) -> None:
    """A planted mistake ends in exit code 3, with a history of at most 12 steps that a file plays again."""
    out = tmp_path / "found.toml"
    given = ["--faults", "2", "--plant", plant, "--kinds", ",".join(sorted(FOUND_BY)), "--out", str(out), "--json"]
    result = CliRunner().invoke(check, given)
    assert result.exit_code == Exit.SAFETY, result.output
    found = json.loads(result.stdout)["searches"][0]
    assert 0 < len(found["steps"]) <= 12
    played = play_small(out)
    assert not played.ok
    assert played.check == found["broken"]["check"]
    assert played.steps == len(found["steps"])


def test_mended_rules_make_a_history_harmless(tmp_path: Path) -> None:
    """A counterexample played with the shipping rules breaks nothing: it ends, or cannot go on."""
    report = check_policy("default", Options(faults=2, kinds=FOUND_BY, plant="keep-name-after-restart"))
    assert report.scenario is not None
    path = tmp_path / "found.toml"
    path.write_text(report.scenario.replace('plant = "keep-name-after-restart"\n', ""))
    assert play_small(path).ok


def test_a_scenario_is_read_as_it_was_written(tmp_path: Path) -> None:
    """What the search writes is what is read back, policy and moves included."""
    report = check_policy("required", Options(faults=2, kinds=FOUND_BY, plant="keep-name-after-restart"))
    assert report.scenario is not None
    path = tmp_path / "found.toml"
    path.write_text(report.scenario)
    scenario = load_small(path)
    assert scenario.policy == POLICIES["required"]
    assert scenario.steps == report.way
    assert dump_small(scenario) == report.scenario
    assert play(scenario).story == report.story


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('do = "crash"', 'do = "explode"', "'explode' is unknown"),
        ('who = ["m1"]', 'who = ["m7"]', "'m7' is not one of m0, m1, m2"),
        ('who = ["m1"]', "who = []", "has 0 names; give 1"),
        ("schema = 1", "schema = 2", "field schema: 2 is unknown; give 1"),
        ('world = "small"', 'world = "large"', "field world"),
        ("schema = 1", "schema = 1\ncolour = 3", "'colour' does not exist"),
    ],
)
def test_a_wrong_file_is_named(old: str, new: str, says: str, tmp_path: Path) -> None:
    """What is wrong in a file is told by file, field, value and what is allowed."""
    path = tmp_path / "wrong.toml"
    text = 'schema = 1\nworld = "small"\nid = "x"\n[[step]]\ndo = "crash"\nwho = ["m1"]\n'
    path.write_text(text.replace(old, new))
    with pytest.raises(SmallScenarioError, match=says) as caught:
        load_small(path)
    assert str(path) in str(caught.value)


def test_a_step_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A history that today's rules do not allow any more ends there, and says at which step."""
    path = tmp_path / "impossible.toml"
    path.write_text('schema = 1\nworld = "small"\nid = "x"\n[[step]]\ndo = "start"\nwho = ["m1"]\n')
    played = play_small(path)
    assert played.ok
    assert not played.possible
    assert "step 1 cannot be made" in played.text


def test_rules_that_match_together_are_known() -> None:
    """Neighbours that match in the same view of the search have their reason in tests/core/overlaps.py."""
    report = check_policy("default", Options(faults=1, kinds=frozenset({"wipe"}), pairs=True))
    assert report.coverage.together
    assert report.coverage.together - NEIGHBOURS == set(), "give each of these pairs a line in tests/core/overlaps.py"


def test_what_lies_outside_is_named_once() -> None:
    """Every rule that the small world cannot bring about exists, has one reason, and never decides there."""
    named = [rule for rules in OUTSIDE.values() for rule in rules]
    assert len(named) == len(set(named))
    assert set(named) <= {rule.id for rule in RULES}
    report = check_policy("default", Options(faults=1, kinds=frozenset({"crash"})))
    assert report.coverage.fired & set(named) == set()


def test_the_same_search_gives_the_same_numbers() -> None:
    """States, edges and depth depend on nothing but the rules and the budget."""
    first, second = (check_policy("default", Options(faults=1, kinds=frozenset({"wipe"}))) for _ in range(2))
    assert (len(first.graph.states), first.graph.edges) == (len(second.graph.states), second.graph.edges)


def test_policies_are_searched_side_by_side() -> None:
    """Two at a time find what one after the other does, told in the same order."""
    given = ["--faults", "1", "--kinds", "wipe", "--policy", "all", "--json"]
    runner = CliRunner()
    one, two = (runner.invoke(check, [*given, "--jobs", str(jobs)]) for jobs in (1, 2))
    assert one.exit_code == two.exit_code == Exit.OK, two.output
    told = [
        [(search["policy"], search["states"], search["edges"]) for search in json.loads(result.stdout)["searches"]]
        for result in (one, two)
    ]
    assert told[0] == told[1]
    assert [search[0] for search in told[0]] == list(POLICIES)


def test_bad_options_are_usage_errors() -> None:
    """A fault or a rule that does not exist ends in exit code 2, and the message lists those that do."""
    runner = CliRunner()
    wrong_kind = runner.invoke(check, ["--kinds", "flood"])
    wrong_rule = runner.invoke(check, ["--without", "X99"])
    assert wrong_kind.exit_code == wrong_rule.exit_code == Exit.USAGE
    assert all(name in wrong_kind.output for name in FAULTS)
    assert "X99" in wrong_rule.output
