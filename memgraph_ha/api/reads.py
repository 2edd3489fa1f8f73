"""The handlers of everything that only reads."""

import http
from collections.abc import Callable
from importlib import resources
from typing import Final

from starlette.responses import Response

from memgraph_ha.api.cluster import Json, cluster_document
from memgraph_ha.api.control import Control
from memgraph_ha.api.documents import (
    doctor_document,
    explain_document,
    history_document,
    policy_document,
    report_document,
    rules_document,
)
from memgraph_ha.api.endpoints import Call, Handler, Refused, answer, text
from memgraph_ha.api.predecessor import health_document, leadership_document, status_document
from memgraph_ha.core.holds import Hold

STUCK_AFTER_S: Final = 10.0
"""A loop that has not turned for so long is dead: it turns at least four times a second."""

_PAGES: Final = frozenset(hold.page for hold in Hold)


def reading(document: Callable[[Control], Json]) -> Handler:
    """Make a handler that answers with a document."""

    async def handle(call: Call) -> Response:
        return answer(document(call.control))

    return handle


status: Final = reading(lambda control: status_document(control.now(), control.accounting))
leadership: Final = reading(lambda control: leadership_document(control.now()))
health: Final = reading(lambda control: health_document(control.now()))
cluster: Final = reading(lambda control: cluster_document(control.now()))
history: Final = reading(lambda control: history_document(control.now()))
explain: Final = reading(lambda control: explain_document(control.now()))
rules: Final = reading(lambda _control: rules_document())
policy: Final = reading(lambda control: policy_document(control.policy))
doctor: Final = reading(lambda control: doctor_document(control.now()))
report: Final = reading(report_document)


async def livez(call: Call) -> Response:
    """Say whether the loop turns: a process that answers HTTP but decides nothing is better started again."""
    snapshot = call.control.now()
    age_s = min(snapshot.last_tick_age_s, snapshot.now - snapshot.started_at)  # the first tick takes its time
    if age_s > STUCK_AFTER_S:
        line = f"The control loop has not turned for {age_s:.0f} s"
        return text(line, http.HTTPStatus.SERVICE_UNAVAILABLE)
    return text("OK")


async def readyz(call: Call) -> Response:
    """Say whether this controller leads: Services follow the answer, so that clients reach the leader's gateways."""
    if call.control.now().leading:
        return text("OK")
    return text("Not leader", http.HTTPStatus.SERVICE_UNAVAILABLE)


async def runbook(call: Call) -> Response:
    """Give the runbook page of a hold, from this installation: it must be at hand when nothing else is."""
    page = call.request.path_params["page"]
    found = _runbook_page(page) if page in _PAGES else None
    if found is None:
        raise Refused(http.HTTPStatus.NOT_FOUND, "there is no such runbook page; GET /api/v1/cluster names them")
    return text(found, media="text/markdown")


def _runbook_page(page: str) -> str | None:
    """Read a page from the installed package, or from the checkout that an editable installation runs from."""
    package = resources.files("memgraph_ha")
    for folder in (package / "runbook", package / ".." / "docs" / "runbook"):
        found = folder / page
        if found.is_file():
            return found.read_text(encoding="utf-8")
    return None
