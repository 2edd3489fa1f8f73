"""What an endpoint is: the one table of them makes the routes, the OpenAPI document and the reference page."""

import enum
import http
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from attrs import field, frozen
from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from memgraph_ha.api.cluster import Json
from memgraph_ha.api.control import Control
from memgraph_ha.api.schema import Schema

LONGEST_WAIT_S: Final = 600.0
"""Nobody waits longer for an answer (inventory ENV-18)."""


class Auth(enum.Enum):
    """Who may call an endpoint; the values are the words of the reference."""

    NONE = "open"
    TOKEN = "bearer token"  # noqa: S105 - the name of a way, not a token
    PEER = "signed with the key that the controllers of one release share"
    BASIC = "basic auth of the Memgraph user; without one, loopback only"


Review = Callable[[str], Awaitable[str | None]]
"""Judges a bearer token that is not ours: None if whoever has it may change the cluster, else why not, one sentence.

It ends within a few seconds, raises nothing, and repeats no token."""


Promise = Callable[[Json], Mapping[str, str]]
"""Answers a signed question of another controller (docs/decisions/0011); returns at once.

It raises `memgraph_ha.failsafe.wire.WireError` for what is not from one."""


@frozen(kw_only=True)
class Access:
    """What callers must know, and who judges it. Secrets are never shown.

    Attributes:
        token: The bearer token; None: no token of ours is good.
        basic: User and password of the hook; None: Memgraph has no accounts.
        review: Judges other bearer tokens; None: there are no others.
        promise: Answers other controllers; None: there are none, or no failsafe.
    """

    token: str | None = field(repr=False)
    basic: tuple[str, str] | None = field(repr=False)
    review: Review | None = None
    promise: Promise | None = None


@frozen(kw_only=True)
class Call:
    """One request, as handlers see it.

    Attributes:
        control: The controller.
        request: What came; its body was read already, bounded.
        body: The parsed JSON object of an endpoint that takes one.
        registry: The metrics of this server.
        hook_wait_s: How long a preStop hook is kept waiting at most, seconds.
        promise: As in `Access`.
    """

    control: Control
    request: Request
    body: Json
    registry: CollectorRegistry
    hook_wait_s: float = LONGEST_WAIT_S
    promise: Promise | None = None


Handler = Callable[[Call], Awaitable[Response]]
"""Answers a request that is allowed and well formed."""


@frozen(kw_only=True)
class Endpoint:
    """One method of one path.

    Attributes:
        method: GET, POST or PUT; HEAD and OPTIONS are answered by themselves.
        path: A Starlette template, e.g. ``/prestop-hook/{pod_name}``.
        handler: What answers.
        summary: One line.
        doc: What else a caller must know.
        auth: Who may call it.
        parameters: Path parameters: name to meaning.
        body: The schema of the JSON object that it takes; None: it takes none.
        answers: Status to (what it means, schema of the JSON body; None: no JSON).
        media: The media type of the answer, if it is not JSON.
        since: The version that had it first; ``predecessor`` for what the Go controller had.
        drawn: Its answer takes a millisecond or more to make, at one go: such are made one after the other, so that
            many at once do not keep the controller's loop from turning.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    doc: str = ""
    auth: Auth = Auth.NONE
    parameters: Mapping[str, str] = field(factory=dict, hash=False)
    body: Schema | None = field(default=None, hash=False)
    answers: Mapping[int, tuple[str, Schema | None]] = field(factory=dict, hash=False)
    media: str = "application/json"
    since: str = "0.1.0"
    drawn: bool = False


class Refused(Exception):  # noqa: N818 - the answer to a request, not a fault of ours
    """A request is answered with an error.

    Args:
        status: The HTTP status.
        text: One sentence: what, and what helps.
        more: Further fields of the body.
        headers: Further headers.
    """

    def __init__(
        self, status: int, text: str, *, more: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.status, self.text, self.more, self.headers = status, text, more or {}, headers or {}

    def response(self) -> Response:
        """The answer itself."""
        return answer({"error": self.text, **self.more}, self.status, self.headers)


def answer(document: Json, status: int = http.HTTPStatus.OK, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a JSON document that nobody may keep: it is old the moment it is sent."""
    kept = {"Cache-Control": "no-cache, no-store, must-revalidate"}  # the predecessor's words
    return JSONResponse(document, status_code=status, headers={**kept, **(headers or {})})


def text(line: str, status: int = http.HTTPStatus.OK, media: str = "text/plain") -> Response:
    """Answer with plain text."""
    return Response(line, status_code=status, media_type=media, headers={"Cache-Control": "no-store"})
