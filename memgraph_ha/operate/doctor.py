"""`memgraph-ha doctor`: look at a cluster, or at one bare server, before trusting it with data."""

import time
from pathlib import Path

import click
import trio
from attrs import asdict
from rich.console import RenderableType
from rich.text import Text

from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.adapters.memgraph.reading import read_role, read_server, read_storage
from memgraph_ha.api.doctor import checks_of_server
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.names import Address, InstanceName
from memgraph_ha.operate.documents import Check, Doctor, clean, structured
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.helping import OperatorCommand
from memgraph_ha.operate.paint import BAD, FAIR, QUIET, table
from memgraph_ha.operate.session import Session, asks_cluster

_DEADLINE_S = 5.0
"""A bare server that answers all our questions together not within this is called so."""

_UNDELIVERED_S = 5.0


@click.command(
    cls=OperatorCommand,
    answers="Doctor",
    short_help="Look whether a cluster, or a bare server, can be trusted with data.",
    examples=(
        "memgraph-ha doctor",
        "memgraph-ha doctor --json | jq '.checks[] | select(.ok == false)'",
        "memgraph-ha doctor --bolt 127.0.0.1:7687",
        "memgraph-ha doctor --bolt db:7687 --user admin --password-file password.txt",
    ),
)
@click.option("--bolt", metavar="HOST:PORT", help="Look at this one Memgraph instead; no controller is needed.")
@click.option("--user", metavar="NAME", help="Of the bare server.")
@click.option(
    "--password-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Its first line is the password.",
)
@asks_cluster
async def doctor(session: Session, *, bolt: str | None, user: str | None, password_file: Path | None) -> Exit:
    """Look at WAL, flushing, init file, storage mode, version, ports and accounts, and say what to do about each.

    Ends with 1 if something must be mended before data can be trusted to it; warnings alone end with 0.
    """
    if bolt is None:
        if user is not None or password_file is not None:
            raise OperateError(Exit.USAGE, "--user and --password-file are for a bare server: add --bolt HOST:PORT")
        async with session.client() as client:
            raw = await client.read("doctor")
    else:
        raw = await look_at_server(parse_bolt(bolt), read_login(user, password_file))
    session.output.document(raw)
    checks = structured(Doctor, raw).checks
    session.output.show(*_picture(checks))
    return Exit.UNWELL if not checks or any(check.bad for check in checks) else Exit.OK


def parse_bolt(text: str) -> Address:
    """Read a bare server's address.

    Raises:
        OperateError: It is not of the form ``host:port``.
    """
    host, _, port = text.removeprefix("bolt://").rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:  # noqa: PLR2004 - a port
        raise OperateError(Exit.USAGE, f"--bolt {text!r} is no address; give it like 127.0.0.1:7687")
    return Address(f"{host}:{port}")


def read_login(user: str | None, password_file: Path | None) -> tuple[str, str] | None:
    """Read user and password; None if none are given.

    Raises:
        OperateError: One is missing, or the file cannot be read.
    """
    if user is None and password_file is None:
        return None
    if user is None or password_file is None:
        raise OperateError(Exit.USAGE, "--user NAME and --password-file FILE go together")
    try:
        lines = password_file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "is no UTF-8 text"
        raise OperateError(Exit.USAGE, f"--password-file {password_file}: {said}") from None
    return user, lines[0] if lines else ""


async def look_at_server(address: Address, login: tuple[str, str] | None) -> dict[str, object]:
    """Ask a bare server, and judge what it says: the same document as the API's.

    Args:
        address: Its Bolt address.
        login: User and password; None for none.

    Raises:
        OperateError: It cannot be asked.
    """
    connection = BoltConnection(address, auth=login, limiter=trio.CapacityLimiter(1), undelivered_s=_UNDELIVERED_S)
    name = InstanceName(address)
    try:
        with trio.fail_after(_DEADLINE_S):
            await connection.open()
            role = await read_role(connection, name, time.monotonic)
            server = await read_server(connection, name, time.monotonic)
            storage = await read_storage(connection, name, time.monotonic, version=server.version)
    except trio.TooSlowError:
        raise OperateError(
            Exit.UNREACHABLE, f"{address} does not answer within {_DEADLINE_S:g} s: it hangs, or is not reachable"
        ) from None
    except ConnectionLostError as error:
        raise _lost(address, error, login) from None
    except QueryRefusedError as error:
        raise OperateError(Exit.UNWELL, f"{address} refuses the question: {clean(error.message)}") from None
    finally:
        connection.close()
    checks = [{**asdict(check), "level": check.level.value} for check in checks_of_server(server, storage, role)]
    return {"schema": "memgraph-ha/doctor/1", "at": time.time(), "checks": checks}


def _lost(address: Address, error: ConnectionLostError, login: tuple[str, str] | None) -> OperateError:
    if error.miss is Miss.UNAUTHORISED:
        helps = "the user or the password is wrong" if login else "it wants --user and --password-file"
        return OperateError(Exit.UNAUTHORISED, f"{address} refuses to talk: {helps}")
    return OperateError(
        Exit.UNREACHABLE, f"{address}: {error.miss.value}; see that Memgraph runs there ({error.detail})"
    )


_MARKS = {True: ("ok", "green"), None: ("unseen", FAIR)}
_NOT_OK = {"error": ("BAD", BAD), "warning": ("warning", FAIR), "info": ("note", "")}


def _picture(checks: tuple[Check, ...]) -> list[RenderableType]:
    if not checks:
        return [Text("nothing was seen yet: the controller is still looking; try again in a second", FAIR)]
    drawn = table("", "of", "check", "found")
    for check in checks:
        mark, style = _NOT_OK.get(check.level, ("BAD", BAD)) if check.ok is False else _MARKS[check.ok]
        found = Text(check.says)
        if check.fix and check.ok is not True:
            found.append(f"\n{check.fix}", "bold" if check.ok is False else QUIET)
        drawn.add_row(Text(mark, style), check.instance or "cluster", check.check, found)
    bad = sum(check.bad for check in checks)
    warned = sum(check.ok is False and check.level == "warning" for check in checks)
    verdict = Text("fit to be trusted with data", "bold green") if not bad else Text(f"{bad} must be mended", BAD)
    if warned:
        verdict.append(f", {warned} should be", FAIR)
    return [drawn, Text(), verdict]
