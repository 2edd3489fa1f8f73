"""The ASGI application: bounded bodies, one table of endpoints, errors as JSON, and nothing that outlives a client."""

import http
import traceback
from typing import Final

import structlog
import trio
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memgraph_ha.api.control import Control
from memgraph_ha.api.endpoints import LONGEST_WAIT_S, Access, Auth, Call, Endpoint, Refused
from memgraph_ha.api.metric import registry_of
from memgraph_ha.api.metrics import METRICS
from memgraph_ha.api.reading import admit, parse_object
from memgraph_ha.api.routes import ENDPOINTS

LARGEST_BODY: Final = 64 * 1024
"""Bytes of a request's body: the largest that is meant to be sent is a policy."""

BODY_S: Final = 10.0
"""A body must have come within so many seconds."""

SEND_S: Final = 60.0
"""An answer must have been taken within so many seconds, also by a client that takes a little now and then."""

_DRAIN_S: Final = 2.0
"""For so long a body that is too large is thrown away, so that its sender can read why."""

_DRAIN_MOST: Final = 8 * 1024 * 1024
"""Bytes that are thrown away."""

_HEADERS: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)

_NO_CONTENT_POLICY: Final = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")

_OTHER: Final = "(other)"
"""What metrics call paths and methods that are not ours: what clients make up must not make series."""


class _Lost(Exception):  # noqa: N818 - the client left: nobody needs an answer
    """The client left before its request was whole."""


class Application:
    """Everything that is served, as one ASGI application.

    Error handling:
        What clients do wrong is answered with a JSON `Error`. A fault of ours is logged and answered with 500.
        A client that leaves cancels its handler. When the server ends, every waiting handler is cancelled and its
        client told so.

    Args:
        control: The controller.
        access: The secrets that callers must know.
        hook_wait_s: How long a preStop hook is kept waiting at most, seconds.
    """

    def __init__(self, control: Control, access: Access, hook_wait_s: float = LONGEST_WAIT_S) -> None:
        self._control, self._access, self._hook_wait_s = control, access, hook_wait_s
        self._registry = registry_of(control, METRICS)
        self._ending = trio.Event()
        self._desk = trio.CapacityLimiter(1)
        self._log = structlog.get_logger("memgraph_ha.api")
        self._router = Router(
            routes=[Route(path, endpoint=self._at(path), methods=None) for path in _paths()],
            redirect_slashes=False,
            default=self._unknown,
        )

    def end(self) -> None:
        """Answer every waiting request at once: the server ends."""
        self._ending.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1000})
            return
        scope["body"] = b""
        try:
            scope["body"] = await _body(receive)
        except _Lost:
            return
        except Refused as refused:
            await self._too_much(scope, receive, send, refused)
            return
        await self._router(scope, receive, send)

    async def _too_much(self, scope: Scope, receive: Receive, send: Send, refused: Refused) -> None:
        """Answer while the rest of the body is thrown away: hypercorn's queue must never be left full."""
        response = refused.response()
        response.headers["Connection"] = "close"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_throw_away, receive)
            await self._finish(scope, receive, send, response, _OTHER)
            nursery.cancel_scope.cancel()

    def _at(self, path: str) -> ASGIApp:
        """Make what answers at one path, whatever the method."""
        here = {endpoint.method: endpoint for endpoint in ENDPOINTS if endpoint.path == path}
        allowed = ", ".join(sorted({*here, "OPTIONS", *(("HEAD",) if "GET" in here else ())}))

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            method = scope["method"]
            endpoint = here.get("GET" if method == "HEAD" else method)
            if endpoint is not None:
                response = await self._run(endpoint, scope, receive)
            elif method == "OPTIONS":
                response = Response(status_code=http.HTTPStatus.NO_CONTENT, headers={"Allow": allowed})
            else:
                text = f"this path does not take that method; it takes {allowed}"
                response = Refused(http.HTTPStatus.METHOD_NOT_ALLOWED, text, headers={"Allow": allowed}).response()
            if response is not None:
                await self._finish(scope, receive, send, response, path)

        return _Endpoint(serve)

    async def _unknown(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = "there is nothing at this path; GET /api/v1/openapi.json says what there is"
        await self._finish(scope, receive, send, Refused(http.HTTPStatus.NOT_FOUND, text).response(), _OTHER)

    async def _run(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Response | None:
        """Run a handler until it ends, its client leaves (None), or the server ends."""
        found: list[Response] = []
        async with trio.open_nursery() as nursery:

            async def leave() -> None:
                while (await receive())["type"] != "http.disconnect":
                    pass
                nursery.cancel_scope.cancel()

            async def end() -> None:
                await self._ending.wait()
                text = "this controller ends; ask again, the next leader answers"
                found.append(Refused(http.HTTPStatus.SERVICE_UNAVAILABLE, text, more={"leader": None}).response())
                nursery.cancel_scope.cancel()

            nursery.start_soon(leave)
            nursery.start_soon(end)
            found.append(await self._answer(endpoint, scope, receive))
            nursery.cancel_scope.cancel()
        if endpoint.auth not in (Auth.NONE, Auth.PEER):
            self._note(endpoint, scope, found[0].status_code if found else None)
        return found[0] if found else None

    def _note(self, endpoint: Endpoint, scope: Scope, status: int | None) -> None:
        """Leave a trail of everything that may change something: from where it was asked, and how it ended."""
        source = scope["client"][0] if scope.get("client") else "unknown"
        ended = "left" if status is None else status
        self._log.info(
            "asked by HTTP",
            method=endpoint.method,
            path=scope["raw_path"].decode("ascii")[:200],
            source=source,
            ended=ended,
        )

    async def _answer(self, endpoint: Endpoint, scope: Scope, receive: Receive) -> Response:
        request = Request(scope, receive)
        try:
            await admit(request, endpoint.auth, self._access)
            known = {} if endpoint.body is None else endpoint.body["properties"]
            body = {} if endpoint.body is None else parse_object(scope["body"], frozenset(known))  # type: ignore[call-overload]  # properties are a dict
            call = Call(
                control=self._control,
                request=request,
                body=body,
                registry=self._registry,
                hook_wait_s=self._hook_wait_s,
                promise=self._access.promise,
            )
            if not endpoint.drawn:
                return await endpoint.handler(call)
            async with self._desk:  # it is handed on in another turn of trio: the loop of the controller comes between
                return await endpoint.handler(call)
        except Refused as refused:
            return refused.response()
        except Exception as error:  # noqa: BLE001 - whatever a handler does, one request must not end the controller
            # Written out here: renderers of exceptions may show local variables, and those hold the token.
            where = "".join(traceback.format_tb(error.__traceback__)[-4:])
            self._log.error(
                "an HTTP request failed", method=endpoint.method, path=endpoint.path, error=repr(error), where=where
            )
            return Refused(http.HTTPStatus.INTERNAL_SERVER_ERROR, "a fault of ours; the log says which").response()

    async def _finish(self, scope: Scope, receive: Receive, send: Send, response: Response, path: str) -> None:
        methods = {endpoint.method for endpoint in ENDPOINTS} | {"HEAD", "OPTIONS"}
        method = scope["method"] if scope["method"] in methods else _OTHER
        self._control.accounting.note_request(method, path, response.status_code)
        with trio.move_on_after(SEND_S):
            await response(scope, receive, _with_headers(send))


class _Endpoint:
    """An ASGI application that Starlette takes as one, not as a handler of requests."""

    def __init__(self, serve: ASGIApp) -> None:
        self._serve = serve

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await self._serve(scope, receive, send)


def _paths() -> list[str]:
    return list(dict.fromkeys(endpoint.path for endpoint in ENDPOINTS))


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *_HEADERS]
            if not any(name.lower() == _NO_CONTENT_POLICY[0] for name, _ in headers):
                headers.append(_NO_CONTENT_POLICY)
            message = {**message, "headers": headers}
        await send(message)

    return sending


async def _body(receive: Receive) -> bytes:
    """Read a body: whole, bounded and in time."""
    found = bytearray()
    with trio.move_on_after(BODY_S):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Lost
            found += message.get("body", b"")
            if len(found) > LARGEST_BODY:
                await _throw_away_politely(receive, message)
                text = f"the body is larger than {LARGEST_BODY} bytes; nothing that long is meant to be sent"
                raise Refused(http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
            if not message.get("more_body", False):
                return bytes(found)
    raise Refused(http.HTTPStatus.REQUEST_TIMEOUT, f"the body did not come within {BODY_S:g} s")


async def _throw_away_politely(receive: Receive, message: Message) -> None:
    size = 0
    with trio.move_on_after(_DRAIN_S):
        while message.get("more_body", False) and size < _DRAIN_MOST:
            message = await receive()
            size += len(message.get("body", b""))


async def _throw_away(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
