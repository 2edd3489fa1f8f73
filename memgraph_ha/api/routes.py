"""The table of endpoints: the routes, the OpenAPI document and docs/reference/http-api.md are made from it."""

from typing import Final

from prometheus_client.exposition import choose_encoder
from starlette.responses import Response

from memgraph_ha.api import hook, promise, reads, verbs
from memgraph_ha.api.endpoints import Auth, Call, Endpoint, Handler, answer
from memgraph_ha.api.openapi import openapi_document
from memgraph_ha.api.page import page_response, wants_page
from memgraph_ha.api.predecessor import root_document
from memgraph_ha.api.reading import LONGEST_BY, LONGEST_REASON
from memgraph_ha.api.schema import Schema, asked, flag, named, number, text, whole
from memgraph_ha.api.verbs import Verb
from memgraph_ha.core.requests import Ask

_OLD: Final = "predecessor"


# --- handlers that need the table ---------------------------------------------------------------------


async def _root(call: Call) -> Response:
    """Show the status page to a browser, and what there is to everybody else."""
    if wants_page(call.request):
        return page_response(call.control)
    paths = [endpoint.path for endpoint in ENDPOINTS if endpoint.method == "GET"]
    return answer(root_document(call.control.now(), paths), headers={"Vary": "Accept"})


async def _openapi(_call: Call) -> Response:
    return answer(openapi_document(ENDPOINTS))


async def _metrics(call: Call) -> Response:
    encode, media = choose_encoder(call.request.headers.get("accept", ""))
    return Response(encode(call.registry), headers={"Content-Type": media, "Cache-Control": "no-store"})


# --- helpers of the table -----------------------------------------------------------------------------


def _read(path: str, schema: str, handler: Handler, summary: str, *, doc: str = "", since: str = "0.1.0") -> Endpoint:
    return Endpoint(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        doc=doc,
        answers={200: ("the document", named(schema))},
        since=since,
        drawn=True,
    )


_BY: Final[Schema] = text(f"who asks, for the history: at most {LONGEST_BY} characters; by default `api`")
_REASON: Final[Schema] = text(f"why, in their words: at most {LONGEST_REASON} characters; may be left out")
_WAIT: Final[Schema] = {**number("how long to wait for the end, seconds"), "minimum": 0, "maximum": 600, "default": 30}
_DRY: Final[Schema] = {**flag("change nothing, only say what would be refused now"), "default": False}
_ERROR: Final = named("Error")
_REFUSALS: Final[dict[int, tuple[str, Schema | None]]] = {
    400: ("the body is not well formed", _ERROR),
    401: ("the token is missing or wrong", _ERROR),
    409: ("refused by name: not now", named("Answer")),
    503: ("this controller does not lead", _ERROR),
    504: ("no answer in time; it may still happen", _ERROR),
}


def _verb(
    verb: Verb, summary: str, doc: str, *, subject: str = "", required: tuple[str, ...] = (), **more: Schema
) -> Endpoint:
    named_instance = {} if verb.field is None else {verb.field: text(subject)}
    body = asked(
        summary,
        required=required,
        **named_instance,
        **more,
        dry_run=_DRY,
        by=_BY,
        reason=_REASON,
        wait_s=_WAIT,
    )
    return Endpoint(
        method="POST",
        path=f"/api/v1/{verb.ask.value}",
        handler=verb.handler,
        summary=summary,
        doc=doc,
        auth=Auth.TOKEN,
        body=body,
        answers={200: ("it is so; of a dry run: what would be", named("Answer")), **_REFUSALS},
    )


# --- the table ----------------------------------------------------------------------------------------

_READS: Final = (
    Endpoint(
        method="GET",
        path="/",
        handler=_root,
        summary="The status page for browsers, what there is for everybody else.",
        doc="A browser is who accepts `text/html`. Any other unknown path is 404 (the predecessor answered 200).",
        answers={200: ("what there is", named("Root"))},
        drawn=True,
        since=_OLD,
    ),
    _read("/health", "Health", reads.health, "The process answers.", doc="Always 200.", since=_OLD),
    Endpoint(
        method="GET",
        path="/livez",
        handler=reads.livez,
        summary="Liveness: the control loop turns.",
        doc=(
            f"503 once the loop has not turned for {reads.STUCK_AFTER_S:g} s, so that a process that only answers "
            "HTTP is started again. Losing the lease is no reason: it campaigns again for ever."
        ),
        answers={200: ("the loop turns", None), 503: ("it stands still", None)},
        media="text/plain",
        since=_OLD,
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        handler=reads.readyz,
        summary="Readiness: this controller leads.",
        doc="Services follow it, so that clients reach the gateways of the leader.",
        answers={200: ("it leads", None), 503: ("it does not", None)},
        media="text/plain",
        since=_OLD,
    ),
    Endpoint(
        method="GET",
        path="/metrics",
        handler=_metrics,
        summary="Prometheus metrics.",
        doc="Computed when they are scraped; docs/reference/metrics.md lists them.",
        answers={200: ("the exposition, OpenMetrics if it is accepted", None)},
        drawn=True,
        media="text/plain",
        since=_OLD,
    ),
    _read("/api/v1/status", "Status", reads.status, "The predecessor's status document.", since=_OLD),
    _read("/api/v1/leadership", "Leadership", reads.leadership, "Who leads.", since=_OLD),
    _read("/api/v1/cluster", "Cluster", reads.cluster, "The full picture of the cluster."),
    _read("/api/v1/history", "History", reads.history, "The reigns that the record remembers."),
    _read("/api/v1/explain", "Explain", reads.explain, "What every rule said of the last view."),
    _read("/api/v1/rules", "Rules", reads.rules, "Every rule in words."),
    _read("/api/v1/policy", "Policy", reads.policy, "The operator's choices in force."),
    _read("/api/v1/doctor", "Doctor", reads.doctor, "What to look at before trusting the cluster with data."),
    _read("/api/v1/report", "Report", reads.report, "A bundle for a bug report.", doc="Nothing secret is in it."),
    Endpoint(
        method="GET",
        path="/api/v1/openapi.json",
        handler=_openapi,
        summary="This description, as OpenAPI 3.1.",
        answers={200: ("the document", {"type": "object"})},
        drawn=True,
    ),
    Endpoint(
        method="GET",
        path="/runbook/{page}",
        handler=reads.runbook,
        summary="The runbook page of a hold, from this installation.",
        parameters={"page": "its file name, as the field `page` of a hold says"},
        answers={200: ("the page", None), 404: ("there is no such page", _ERROR)},
        media="text/markdown",
    ),
)

_HOOKS: Final = (
    Endpoint(
        method="POST",
        path="/prestop-hook/{pod_name}",
        handler=hook.prestop,
        summary="Long poll that ends when an instance may stop.",
        doc=(
            "For the preStop hook of a Memgraph pod: its duties are handed over first (a MAIN by a switchover, a "
            "standby is un-named). It waits up to 600 s, or as the controller is told. "
            "Leaving withdraws the request."
        ),
        auth=Auth.BASIC,
        parameters={"pod_name": "the instance that will be stopped"},
        answers={
            200: ("it may stop; the body is empty", None),
            401: ("user or password are missing or wrong", _ERROR),
            404: ("there is no such instance", _ERROR),
            503: ("another controller leads", _ERROR),
            504: ("it may not stop yet", _ERROR),
        },
        media="",
        since=_OLD,
    ),
    Endpoint(
        method="POST",
        path="/api/v1/admin/reset-connections",
        handler=verbs.reset_connections,
        summary="Cut every client of this controller's gateways.",
        doc="Drivers connect again by themselves. The predecessor asked for no authentication and counted others.",
        auth=Auth.TOKEN,
        answers={200: ("they are cut", named("ResetConnections")), 401: _REFUSALS[401]},
        since=_OLD,
    ),
)

_PEERS: Final = (
    Endpoint(
        method="POST",
        path="/api/v1/failsafe",
        handler=promise.promise,
        summary="Promise the leader, which cannot renew its lease, not to take it for a while.",
        doc=(
            "Only for other controllers of the same release (docs/decisions/0011): question and answer are signed "
            "with a key that is made from the API token."
        ),
        auth=Auth.PEER,
        body=asked(
            "A signed question.",
            required=("message", "mac"),
            message=text("the question, as the text of a JSON object"),
            mac=text("its HMAC-SHA256, in hexadecimal digits"),
        ),
        answers={
            200: ("the signed answer, also of one that promises nothing", named("Signed")),
            400: _REFUSALS[400],
            401: ("it is not from a controller of this release", _ERROR),
            404: ("this controller has no failsafe", _ERROR),
        },
    ),
)

_VERBS: Final = (
    _verb(
        Verb(ask=Ask.SWITCHOVER, field="target", needed=False),
        "Make another instance MAIN, planned: nothing is lost and nobody is refused.",
        "Without a target the standby is taken.",
        subject="who shall be MAIN; by default the standby",
    ),
    _verb(
        Verb(ask=Ask.FAILOVER, field="target", lossy=True),
        "Make an instance MAIN although acknowledged writes may be lost.",
        "The last resort when `NoSafeCandidate` holds. A dry run says what could be lost.",
        subject="who shall be MAIN",
        required=("target",),
        accept_data_loss=flag("must be true, unless it is a dry run"),
    ),
    _verb(
        Verb(ask=Ask.ADOPT, field="instance"),
        "Say whose data counts: of a cluster without a record, or whose record does not fit.",
        "What only the others hold is given up.",
        subject="whose data counts",
        required=("instance",),
    ),
    _verb(
        Verb(ask=Ask.RESTART, field="instance"),
        "Restart one instance; a MAIN hands over first.",
        "Its data stays.",
        subject="whom",
        required=("instance",),
    ),
    _verb(
        Verb(ask=Ask.REINIT, field="instance"),
        "Give up one replica's data: it is moved aside, and filled anew from MAIN.",
        "Refused for MAIN, and for the last copy.",
        subject="whom",
        required=("instance",),
    ),
    _verb(
        Verb(ask=Ask.PAUSE),
        "Pause: no failover and no repair until it is resumed.",
        "Read/write goes on while MAIN lives; nobody takes over if it does not.",
    ),
    _verb(Verb(ask=Ask.RESUME), "Resume after a pause.", "What waited is done now."),
    Endpoint(
        method="PUT",
        path="/api/v1/policy",
        handler=verbs.put_policy,
        summary="Change fields of the policy.",
        doc="Fields that are not given stay. All are checked together before any is in force.",
        auth=Auth.TOKEN,
        body=asked(
            "Which fields, and whether only to say what would change.",
            required=("fields",),
            fields={"type": "object", "description": "names to values; see docs/reference/policy.md"},
            dry_run=_DRY,
        ),
        answers={
            200: ("what changed, or would", named("PolicyAnswer")),
            400: ("a field does not exist, or its value is not allowed", _ERROR),
            401: _REFUSALS[401],
            409: ("the policy is set elsewhere", _ERROR),
        },
    ),
    Endpoint(
        method="PUT",
        path="/api/v1/instances",
        handler=verbs.put_instances,
        summary="Grow or shrink the cluster (`memgraph-ha local` only).",
        auth=Auth.TOKEN,
        body=asked(
            "How many instances.",
            required=("count",),
            count={**whole("how many there shall be"), "minimum": verbs.FEWEST, "maximum": verbs.MOST},
        ),
        answers={
            200: ("it is so", named("Answer")),
            404: ("the platform cannot; the text says what can", _ERROR),
            **{status: _REFUSALS[status] for status in (400, 401, 409, 503)},
        },
    ),
)

ENDPOINTS: Final[tuple[Endpoint, ...]] = (*_READS, *_HOOKS, *_PEERS, *_VERBS)
"""Everything that is served, in the order of the reference."""
