"""Asking a controller over HTTP: every way to fail becomes one sentence with the way out and an exit code."""

import json
import os
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

import httpx
import trio

from memgraph_ha import __version__
from memgraph_ha.operate.documents import clean
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.places import Place

READ_S: Final = 5.0
"""A controller that does not answer a question for so long is taken for unreachable; it answers from memory."""

SPARE_S: Final = 5.0
"""A change is waited for so much longer than the controller itself waits: its own word is better than ours."""

API: Final = "/api/v1"

_CONNECT_S: Final = 3.0
_MOST_BYTES: Final = 64 * 1024 * 1024
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)
"""After these the controller has certainly not heard of it."""


class Client:
    """One controller, asked over HTTP.

    Args:
        place: Which.

    Resource handling: an async context manager; the connection ends with it.

    Error handling: everything is raised as `OperateError`; nothing is retried.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        secure = place.url.startswith("https:")
        self._http = httpx.AsyncClient(
            base_url=place.url,
            verify=ssl.create_default_context() if secure else False,  # the system's authorities, SSL_CERT_FILE too
            trust_env=False,  # neither a proxy nor .netrc stands between an operator and the controller
            headers={"User-Agent": f"memgraph-ha/{__version__}", "Accept": "application/json"},
            timeout=httpx.Timeout(READ_S, connect=_CONNECT_S),
        )

    async def __aenter__(self) -> Self:
        """Open it."""
        await self._http.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        await self._http.__aexit__(kind, error, trace)

    async def read(self, name: str, *, within_s: float = READ_S) -> dict[str, object]:
        """Ask for a document.

        Args:
            name: Its last part of the path, e.g. ``cluster``.
            within_s: How long the whole answer may take, in seconds.

        Raises:
            OperateError: No answer, or one that is none.
        """
        try:
            with trio.fail_after(within_s):
                answer = await self._send("GET", name, None)
        except _NOT_SENT as error:
            raise self._unreachable(error) from None
        except (trio.TooSlowError, httpx.TimeoutException):
            raise OperateError(
                Exit.UNREACHABLE,
                f"the controller at {self._place.url} does not answer within {within_s:g} s; {self._place.lost}",
            ) from None
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        return self._document(answer)

    async def change(self, method: str, name: str, body: Mapping[str, object], *, wait_s: float) -> dict[str, object]:
        """Ask for a change, with the token.

        Args:
            method: ``POST`` or ``PUT``.
            name: The last part of the path, e.g. ``switchover``.
            body: What is asked for.
            wait_s: How long the controller is asked to wait for the outcome, in seconds.

        Returns:
            Its answer, which may say that it is not ``ok``.

        Raises:
            OperateError: It was refused, or nobody answered; code `Exit.UNKNOWN` if it may still happen.
        """
        try:
            with trio.fail_after(wait_s + SPARE_S):
                answer = await self._send(method, name, body)
        except _NOT_SENT as error:
            raise self._unreachable(error) from None
        except (trio.TooSlowError, httpx.TimeoutException):
            raise OperateError(Exit.UNKNOWN, f"{name}: no answer within {wait_s + SPARE_S:g} s; {_MAY}") from None
        except httpx.HTTPError as error:
            raise OperateError(
                Exit.UNKNOWN, f"{name}: the controller went away before it answered ({_said(error)}); {_MAY}"
            ) from None
        return self._document(answer)

    async def _send(self, method: str, name: str, body: Mapping[str, object] | None) -> httpx.Response:
        headers = {}
        if body is not None and self._place.token is not None:
            headers["Authorization"] = f"Bearer {self._place.token}"
        timeout = httpx.Timeout(None if body is not None else READ_S, connect=_CONNECT_S)
        request = self._http.build_request(method, f"{API}/{name}", json=body, headers=headers, timeout=timeout)
        answer = await self._http.send(request, stream=True)
        try:
            content = b""
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise OperateError(
                        Exit.UNREACHABLE, f"{self._place.url} answers without end: no controller of ours"
                    )
        finally:
            await answer.aclose()
        return httpx.Response(answer.status_code, content=content, request=request)

    def _document(self, answer: httpx.Response) -> dict[str, object]:
        try:
            raw: object = json.loads(answer.content)
        except (ValueError, RecursionError):
            raw = None
        if not isinstance(raw, dict):
            raise OperateError(
                Exit.UNREACHABLE,
                f"what answers at {answer.request.url} is no controller of memgraph-ha "
                f"(status {answer.status_code}, no JSON object); give the right --server URL or --data DIR",
            )
        if answer.status_code == httpx.codes.OK:
            return raw
        raise self._refusal(answer.status_code, raw)

    def _refusal(self, status: int, raw: dict[str, object]) -> OperateError:
        said = raw.get("error")
        text = clean(said) if isinstance(said, str) and said else f"the controller answered {status} without a reason"
        match status:
            case httpx.codes.BAD_REQUEST:
                return OperateError(Exit.USAGE, text, raw)
            case httpx.codes.UNAUTHORIZED | httpx.codes.FORBIDDEN:
                return OperateError(Exit.UNAUTHORISED, f"{text.rstrip('.')}; {self._place.untold}", raw)
            case httpx.codes.SERVICE_UNAVAILABLE:
                return OperateError(Exit.UNREACHABLE, _with_leader(text, raw.get("leader")), raw)
            case httpx.codes.GATEWAY_TIMEOUT:
                return OperateError(Exit.UNKNOWN, text, raw)
            case _:
                return OperateError(Exit.UNWELL, text, raw)

    def _unreachable(self, error: Exception) -> OperateError:
        return OperateError(
            Exit.UNREACHABLE, f"no controller answers at {self._place.url} ({_said(error)}); {self._place.lost}"
        )


_MAY: Final = "it may still happen: look with `memgraph-ha status` before trying again"


def _with_leader(text: str, leader: object) -> str:
    """Name the leader, unless the sentence does already."""
    if not isinstance(leader, str) or not leader or leader in text:
        return text
    return f"{text.rstrip('.')}; {clean(leader)} leads: ask it, with --server URL"


def _said(error: BaseException) -> str:
    """Say in a few words what the network said; trio wraps the errors of several addresses in a group."""
    if isinstance(error, httpx.ConnectTimeout):
        return f"no connection within {_CONNECT_S:g} s"
    causes = [error]
    while causes:
        cause = causes.pop(0)
        if isinstance(cause, ssl.SSLError):
            return f"TLS: {cause.reason or cause}"
        if isinstance(cause, OSError) and cause.errno is not None:
            known = cause.errno > 0  # a name that cannot be resolved has a number of its own kind
            return (os.strerror(cause.errno) if known else str(cause.strerror)).lower()
        inner = cause.exceptions if isinstance(cause, BaseExceptionGroup) else ()
        causes += [*inner, *filter(None, (cause.__cause__ or cause.__context__,))]
    return str(error) or type(error).__name__
