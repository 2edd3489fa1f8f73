"""Requests to the API in its own JSON, by the connection and the credentials of the client library.

The library's classes for objects are left out where an object is only looked at: they differ between its versions,
refuse what a newer server sends, and loading them costs every process 1 to 1.6 s of CPU, which is too much for an init
container on the way of every instance that comes back.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

Raw = Mapping[str, Any]
"""An object of the API, as JSON."""

MERGE: Final = "application/merge-patch+json"
"""Content type of a patch whose fields take the place of those that are there; null removes one (RFC 7386)."""


def request(
    api: ApiClient,
    method: str,
    path: str,
    *,
    query: Mapping[str, object] | None = None,
    body: Raw | None = None,
    content_type: str = "application/json",
    silence_s: float | None = None,
) -> Any:
    """Send a request, as the work of a `KubeClient.call`, which bounds it.

    Args:
        api: From `KubeClient.call`.
        method: ``GET``, ``POST``, ``PATCH`` or ``DELETE``.
        path: Of the object or list.
        query: Parameters.
        body: What is sent, if anything.
        content_type: Of the body.
        silence_s: How long the answer may pause, seconds; None: as long as the call may take.

    Returns:
        The answer of urllib3, a success, not yet read.

    Raises:
        ApiException: The server says no.
    """
    transport: Any = api  # its transport is in no stubs; the names are the same in all its versions
    headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": "memgraph-ha"}
    for setting in transport.configuration.auth_settings().values():
        headers[setting["key"]] = setting["value"]
    response = transport.rest_client.pool_manager.request(
        method,
        f"{transport.configuration.host}{path}" + (f"?{urlencode(query)}" if query else ""),
        headers=headers,
        body=None if body is None else json.dumps(body),
        preload_content=False,
        timeout=None if silence_s is None else urllib3.Timeout(read=silence_s),
    )
    check_status(response)
    return response


def request_json(api: ApiClient, method: str, path: str, **options: Any) -> Raw:
    """Send a request and read its answer to the end, so that the connection can be used again.

    Args:
        api: From `KubeClient.call`.
        method: See `request`.
        path: See `request`.
        options: See `request`.

    Raises:
        ApiException: The server says no, or something that is no JSON object.
    """
    return read_json(request(api, method, path, **options))


def read_json(response: Any) -> Raw:
    """Read an answer to its end.

    Args:
        response: Of urllib3.

    Raises:
        ApiException: It is no success, or no JSON object.
    """
    check_status(response)
    body = response.data
    try:
        raw = json.loads(body)
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise ApiException(status=0, reason=f"an answer that is no JSON object; it begins {body[:40]!r}")
    return raw


def lines_of(response: Any) -> Iterator[bytes]:
    """Give the lines of an answer as they come.

    Args:
        response: Of urllib3, unread.
    """
    rest = b""
    for chunk in response.stream(amt=None, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from filter(None, lines)


def check_status(response: Any) -> None:
    """Check that an unread answer is a success; some versions of the library leave that to the caller.

    Args:
        response: Of urllib3.

    Raises:
        ApiException: It is none.
    """
    if not 200 <= response.status <= 299:  # noqa: PLR2004 - the codes of HTTP are best read as numbers
        raise error_of(response.status, response.data, response.headers)


def error_of(status: object, body: Any, headers: Mapping[str, str]) -> ApiException:
    """Make the library's exception for an answer that is no success, so that it is told like every other.

    Args:
        status: The code of HTTP; anything else counts as no answer.
        body: Its text.
        headers: Its headers.
    """
    error = ApiException(status=status if isinstance(status, int) else 0, reason="no success")
    error.body, error.headers = body, dict(headers)
    return error
