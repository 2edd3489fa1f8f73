"""The flags of Memgraph 3.6 that the fake takes, with their defaults and descriptions (`flags.tsv`).

Names, defaults and descriptions of those that SHOW CONFIG was recorded with are letter for letter (raw
recording a); the others are those of the packaged memgraph.conf.  Flags that have no effect here are
taken all the same, so that one command line starts either server.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final, TypeAlias

from attrs import frozen

Kind: TypeAlias = type[str | int | float | bool]
_KINDS: Final[Mapping[str, Kind]] = {"string": str, "int": int, "double": float, "bool": bool}


@frozen
class Flag:
    """One flag.

    Attributes:
        choices: Allowed values, if only some are.
    """

    name: str
    kind: Kind
    default: str
    choices: tuple[str, ...]
    description: str

    @property
    def boolean(self) -> bool:
        """Whether `--flag` and `--noflag` are allowed."""
        return self.kind is bool


def _read() -> dict[str, Flag]:
    flags = {}
    for line in Path(__file__).with_name("flags.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            name, kind, default, choices, description = line.split("\t")
            allowed = tuple(choices.split(",")) if choices else ()
            flags[name] = Flag(name, _KINDS[kind], default, allowed, description)
    return flags


FLAGS: Final[Mapping[str, Flag]] = _read()
