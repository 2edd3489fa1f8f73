"""Several searches, one policy each, as many at a time as asked for."""

from __future__ import annotations

import functools
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from attrs import frozen

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.search.explore import Progress
from memgraph_ha.sim.search.report import Options, check_policy


@frozen(kw_only=True)
class Findings:
    """What came of one search, without the states: small enough to be handed from process to process.

    Attributes:
        lines: For a person.
        document: For a program.
        scenario: The shortest counterexample as a file; None if there is none.
        exit: How `memgraph-ha sim check` ends.
    """

    lines: tuple[str, ...]
    document: dict[str, Any]
    scenario: str | None
    exit: Exit


def search_all(
    names: list[str], options: Options, *, jobs: int = 1, progress: Progress | None = None
) -> Iterator[Findings]:
    """Search under each policy, and tell what was found in the order of the names.

    Args:
        names: Some of `POLICIES`.
        options: What is searched.
        jobs: How many at a time, each in a process of its own; with 1 all in this one.
        progress: Told how far a search is that runs in this process.

    Raises:
        ValueError: A rule or plant does not exist.
    """
    if jobs == 1 or len(names) == 1:
        for name in names:
            yield _search(name, options=options, progress=progress)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=min(jobs, len(names)), mp_context=context) as pool:
        try:
            yield from pool.map(functools.partial(_search, options=options), names)
        finally:
            pool.shutdown(cancel_futures=True)


def _search(name: str, *, options: Options, progress: Progress | None = None) -> Findings:
    report = check_policy(name, options, progress)
    return Findings(lines=tuple(report.lines()), document=report.document(), scenario=report.scenario, exit=report.exit)
