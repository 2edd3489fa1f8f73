"""A hunt that can be stopped and gone on with: what is known so far, one JSON line each, in a file."""

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TextIO

from attrs import asdict

from memgraph_ha.sim.mutate.hunt import Notice
from memgraph_ha.sim.mutate.mutant import Mutant
from memgraph_ha.sim.mutate.reach import Reach
from memgraph_ha.sim.mutate.sites import CORE

SCHEMA: Final = 1


class SessionError(Exception):
    """The file is of another hunt; the text says what differs, and what to do."""


def fingerprint(asked: str) -> str:
    """Tell one hunt from another: the core's text, and what was asked for.

    Args:
        asked: Options and scenarios that change what is found.
    """
    digest = hashlib.sha256(asked.encode())
    for path in sorted(CORE.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class Session:
    """What is known so far; without a file it is forgotten at the end.

    Args:
        path: Where to keep it; None: nowhere.
        print_of: The hunt's fingerprint.

    Raises:
        SessionError: The file is of another hunt, or of no hunt at all.
    """

    def __init__(self, path: Path | None, print_of: str) -> None:
        self.reach: dict[str, dict[str, Reach]] = {}
        self.notices: dict[str, tuple[Notice, ...]] = {}
        self._file: TextIO | None = None
        if path is None:
            return
        begun = path.exists() and path.stat().st_size > 0
        if begun:
            self._read(path, print_of)
        self._file = path.open("a", encoding="utf-8")
        if not begun:
            self._write({"schema": SCHEMA, "hunt": print_of})

    def watched(self, reach: dict[str, dict[str, Reach]]) -> None:
        """Keep what the cases come past."""
        self.reach = reach
        for detector, cases in reach.items():
            for case, found in cases.items():
                where = {file: sorted(lines) for file, lines in found.lines.items()}
                fired = sorted(found.fired)
                self._write({"reach": [detector, case], "lines": where, "fired": fired, "seconds": found.seconds})

    def judged(self, mutant: Mutant, notices: tuple[Notice, ...]) -> None:
        """Keep what the detectors said of a mutant."""
        self.notices[mutant.id] = notices
        self._write({"mutant": mutant.id, "notices": [asdict(notice) for notice in notices]})

    def close(self) -> None:
        """Nothing is kept any more."""
        if self._file is not None:
            self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()

    def _read(self, path: Path, print_of: str) -> None:
        found = list(_lines(path))
        if not found or found[0].get("hunt") != print_of:
            raise SessionError(
                f"{path}: it is of another hunt: rules, scenarios or options differ; remove it, or name another"
            )
        readers: dict[str, Callable[[dict[str, Any]], None]] = {"reach": self._read_reach, "mutant": self._read_mutant}
        for line in found[1:]:
            for key, read in readers.items():
                if key in line:
                    read(line)

    def _read_reach(self, line: dict[str, Any]) -> None:
        detector, case = line["reach"]
        where = {file: frozenset(lines) for file, lines in line["lines"].items()}
        self.reach.setdefault(detector, {})[case] = Reach(where, frozenset(line["fired"]), line["seconds"])

    def _read_mutant(self, line: dict[str, Any]) -> None:
        self.notices[line["mutant"]] = tuple(Notice(**notice) for notice in line["notices"])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Whole lines; the last one may have been cut off when the hunt was stopped."""
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            line = json.loads(text)
        except ValueError:
            return
        if isinstance(line, dict):
            yield line
