"""MAIN's pod is deleted again and again, under load: nothing that was acknowledged is lost."""

import random
import time

import pytest

from memgraph_ha.drill.pauses import distribution
from tests.e2e.kube.faults import wait_served
from tests.e2e.kube.pods import hold
from tests.e2e.kube.release import Release

pytestmark = [pytest.mark.kube, pytest.mark.timeout(2400)]

_COUNT = 50
_GRACES_S = (0, 1, 30, None)
"""0 and 1: no time for the hook; 30: time for the hand-over; None: the chart's own."""


def test_deletions_of_main_lose_nothing(release: Release) -> None:
    """Fifty deletions of MAIN's pod with a random grace period lose no acknowledged write of four writers."""
    record = release.protected()
    writers = release.start_writers()
    dice = random.Random(6)
    pauses: dict[int | None, list[float | None]] = {grace_s: [] for grace_s in _GRACES_S}
    for _ in range(_COUNT):
        time.sleep(dice.uniform(0.5, 2.0))
        main = release.pod(record.main)
        assert main is not None
        grace_s = dice.choice(_GRACES_S)
        handle = hold(release.host.containers, main, "memgraph")
        try:
            sent_s = time.monotonic()
            release.delete(main.name, grace_s=grace_s)
            assert handle.ended_within(60.0), f"{main.name} still runs"
            ended_s = time.monotonic()
        finally:
            handle.close()
        pauses[grace_s].append(ended_s + wait_served(release, writers, ended_s) - sent_s)
        record = release.protected(above=record.generation)
    findings = release.assert_sound()
    print(f"{findings.acknowledged} acknowledged, {findings.indeterminate} in doubt, none lost")  # noqa: T201 - what it is for
    for grace_s, values in pauses.items():
        print(f"grace {grace_s}: {distribution(values)}")  # noqa: T201 - likewise
