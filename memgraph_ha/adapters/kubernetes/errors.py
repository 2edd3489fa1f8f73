"""What a call to the Kubernetes API can end with, sorted by what the caller has to do about it.

The API answers failures with a ``Status`` object (https://kubernetes.io/docs/reference/using-api/api-concepts/). A
failure without one did not come from the API server but from something in front of it, and says nothing about objects.
"""

import json
from collections.abc import Mapping
from typing import Final

import urllib3
from attrs import frozen
from kubernetes.client.exceptions import ApiException

_LONGEST = 300
"""Characters of a foreign text that an error repeats; an answer may be a whole page."""


class KubeConfigError(ValueError):
    """How to reach the API is not known: names the file or the variable, and what to do."""


class ApiError(Exception):
    """A call to the Kubernetes API did not do what it was asked.

    Attributes:
        sent: Whether the request may have reached the server: if not, nothing was changed.
    """

    def __init__(self, text: str, *, sent: bool = True) -> None:
        super().__init__(text)
        self.sent = sent


class ApiUnavailableError(ApiError):
    """No usable answer: unreachable, frozen, overloaded or broken; if it was sent, it may or may not have been done."""


class ThrottledError(ApiUnavailableError):
    """The server refused for now to look at the request, which changed nothing (429).

    Attributes:
        retry_after_s: When it may be asked again, seconds from the answer.
    """

    def __init__(self, text: str, *, retry_after_s: float) -> None:
        super().__init__(text, sent=False)
        self.retry_after_s = retry_after_s


class NotFoundError(ApiError):
    """The API server says that there is no such object."""


class ConflictError(ApiError):
    """The object is another version than the one expected, or exists already; nothing was changed."""


class GoneError(ApiError):
    """The version to watch from is too old (410): list again."""


class ForbiddenError(ApiError):
    """Credentials or the Role do not allow it; nothing was changed, and no retry will help before they do."""


class RejectedError(ApiError):
    """The server calls the request itself wrong, or too big; nothing was changed."""


@frozen(kw_only=True)
class _Status:
    """The parts of a Status object that decisions are made by."""

    reason: str
    message: str
    retry_after_s: float | None


_BY_CODE: Final[Mapping[int, type[ApiError]]] = {
    400: RejectedError,
    404: NotFoundError,
    405: RejectedError,
    409: ConflictError,
    410: GoneError,
    413: RejectedError,
    415: RejectedError,
    422: RejectedError,
}


def translate(error: Exception, *, what: str, sent: bool) -> ApiError:
    """Say what an error of the client library means for us.

    Args:
        error: As it came out of the library; anything it trips over is the server's doing.
        what: The call, for people: verb, kind and name.
        sent: Whether the request was handed to the network.

    Returns:
        The error to raise instead. No header of the request is in it: they carry the token.
    """
    if isinstance(error, ApiError):
        return error
    if not isinstance(error, ApiException) or not error.status:
        return ApiUnavailableError(f"{what}: {_brief(error)}", sent=sent)
    status = _status_of(error)
    if error.status == 401:  # noqa: PLR2004 - the codes of HTTP are best read as numbers
        text = f"{what}: the API server does not accept our credentials ({_shown(error, status)}); check the token"
        return ForbiddenError(text)
    if error.status == 403 and status is not None:  # noqa: PLR2004
        # Admission refuses by 403 too (a quota, a webhook, a namespace that ends), in other words.
        hint = "; grant the verb in the Role of this ServiceAccount" if " cannot " in status.message else ""
        return ForbiddenError(f"{what}: {status.message}{hint}")
    if error.status == 429:  # noqa: PLR2004
        return ThrottledError(f"{what}: {_shown(error, status)}", retry_after_s=_retry_after_s(error, status))
    kind = _BY_CODE.get(error.status)
    if kind is None or status is None:
        return ApiUnavailableError(f"{what}: {_shown(error, status)}", sent=sent)
    return kind(f"{what}: {status.message}")


def _brief(error: Exception) -> str:
    """One line about an error that is no answer."""
    cause: BaseException = error
    # urllib3 wraps "connection refused" in texts that name its own objects.
    while isinstance(cause, urllib3.exceptions.MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    text = " ".join(str(getattr(cause, "reason", None) or cause).split())
    return f"{type(cause).__name__}: {text[:_LONGEST]}"


def _shown(error: ApiException, status: _Status | None) -> str:
    if status is not None:
        return f"{error.status} {status.reason}: {status.message}"
    body = " ".join(_text(error.body).split())
    return f"{error.status} {error.reason}, not from the API server: {body[:_LONGEST]!r}"


def _status_of(error: ApiException) -> _Status | None:
    """Read the Status object of an answer; None if it carries none."""
    try:
        raw: object = json.loads(_text(error.body))
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or raw.get("kind") != "Status":
        return None
    details = raw.get("details")
    wait = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    return _Status(
        reason=str(raw.get("reason") or "no reason"),
        message=str(raw.get("message") or "no message")[:_LONGEST],
        retry_after_s=float(wait) if isinstance(wait, int) else None,
    )


def _retry_after_s(error: ApiException, status: _Status | None) -> float:
    """Read the header Retry-After, else the Status; 1 s if neither says (the API server's own default)."""
    headers: Mapping[str, str] = error.headers or {}
    header = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    try:
        return max(0.0, float(str(header)))
    except ValueError:
        return 1.0 if status is None or status.retry_after_s is None else status.retry_after_s


def _text(body: object) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body or "")
