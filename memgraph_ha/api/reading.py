"""Reading what a caller sent: strictly, and with errors that name field, value and fix. Nothing secret is repeated."""

import base64
import binascii
import hmac
import http
import ipaddress
import json
import unicodedata
from typing import Final, NoReturn

from starlette.requests import Request

from memgraph_ha.api.cluster import Json
from memgraph_ha.api.control import Snapshot
from memgraph_ha.api.endpoints import Access, Auth, Refused, Review
from memgraph_ha.core.names import InstanceName

LONGEST_BY: Final = 200
"""Characters of a name of who asks: it stays in the history."""

LONGEST_REASON: Final = 1000
"""Characters of a reason."""


# --- who asks -----------------------------------------------------------------------------------------


async def admit(request: Request, auth: Auth, access: Access) -> None:
    """Let a caller pass, or refuse it.

    Secrets are compared in constant time. Without Memgraph accounts the hook is open to loopback only, and never to
    a web page: a browser says where a request comes from, and could otherwise be made to stop an instance.

    Raises:
        Refused: 401, with what would be taken.
    """
    if auth is Auth.TOKEN:
        await _admit_token(request, access.token, access.review)
    elif auth is Auth.BASIC and access.basic is not None:
        _admit_basic(request, access.basic)
    elif auth is Auth.BASIC and (not _is_loopback(request) or "origin" in request.headers):
        raise Refused(
            http.HTTPStatus.UNAUTHORIZED,
            "no Memgraph account is configured, so only a program on this machine may call this; "
            "configure the user and password that Memgraph has",
            headers={"WWW-Authenticate": 'Basic realm="memgraph-ha"'},
        )


async def _admit_token(request: Request, token: str | None, review: Review | None) -> None:
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    given = rest.strip() if scheme.lower() == "bearer" else ""
    if token is not None and hmac.compare_digest(given.encode("latin-1"), token.encode()):
        return
    why = "this controller was started without an API token, so nothing can be changed through it; give it one"
    if token is not None or review is not None:
        why = "give the API token: Authorization: Bearer TOKEN"
        if rest:
            why = "this is not the API token; give the one that the controller was started with"
        if given and review is not None:
            judged = await review(given)
            if judged is None:
                return
            why = f"this is not the API token, and as a Kubernetes token: {judged}"
    raise Refused(http.HTTPStatus.UNAUTHORIZED, why, headers={"WWW-Authenticate": 'Bearer realm="memgraph-ha"'})


def _admit_basic(request: Request, expected: tuple[str, str]) -> None:
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    try:
        sent = base64.b64decode(given.strip(), validate=True) if scheme.lower() == "basic" else b""
    except (binascii.Error, ValueError):
        sent = b""
    if hmac.compare_digest(sent, ":".join(expected).encode()):
        return
    raise Refused(
        http.HTTPStatus.UNAUTHORIZED,
        "give the user and password that Memgraph has (HTTP Basic)",
        headers={"WWW-Authenticate": 'Basic realm="memgraph-ha"'},
    )


def _is_loopback(request: Request) -> bool:
    try:
        address = ipaddress.ip_address("" if request.client is None else request.client.host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and bool(mapped.is_loopback))


# --- what is asked ------------------------------------------------------------------------------------


def bad(text: str) -> NoReturn:
    """Refuse a request that is not well formed."""
    raise Refused(http.HTTPStatus.BAD_REQUEST, text)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def parse_object(raw: bytes, known: frozenset[str]) -> Json:
    """Read a request's body: one JSON object with known fields only; nothing at all is an empty one.

    Args:
        raw: The body.
        known: The fields that may be given.

    Raises:
        Refused: 400, with what is wrong.
    """
    if not raw.strip():
        return {}
    try:
        found = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        bad(f"the body is no JSON ({said}); send one JSON object")
    if not isinstance(found, dict):
        bad(f"the body is a JSON {_kind(found)}; send one JSON object, e.g. {{}}")
    for name in found:
        if name not in known:
            bad(f"field {_short(name)} does not exist; known are {', '.join(sorted(known)) or 'none'}")
    return found


def _kind(value: object) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "text", list: "list", type(None): "null"}
    return kinds.get(type(value), "object")


def _short(value: object) -> str:
    """Show a value that somebody sent: bounded, without control characters."""
    shown = repr(value)
    return shown if len(shown) <= LONGEST_BY else shown[: LONGEST_BY - 3] + "..."


def text_of(body: Json, name: str, default: str, longest: int) -> str:
    """Read an optional text.

    Raises:
        Refused: 400: no text, too long, or with control characters (it is shown on terminals).
    """
    value = body.get(name, default)
    if not isinstance(value, str):
        bad(f"field {name}: {_short(value)} is no text")
    if len(value) > longest:
        bad(f"field {name}: {len(value)} characters are too many; give at most {longest}")
    if any(unicodedata.category(char) in {"Cc", "Cs"} for char in value):
        bad(f"field {name}: {_short(value)} has control characters; give plain text on one line")
    return value


def flag_of(body: Json, name: str) -> bool:
    """Read an optional flag, by default false.

    Raises:
        Refused: 400: it is neither true nor false.
    """
    value = body.get(name, False)
    if not isinstance(value, bool):
        bad(f"field {name}: {_short(value)} is neither true nor false")
    return value


def number_of(body: Json, name: str, default: float, most: float) -> float:
    """Read an optional number of 0 or more.

    Raises:
        Refused: 400: no number, or out of range.
    """
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= most:
        bad(f"field {name}: {_short(value)} is no number from 0 to {most:g}")
    return float(value)


def whole_of(body: Json, name: str, least: int, most: int) -> int:
    """Read a whole number.

    Raises:
        Refused: 400: it is missing, no whole number, or out of range.
    """
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        missing = "is missing" if value is None else f"{_short(value)} is no whole number from {least} to {most}"
        bad(f"field {name}: {missing}; give e.g. {{{json.dumps(name)}: {least}}}")
    return value


def instance_of(body: Json, name: str, snapshot: Snapshot, *, needed: bool = True) -> InstanceName | None:
    """Read the name of a member.

    Raises:
        Refused: 400: it is missing, or no member's.
    """
    value = body.get(name)
    known = ", ".join(snapshot.instances) or "not known yet"
    if value is None and not needed:
        return None
    if value is None:
        bad(f"field {name} is missing; the instances are {known}")
    if not isinstance(value, str) or value not in snapshot.instances:
        bad(f"field {name}: {_short(value)} is no instance of this cluster; they are {known}")
    return InstanceName(value)
