"""`memgraph-ha report`: everything that a bug report needs in one file, and nothing secret."""

import json
import os
import time
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from memgraph_ha.operate.bundle import Member, bundle, members_of_report, members_on_disk
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.helping import OperatorCommand
from memgraph_ha.operate.output import Output
from memgraph_ha.operate.paint import FAIR, QUIET, table
from memgraph_ha.operate.places import Place
from memgraph_ha.operate.session import Session, asks_cluster

_READ_S: Final = 15.0
_PRIVATE: Final = 0o600


@click.command(
    cls=OperatorCommand,
    answers="Report",
    short_help="Write a redacted bundle for a bug report.",
    examples=(
        "memgraph-ha report",
        "memgraph-ha report -o /tmp/report.tar.gz",
        "memgraph-ha report --json > report.json",
    ),
)
@click.option(
    "-o",
    "--output",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Where to; .json makes one JSON file. [memgraph-ha-report-TIME.tar.gz]",
)
@asks_cluster
async def report(session: Session, *, file: Path | None) -> Exit:
    """Write what a bug report needs into one file: no token, no password, no account, no data of yours.

    If the controller of a data directory is dead, what it left there is taken instead. Instance names, addresses, and
    the words of --by and --reason are in it: look before you send it.
    """
    target = file or Path(f"memgraph-ha-report-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
    place = session.where.find()
    try:
        async with session.client() as client:
            raw = await client.read("report", within_s=_READ_S)
    except OperateError as error:
        if error.code is not Exit.UNREACHABLE or session.where.server is not None or session.output.as_json:
            raise
        session.output.aside(Text(f"{error}. This is what it left on disk:", FAIR))
        members = members_on_disk(session.where.data, str(error))
        _check_secrets(members, place)
        _deliver(session.output, target, members, bundle(members))
        return Exit.UNREACHABLE
    members = members_of_report(raw)
    _check_secrets(members, place)
    session.output.document(raw)
    if not session.output.as_json or file is not None:
        content = json.dumps(raw, indent=1).encode() if target.suffix == ".json" else bundle(members)
        _deliver(session.output, target, members, content)
    return Exit.OK


def _check_secrets(members: list[Member], place: Place) -> None:
    """Look for the one secret that we know, whatever somebody else did wrong.

    Raises:
        OperateError: It is in there.
    """
    secret = None if place.token is None else place.token.encode()
    guilty = [member.name for member in members if secret is not None and secret in member.content]
    if guilty:
        raise OperateError(
            Exit.UNWELL,
            f"{guilty[0]} holds the token, which it must not: nothing was written; tell its authors, without the token",
        )


def _deliver(output: Output, target: Path, members: list[Member], content: bytes) -> None:
    """Write it for our own eyes only, and say what is in it.

    Raises:
        OperateError: It cannot be written.
    """
    try:
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _PRIVATE)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        raise OperateError(Exit.USAGE, f"{target} cannot be written: {error.strerror}; give another with -o") from None
    drawn = table("file", "bytes", "what", right=("bytes",))
    for member in members:
        drawn.add_row(member.name, f"{len(member.content):,}", member.says)
    output.show(
        Text.assemble((f"{target}", "bold"), (f"  {len(content):,} bytes", QUIET)),
        drawn,
        Text("No token, password or account is in it. Names, addresses and your words are: look before you send it."),
    )
