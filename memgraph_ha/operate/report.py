"""`memgraph-ha report`: everything that a bug report needs in one file, and nothing secret."""

import io
import json
import os
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click
from attrs import frozen
from rich.text import Text

from memgraph_ha import __version__
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.helping import OperatorCommand
from memgraph_ha.operate.paint import QUIET, table
from memgraph_ha.operate.session import Session, asks_cluster

_READ_S: Final = 15.0
_PRIVATE: Final = 0o600

_PARTS: Final = {
    "cluster": "the picture of `memgraph-ha status`",
    "history": "the last changes of MAIN, with who asked and their words",
    "explain": "what every rule said at that moment",
    "policy": "the policy in force",
    "doctor": "what `memgraph-ha doctor` finds",
    "counters": "what the gateways counted",
    "accounting": "decisions, commands and reigns, counted",
    "versions": "of memgraph-ha, Python and the platform",
}
"""The parts that get a file of their own; whatever else a newer controller adds goes into ``more.json``."""

_LOG_SAYS: Final = "the last lines of the controller's log"


@frozen(kw_only=True)
class Member:
    """One file of the bundle: its name, what it is, and its bytes."""

    name: str
    says: str
    content: bytes


@click.command(
    cls=OperatorCommand,
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

    Instance names, addresses, and the words of --by and --reason are in it: look before you send it.
    """
    place = session.where.find()
    async with session.client() as client:
        raw = await client.read("report", within_s=_READ_S)
    if place.token is not None and place.token in json.dumps(raw):
        raise OperateError(
            Exit.UNWELL,
            "the controller's report holds the token, which it must not: nothing was written; tell its authors",
        )
    session.output.document(raw)
    if session.output.as_json and file is None:
        return Exit.OK
    target = file or Path(f"memgraph-ha-report-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
    members = members_of(raw)
    content = json.dumps(raw, indent=1).encode() if target.suffix == ".json" else bundle(members)
    _write(target, content)
    drawn = table("file", "bytes", "what", right=("bytes",))
    for member in members:
        drawn.add_row(member.name, f"{len(member.content):,}", member.says)
    session.output.show(
        Text.assemble((f"{target}", "bold"), (f"  {len(content):,} bytes", QUIET)),
        drawn,
        Text("No token, password or account is in it. Names, addresses and your words are: look before you send it."),
    )
    return Exit.OK


def members_of(raw: Mapping[str, object]) -> list[Member]:
    """Take a report apart into files that people can read one by one.

    Args:
        raw: The API's report.
    """
    members = [
        Member(name=f"{part}.json", says=says, content=_json(raw[part])) for part, says in _PARTS.items() if part in raw
    ]
    log = raw.get("log")
    if isinstance(log, list):
        members.append(
            Member(name="controller.log", says=_LOG_SAYS, content="".join(f"{line}\n" for line in log).encode())
        )
    rest = {name: value for name, value in raw.items() if name not in _PARTS and name != "log"}
    members.append(Member(name="more.json", says="schema, time, and whatever else it said", content=_json(rest)))
    lines = "".join(f"{member.name:<18} {member.says}\n" for member in members)
    says = f"A report of memgraph-ha, written by memgraph-ha {__version__}.\n\n{lines}"
    return [Member(name="README.txt", says="this list", content=says.encode()), *members]


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def bundle(members: list[Member]) -> bytes:
    """Pack files into one ``.tar.gz`` with a folder at its root."""
    packed = io.BytesIO()
    now = int(time.time())
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for member in members:
            entry = tarfile.TarInfo(f"memgraph-ha-report/{member.name}")
            entry.size, entry.mode, entry.mtime = len(member.content), _PRIVATE, now
            archive.addfile(entry, io.BytesIO(member.content))
    return packed.getvalue()


def _write(target: Path, content: bytes) -> None:
    """Write it for our own eyes only.

    Raises:
        OperateError: It cannot be written.
    """
    try:
        with open(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "wb") as file:  # noqa: PTH123 - the mode
            file.write(content)
    except OSError as error:
        raise OperateError(Exit.USAGE, f"{target} cannot be written: {error.strerror}; give another with -o") from None
