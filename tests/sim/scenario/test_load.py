"""Reading and writing of scenario files: strict, and back again."""

from pathlib import Path

import pytest
from attrs import evolve

from memgraph_ha.core import DataDurability
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.scenario.dump import dump
from memgraph_ha.sim.scenario.errors import ScenarioError
from memgraph_ha.sim.scenario.load import load, parse
from memgraph_ha.sim.scenario.model import Kind, Scenario, When
from memgraph_ha.sim.scenario.shelf import shipped

LEAST = 'schema = 1\nid = "X1"\n'


def _one(text: str) -> Scenario:
    (scenario,) = parse(LEAST + text, "x.toml")
    return scenario


def test_an_empty_scenario_is_an_ordinary_cluster() -> None:
    """What a file does not say is as in `Scenario`."""
    assert _one("") == Scenario(id="X1")


def test_instants() -> None:
    """Absolute, after the fault before, at an event, at a state, at a step."""
    texts = (
        '"2s"',
        '"+1.5s"',
        '{ after = "promoted m1", plus = "1s" }',
        '{ once = "opened", within = "3s" }',
        '{ step = "before promote m1" }',
        '{ step = "after 3" }',
    )
    faults = "".join(f'[[fault]]\nat = {text}\ndo = "heal"\n' for text in texts)
    assert [fault.when for fault in _one(faults).faults] == [
        When(at_s=2.0),
        When(plus_s=1.5),
        When(after="promoted m1", plus_s=1.0),
        When(once="opened", within_s=3.0),
        When(step="before promote m1"),
        When(step="after 3"),
    ]


def test_expectations() -> None:
    """One thing each; commands with counts."""
    made = _one(
        '[[expect]]\nwithin = "3s"\nthat = "serves"\n'
        '[[expect]]\nnever = "main == m1"\n'
        '[[expect]]\nsays = "Flapping"\n'
        '[[expect]]\nrule_fired = "L15"\n'
        '[[expect]]\ncommands = { promote = 1, demote = "<= 2" }\n'
    ).expects
    assert [(expect.kind, expect.expression, expect.within_s) for expect in made[:2]] == [
        (Kind.THAT, "serves", 3.0),
        (Kind.NEVER, "main == m1", None),
    ]
    assert (made[2].says, made[3].rule_fired) == (Hold.FLAPPING, "L15")
    assert made[4].commands == (("promote", "1"), ("demote", "<= 2"))


def test_lists_are_swept() -> None:
    """Each combination is a run with a name of its own; a list of names by nature is left alone."""
    runs = parse(
        LEAST
        + '[policy]\ndata_durability = ["preferred", "required"]\neligible = ["m0", "m2"]\n'
        + '[[fault]]\nat = ["1s", "+2s"]\ndo = "kill"\non = "m0"\n',
        "x.toml",
    )
    assert [run.run for run in runs] == [
        "data_durability=preferred,at=1s",
        "data_durability=preferred,at=+2s",
        "data_durability=required,at=1s",
        "data_durability=required,at=+2s",
    ]
    assert runs[2].policy.data_durability is DataDurability.REQUIRED
    assert all(run.policy.eligible == ("m0", "m2") for run in runs)
    assert (runs[0].faults[0].when, runs[1].faults[0].when) == (When(at_s=1.0), When(plus_s=2.0))


def test_sweeps_of_the_same_key_are_told_apart() -> None:
    """By the place of their table."""
    fault = '[[fault]]\nat = ["1s", "2s"]\ndo = "heal"\n'
    assert parse(LEAST + fault + fault, "x.toml")[1].run == "at1=1s,at2=2s"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("colour = 1", r"x.toml: colour 1 is unknown; known here are .*catalogue"),
        ("[policy]\nstandby_grace = 1", "policy field 'standby_grace' does not exist"),
        ("[policy]\nstandby_grace_s = -1", "policy field standby_grace_s: -1 is out of range"),
        ("[cluster]\ninstances = 9", "cluster: instances 9 is not allowed; give a whole number from 2 to 5"),
        ('[cluster]\nstart = "old"', "cluster: start 'old' is not allowed; give one of whole, new"),
        ('[[fault]]\ndo = "explode"', "fault 1: do 'explode' is no verb; known are .*kill"),
        ("[[fault]]", "fault 1: do is missing"),
        ('[[fault]]\ndo = "kill"', "fault 1: on is missing: kill needs it; give an instance"),
        ('[[fault]]\ndo = "kill"\non = "m9"', "fault 1: on 'm9' is not allowed; give an instance"),
        ('[[fault]]\ndo = "kill"\non = "m0"\nhow = 1', "fault 1: how 1 is unknown; known here are at, do, for, on"),
        ('[[fault]]\ndo = "kill"\non = "m0"\nfor = "1s"', "fault 1: for '1s' is not allowed: nothing undoes kill"),
        ('[[fault]]\ndo = "heal"\nat = "soon"', r"fault 1: at 'soon' is not a time; write a number and one of ms, s"),
        ('[[fault]]\ndo = "heal"\nat = { after = "born m0" }', r"fault 1.at: after 'born m0' is no event; known are"),
        ('[[fault]]\ndo = "heal"\nat = { after = "promoted" }', "names 'nothing'; 'promoted' is of instance"),
        ('[[fault]]\ndo = "heal"\nat = { after = "holding Tired" }', "names the hold 'Tired'; known are"),
        ('[[fault]]\ndo = "heal"\nat = { plus = "1s" }', "at .* is no instant; give a time"),
        ('[[fault]]\ndo = "heal"\nat = { step = "promote" }', "step 'promote' is no step; write 'before' or 'after'"),
        ('[[fault]]\ndo = "check"\nthat = "serve"', "fault 1: that 'serve' has the word 'serve', which is unknown"),
        ('[[fault]]\ndo = "ask"\nwhat = "beg"', "fault 1: what 'beg' is not allowed; give 'switchover' or"),
        ('[[expect]]\nthat = "serves"\nnever = "serves"', "expect 1: says not one thing"),
        ("[[expect]]", "expect 1: says not one thing; give one of that, always, never, says, commands, rule_fired"),
        ('[[expect]]\nat = "+1s"\nthat = "serves"', "at '\\+1s' is not allowed here"),
        ('[[expect]]\nsays = "Sleepy"', "says 'Sleepy' is no hold; known are"),
        ("[[expect]]\ncommands = { dance = 1 }", "dance 1 is no command; known are"),
        ('[[expect]]\ncommands = { promote = "few" }', "promote 'few' is no count"),
        ('rules = ["R1"]', "rules .* names 'R1', which is no rule"),
        ('catalogue = ["x"]', "catalogue .* names 'x', which is no entry"),
        ("stuck = true", "stuck True is no hold"),
        ("title = 1", "title 1 is not a text; put it into quotes"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_the_fix(text: str, says: str) -> None:
    """File, place, key, value, and what is allowed."""
    with pytest.raises(ScenarioError, match=says):
        parse(LEAST + text, "x.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("schema = 2\nid = 'X'", "schema 2 must be 1"),
        ("id = 'X'", "schema must be 1"),
        ("schema = 1", "id is missing"),
        ("schema = 1\nid = 'a b'", "id 'a b' is no id"),
        ("schema = ", "is not TOML"),
    ],
)
def test_what_is_no_scenario_at_all(text: str, says: str) -> None:
    """Another schema, no id, no TOML."""
    with pytest.raises(ScenarioError, match=says):
        parse(text, "x.toml")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """It is named."""
    with pytest.raises(ScenarioError, match=r"none\.toml: cannot be read"):
        load(tmp_path / "none.toml")


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_every_shipped_run_is_written_and_read_back_as_the_same(path: Path) -> None:
    """`dump` and `parse` are each other's inverse."""
    for run in load(path):
        assert parse(dump(run), path.name) == (evolve(run, run=""),)
        assert run.id == path.stem
