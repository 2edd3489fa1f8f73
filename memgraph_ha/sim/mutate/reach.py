"""What a case comes past: which statements of the mutated modules it runs, and which rules decide.

The functions run for a while with a note added before each statement (tracing every line would take twenty times as
long): a mutant in a statement that a case never runs changes nothing for that case.
"""

import ast
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FunctionType
from typing import Final

from attrs import frozen

from memgraph_ha.core.decide import decide
from memgraph_ha.sim.mutate.mutant import Edit, Mutant
from memgraph_ha.sim.mutate.plant import code_of, live, module_name
from memgraph_ha.sim.mutate.sites import CORE, DECIDING, FILES, TEXTS, functions_of

NOTES: Final = "_notes_of_the_watch"
"""The name under which a watched module knows where notes go."""


@frozen
class Reach:
    """What one case comes past.

    Attributes:
        lines: First lines of the statements that it runs, per file below ``memgraph_ha/core``.
        fired: Ids of the rules that decided.
        seconds: How long it takes.
    """

    lines: dict[str, frozenset[int]]
    fired: frozenset[str]
    seconds: float = 0.0

    def meets(self, mutant: Mutant) -> bool:
        """Whether the case can notice that mutant at all."""
        if isinstance(mutant.plant, Edit):
            return mutant.lines[0] in self.lines.get(mutant.file, frozenset())
        return mutant.function in self.fired


class Notes:
    """What was come past up to now."""

    def __init__(self) -> None:
        self.lines: dict[str, set[int]] = {file: set() for file in FILES}
        self.fired: set[str] = set()

    def clear(self) -> None:
        """Forget everything."""
        self.fired.clear()
        for lines in self.lines.values():
            lines.clear()

    def reach(self, seconds: float) -> Reach:
        """The notes as a value; see `Reach`."""
        lines = {file: frozenset(lines) for file, lines in self.lines.items() if lines}
        return Reach(lines, frozenset(self.fired), seconds)


@contextmanager
def watched() -> Iterator[Notes]:
    """Take notes of whatever this process decides, for as long as the context lasts."""
    notes, right = Notes(), list[tuple[FunctionType, CodeType]]()
    try:
        for file in FILES:
            right += _watch(file, notes.lines[file])
        right += _watch(DECIDING, notes.fired)
        yield notes
    finally:
        for function, code in right:
            function.__code__ = code


def _watch(file: str, notes: set[int] | set[str]) -> Iterator[tuple[FunctionType, CodeType]]:
    """Let every function of a module take notes; yields what must be put back."""
    vars(importlib.import_module(module_name(file)))[NOTES] = notes
    tree = _Noting(file).visit(ast.parse(TEXTS[file]))
    compiled = compile(ast.fix_missing_locations(tree), str(CORE / file), "exec")
    for name in functions_of(tree):
        function = live(file, name)
        yield function, function.__code__
        function.__code__ = code_of(compiled, name)


class _Noting(ast.NodeTransformer):
    """Puts a note before each statement; of `decide` only before the last, which says which rule decided."""

    def __init__(self, file: str) -> None:
        self._deciding = file == DECIDING

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Note the statements of a function, but not of those inside it."""
        if not self._deciding:
            node.body = _noted(node.body)
        elif node.name == decide.__name__:
            node.body.insert(-1, _note("decision.rule"))
        return node


def _noted(body: list[ast.stmt]) -> list[ast.stmt]:
    found: list[ast.stmt] = []
    for statement in body:
        found += [_note(str(statement.lineno)), statement]
        for name in ("body", "orelse", "finalbody"):
            if getattr(statement, name, None):
                setattr(statement, name, _noted(getattr(statement, name)))
        for case in getattr(statement, "cases", ()):
            case.body = _noted(case.body)
    return found


def _note(what: str) -> ast.stmt:
    return ast.parse(f"{NOTES}.add({what})").body[0]
