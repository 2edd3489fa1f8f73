"""Real time as it is given on a command line: ``90s``, ``10m``, ``1.5h``."""

from __future__ import annotations

import re
from typing import Final

import click

UNITS_S: Final = {"s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
WRITTEN: Final = re.compile(r"(\d+(?:\.\d+)?)(s|m|min|h)")


def lasting(ctx: click.Context, param: click.Parameter, given: str | None) -> float | None:
    """Read the value of an option: seconds, None if it is not given.

    Raises:
        BadParameter: It is no number with one of the units.
    """
    if given is None:
        return None
    found = WRITTEN.fullmatch(given)
    if found is None:
        raise click.BadParameter(f"{given!r} is no time; write a number and s, m or h, e.g. 10m", ctx, param)
    return float(found[1]) * UNITS_S[found[2]]
