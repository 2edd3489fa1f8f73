"""A bundle for a bug report, as files to read one by one: from the API's report, or from what is on disk."""

import io
import json
import platform
import sys
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha import __version__

LOG_LINES: Final = 500
"""How many of the log's last lines are taken from a dead controller's data directory."""

_PRIVATE: Final = 0o600
_MOST_LOG_BYTES: Final = 512 * 1024
_LEFT_OUT: Final = "left out"

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


def members_of_report(raw: Mapping[str, object]) -> list[Member]:
    """Take the API's report apart.

    Args:
        raw: The report.
    """
    members = [
        Member(name=f"{part}.json", says=says, content=_json(raw[part])) for part, says in _PARTS.items() if part in raw
    ]
    log = raw.get("log")
    if isinstance(log, list):
        lines = "".join(f"{line}\n" for line in log)
        members.append(Member(name="controller.log", says=_LOG_SAYS, content=lines.encode(errors="replace")))
    rest = {name: value for name, value in raw.items() if name not in _PARTS and name != "log"}
    members.append(Member(name="more.json", says="schema, time, and whatever else it said", content=_json(rest)))
    return _with_list(members, "")


def members_on_disk(data: Path, why: str) -> list[Member]:
    """Take what a dead controller left in its data directory: what tells why it is dead.

    Statements of triggers and the values of Memgraph's own flags can hold data or secrets: both are left out. The logs
    of the instances are not taken at all, for the same reason.

    Args:
        data: The data directory of a `memgraph-ha local`.
        why: Why the controller itself could not be asked.
    """
    versions = {"memgraph-ha": __version__, "python": sys.version.split()[0], "platform": platform.platform()}
    members = [
        Member(name="versions.json", says="of this command, Python and the platform", content=_json(versions)),
        _file(data / "cluster.json", "instances and ports"),
        _file(data / "record.json", "the record: who is MAIN"),
        _file(data / "lease.json", "which controller leads, or did"),
        Member(name="controller.log", says=_LOG_SAYS, content=_tail(data / "controller.log")),
    ]
    return _with_list(members, f"The controller could not be asked: {why}\n\n")


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


def _with_list(members: list[Member], before: str) -> list[Member]:
    lines = "".join(f"{member.name:<18} {member.says}\n" for member in members)
    says = f"A report of memgraph-ha, written by memgraph-ha {__version__}.\n\n{before}{lines}"
    return [Member(name="README.txt", says="this list", content=says.encode(errors="replace")), *members]


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def _file(path: Path, says: str) -> Member:
    """Take one of our own JSON files, redacted; one that cannot be read says why."""
    try:
        raw: object = json.loads(path.read_bytes())
    except OSError as error:
        raw = {"not read": error.strerror}
    except (ValueError, RecursionError) as error:
        raw = {"not read": f"it is no JSON: {type(error).__name__}", "bytes": path.stat().st_size}
    return Member(name=path.name, says=says, content=_json(_redacted(raw)))


def _redacted(raw: object) -> object:
    if not isinstance(raw, dict):
        return raw
    shown = dict(raw)
    if isinstance(shown.get("arguments"), list):
        shown["arguments"] = [f"{str(flag).partition('=')[0]}={_LEFT_OUT}" for flag in shown["arguments"]]
    if isinstance(shown.get("triggers"), list):
        shown["triggers"] = f"{len(shown['triggers'])}, {_LEFT_OUT}"
    return shown


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _MOST_LOG_BYTES))
            lines = file.read().splitlines(keepends=True)
    except OSError as error:
        return f"not read: {error.strerror}\n".encode()
    return b"".join(lines[-LOG_LINES:])
