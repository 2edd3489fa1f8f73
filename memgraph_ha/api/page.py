"""The status page: one self-contained document, drawn by the server, that a browser may refresh by a little script.

It says first what an operator wants to know at night: do writes flow, is anything waiting, and which command helps.
"""

import base64
import hashlib
from importlib import resources
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from memgraph_ha.api.cluster import cluster_document
from memgraph_ha.api.control import Control
from memgraph_ha.api.documents import doctor_document, history_document
from memgraph_ha.api.page_words import ago, clock, lasted, verdict_of
from memgraph_ha.api.topology import Picture, draw_narrow, draw_wide, lag_of, tone_of
from memgraph_ha.markup import Markup, h, join, prose, trusted

_REIGNS_SHOWN: Final = 8
_RUN_SHOWN: Final = 8

_STATIC: Final = resources.files("memgraph_ha.api") / "static"
_STYLE: Final = (_STATIC / "status.css").read_text(encoding="utf-8")
_SCRIPT: Final = (_STATIC / "status.js").read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


CONTENT_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        f"style-src {_hash(_STYLE)}",
        f"script-src {_hash(_SCRIPT)}",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Only our own style and script, word for word; nothing is loaded from anywhere."""

_ICON: Final = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Ccircle cx='8' cy='8' r='7' "
    "fill='%231d5fc4'/%3E%3C/svg%3E"
)


def wants_page(request: Request) -> bool:
    """Say whether a browser asks: it accepts HTML by name."""
    return "text/html" in request.headers.get("accept", "")


def page_response(control: Control) -> Response:
    """Answer with the page."""
    headers = {"Content-Security-Policy": CONTENT_POLICY, "Cache-Control": "no-store", "Vary": "Accept"}
    return Response(render(control), media_type="text/html", headers=headers)


def render(control: Control) -> str:
    """Draw the whole page from one look at the controller."""
    snapshot = control.now()
    picture = cluster_document(snapshot)
    changes: list[Picture] = history_document(snapshot)["changes"]  # type: ignore[assignment]  # a list of objects
    checks: list[Picture] = doctor_document(snapshot)["checks"]  # type: ignore[assignment]  # likewise
    verdict = verdict_of(picture)
    body = join(
        h("div", id="stale", role="alert"),
        _header(picture),
        h(
            "main",
            h(
                "section",
                h("p", verdict.head, class_="head"),
                *(h("p", prose(line)) for line in verdict.lines),
                class_=f"verdict {verdict.tone}",
                aria_live="polite",
            ),
            *_holds(picture),
            h("section", h("h2", "Topology"), draw_wide(picture), draw_narrow(picture)),
            h("section", h("h2", "Instances"), _instances(picture)),
            h("section", h("h2", "Reigns"), _reigns(changes, picture)),
            _doctor(checks),
        ),
        _footer(picture),
    )
    head = h(
        "head",
        h("meta", charset="utf-8"),
        h("meta", name="viewport", content="width=device-width, initial-scale=1"),
        h("title", f"{verdict.head} - {picture['cluster']}"),
        h("link", rel="icon", href=_ICON),
        h("noscript", h("meta", http_equiv="refresh", content="5")),
        h("style", trusted(_STYLE)),
    )
    document = h("html", head, h("body", body, h("script", trusted(_SCRIPT))), lang="en")
    return f"<!doctype html>{document}"


def _header(picture: Picture) -> Markup:
    leads = "leads" if picture["leading"] else f"does not lead; {picture['leader'] or 'nobody'} does"
    badges = [h("span", "observe only", class_="badge warn")] if picture["observe_only"] else []
    return h(
        "header",
        h("h1", str(picture["cluster"])),
        h("p", f"{picture['identity']} {leads}"),
        *badges,
        h("p", f"{clock(picture['at'])} UTC", class_="clock"),
    )


# --- what waits ---------------------------------------------------------------------------------------


def _holds(picture: Picture) -> list[Markup]:
    """Show the decision's hold, or else the first, in full; the others on one line each, to be opened."""
    decision = picture["decision"]
    first = None if decision is None else decision["hold"]
    others = [hold for hold in picture["holds"] if first is None or hold["name"] != first["name"]]
    if first is None and others:
        first, *others = others
    if first is None:
        return []
    tone = "warn" if picture["rw"]["open"] else "bad"
    shown = [
        h(
            "section",
            h("h3", first["name"], h("small", _since(first, picture["at"]))),
            h("p", prose(first["reason"])),
            _guidance(first),
            class_=f"hold {tone}",
        )
    ]
    if others:
        lines = (_also(hold, picture["at"]) for hold in others)
        shown.append(h("section", h("h2", "Also waiting"), *lines, class_="also"))
    return shown


def _since(hold: Picture, now: float) -> str:
    if hold["since"] is None:
        return f"rule {hold['rule']}"
    return f"for {lasted(now - hold['since'])}, since {clock(hold['since'])} UTC, rule {hold['rule']}"


def _guidance(hold: Picture) -> Markup:
    command = h("code", hold["command"]) if hold["command"] else h("span", "none: only facts end it", class_="soft")
    rows = (
        ("What waits", prose(hold["blocked"])),
        ("Ends when", prose(hold["ends"])),
        ("Command", command),
        ("At stake", prose(hold["risk"])),
        ("Runbook", h("a", hold["page"], href=f"/runbook/{hold['page']}")),
    )
    return h("dl", *(join(h("dt", name), h("dd", said)) for name, said in rows))


def _also(hold: Picture, now: float) -> Markup:
    line = join(h("b", hold["name"]), ": ", prose(hold["reason"]))
    since = h("p", _since(hold, now), class_="soft")
    return h("details", h("summary", line), since, _guidance(hold), id=f"hold-{hold['rule']}-{hold['name']}")


# --- instances ----------------------------------------------------------------------------------------


def _instances(picture: Picture) -> Markup:
    if not picture["instances"]:
        return h("p", "No instance is known yet.", class_="empty")
    heads = ("Instance", "State", "Row on MAIN", "Data", "Server", "Last answer", "To take over it lacks")
    rows = (
        h("tr", *(_cell(head, cell) for head, cell in zip(heads, _cells(seen, picture), strict=True)))
        for seen in picture["instances"]
    )
    head = h("thead", h("tr", *(h("th", name, scope="col") for name in heads)))
    return h("div", h("table", head, h("tbody", *rows), class_="cards"), class_="scroll")


def _cell(head: str, said: Markup | str) -> Markup:
    return h("td", h("div", said), data_label=head, class_="name" if head == "Instance" else None)


def _cells(seen: Picture, picture: Picture) -> tuple[Markup | str, ...]:
    row, server = seen["row"], seen["version"]
    state = h("span", seen["state"], class_=f"badge {tone_of(seen['state'])}")
    where = h("small", f"{seen['bolt']}" + ("" if seen["run"] is None else f", run {str(seen['run'])[:_RUN_SHOWN]}"))
    registered: Markup | str = "-"
    if row is not None:
        lag = f"{lag_of(row) or 'lag unknown'}, {row['name']}"
        registered = join(h("span", f"{row['mode'] or '?'} {row['status']}", class_="nowrap"), h("small", lag))
    data: Markup | str = "-"
    if seen["objects"] is not None:
        mode = str(seen["storage_mode"]).removeprefix("IN_MEMORY_").lower()
        data = join(f"{seen['objects']:,} objects", h("small", mode, class_="nowrap"))
    config = "" if server is None else f"WAL {'on' if seen['wal'] else 'OFF'}, flush {seen['flush_every']}"
    answered = "never" if seen["answered_s"] is None else ago(seen["answered_s"])
    lacks: Markup | str = h("span", "nothing", class_="badge ok") if seen["lacks"] is None else prose(seen["lacks"])
    if seen["is_main"] and seen["lacks"] is None and picture["loss"] is None:
        lacks = "-"
    return (
        join(seen["name"], where),
        state,
        registered,
        data,
        "-" if server is None else join(str(server), h("small", config, class_="nowrap")),
        answered,
        lacks,
    )


# --- reigns -------------------------------------------------------------------------------------------

_KINDS: Final = {"failover": "warn", "repromote": "warn", "fallback": "warn", "forced": "bad"}


def _reigns(changes: list[Picture], picture: Picture) -> Markup:
    if not changes:
        return h("p", "No reign has begun.", class_="empty")
    ends = [change["at"] for change in changes[1:]] + [picture["at"]]
    items = [
        _reign(change, end, now=index == len(changes) - 1, served=picture["rw"]["open"])
        for index, (change, end) in enumerate(zip(changes, ends, strict=True))
    ]
    items.reverse()
    shown, rest = items[:_REIGNS_SHOWN], items[_REIGNS_SHOWN:]
    older = None
    if rest:
        older = h("details", h("summary", f"{len(rest)} older"), h("ol", *rest, class_="reigns"), id="older-reigns")
    return join(h("ol", *shown, class_="reigns"), older)


def _reign(change: Picture, end: float, *, now: bool, served: bool) -> Markup:
    tone = _KINDS.get(change["kind"], "info")
    length = f"{'for' if now else 'lasted'} {lasted(max(0.0, end - change['at']))}"
    here = "now" if served else "warn"
    by = f", asked by {change['by']}" if change["by"] else ""
    after = "" if change["previous"] in (None, change["main"]) else f" after {change['previous']}"
    return h(
        "li",
        h(
            "div",
            h("b", change["main"]),
            h("span", change["kind"], class_=f"badge {tone}"),
            h("small", f"reign {change['generation']}{after}, {clock(change['at'])} UTC, {length}"),
            class_="line",
        ),
        h("p", prose(f"{change['reason']}{by}"), class_="soft"),
        class_=here if now else tone,
    )


# --- doctor and the rest ------------------------------------------------------------------------------


def _doctor(checks: list[Picture]) -> Markup | None:
    wanting = [check for check in checks if check["ok"] is False and check["level"] != "info"]
    wanting.sort(key=lambda check: check["level"] != "error")
    if not wanting:
        good = sum(check["ok"] is True for check in checks)
        return h("section", h("h2", "Doctor"), h("p", f"Nothing to mend: {good} checks are met.", class_="empty"))
    items = (
        h(
            "li",
            h("span", check["level"], class_=f"badge {'bad' if check['level'] == 'error' else 'warn'}"),
            " ",
            h("b", f"{check['instance'] or 'cluster'}: {check['check']}"),
            join(": ", prose(check["says"]), ". "),
            h("span", prose(check["fix"]), class_="soft"),
        )
        for check in wanting
    )
    return h("section", h("h2", "Doctor"), h("ul", *items, class_="checks"))


def _footer(picture: Picture) -> Markup:
    decision = picture["decision"]
    said = "nothing is decided yet" if decision is None else f"rule {decision['rule']} {decision['name']}"
    links = (
        ("why", "/api/v1/explain"),
        ("history", "/api/v1/history"),
        ("doctor", "/api/v1/doctor"),
        ("policy", "/api/v1/policy"),
        ("metrics", "/metrics"),
        ("report", "/api/v1/report"),
        ("API", "/api/v1/openapi.json"),
    )
    return h(
        "footer",
        h("span", f"memgraph-ha {picture['version']}, {said}"),
        *(h("a", name, href=path) for name, path in links),
    )
