"""Which mutants the type checker refuses: mistakes that nobody can make and keep.

Half of the guards of a strictly typed text are there because mypy demands them (`if record is None`). A mutant without
one is no mistake that could reach anybody, and counting its crash as found would flatter every detector. All mutants
of a module are written into one copy of it, each as a function of its own, and checked in one run of mypy.
"""

import ast
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha.sim.mutate.detector import UnfitError
from memgraph_ha.sim.mutate.mutant import Edit, Mutant
from memgraph_ha.sim.mutate.sites import CORE, TEXTS, functions_of, mutants_of, substitute

FOUND: Final = re.compile(r"^.*?:(\d+): error: (.*)$", re.MULTILINE)


@frozen
class _Copy:
    """One function in the checked text: where it stands, and whose it is (None: as it is in the source)."""

    first: int
    last: int
    mutant: Mutant | None
    function: str


def checker_is_here() -> bool:
    """Whether mypy can be imported: it is no dependency of ours at run time."""
    try:
        import mypy.api  # noqa: F401, PLC0415 - only asked for, and only here
    except ImportError:
        return False
    return True


def refused(file: str, cache: Path, config: Path) -> frozenset[str]:
    """Ask mypy which mutants of a module do not type-check.

    Args:
        file: One of `sites.FILES`.
        cache: Where mypy may keep what it knows of the other modules.
        config: The project's ``pyproject.toml``: its strictness decides.

    Returns:
        The ids of the mutants that it refuses for something that it does not say of the right text.

    Raises:
        ImportError: There is no mypy; see `checker_is_here`.
    """
    import mypy.api  # noqa: PLC0415 - a second of loading, for nobody else

    text, copies = _copies(file)
    with tempfile.NamedTemporaryFile("w", suffix=".py", encoding="utf-8") as shadow:
        shadow.write(text)
        shadow.flush()
        source = str(CORE / file)
        options = ["--config-file", str(config), "--cache-dir", str(cache), "--no-error-summary", "--no-pretty"]
        said, trouble, _code = mypy.api.run([*options, "--shadow-file", source, shadow.name, source])
    if trouble:
        raise UnfitError(f"mypy could not check the mutants of {file}: {trouble}")
    errors = [(int(line), what) for line, what in FOUND.findall(said)]
    plain = {
        (copy.function, what)
        for copy in copies
        for line, what in errors
        if copy.mutant is None and copy.first <= line <= copy.last
    }
    return frozenset(
        copy.mutant.id
        for copy in copies
        for line, what in errors
        if copy.mutant is not None and copy.first <= line <= copy.last and (copy.function, what) not in plain
    )


def _copies(file: str) -> tuple[str, tuple[_Copy, ...]]:
    """The module with a copy of every function as it is, and one for each of its mutants."""
    tree = ast.parse(TEXTS[file])
    functions = functions_of(tree)
    lines: list[str] = []
    copies: list[_Copy] = []
    inside: dict[str, list[tuple[str, Mutant | None, str]]] = {}
    for mutant, name, text in _texts(file, tree):
        holder = functions[name].holder
        inside.setdefault(holder, []).append((text, mutant, name))
    for node in tree.body:
        lines += ast.unparse(node).splitlines()
        if isinstance(node, ast.ClassDef):
            _write(inside.pop(node.name, []), "    ", lines, copies)
    _write(inside.pop("", []), "", lines, copies)
    return "\n".join(lines) + "\n", tuple(copies)


def _write(texts: list[tuple[str, Mutant | None, str]], indent: str, lines: list[str], copies: list[_Copy]) -> None:
    for text, mutant, name in texts:
        first = len(lines) + 1
        lines += [indent + line for line in text.splitlines()]
        copies.append(_Copy(first, len(lines), mutant, name))


def _texts(file: str, tree: ast.Module) -> Iterator[tuple[Mutant | None, str, str]]:
    """Function by function: as it is, then with each mistake, each under a name of its own."""
    mutants = mutants_of(file)
    for name, function in functions_of(tree).items():
        own = function.node.name
        function.node.name = f"{own}_as_it_is"
        yield None, name, ast.unparse(function.node)
        for place, mutant in enumerate(mutants):
            if mutant.function == name and isinstance(mutant.plant, Edit):
                undo = substitute(tree, mutant.plant)
                function.node.name = f"{own}_{place}"
                yield mutant, name, ast.unparse(function.node)
                substitute(tree, undo)
        function.node.name = own
