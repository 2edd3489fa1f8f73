"""The page that lists everything in the table of observations with the tests that hold it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from tests.conformance.questions import SECTIONS
from tests.conformance.seen import Seen

ROOT: Final = Path(__file__).parents[2]
TESTS: Final = ROOT / "tests" / "conformance"
_HEAD: Final = """<!-- made by scripts/conformance_table.py from tests/conformance: change that, not this page -->
# Conformance

What a real Memgraph 3.6.1 was seen to do, how often, and the tests that hold it. Those of `tests/conformance` run
against `memgraph-ha-fake`, or against the server that `MEMGRAPH_BINARY` names, over Bolt only:

    pytest tests/conformance                                   # against the fake, what takes seconds
    pytest tests/conformance -m slow                           # what takes longer
    MEMGRAPH_BINARY=/usr/lib/memgraph/memgraph pytest tests/conformance

Tests marked *slow* are in the second run only. A test of the other build than the server's skips itself. What a real
server does by chance the fake draws from `--fake-seed` with the recorded odds; `--fake-hazards=always` and `never`
force it. Tests in italics are of the fake itself: they count what cannot be counted from outside.
"""


class TableError(ValueError):
    """The table and the tests do not agree."""


def _functions(file: Path) -> list[ast.FunctionDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def _marks(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "holds":
            for argument in decorator.args:
                yield ast.literal_eval(argument)


def marked_tests(folder: Path = TESTS) -> dict[str, list[str]]:
    """Return the tests that hold each observation, as Markdown, in the order of files and lines.

    Args:
        folder: Where the tests are.

    Raises:
        TableError: A test of the folder holds nothing.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(set(folder.glob("test_*.py")) - {TESTS / "test_table.py"}):
        for function in _functions(file):
            marks = list(_marks(function))
            if not marks:
                raise TableError(f"{file.name}: {function.name} holds nothing; decorate it with @holds(...)")
            slow = any(ast.unparse(each) == "pytest.mark.slow" for each in function.decorator_list)
            for observation in marks:
                found[observation].append(_link("conformance", file, function) + (" *slow*" if slow else ""))
    return found


def _link(folder: str, file: Path, function: ast.FunctionDef) -> str:
    return f"[`{function.name}`](../../tests/{folder}/{file.name})"


def _elsewhere(test: str) -> str:
    path, _, name = test.partition("::")
    file = ROOT / "tests" / path
    for function in _functions(file) if file.is_file() else []:
        if function.name == name:
            return f"*{_link(file.parent.name, file, function)}*"
    raise TableError(f"tests/{test} does not exist; correct the name in the table")


def page(observations: Mapping[str, Seen], tests: Mapping[str, list[str]]) -> str:
    """Return the page.

    Args:
        observations: What was observed, by name.
        tests: The tests of tests/conformance that hold each, as Markdown.

    Raises:
        TableError: A mark or a section is unknown, a named test does not exist, or an observation is
            without tests and reason, or has both.
    """
    for name in set(tests) - set(observations):
        raise TableError(f"observation {name!r} is not in the table; add it or correct the mark")
    rows: dict[str, list[str]] = {section: [] for section in SECTIONS}
    for name, seen in observations.items():
        held = [*tests.get(name, []), *map(_elsewhere, seen.elsewhere)]
        if bool(held) == bool(seen.why_not):
            raise TableError(f"observation {name}: give it either a test or a reason (why_not)")
        section, _, word = name.partition(".")
        if section not in rows or not word:
            raise TableError(f"observation {name}: its name begins with no section of {', '.join(SECTIONS)}")
        cell = "<br>".join(held) if held else f"none: {seen.why_not}"
        rows[section].append(f"| {seen.what} | {seen.how_often} | {cell} |\n")
    parts = [_HEAD]
    for section, title in SECTIONS.items():
        if not rows[section]:
            raise TableError(f"section {section} ({title}) has no observation")
        parts.append(f"\n## {title}\n\n| Observed | Recorded | Tests |\n|---|---|---|\n{''.join(rows[section])}")
    return "".join(parts)
