"""MAIN stutters, crashes again and again, or cannot start any more."""

import sys
from pathlib import Path
from typing import Final

import pytest
import trio

from memgraph_ha.core.record import ChangeKind
from tests.e2e.cluster import Cluster, writing
from tests.e2e.conftest import Making
from tests.e2e.hands import standby_of

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]

STUTTERS: Final = 15
STUTTER_S: Final = 0.45
"""Shorter than a probe waits for its answer."""

CRASHES: Final = 5

TRIES: Final = 4
"""With the pauses between them this takes about a second."""


async def test_a_main_that_stutters_goes_on(cluster: Cluster) -> None:
    """Frozen for less than a probe waits, again and again: no failover, no command to anybody's role (scenario A6)."""
    async with writing(cluster) as ledger:
        before, mark = await cluster.protected(), cluster.mark()
        for _ in range(STUTTERS):
            with cluster.frozen(before.main):
                await trio.sleep(STUTTER_S)
            await ledger.more(5)
        after = await cluster.protected()
        roles = [event for kind in ("Promote", "StopInstance") for event in cluster.events(since=mark, kind=kind)]
    assert (after.generation, after.main) == (before.generation, before.main)
    assert not roles


async def test_an_instance_that_crashes_again_and_again(cluster: Cluster) -> None:
    """Instance 0 is killed five times, whatever it is by then: at most one reign for each time it was MAIN (A7)."""
    async with writing(cluster) as ledger:
        first = await cluster.protected()
        was_main = 0
        for _ in range(CRASHES):
            before = await cluster.protected()
            was_main += before.main == first.main
            ledger.fault()
            await cluster.kill(first.main)
            await cluster.protected(above=before.generation - (before.main != first.main))
            await ledger.more()
        after = await cluster.record()
    assert after.generation - first.generation == was_main


@pytest.mark.parametrize("role", ["main", "standby"])
async def test_an_instance_that_exits_at_every_start(running: Making, tmp_path: Path, role: str) -> None:
    """Its binary ends at once with an error, for good: the other serves, and it is back when it can run (A7)."""
    wrapper = _breakable(tmp_path)
    async with running(f"--memgraph={wrapper}") as cluster, writing(cluster) as ledger:
        before = await cluster.protected()
        name = before.main if role == "main" else standby_of(before)
        broken = cluster.spec(name).place / "broken"
        broken.touch()
        ledger.fault()
        mark = cluster.mark()
        await cluster.kill(name)
        await cluster.until(lambda record: record.opened and record.unprotected, "the other one serves alone")
        await ledger.more()

        def tried_again() -> bool:
            return len(cluster.events(since=mark, event="instance.ended", instance=name)) >= TRIES

        await cluster.until_true(tried_again, f"{name} was started {TRIES} times in vain")
        await ledger.more()
        broken.unlink()
        after = await cluster.protected()
        await ledger.more()
    news = [change.kind for change in after.history if change.generation > before.generation]
    assert news == ([ChangeKind.FAILOVER] if role == "main" else [])


def _breakable(root: Path) -> Path:
    """Make a Memgraph that exits with an error while there is a file `broken` in its place."""
    path = root / "memgraph-that-breaks"
    fake = Path(sys.executable).parent / "memgraph-ha-fake"
    path.write_text(f'#!/bin/sh\n[ -e "$PWD/broken" ] && echo "cannot start" >&2 && exit 3\nexec {fake} "$@"\n')
    path.chmod(0o755)
    return path
