"""Files that are made from other files: writes them, or names those that are not in step.

python -m scripts.NAME           write the files of that script
python -m scripts.NAME --check   write nothing; name every file that is not in step (exit code 1)
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
"""The repository."""

REFERENCE: Final = ROOT / "docs" / "reference"


def stale(made: Mapping[str, str], folder: Path) -> list[str]:
    """Name the files that are missing, or say something else than what was made.

    Args:
        made: Paths below the folder, and what should stand there.
        folder: Where they are.
    """
    return [name for name, text in made.items() if _read(folder / name) != text]


def keep(make: Callable[[], Mapping[str, str]], script: str, arguments: Sequence[str] | None, folder: Path) -> int:
    """Write the files, or check them.

    Args:
        make: Makes all of them: paths below the folder, and texts.
        script: The name of the script, for whoever must run it.
        arguments: Of the command line; None for this process's own.
        folder: Where they are, unless the command line says otherwise.

    Returns:
        The exit code: 0, or 1 if one was to be checked and is not in step.
    """
    parser = argparse.ArgumentParser(prog=f"python -m scripts.{script}", description="Write files that are made.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not in step")
    parser.add_argument("--folder", type=Path, default=folder, help="below which they are (default: %(default)s)")
    given = parser.parse_args(arguments)
    made = make()
    if given.check:
        behind = stale(made, given.folder)
        for name in behind:
            print(f"{given.folder / name} is not in step: run python -m scripts.{script}")
        return 1 if behind else 0
    for name, text in made.items():
        path: Path = given.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None
