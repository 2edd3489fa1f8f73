"""The mistakes themselves: what each operator makes of a text, and that every one of them can be planted."""

import ast
import hashlib
from pathlib import Path

import pytest
from attrs import evolve

from memgraph_ha.core import RULES, Decision, decide
from memgraph_ha.core.commands import Promote, WriteRecord
from memgraph_ha.core.decision import Unmet
from memgraph_ha.sim.mutate.campaign import every_mutant
from memgraph_ha.sim.mutate.equivalent import StaleTableError, equivalents, reasons
from memgraph_ha.sim.mutate.mutant import Edit, Mutant
from memgraph_ha.sim.mutate.operators import OPERATORS
from memgraph_ha.sim.mutate.plant import edited_since, live, planted
from memgraph_ha.sim.mutate.sites import CORE, FILES, functions_of, mutants_of, substitute
from memgraph_ha.sim.mutate.table import OPERATORS as MOVES
from memgraph_ha.sim.mutate.table import stated_orders, table_mutants
from tests.core.corpus import BASES
from tests.core.occasions import OCCASIONS

CASES = {
    ("guard-off", "if a > 1:\n    return b"): {"if False:\n    return b"},
    ("operand-off", "x = a and b and c"): {"x = b and c", "x = a and c", "x = a and b"},
    ("compare", "x = a < 3"): {"x = a <= 3"},
    ("compare", "x = a is b"): {"x = a is not b"},
    ("compare", "x = a.run == b.run"): {"x = a.run != b.run"},
    ("compare", "x = a is None"): set(),
    ("compare", "x = a.now_s < b"): set(),
    ("age-off", "x = a.now_s - b.asked_at_s > 3"): {"x = True", "x = False"},
    ("age-off", "x = a.count > 3"): set(),
    ("not-off", "x = not a"): {"x = a"},
    ("either", "x = a if b else None"): {"x = a", "x = None"},
    ("either", "x = 'yes' if b else 'no'"): set(),
    ("quantifier", "x = any(p for p in q)"): {"x = all((p for p in q))"},
    ("filter-off", "x = [p for p in q if p.a if p.b]"): {"x = [p for p in q if p.b]", "x = [p for p in q if p.a]"},
    ("field-kept", "x = evolve(r, standby=None, row_seq=2)"): {
        "x = evolve(r, row_seq=2)",
        "x = evolve(r, standby=None)",
    },
    ("number-reused", "x = r.row_seq + 1"): {"x = r.row_seq"},
    ("number-reused", "x = r.rebuild | names"): {"x = r.rebuild"},
    ("number-reused", "x = now_s + 1"): set(),
    ("unbound", "x = begun(change, main_run=r, fallback=f)"): {
        "x = begun(change, main_run=None, fallback=f)",
        "x = begun(change, main_run=r, fallback=None)",
    },
    ("command-off", "x = D(commands=(a, b))"): {
        "x = D(commands=(b,))",
        "x = D(commands=(a,))",
        "x = D(commands=(b, a))",
    },
}
"""An operator and a text to what it makes of it."""


@pytest.mark.parametrize(("operator", "text"), CASES, ids=[f"{operator} {text}" for operator, text in CASES])
def test_an_operator_makes_its_mistakes_and_no_others(operator: str, text: str) -> None:
    """Each node of the text is tried; what is put there is put back afterwards."""
    found = set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        for name, value in ast.iter_fields(node):
            for place, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
                for put, shown in OPERATORS[operator](child) if isinstance(child, ast.AST) else ():
                    assert shown
                    holder = value if place is not None else None
                    if holder is not None:
                        holder[place] = put
                    else:
                        setattr(node, name, put)
                    found.add(ast.unparse(tree))
                    if holder is not None:
                        holder[place] = child
                    else:
                        setattr(node, name, child)
    assert found == CASES[operator, text]


def test_every_operator_is_tried_above_and_used_below() -> None:
    """None is without an example, and none makes nothing of the rules."""
    assert {operator for operator, _text in CASES} == set(OPERATORS)
    assert {mutant.operator for mutant in every_mutant()} == {*OPERATORS, *MOVES}


def test_ids_are_unique_and_many() -> None:
    """One mutant, one id; every module is mutated."""
    mutants = every_mutant()
    ids = [mutant.id for mutant in mutants]
    assert len(ids) == len(set(ids))
    assert {mutant.file for mutant in mutants} >= {f"rules/{path.name}" for path in (CORE / "rules").glob("[a-z]*.py")}
    assert len(ids) > 2000


@pytest.mark.parametrize("file", FILES)
def test_every_mutant_can_be_planted_and_taken_out(file: str) -> None:
    """The live function runs other code while it is planted, and its own again afterwards."""
    for mutant in mutants_of(file)[::19]:
        function = live(mutant.file, mutant.function)
        right = function.__code__
        with planted(mutant) as rules:
            assert function.__code__ != right, mutant.id
            assert rules is RULES
        assert function.__code__ is right


def test_what_runs_is_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that was edited while it was loaded is named: its mutants would be those of another text."""
    assert edited_since() is None
    function = live("rules/loss.py", "_doubt")
    monkeypatch.setattr(function, "__code__", live("rules/loss.py", "_own_doubt").__code__)
    assert edited_since() == "rules/loss.py"


def test_no_two_mutants_of_a_function_read_the_same() -> None:
    """And none reads as the right text."""
    for file in FILES[:4]:
        tree = ast.parse((CORE / file).read_text(encoding="utf-8"))
        right = {name: ast.unparse(function.node) for name, function in functions_of(tree).items()}
        texts: set[tuple[str, str]] = set()
        for mutant in mutants_of(file):
            assert isinstance(mutant.plant, Edit)
            undo = substitute(tree, mutant.plant)
            text = ast.unparse(functions_of(tree)[mutant.function].node)
            substitute(tree, undo)
            assert text != right[mutant.function], mutant.id
            assert (mutant.function, text) not in texts, mutant.id
            texts.add((mutant.function, text))


def test_the_source_is_never_written() -> None:
    """Planting leaves every file of the core as it is."""

    def digest() -> str:
        parts = [path.read_bytes() for path in sorted(Path(CORE).rglob("*.py"))]
        return hashlib.sha256(b"".join(parts)).hexdigest()

    before = digest()
    for mutant in every_mutant()[::211]:
        with planted(mutant):
            pass
    assert digest() == before


# --- the table


def by_id(mutant_id: str) -> Mutant:
    """One mutant of the table."""
    return next(mutant for mutant in table_mutants() if mutant.id.endswith(mutant_id))


def test_a_dropped_rule_is_gone_wherever_rules_are_taken() -> None:
    """`decide` and `explain` use the mistaken table where no other is given, as long as it is planted."""
    view = next(scene.view for scene in BASES.values() if decide(scene.view).rule != RULES[-1].id)
    decided = decide(view).rule
    with planted(by_id(f":{decided}:rule-dropped")) as rules:
        assert decided not in [rule.id for rule in rules]
        assert decide(view).rule != decided
    assert decide(view).rule == decided


def test_each_stated_order_is_broken_by_one_mutant() -> None:
    """What says "After: X" stands right before X, what says "Before: X" right behind it; nothing else moves."""
    moved = [mutant for mutant in table_mutants() if mutant.operator.startswith("moved")]
    assert len(moved) == sum(len(stated_orders(rule)) for rule in RULES) > 100
    right = [rule.id for rule in RULES]
    for mutant in moved:
        with planted(mutant) as rules:
            ids = [rule.id for rule in rules]
        other = mutant.after.split()[-1]
        assert abs(ids.index(mutant.function) - ids.index(other)) == 1
        assert (ids.index(mutant.function) < ids.index(other)) is (mutant.operator == "moved-before")
        assert [i for i in ids if i != mutant.function] == [i for i in right if i != mutant.function]


def test_acting_first_puts_the_promotion_before_its_record() -> None:
    """Wherever the right rule begins a reign, the mistaken one promotes first."""
    checked = 0
    scenes = [*BASES.values(), *OCCASIONS.values()]
    for mutant in table_mutants():
        if mutant.operator != "act-first":
            continue
        right = next(rule for rule in RULES if rule.id == mutant.function)
        with planted(mutant) as rules:
            wrong = next(rule for rule in rules if rule.id == mutant.function)
        for scene in scenes:
            due = right.decide(scene.view)
            found = wrong.decide(scene.view)
            if isinstance(due, Unmet):
                assert isinstance(found, Unmet)
                continue
            assert isinstance(found, Decision)
            writes = [command for command in due.commands if isinstance(command, WriteRecord)]
            record = scene.view.record
            if writes and record is not None and writes[0].record.generation > record.generation:
                assert isinstance(found.commands[0], Promote)
                assert found.commands[1:] == due.commands
                checked += 1
    assert checked > 3


# --- what is no mistake


def test_the_table_of_equivalents_speaks_of_mutants_that_exist() -> None:
    """Each entry names one at least, and says why."""
    table = equivalents()
    found = reasons(every_mutant(), table)
    assert set(found.values()) == set(table.values())
    assert all(len(why) > 10 for why in table.values())


def test_a_stale_entry_is_an_error() -> None:
    """A text that changed makes the reason worthless: it must be judged anew."""
    with pytest.raises(StaleTableError, match="judge it anew"):
        reasons(every_mutant(), {"rules/loss.py nobody guard-off: x -> never: x": "long gone"})


def test_an_anchor_does_not_move_with_the_lines() -> None:
    """It names what is changed, not where."""
    mutant = mutants_of(FILES[0])[0]
    assert evolve(mutant, id="elsewhere", lines=(1, 1)).anchor == mutant.anchor
