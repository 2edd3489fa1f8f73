"""How a mutant is planted: in this process's memory only, so that several processes can hold different ones.

The mutated module is compiled anew, and the changed function takes over the new code: whoever imported the function
before runs the mistake from now on. The source tree is never written to.
"""

import ast
import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from types import CodeType, FunctionType
from typing import Any

from memgraph_ha.core.decide import decide, explain
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.sim.mutate.mutant import Edit, Mutant
from memgraph_ha.sim.mutate.sites import CORE, TEXTS, functions_of, substitute


@contextmanager
def planted(mutant: Mutant) -> Iterator[tuple[Rule, ...]]:
    """Make the mistake for as long as the context lasts.

    Args:
        mutant: Which.

    Yields:
        The rules with it: `decide` and `explain` use them where no others are given.
    """
    if isinstance(mutant.plant, Edit):
        function = live(mutant.file, mutant.function)
        right = function.__code__
        function.__code__ = _mistaken(mutant, mutant.plant)
        try:
            yield RULES
        finally:
            function.__code__ = right
        return
    rules = mutant.plant.change(RULES)
    defaults = decide.__defaults__, explain.__defaults__
    decide.__defaults__ = explain.__defaults__ = (rules,)
    try:
        yield rules
    finally:
        decide.__defaults__, explain.__defaults__ = defaults


def module_name(file: str) -> str:
    """Name the module of a file below ``memgraph_ha/core``."""
    return "memgraph_ha.core." + file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def live(file: str, name: str) -> FunctionType:
    """Find the function that everybody calls, which a module or one of its classes holds.

    Args:
        file: Below ``memgraph_ha/core``.
        name: Qualified.

    Raises:
        TypeError: It is wrapped in something whose code cannot be changed.
    """
    found: Any = importlib.import_module(module_name(file))
    for part in name.split("."):
        found = vars(found)[part]
    if isinstance(found, property):
        found = found.fget
    elif isinstance(found, cached_property):
        found = found.func
    if not isinstance(found, FunctionType):
        raise TypeError(f"{file}: {name} is a {type(found).__name__}, which cannot be mutated")
    return found


def edited_since() -> str | None:
    """Name a module whose source was edited while this process loaded it; None if all run as they read."""
    for file, source in TEXTS.items():
        tree = ast.parse(source)
        compiled = compile(tree, str(CORE / file), "exec")
        for name in functions_of(tree):
            if code_of(compiled, name) != live(file, name).__code__:
                return file
    return None


def code_of(module: CodeType, name: str) -> CodeType:
    """Find a function's code in its module's.

    Args:
        module: The compiled module.
        name: Qualified.
    """
    for part in name.split("."):
        module = next(code for code in module.co_consts if isinstance(code, CodeType) and code.co_name == part)
    return module


def _mistaken(mutant: Mutant, edit: Edit) -> CodeType:
    """The changed function's code."""
    tree = ast.parse(TEXTS[mutant.file])
    substitute(tree, edit)
    compiled = compile(ast.fix_missing_locations(tree), str(CORE / mutant.file), "exec")
    return code_of(compiled, mutant.function)
