"""Where the cluster is: a data directory of `memgraph-ha local`, or the address of a controller, and the token."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.operate.exits import Exit, OperateError

TOKEN_VARIABLE: Final = "MEMGRAPH_HA_TOKEN"  # noqa: S105 - the name of a variable, not its value
"""The environment variable that may carry the token."""

_CLUSTER_FILE: Final = "cluster.json"
_TOKEN_FILE: Final = "api-token"  # noqa: S105 - the name of a file
_MOST_PORT: Final = 65535
_MOST_TOKEN_BYTES: Final = 4096


@frozen(kw_only=True)
class Place:
    """Whom to ask.

    Attributes:
        url: The controller's address, without a slash at the end, e.g. ``http://127.0.0.1:8080``.
        token: For what changes something; None: none was found. Never shown.
        lost: What helps if nobody answers there.
        untold: What helps if the token is missing or wrong.
    """

    url: str
    token: str | None = field(default=None, repr=False)
    lost: str
    untold: str


@frozen(kw_only=True)
class Whereabouts:
    """What the command line says of the place; it is looked at anew whenever the controller may have moved.

    Attributes:
        data: A data directory of `memgraph-ha local`.
        server: A controller's address; it wins over `data`.
        token_file: A file whose first line is the token.
    """

    data: Path
    server: str | None = None
    token_file: Path | None = None

    def find(self) -> Place:
        """Find the controller and the token.

        Raises:
            OperateError: No cluster was made in the data directory, one of its files makes no sense, or an option
                does.
        """
        return self._of_server(self.server) if self.server is not None else self._of_data()

    def _of_server(self, server: str) -> Place:
        return Place(
            url=parse_server(server),
            token=self._given_token(),
            lost="see that the controller runs and that the address is right",
            untold=f"give --token-file FILE or {TOKEN_VARIABLE}",
        )

    def _of_data(self) -> Place:
        file = self.data / _CLUSTER_FILE
        start = f"memgraph-ha local --data {self.data}"
        try:
            fields = read_object(file.read_bytes(), str(file))
        except FileNotFoundError:
            raise OperateError(
                Exit.UNREACHABLE,
                f"there is no cluster in {self.data}; start one with `{start}`, or give --data DIR or --server URL",
            ) from None
        except OSError as error:
            raise OperateError(Exit.USAGE, f"--data {self.data}: {file}: {error.strerror}") from None
        except FieldError as error:
            raise OperateError(Exit.USAGE, f"--data {self.data}: {error}") from None
        try:
            port = fields.integer("http_port", 0, _MOST_PORT) if "http_port" in fields.raw else None
        except FieldError as error:
            raise OperateError(Exit.USAGE, f"--data {self.data}: {error}") from None
        if not port:
            why = f"a version without one made it: start it again with `{start}`" if port is None else "http_port is 0"
            raise OperateError(Exit.UNREACHABLE, f"the cluster in {self.data} serves no HTTP API: {why}")
        token = self._given_token()
        return Place(
            url=f"http://127.0.0.1:{port}",
            token=token if token is not None else _read_token(self.data / _TOKEN_FILE, missing_ok=True),
            lost=f"start it with `{start}`",
            untold=f"{self.data / _TOKEN_FILE} must be readable and hold this cluster's token",
        )

    def _given_token(self) -> str | None:
        if self.token_file is not None:
            return _read_token(self.token_file, missing_ok=False)
        given = os.environ.get(TOKEN_VARIABLE)
        return None if not given else _check_token(given.strip(), TOKEN_VARIABLE)


def parse_server(text: str) -> str:
    """Read a controller's address; ``host:port`` stands for ``http://host:port``.

    Raises:
        OperateError: It is no address.
    """
    url = text if "://" in text else f"http://{text}"
    wrong = f"--server {text!r} is no address; give it like http://127.0.0.1:8080"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # the port is checked when it is read
    except ValueError:
        raise OperateError(Exit.USAGE, wrong) from None
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise OperateError(Exit.USAGE, wrong)
    if parts.username is not None or parts.password is not None:
        raise OperateError(
            Exit.USAGE, f"--server takes no user or password; give --token-file FILE or {TOKEN_VARIABLE}"
        )
    return url.rstrip("/")


def _read_token(path: Path, *, missing_ok: bool) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_TOKEN_BYTES)
    except FileNotFoundError:
        if missing_ok:
            return None
        raise OperateError(Exit.USAGE, f"--token-file {path} does not exist") from None
    except OSError as error:
        raise OperateError(Exit.UNAUTHORISED, f"the token file {path} cannot be read: {error.strerror}") from None
    first = content.decode("utf-8", "replace").strip().partition("\n")[0].strip()
    return _check_token(first, str(path))


def _check_token(token: str, where: str) -> str:
    """Refuse what cannot be sent in a header, without showing it.

    Raises:
        OperateError: It is empty or holds other than printable ASCII characters.
    """
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise OperateError(
            Exit.USAGE, f"{where} holds no token: it must be one line of printable ASCII characters without spaces"
        )
    return token
