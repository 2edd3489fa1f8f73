"""One call's way through the client library: bounded in time, sent at most once, and ended from outside.

urllib3 by itself repeats a request whose answer was lost, which for a compare-and-set turns "done" into "conflict";
it waits without bound when no time was given; and closing its pool does not wake a thread that waits for an answer.
Each is settled here, below the `kubernetes` library and the same for all its versions.
"""

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, TypeVar

import urllib3
from kubernetes.client import ApiClient, Configuration
from urllib3.connection import HTTPConnection, HTTPSConnection

T = TypeVar("T")

_present: ContextVar["Call | None"] = ContextVar("_present", default=None)
"""The call that this thread works on."""


class LeftError(Exception):
    """Nobody waits for this call any more: it was not sent."""


class Call:
    """One call: its deadline, whether it was sent, and the handle that ends it from outside.

    Args:
        until_s: Its deadline, on ``clock``; nothing is sent after it.
        clock: Seconds on CLOCK_BOOTTIME; called from worker threads.

    Resource handling: holds a second descriptor of the socket while the request is under way, so that the event loop
    can shut the socket down while the thread closes it, without ever touching a descriptor that was given away anew.
    """

    def __init__(self, *, until_s: float, clock: Callable[[], float]) -> None:
        self._until_s, self._clock = until_s, clock
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._left = False
        self.sent = False

    @property
    def left(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._left

    def left_s(self) -> float:
        """How long the call may still take, seconds."""
        return self._until_s - self._clock()

    def attach(self, sock: socket.socket | None) -> None:
        """Take note, in the worker thread, that the request goes out on this socket now.

        Raises:
            LeftError: It must not any more.
        """
        with self._lock:
            # This process may have stood still since the call began: what was decided then may be wrong by now.
            if self._left or self.left_s() <= 0:
                raise LeftError("it was too late to send it")
            self._forget()
            if sock is not None:
                self._socket = socket.socket(fileno=os.dup(sock.fileno()))
            self.sent = True

    def leave(self) -> None:
        """End the call from outside: wakes the thread if it waits for the server, and never blocks."""
        with self._lock:
            self._left = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
            self._forget()

    def run(self, work: Callable[[], T]) -> T:
        """Do the blocking work, in the worker thread, as this call."""
        token = _present.set(self)
        try:
            return work()
        finally:
            _present.reset(token)
            with self._lock:
                self._forget()

    def _forget(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _WatchedConnection(HTTPConnection):
    def request(self, *args: Any, **options: Any) -> None:
        _attach(self)
        super().request(*args, **options)


class _WatchedTlsConnection(HTTPSConnection):
    def request(self, *args: Any, **options: Any) -> None:
        _attach(self)
        super().request(*args, **options)


class _Pool(urllib3.HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _WatchedTlsConnection


class _Bounded:
    """Stands in for the library's `urllib3.PoolManager`: each request ends by its call's deadline, and is sent once."""

    def __init__(self, pools: urllib3.PoolManager) -> None:
        pools.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        self._pools = pools

    def request(self, method: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        left_s = _present_call().left_s()
        if left_s <= 0:
            raise LeftError("it was too late to send it")
        asked = options.pop("timeout", None)
        read_s = asked.read_timeout if isinstance(asked, urllib3.Timeout) else None
        silence_s = min(left_s, read_s) if isinstance(read_s, (int, float)) else left_s
        # `total` would be counted on a clock that stands still while the machine sleeps; `Call` sees to that.
        timeout = urllib3.Timeout(connect=left_s, read=silence_s)
        return self._pools.request(method, url, **{**options, "timeout": timeout, "retries": False})

    def clear(self) -> None:
        self._pools.clear()


def open_api(configuration: Configuration) -> ApiClient:
    """Make a client of the library with connections of its own, to be used by one `Call` at a time.

    Args:
        configuration: Where the API is, and who we are; shared by all.
    """
    api: Any = ApiClient(configuration)  # the stubs of the library know nothing of its transport
    api.rest_client.pool_manager = _Bounded(api.rest_client.pool_manager)
    return api  # type: ignore[no-any-return]


def close_api(api: ApiClient) -> None:
    """Close its idle connections; what is still under way ends by itself.

    Args:
        api: From `open_api`.
    """
    transport: Any = api
    transport.rest_client.pool_manager.clear()


def _present_call() -> Call:
    call = _present.get()
    if call is None:
        raise LeftError("a request outside of KubeClient.call would have no deadline")
    return call


def _attach(connection: HTTPConnection) -> None:
    call = _present_call()
    if connection.sock is None:
        connection.connect()  # as the library would do itself a moment later, but before the request counts as sent
    call.attach(connection.sock)
