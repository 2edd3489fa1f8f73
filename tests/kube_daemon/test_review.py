"""Kubernetes tokens while the API server cannot be asked; what it answers is tried in tests/kube/daemon."""

from pathlib import Path

import pytest
import structlog

from memgraph_ha.adapters.kubernetes.client import connect
from memgraph_ha.kube.review import TokenReviews
from memgraph_ha.runtime.clock import boottime
from tests.kube_daemon.test_run import environment


@pytest.mark.trio
async def test_a_token_that_cannot_be_judged_is_refused(tmp_path: Path) -> None:
    """The caller learns that it is not about the token, the log learns why, and neither repeats it."""
    kubeconfig = Path(environment(tmp_path)["KUBECONFIG"])
    review = TokenReviews(connect(kubeconfig, namespace="graph", clock=boottime), statefulset="mg", clock=boottime)
    with structlog.testing.capture_logs() as log:
        verdict = await review("a-secret-token")
    assert verdict == "the API server could not be asked; the log of this controller says why"
    assert [entry["event"] for entry in log] == ["a Kubernetes token could not be judged"]
    assert "a-secret-token" not in str(log)
    assert await review("x" * 100_000) == "it is too long to be one"
