"""Write the reference pages of the HTTP API and the metrics, and openapi.json: each from the table that serves it.

python -m scripts.generate_api_docs           write docs/reference/{http-api.md,metrics.md,openapi.json}
python -m scripts.generate_api_docs --check   write nothing; name every page that is not in step (exit code 1)
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from memgraph_ha.api.app import BODY_S, LARGEST_BODY
from memgraph_ha.api.endpoints import Auth, Endpoint
from memgraph_ha.api.metrics import METRICS
from memgraph_ha.api.openapi import ALL_SCHEMAS, ALWAYS, openapi_document
from memgraph_ha.api.routes import ENDPOINTS
from memgraph_ha.api.server import GRACE_S, IDLE_S, MOST_CONNECTIONS, MOST_PER_ADDRESS, STALLED_S
from memgraph_ha.api.standing import STATES
from scripts.in_step import REFERENCE, keep

_NOTE: Final = "<!-- made by scripts/generate_api_docs.py from the code: change the code, not this page -->"

_SERVING: Final = f"""\
Every controller serves this, whether it leads or not. Everything is JSON unless said. An error is
`{{"error": "<one sentence: what, and what helps>"}}`.

Reads are open. What changes something needs `Authorization: Bearer TOKEN`; the token is compared in constant time and
shown nowhere. On Kubernetes a token of Kubernetes is taken too, if `MEMGRAPH_HA_TOKEN_REVIEW` says so and its bearer
may `patch` the StatefulSet: `kubectl create token operator` gives one.

Unknown paths are 404, a wrong method 405 with `Allow`. `HEAD` is answered wherever `GET` is, `OPTIONS`
everywhere. New fields may come in any version: pass over what you do not know. Fields and paths that are here stay.

Limits: {LARGEST_BODY // 1024} KiB of body within {BODY_S:g} s; {MOST_CONNECTIONS} connections,
{MOST_PER_ADDRESS} from one address; {IDLE_S:g} s for a request's head or between two; a client that takes nothing for
{STALLED_S:g} s is cut. A controller that ends answers who waits with 503, and closes what is left after {GRACE_S:g} s.

A browser that opens `/` gets the status page: drawn by the controller, without scripts it renews itself every five
seconds, with them every second. Nothing is loaded from elsewhere.

To take a cluster over from the Go controller nothing but the token is new: its paths and fields are here, with values
that are true (a main is *verified*, health comes from Memgraph's answers, `state` is known). What differs on purpose:
unknown paths are 404; `reset-connections` asks for the token and counts clients; `/livez` fails when the control loop
stands still; the preStop hook is 404 for a pod that does not exist, and waits up to 600 s (`PRESTOP_TIMEOUT_SECONDS`).
"""


def table(head: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    """Lay out a table; bars inside cells are escaped."""
    cells = [tuple(cell.replace("|", "\\|") for cell in line) for line in lines]
    rows = [head, tuple("---" for _ in head), *cells]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


# --- schemas in words ---------------------------------------------------------------------------------


def kind_of(schema: dict[str, Any]) -> str:
    """Say a schema's type in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in schema:
        return f"`{schema['const']}`"
    if "anyOf" in schema:
        return " or ".join(kind_of(each) for each in schema["anyOf"])
    kinds = schema.get("type", "any")
    words = [f"{kind} of {kind_of(schema['items'])}" if kind == "array" else kind for kind in _listed(kinds)]
    return " or ".join(words)


def _listed(kinds: str | list[str]) -> list[str]:
    return [kinds] if isinstance(kinds, str) else kinds


def meaning_of(schema: dict[str, Any]) -> str:
    """Say what a field means, with the words that it may be and its bounds."""
    said = str(schema.get("description", ""))
    if schema.get("enum"):
        said += ": " + ", ".join(f"`{word}`" for word in schema["enum"])
    if "minimum" in schema:
        said += f" ({schema['minimum']} to {schema['maximum']}" + (
            f", by default {schema['default']})" if "default" in schema else ")"
        )
    return said


def rows_of(schema: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """List every field of an object, those of objects inside it after it, as ``outer.inner``."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        optional = "" if name in required else " (may be absent)"
        yield f"`{prefix}{name}`", kind_of(field), meaning_of(field) + optional
        inner, mark = (field["items"], "[]") if "items" in field else (field, "")
        if "properties" in inner:
            yield from rows_of(inner, f"{prefix}{name}{mark}.")


# --- pages --------------------------------------------------------------------------------------------


def _endpoint(endpoint: Endpoint) -> str:
    parts = [f"### {endpoint.method} {endpoint.path}", endpoint.summary]
    notes = [] if endpoint.auth is Auth.NONE else [f"Needs: {endpoint.auth.value}."]
    notes.append("The predecessor had it." if endpoint.since == "predecessor" else f"Since {endpoint.since}.")
    parts.append(" ".join([*([endpoint.doc] if endpoint.doc else []), *notes]))
    if endpoint.parameters:
        parts.append(table(("parameter", "meaning"), ((f"`{n}`", doc) for n, doc in endpoint.parameters.items())))
    if endpoint.body is not None:
        parts.append(table(("field of the body", "type", "meaning"), _body_rows(endpoint.body)))
    answers = sorted(endpoint.answers.items())
    lines = ((str(status), says, "" if schema is None else kind_of(schema)) for status, (says, schema) in answers)
    parts.append(table(("status", "means", "body"), lines))
    return "\n\n".join(parts)


def _body_rows(body: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    needed = body.get("required", ())
    for name, field in body["properties"].items():
        yield f"`{name}`", kind_of(field), meaning_of(field) + (" **(needed)**" if name in needed else "")


def http_page() -> str:
    """Every endpoint and every document."""
    index = (
        (e.method, f"[`{e.path}`](#{_anchor(e)})", e.summary, "" if e.auth is Auth.NONE else e.auth.value)
        for e in ENDPOINTS
    )
    parts = [
        "# The HTTP API",
        _SERVING.strip(),
        "The same as [OpenAPI 3.1](openapi.json), also served at `/api/v1/openapi.json`.",
        "## Endpoints",
        table(("method", "path", "does", "needs"), index),
        *(_endpoint(endpoint) for endpoint in ENDPOINTS),
        "Beside these any endpoint may answer:",
        table(("status", "means"), ((str(status), says) for status, says in ALWAYS.items())),
        "## Documents",
    ]
    for name, schema in ALL_SCHEMAS.items():
        parts += [f"### {name}", str(schema["description"]), table(("field", "type", "meaning"), rows_of(schema))]
    parts += ["## States of an instance", table(("state", "means"), ((f"`{s.value}`", t) for s, t in STATES.items()))]
    return "\n\n".join(parts)


def _anchor(endpoint: Endpoint) -> str:
    kept = "".join(char for char in endpoint.path.lower() if char.isalnum() or char in "-_")
    return f"{endpoint.method.lower()}-{kept}"


def metrics_page() -> str:
    """Every metric."""

    def lines(*, old: bool) -> Iterator[tuple[str, str, str, str]]:
        for metric in METRICS:
            if (metric.since == "predecessor") == old:
                yield f"`{metric.name}`", metric.kind, ", ".join(f"`{label}`" for label in metric.labels), metric.help

    head = ("name", "type", "labels", "says")
    return "\n\n".join(
        [
            "# Metrics",
            (
                "`GET /metrics`, in Prometheus's text format, or OpenMetrics for who accepts it. Everything is "
                "computed when it is scraped. What is not known is absent, never a made-up 0: alert on `absent()`. "
                "Counters begin at 0 when the controller starts. Every controller exposes them; take those of the "
                "leader (`memgraph_controller_is_leader == 1`). The usual `process_*` and `python_*` are there too."
            ),
            "## The predecessor's names",
            (
                "Kept, and true now: set by the loop and not by a request, fallen when they must fall, with both "
                "gateways summed instead of overwritten."
            ),
            table(head, lines(old=True)),
            "## New ones",
            table(head, lines(old=False)),
        ]
    )


def pages() -> dict[str, str]:
    """Make every page: file name to text."""
    described = json.dumps(openapi_document(ENDPOINTS), indent=1, ensure_ascii=False)
    return {
        "http-api.md": f"{_NOTE}\n\n{http_page()}\n",
        "metrics.md": f"{_NOTE}\n\n{metrics_page()}\n",
        "openapi.json": f"{described}\n",
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check them; returns the exit code."""
    return keep(pages, "generate_api_docs", arguments, REFERENCE)


if __name__ == "__main__":
    sys.exit(main())
