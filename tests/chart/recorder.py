"""A way to the API server that acts as a ServiceAccount and writes down what it is asked for.

It stands between controllers and a real API server, which does all the judging: so what is written down is what the
controllers really do, and a Role that lacks something shows as 403.
"""

import contextlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlsplit

import urllib3
import yaml
from attrs import define, field, frozen

_PATH: Final = re.compile(
    r"^/(?:api|apis/(?P<group>[^/]+))/v1/namespaces/[^/]+/(?P<resource>[a-z]+)(?:/(?P<name>.+))?$"
)
_VERBS: Final = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_NOT_OURS: Final = {"host", "authorization", "connection", "content-length", "accept-encoding", "transfer-encoding"}


@frozen(order=True)
class Asked:
    """One kind of request, as a Role speaks of it.

    Attributes:
        group: API group; empty for the core.
        resource: E.g. `pods`.
        verb: E.g. `patch`.
        name: Of the object, also where a list is narrowed to one; empty if there is none.
    """

    group: str
    resource: str
    verb: str
    name: str


@define
class Recorder:
    """Passes requests on, one thread each.

    Attributes:
        server: URL of the API server.
        authority: Its certificate.
        token: The ServiceAccount's.
        asked: What was asked for and allowed.
        refused: What was asked for and refused, with the API server's words.
    """

    server: str
    authority: Path
    token: str
    asked: set[Asked] = field(factory=set)
    refused: list[tuple[Asked, str]] = field(factory=list)

    @contextlib.contextmanager
    def serving(self, kubeconfig: Path) -> Iterator[None]:
        """Serve while the block runs, and write how to reach it."""
        recorder = self
        pool = urllib3.PoolManager(ca_certs=str(self.authority), retries=False, maxsize=32)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_one_request(self) -> None:
                with contextlib.suppress(OSError, urllib3.exceptions.HTTPError):
                    super().handle_one_request()
                    return
                self.close_connection = True

            def do_GET(self) -> None:
                recorder._pass_on(self, pool)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's names

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        httpd.daemon_threads = True
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        cluster = {"server": f"http://127.0.0.1:{httpd.server_address[1]}"}
        context = {"cluster": "c", "user": "u"}
        kubeconfig.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [{"name": "c", "cluster": cluster}],
                    "users": [{"name": "u", "user": {"token": "put-in-on-the-way"}}],
                    "contexts": [{"name": "x", "context": context}],
                    "current-context": "x",
                }
            ),
            encoding="utf-8",
        )
        try:
            yield
        finally:
            httpd.shutdown()
            thread.join()
            httpd.server_close()
            pool.clear()

    def _pass_on(self, request: BaseHTTPRequestHandler, pool: urllib3.PoolManager) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _NOT_OURS}
        answer = pool.request(
            request.command,
            self.server + request.path,
            body=body or None,
            headers={**headers, "Authorization": f"Bearer {self.token}"},
            preload_content=False,
            timeout=urllib3.Timeout(connect=5, read=60),
        )
        try:
            asked = _read(request.command, request.path)
            if answer.status == 403:
                said = answer.read()
                self.refused.append((asked, json.loads(said)["message"]))
                self._send(request, answer.status, iter([said]))
                return
            self.asked.add(asked)
            self._send(request, answer.status, answer.stream(1 << 16))
        finally:
            answer.close()

    @staticmethod
    def _send(request: BaseHTTPRequestHandler, status: int, chunks: Iterator[bytes]) -> None:
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Transfer-Encoding", "chunked")
        request.end_headers()
        for chunk in chunks:
            if chunk:
                request.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                request.wfile.flush()
        request.wfile.write(b"0\r\n\r\n")


def _read(method: str, path: str) -> Asked:
    """Say what a request is to a Role (kubernetes.io/docs/reference/access-authn-authz/authorization/)."""
    parts = urlsplit(path)
    match = _PATH.match(parts.path)
    assert match is not None, f"{method} {path} is about no object of a namespace"
    query, name = parse_qs(parts.query), match["name"] or ""
    verb = _VERBS.get(method, "get" if name else "list")
    if verb == "list":
        verb = "watch" if query.get("watch") == ["true"] else verb
        name = query.get("fieldSelector", [""])[0].removeprefix("metadata.name=")
    return Asked(group=match["group"] or "", resource=match["resource"], verb=verb, name=name)
