"""Real time as it is given on a command line: ``90s``, ``10m``, ``1.5h``."""

from __future__ import annotations

import re
from typing import Final

import click

UNITS_S: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
WRITTEN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h)")


class Lasting(click.ParamType):
    """A time; its value is seconds."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read it.

        Raises:
            BadParameter: It is no number with one of the units.
        """
        if isinstance(value, float):
            return value
        found = WRITTEN.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no time; write a number and s, m or h, e.g. 10m", param, ctx)
        return float(found[1]) * UNITS_S[found[2]]
