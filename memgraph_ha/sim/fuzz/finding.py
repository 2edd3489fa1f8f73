"""A find, made small and written down: a scenario file that fails as the random life did."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from attrs import evolve

from memgraph_ha.sim.fuzz.shrink import Shrinking, Symptom, symptom
from memgraph_ha.sim.scenario.dump import dump
from memgraph_ha.sim.scenario.model import Scenario


def make_small(
    scenario: Scenario, seconds: float, told: Callable[[Scenario, int], None] = lambda _scenario, _tries: None
) -> tuple[Scenario, Symptom | None, int]:
    """Shrink a scenario that fails.

    Args:
        scenario: It fails on its own seed.
        seconds: No further try is begun after so many real seconds.
        told: Told of each smaller scenario that fails as well, and of the number of tries so far.

    Returns:
        The smallest one that was found, how it fails (None: it does not fail), and the number of tries.
    """
    wanted = symptom(scenario)
    if wanted is None:
        return scenario, None, 1
    until_s = time.monotonic() + seconds
    shrinking = Shrinking(
        shows=lambda smaller: symptom(smaller) == wanted,
        over=lambda: time.monotonic() > until_s,
    )
    shrinking.told = lambda smaller: told(smaller, shrinking.tries)
    return shrinking.smallest(scenario), wanted, shrinking.tries


def write_down(scenario: Scenario, wanted: Symptom, where: Path, origin: str) -> Path:
    """Write a scenario to a file of its own in a directory, which is made if it is not there.

    Args:
        scenario: What.
        wanted: How it fails.
        where: The directory.
        origin: Where it comes from, for whoever reads the file.

    Returns:
        The file.
    """
    where.mkdir(parents=True, exist_ok=True)
    name = f"{wanted.check.lower()}-{scenario.id}"
    said = f", and the leader waits as {wanted.hold}" if wanted.hold else ""
    broken = f"The simulator raises {wanted.error}" if wanted.error else f"{wanted.check} is broken{said}"
    named = evolve(
        scenario,
        id=name,
        title=broken,
        description=f"Found by {origin}, and made as small as it can be.",
    )
    file = where / f"{name}.toml"
    file.write_text(dump(named))
    return file
