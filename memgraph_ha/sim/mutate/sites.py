"""Where mistakes can be made: every place of the core's deciding text to which an operator applies."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

import memgraph_ha.core
from memgraph_ha.sim.mutate.mutant import Edit, Mutant, Step
from memgraph_ha.sim.mutate.operators import OPERATORS, is_words, text

CORE: Final = Path(memgraph_ha.core.__file__).parent

RULE_FILES: Final = tuple(f"rules/{path.name}" for path in sorted((CORE / "rules").glob("[a-z]*.py")))
FILES: Final = (*RULE_FILES, "candidate.py", "quiet.py", "rowcare.py", "route.py", "reads.py", "known.py", "view.py")
"""The modules that are mutated, below ``memgraph_ha/core``: rules, and the questions that they ask."""

DECIDING: Final = "decide.py"
"""Where the first rule that matches is taken; not mutated."""

TEXTS: Final = {file: (CORE / file).read_text(encoding="utf-8") for file in (*FILES, DECIDING)}
"""What the modules say that this process runs, also if somebody edits them meanwhile."""

SPOKEN: Final = frozenset({"reason", "wake_at_s", "look", "detail", "why_reads", "key"})
"""Keywords whose values decide nothing: words for people, and when the next look comes."""

TOLD: Final = frozenset({"Unmet", "isinstance", "last_outcome"})
"""Calls whose arguments decide nothing."""

UNREAD: Final = frozenset({"annotation", "returns", "decorator_list", "args"})
"""What a definition carries beside its text."""


@frozen
class Function:
    """A function of a module, or a method of one of its classes.

    Attributes:
        name: Qualified.
        holder: The class; empty if it is a function.
        node: Its text.
        path: From the module to it.
    """

    name: str
    holder: str
    node: ast.FunctionDef
    path: tuple[Step, ...]


@cache
def mutants_of(file: str) -> tuple[Mutant, ...]:
    """Every mistake that the operators make of one module.

    Args:
        file: One of `FILES`.

    Returns:
        In the order of the text. Two that read the same are one.
    """
    found: list[Mutant] = []
    ids: Counter[str] = Counter()
    for function in functions_of(ast.parse(TEXTS[file])).values():
        seen: set[str] = {ast.unparse(function.node)}
        for mutant in _edits(file, function):
            changed = _result(function, mutant.plant) if isinstance(mutant.plant, Edit) else ""
            if changed in seen:
                continue
            seen.add(changed)
            ids[mutant.id] += 1
            count = ids[mutant.id]
            found.append(mutant if count == 1 else evolve(mutant, id=f"{mutant.id}#{count}"))
    return tuple(found)


def functions_of(tree: ast.Module) -> dict[str, Function]:
    """Functions of the module and methods of its classes, by name; those inside others belong to the outer one."""
    found: list[Function] = []
    for place, node in enumerate(tree.body):
        if isinstance(node, ast.FunctionDef):
            found.append(Function(node.name, "", node, (("body", place),)))
        if isinstance(node, ast.ClassDef):
            found += [
                Function(f"{node.name}.{method.name}", node.name, method, (("body", place), ("body", inner)))
                for inner, method in enumerate(node.body)
                if isinstance(method, ast.FunctionDef)
            ]
    return {function.name: function for function in found}


def _edits(file: str, function: Function) -> Iterator[Mutant]:
    if isinstance(function.node.returns, ast.Name) and function.node.returns.id == "str":
        return  # words for people
    for path, node, first in _sites(function.node, function.path, function.node.lineno):
        for operator, make in OPERATORS.items():
            for put, shown in make(node):
                last = _last(node, first)
                yield Mutant(
                    id=f"{file}:{last[0]}:{operator}",
                    file=file,
                    lines=(first, last[1]),
                    function=function.name,
                    operator=operator,
                    before=text(node.test if isinstance(node, ast.If) else node).strip(),
                    after=shown,
                    plant=Edit(path, put),
                )


def _last(node: ast.AST, first: int) -> tuple[int, int]:
    """The first and the last line of what is changed."""
    match node:
        case ast.comprehension(target=part) | ast.If(test=part):
            begins: ast.AST = part
        case _:
            begins = node
    line = int(getattr(begins, "lineno", first))
    return line, int(getattr(begins, "end_lineno", line))


def _sites(node: ast.AST, path: tuple[Step, ...], first: int) -> Iterator[tuple[tuple[Step, ...], ast.AST, int]]:
    """The nodes below that one which decide something, outer ones first, each with its statement's first line."""
    for name, value in ast.iter_fields(node):
        if isinstance(node, ast.FunctionDef | ast.AnnAssign) and name in UNREAD:
            continue
        inner: list[tuple[int | None, object]] = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
        for place, child in inner:
            if isinstance(child, ast.AST) and not _says_only(child):
                here, line = (*path, (name, place)), child.lineno if isinstance(child, ast.stmt) else first
                yield here, child, line
                yield from _sites(child, here, line)


def _says_only(node: ast.AST) -> bool:
    """Whether nothing in it decides anything."""
    match node:
        case ast.JoinedStr() | ast.Constant() | ast.Assert():
            return True
        case ast.keyword(arg=str(name)):
            return name in SPOKEN
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)):
            return called in TOLD
        case ast.IfExp(body=one, orelse=other):
            return is_words(one) and is_words(other)
        case _:
            return False


def _result(function: Function, edit: Edit) -> str:
    """The function's text with that change."""
    module = ast.Module(body=[function.node], type_ignores=[])
    undo = substitute(module, Edit((("body", 0), *edit.path[len(function.path) :]), edit.put))
    try:
        return ast.unparse(function.node)
    finally:
        substitute(module, undo)


def substitute(tree: ast.Module, edit: Edit) -> Edit:
    """Put the change into a tree, in place.

    Returns:
        The change that takes it back.
    """
    node: ast.AST = tree
    for name, place in edit.path[:-1]:
        node = getattr(node, name) if place is None else getattr(node, name)[place]
    name, place = edit.path[-1]
    if place is None:
        old = getattr(node, name)
        setattr(node, name, edit.put)
    else:
        old = getattr(node, name)[place]
        getattr(node, name)[place] = edit.put
    return Edit(edit.path, old)
