"""How thoroughly these tests are run, and how they say what they measured."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from memgraph_ha.drill.pauses import Distribution, distribution

LONG: Final = os.environ.get("MEMGRAPH_HA_E2E_LONG") == "1"
"""Whether outages last as long as the issue says and sweeps leave nothing out; otherwise each is a sample."""

PATIENT: Final[Mapping[str, Any]] = {"policy": {"failover_limit": 100}}
"""Tests break more in an hour than a year does; a release that fails over so often would stop and ask."""


def tell(line: str) -> None:
    """Say what was measured: the measurement is what it is for."""
    print(line)  # noqa: T201 - pytest keeps it, and -rP shows it


def tell_pauses(what: str, values: Sequence[float | None]) -> Distribution:
    """Say how long something took, seconds, each time it was tried; gives the summary."""
    found = distribution(values)
    shown = ", ".join("never" if value is None else f"{value:.2f}" for value in values)
    tell(f"{what}: p50 {found.p50:.2f} s, max {found.max:.2f} s ({shown})")
    return found
