"""A campaign: life after life from one seed on, until there were enough, time is over, or something was found."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

from attrs import field, frozen

from memgraph_ha.sim.fuzz.life import live
from memgraph_ha.sim.fuzz.outcome import Outcome
from memgraph_ha.sim.fuzz.pool import in_order
from memgraph_ha.sim.fuzz.tally import Tally, load, save

SAVED_EVERY_S: Final = 20.0
"""How often the file is written from which a campaign can be taken up again."""


@frozen(kw_only=True)
class Plan:
    """What a campaign does.

    Attributes:
        first: The first seed.
        runs: How many lives, those of a campaign that is taken up again counted.
        jobs: How many at a time.
        time_s: After so many real seconds no further life is begun; None: there is no limit.
        finds: It ends after so many finds.
        twice: Every life is played twice, and must be the same.
        file: Where it is kept, so that it can be taken up again; None: nowhere.
    """

    first: int = 0
    runs: int = 1000
    jobs: int = 1
    time_s: float | None = None
    finds: int = 10
    twice: bool = False
    file: Path | None = None
    clock: Callable[[], float] = field(default=time.monotonic)


def conduct(plan: Plan, told: Callable[[Tally, Outcome], None]) -> Tally:
    """Play lives until it is enough. Ctrl-C ends it too: what was played so far counts.

    Args:
        plan: What is to be done.
        told: Told of each life, with the sum so far.

    Raises:
        ValueError: The file is not of such a campaign; the text says what to do.
    """
    tally = Tally(first=plan.first) if plan.file is None else load(plan.file, plan.first)
    begun_s, before_s, saved_s = plan.clock(), tally.wall_s, plan.clock()
    if _enough(plan, tally, 0.0):
        return tally
    with closing(in_order(partial(live, twice=plan.twice), plan.first + tally.runs, plan.jobs)) as lives:
        try:
            for outcome in lives:
                tally.add(outcome)
                now_s = plan.clock()
                tally.wall_s = before_s + now_s - begun_s
                told(tally, outcome)
                if plan.file is not None and now_s - saved_s > SAVED_EVERY_S:
                    save(tally, plan.file)
                    saved_s = now_s
                if _enough(plan, tally, now_s - begun_s):
                    break
        except KeyboardInterrupt:
            tally.interrupted = True
    if plan.file is not None:
        save(tally, plan.file)
    return tally


def _enough(plan: Plan, tally: Tally, spent_s: float) -> bool:
    over = plan.time_s is not None and spent_s >= plan.time_s
    return over or tally.runs >= plan.runs or len(tally.finds) >= plan.finds
