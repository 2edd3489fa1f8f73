"""A plugin for pytest (`-p tools.kube.tier`) where the tests on Kubernetes must run, all of them: CI.

It says which API server answers under KUBECONFIG, lets a test fail that skips itself, and counts what ran.
"""

import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest

from tools.kube.cluster import Cluster
from tools.kube.errors import ClusterError

_ON_CLUSTER: Final = "kube_cluster"
"""The fixture through which a test has the whole cluster; others have an API server of their own, or need a program."""

_RAN: Final = pytest.StashKey[Counter[bool]]()
"""How many tests ran, by whether on the whole cluster."""


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.stash[_RAN] = Counter()


def pytest_report_header() -> str:
    """Name the cluster; without one there is nothing to begin with."""
    given = os.environ.get("KUBECONFIG")
    if not given:
        raise pytest.UsageError("KUBECONFIG names no cluster; start one with `python -m tools.kube up`")
    try:
        said = Cluster(Path(given).parent).api.get("/version").text
    except ClusterError as error:
        raise pytest.UsageError(f"KUBECONFIG={given}: {error}") from error
    return f"on the cluster of {given}, whose API server says of itself (/version): {' '.join(said.split())}"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Let a file that skips itself fail."""
    report = yield
    if report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skips itself: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that skips itself fail, and count the others."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skips itself: {report.longrepr}"
    elif report.when == "call":
        item.config.stash[_RAN][_ON_CLUSTER in getattr(item, "fixturenames", ())] += 1
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many ran."""
    ran = config.stash[_RAN]
    terminalreporter.write_line(f"{ran.total()} tests ran, {ran[True]} of them on the cluster; to skip is to fail")
