"""Where scenario files are, and how they are found: by path, by folder, by id, by entry of the catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from memgraph_ha.sim.scenario.errors import ScenarioError

_PACKAGE: Final = Path(__file__).parents[2]

SHIPPED: Final = next(
    (folder for folder in (_PACKAGE / "scenarios", _PACKAGE.parent / "scenarios") if folder.is_dir()),
    _PACKAGE / "scenarios",
)
"""The shipped ones: in the wheel beside the modules, in a checkout at its top."""


def shipped() -> tuple[Path, ...]:
    """Every shipped file, by name; what the fuzzer once found comes last (``regress/``)."""
    return (*sorted(SHIPPED.glob("*.toml")), *sorted(SHIPPED.glob("regress/*.toml")))


def find(wanted: Iterable[str]) -> tuple[tuple[Path, str], ...]:
    """Find scenario files.

    Args:
        wanted: Paths of files or folders, ids (``A3-hang``), ids with a run (``A3-hang/for=2s``), or entries of the
            catalogue (``A3``). None at all: every shipped file.

    Returns:
        Each file once, with the run that is wanted of it; empty: all of them.

    Raises:
        ScenarioError: One of them is nothing of that.
    """
    found: dict[tuple[Path, str], None] = {}
    for word in wanted:
        found.update(dict.fromkeys(_one(word)))
    return tuple(found) or tuple((path, "") for path in shipped())


def _one(word: str) -> list[tuple[Path, str]]:
    path = Path(word)
    if path.is_dir():
        inside = sorted(path.glob("*.toml"))
        if not inside:
            raise ScenarioError(f"{word}: there is no scenario file (*.toml) in that folder")
        return [(file, "") for file in inside]
    if path.is_file():
        return [(path, "")]
    name, _, run = word.partition("/")
    exact = [(file, run) for file in shipped() if file.stem == name]
    entry = [(file, "") for file in shipped() if not run and file.stem.partition("-")[0] == name]
    if not exact and not entry:
        raise ScenarioError(f"{word}: is neither a file nor a folder nor a shipped scenario; `sim list` names them")
    return exact or entry
