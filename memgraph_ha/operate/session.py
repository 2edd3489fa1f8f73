"""What all operator commands share: the options that say where the cluster is, and how a command ends."""

import difflib
import functools
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import click
import trio
from attrs import frozen

from memgraph_ha.local.options import default_data_dir
from memgraph_ha.operate.client import Client
from memgraph_ha.operate.documents import Cluster, structured
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.output import Output
from memgraph_ha.operate.places import TOKEN_VARIABLE, Whereabouts
from memgraph_ha.runtime.usage import leaves

P = ParamSpec("P")
Command = Callable[..., None]

COMPLETE_S = 0.5
"""A shell that completes a name waits no longer than this."""


@frozen(kw_only=True)
class Session:
    """One call of the command line.

    Attributes:
        where: Where the cluster is.
        output: Where to print.
    """

    where: Whereabouts
    output: Output

    def client(self) -> Client:
        """Make a client for the controller as it is found now.

        Raises:
            OperateError: There is none to be found.
        """
        return Client(self.where.find())

    @property
    def pages(self) -> str:
        """Where the controller serves the runbook's pages, before a page's name.

        Raises:
            OperateError: There is no controller to be found.
        """
        return f"{self.where.find().url}/runbook/"


async def read_cluster(client: Client) -> Cluster:
    """Ask for the whole picture.

    Raises:
        OperateError: No answer, or one that makes no sense.
    """
    return structured(Cluster, await client.read("cluster"))


def check_name(name: str, known: Sequence[str]) -> None:
    """Check that an instance of that name exists, and suggest the nearest if not.

    Raises:
        OperateError: It does not.
    """
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    guess = f"did you mean {near[0]}? " if near else ""
    raise OperateError(Exit.USAGE, f"there is no instance {name!r}; {guess}They are: {', '.join(known) or 'none yet'}")


def user_name() -> str:
    """Give the name of the user at the operating system, for the history."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"uid {os.getuid()}"


def ending(work: Callable[P, Exit]) -> Callable[P, None]:
    """Make a command end with its exit code, and an `OperateError` with one line instead of a traceback."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        output = Output(as_json=bool(kwargs.get("as_json")))
        try:
            code = _tried(lambda: work(*args, **kwargs))
        except OperateError as error:
            code = error.code
            try:
                output.failed(error)
            except OperateError:  # nor can the error be written
                code = Exit.UNWELL
        sys.exit(code)

    return run


def _tried(work: Callable[[], Exit]) -> Exit:
    """Do it, and dig what was meant out of the groups that nurseries wrap errors in.

    Raises:
        OperateError: It failed as commands may fail.
    """
    try:
        return work()
    except KeyboardInterrupt:
        raise _interrupted() from None
    except BaseExceptionGroup as group:
        inner = leaves(group)
        if any(isinstance(error, KeyboardInterrupt) for error in inner):
            raise _interrupted() from None
        for error in inner:
            if isinstance(error, OperateError):
                raise error from None
        raise


def _interrupted() -> OperateError:
    return OperateError(Exit.INTERRUPTED, "interrupted; what was asked for may still happen: see `memgraph-ha status`")


def json_option(command: Command) -> Command:
    """Add ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print the API's object as JSON, and nothing else.")(
        command
    )


def yes_option(command: Command) -> Command:
    """Add ``--yes``."""
    return click.option("-y", "--yes", "sure", is_flag=True, help="Do not ask; without a terminal it is required.")(
        command
    )


def dry_run_option(command: Command) -> Command:
    """Add ``--dry-run``."""
    return click.option("--dry-run", is_flag=True, help="Only say what would be done, or why it would be refused.")(
        command
    )


def who_options(command: Command) -> Command:
    """Add ``--by`` and ``--reason``, which go into the history."""
    command = click.option("--reason", default="", metavar="TEXT", help="Why, for the history.")(command)
    return click.option(
        "--by", default=user_name, show_default="your user name", metavar="NAME", help="Who asks, for the history."
    )(command)


def wait_option(command: Command) -> Command:
    """Add ``--timeout``."""
    return click.option(
        "--timeout",
        "wait_s",
        type=click.FloatRange(1, 600),
        default=30.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for the outcome; after that it is unknown.",
    )(command)


def place_options(command: Command) -> Command:
    """Add ``--data``, ``--server`` and ``--token-file``."""
    command = click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help=f"Holds the token for changes; or set {TOKEN_VARIABLE}.",
    )(command)
    command = click.option(
        "--server", metavar="URL", envvar="MEMGRAPH_HA_SERVER", show_envvar=True, help="A controller's address."
    )(command)
    return click.option(
        "--data",
        type=click.Path(path_type=Path, file_okay=False),
        default=default_data_dir,
        show_default="the user's state directory",
        metavar="DIR",
        help="The data directory of a `memgraph-ha local`.",
    )(command)


def asks_cluster(work: Callable[Concatenate[Session, P], Awaitable[Exit]]) -> Command:
    """Make an async function a command's body: it gets a `Session`, made from `place_options` and `json_option`."""

    @functools.wraps(work)
    def run(*, data: Path, server: str | None, token_file: Path | None, as_json: bool, **others: Any) -> Exit:
        session = Session(
            where=Whereabouts(data=data, server=server, token_file=token_file), output=Output(as_json=as_json)
        )
        return trio.run(functools.partial(work, session, **others))

    return json_option(place_options(ending(run)))


def complete_instance(context: click.Context, _parameter: click.Parameter, begun: str) -> list[str]:
    """Complete an instance's name by asking the cluster, for half a second at most; silent if that fails."""
    given = context.params
    where = Whereabouts(
        data=given.get("data") or default_data_dir(), server=given.get("server"), token_file=given.get("token_file")
    )

    async def ask() -> tuple[str, ...]:
        with trio.move_on_after(COMPLETE_S):
            async with Client(where.find()) as client:
                return (await read_cluster(client)).names
        return ()

    try:
        return [name for name in trio.run(ask) if name.startswith(begun)]
    except (OperateError, BaseExceptionGroup):
        return []


def instance_argument(command: Command) -> Command:
    """Add the argument ``INSTANCE``, which a shell completes."""
    return click.argument("instance", shell_complete=complete_instance)(command)
