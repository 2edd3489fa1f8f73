"""The table of scenarios misses none, names only tests that exist, and its page is in step."""

import ast
from collections import Counter
from pathlib import Path

from tests.e2e import matrix

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "scenarios.md"


def test_no_scenario_is_missing_and_none_is_twice() -> None:
    """Sections A, B, F, G, H and J have every id of the catalogue, once."""
    ids = Counter(each.id for each in matrix.SCENARIOS)
    assert set(ids.values()) == {1}
    wanted = {f"{section}{number + 1}" for section, count in matrix.COUNTS.items() for number in range(count)}
    assert {each for each in ids if each[0] in matrix.COUNTS} == wanted
    assert {each[0] for each in ids} <= set(matrix.SECTIONS)


def test_every_scenario_is_played_or_says_why_not() -> None:
    """Nobody is listed with neither a test nor a reason."""
    assert [each.id for each in matrix.SCENARIOS if not each.tests and not each.without] == []


def test_every_named_test_exists() -> None:
    """Each is a test function of its file."""
    missing = []
    for name in {name for each in matrix.SCENARIOS for name in each.tests}:
        file, _, function = name.partition(".")
        if function not in _functions(HERE / f"{file}.py"):
            missing.append(name)
    assert missing == []


def test_every_case_of_a_name_space_is_run() -> None:
    """Cases that pytest does not collect by themselves are each named by the test that runs them."""
    for cases in HERE.glob("*_cases.py"):
        runners = "".join(path.read_text() for path in HERE.glob("test_*.py") if cases.name in path.read_text())
        forgotten = [name for name in _functions(cases) if name not in runners]
        assert forgotten == [], cases.name


def test_the_page_is_in_step() -> None:
    """Run scripts/generate_scenarios.py after a change."""
    assert PAGE.read_text() == matrix.page()


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    found = (node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {name for name in found if name.startswith("test_")}
