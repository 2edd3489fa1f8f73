"""Write docs/reference/conformance.md: every question of the transcripts and the tests that hold it.

python scripts/conformance_table.py           write the page
python scripts/conformance_table.py --check   write nothing; exit code 1 if the page is not in step
"""

import ast
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
TESTS: Final = ROOT / "tests" / "conformance"
PAGE: Final = ROOT / "docs" / "reference" / "conformance.md"
_HEAD: Final = """<!-- made by scripts/conformance_table.py from the tests: change the tests, not this page -->
# Conformance

What a real Memgraph 3.6.1 was seen to do, and the tests in `tests/conformance` that hold it. They run against
`memgraph-ha-fake`, or against the server that `MEMGRAPH_BINARY` names:

    pytest tests/conformance                                   # against the fake, what takes seconds
    pytest tests/conformance -m slow                           # what takes longer
    MEMGRAPH_BINARY=/usr/lib/memgraph/memgraph pytest tests/conformance

Tests marked *slow* are in the second run only.

| Question | Tests |
|---|---|
"""


class TableError(ValueError):
    """A question is held by no test and no reason is given, or both."""


def constants(name: str) -> dict[str, str]:
    """Return a map of `tests/conformance/questions.py`, read without importing it.

    Args:
        name: The constant's name.
    """
    tree = ast.parse((TESTS / "questions.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            assert node.value is not None  # noqa: S101 - a constant has a value
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise TableError(f"tests/conformance/questions.py has no {name}")


def _marks(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name) and decorator.func.id == "holds":
            for argument in decorator.args:
                yield ast.literal_eval(argument)


def tests_by_question() -> dict[str, list[str]]:
    """Return the tests that hold each question, as Markdown, in the order of files and lines.

    Raises:
        TableError: A test of the folder holds no question.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(set(TESTS.glob("test_*.py")) - {TESTS / "test_table.py"}):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if not (isinstance(node, ast.FunctionDef) and node.name.startswith("test_")):
                continue
            marks = list(_marks(node))
            if not marks:
                raise TableError(f"{file.name}: {node.name} holds no question; decorate it with @holds(...)")
            slow = any(ast.unparse(each) == "pytest.mark.slow" for each in node.decorator_list)
            link = f"[`{node.name}`](../../tests/conformance/{file.name}#L{node.lineno}){' *slow*' if slow else ''}"
            for question in marks:
                found[question].append(link)
    return found


def page(questions: Mapping[str, str], unheld: Mapping[str, str], tests: Mapping[str, list[str]]) -> str:
    """Return the page.

    Args:
        questions: Title by question.
        unheld: Why no test holds a question.
        tests: The tests that hold each question.

    Raises:
        TableError: A question is unknown, or is without tests and reason, or has both.
    """
    for question in {*tests, *unheld} - set(questions):
        raise TableError(f"question {question!r} is not in QUESTIONS; add it or correct the mark")
    lines = []
    for question, title in questions.items():
        held = tests.get(question, [])
        if bool(held) == (question in unheld):
            raise TableError(f"question {question}: give it either a test or a reason in UNHELD")
        cell = "<br>".join(held) if held else f"none: {unheld[question]}"
        name = title if ":" in question else f"{question}. {title}"
        lines.append(f"| {name} | {cell} |\n")
    return _HEAD + "".join(lines)


def main() -> int:
    """Write or check the page; returns the exit code."""
    text = page(constants("QUESTIONS"), constants("UNHELD"), tests_by_question())
    if "--check" in sys.argv[1:]:
        if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
            return 0
        print(f"{PAGE.relative_to(ROOT)} is not in step; run python scripts/conformance_table.py", file=sys.stderr)
        return 1
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
