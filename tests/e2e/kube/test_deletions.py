"""MAIN's pod is deleted again and again, under load: nothing that was acknowledged is lost."""

import random
import signal
import time

import pytest

from memgraph_ha.drill.pauses import distribution
from tests.e2e.kube.faults import wait_served
from tests.e2e.kube.pods import hold
from tests.e2e.kube.release import Release

pytestmark = [pytest.mark.kube, pytest.mark.timeout(1200)]

_COUNT = 10


def test_deletions_of_main_lose_nothing(release: Release) -> None:
    """Ten deletions of MAIN's pod with a random grace period lose no acknowledged write of four writers."""
    record = release.protected()
    writers = release.start_writers()
    dice = random.Random(6)
    faults_s, pauses = [], []
    for _ in range(_COUNT):
        time.sleep(dice.uniform(0.5, 2.0))
        main = release.pod(record.main)
        assert main is not None
        grace_s = dice.choice([0, 1, 30])
        handle = hold(release.host.containers, main, "memgraph")
        try:
            sent_s = time.monotonic()
            faults_s.append(sent_s)
            release.delete(main.name, grace_s=grace_s)
            assert handle.ended_within(60.0), f"{main.name} still runs"
            ended_s = time.monotonic()
        finally:
            handle.close()
        pauses.append(ended_s + wait_served(release, writers, ended_s) - sent_s)
        print(  # noqa: T201 - the measurement is what the test is for
            f"grace {grace_s} s: process ended after {ended_s - sent_s:.2f} s, served {pauses[-1]:.2f} s after"
        )
        record = release.protected(above=record.generation)
    findings = release.findings(faults_s)
    print(findings.acknowledged, findings.indeterminate, distribution(pauses))  # noqa: T201 - likewise
    assert findings.lost == 0
    assert not findings.complaints()


def test_a_killed_main_is_replaced(release: Release) -> None:
    """SIGKILL of MAIN's process, past Kubernetes, loses nothing."""
    record = release.protected()
    release.start_writers()
    main = release.pod(record.main)
    assert main is not None
    handle = hold(release.host.containers, main, "memgraph")
    handle.send(signal.SIGKILL)
    handle.close()
    killed_s = time.monotonic()
    after = release.protected(above=record.generation)
    assert after.main != record.main
    findings = release.findings([killed_s])
    assert not findings.complaints()
