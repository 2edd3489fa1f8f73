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

_RAN: Final = "memgraph-ha.ran_on_cluster"
"""The property of a report that says so; with several workers, who counts is another process than who ran the test."""


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count."""
    config.pluginmanager.register(_Count(), "memgraph-ha-count")


class _Count:
    """How many tests ran, by whether on the whole cluster."""

    def __init__(self) -> None:
        self._ran: Counter[bool] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one that ran."""
        self._ran.update(
            bool(value) for name, value in report.user_properties if name == _RAN and report.when == "call"
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how many ran."""
        ran = self._ran
        terminalreporter.write_line(f"{ran.total()} tests ran, {ran[True]} of them on the cluster; to skip is to fail")


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
    """Let a test that skips itself fail, and mark the others as having run."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skips itself: {report.longrepr}"
    elif report.when == "call":
        report.user_properties.append((_RAN, _ON_CLUSTER in getattr(item, "fixturenames", ())))
    return report
