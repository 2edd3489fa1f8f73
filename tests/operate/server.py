"""A real HTTP server that speaks the contract with recorded answers, one thread per connection."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self

from attrs import define, field

from tests.operate import recorded
from tests.operate.recorded import TOKEN, Json

Answer = tuple[int, Json | bytes]
Script = Callable[["Asked"], Answer]

HANG_UP: Final = 0
"""Instead of a status: close the connection without an answer."""

UNAUTHORISED: Final[Answer] = (401, {"error": "the token is missing or wrong"})


@define
class Asked:
    """One request that came in."""

    method: str
    path: str
    body: Json
    token: str | None


def says(document: Json | bytes, status: int = 200) -> Script:
    """Make a script that always gives the same answer."""
    return lambda _asked: (status, document)


def with_token(script: Script) -> Script:
    """Guard a script by the token, as the API does."""
    return lambda asked: script(asked) if asked.token == TOKEN else UNAUTHORISED


def verb(done: str, rehearsal: str = "it would be done") -> Script:
    """Make a verb's script: what it says when done, and in a dry run."""
    return with_token(lambda asked: (200, {"ok": True, "text": rehearsal if asked.body.get("dry_run") else done}))


@define
class Api:
    """A controller that answers what it is told to; everything asked of it is kept.

    Attributes:
        port: Where it listens, once entered.
        scripts: Method and last part of the path to what answers; may be changed while it runs.
        asked: Every request, in order.
    """

    scripts: dict[tuple[str, str], Script] = field(factory=dict)
    asked: list[Asked] = field(factory=list)
    port: int = 0
    _server: ThreadingHTTPServer | None = None
    _thread: threading.Thread | None = None

    @classmethod
    def healthy(cls) -> Self:
        """Make one of a healthy cluster."""
        reads = {
            "cluster": recorded.HEALTHY,
            "history": recorded.HISTORY,
            "explain": recorded.EXPLAIN,
            "policy": recorded.POLICY,
            "doctor": recorded.DOCTOR,
            "rules": recorded.RULES,
            "report": recorded.REPORT,
        }
        scripts: dict[tuple[str, str], Script] = {("GET", name): says(document) for name, document in reads.items()}
        for name in ("switchover", "failover", "restart", "reinit", "adopt", "pause", "resume"):
            scripts["POST", name] = verb(f"{name} is done")
        return cls(scripts=scripts)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def sent(self, method: str) -> list[Asked]:
        """List what was asked by a method."""
        return [asked for asked in self.asked if asked.method == method]

    def start(self) -> None:
        """Listen, on the same port as before if there was one."""
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body: Any = json.loads(self.rfile.read(length)) if length else {}
                bearer = self.headers.get("Authorization", "")
                token = bearer.removeprefix("Bearer ") if bearer.startswith("Bearer ") else None
                asked = Asked(self.command, self.path.removeprefix("/api/v1/"), body, token)
                api.asked.append(asked)
                script = api.scripts.get((asked.method, asked.path), says({"error": f"no {self.path} here"}, 404))
                status, document = script(asked)
                if status == HANG_UP:
                    self.close_connection = True
                    return
                content = document if isinstance(document, bytes) else json.dumps(document).encode()
                with contextlib.suppress(OSError):  # the client may have left
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    self.end_headers()
                    self.wfile.write(content)

            do_GET = do_POST = do_PUT = answer  # noqa: N815 - the names that http.server calls

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

        self._server = Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; the port may be taken again."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None


@contextlib.contextmanager
def serving(api: Api) -> Iterator[Api]:
    """Run a server for the length of a block."""
    api.start()
    try:
        yield api
    finally:
        api.stop()
