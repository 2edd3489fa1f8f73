"""What is checked before instances are started, so that the operator reads the cause and not its consequences."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import trio

from memgraph_ha.adapters.ports_in_use import lock_holder, port_holder, port_is_busy
from memgraph_ha.adapters.process_argv import LOOPBACK, InstanceSpec

_VERSION_WITHIN_S: Final = 10.0
_SHOWN: Final = 400

_VERSION_LINE: Final = re.compile(r"(\S+ version )?v?\d+\.\d+\.\d+\S*")
"""gflags prints ``<program> version <version>``, whatever the file is called."""


class StartError(Exception):
    """The instances cannot be started: names what is wrong, where, and the way out.

    Args:
        text: That.
        logs: Where more is said.
    """

    def __init__(self, text: str, logs: tuple[Path, ...] = ()) -> None:
        super().__init__(text)
        self.logs = logs


async def check_binary(binary: str) -> None:
    """Check that a file is there, may be executed, and says of itself that it is a Memgraph.

    Args:
        binary: Its path.

    Raises:
        StartError: It is not.
    """
    way_out = "give the path of a memgraph binary with --memgraph, or leave that out for the bundled fake"
    path = Path(binary)
    if not path.exists():  # noqa: ASYNC240 - one stat, before anything runs
        raise StartError(f"there is no {binary}; {way_out}")
    if not path.is_file() or not os.access(path, os.X_OK):  # noqa: ASYNC240 - likewise
        raise StartError(f"{binary} is not a file that user {os.geteuid()} may execute; chmod it, or {way_out}")
    try:
        with trio.fail_after(_VERSION_WITHIN_S):
            done = await trio.run_process([binary, "--version"], capture_stdout=True, capture_stderr=True, check=False)
    except trio.TooSlowError:
        raise StartError(f"`{binary} --version` did not end in {_VERSION_WITHIN_S:g} s; {way_out}") from None
    except OSError as error:
        raise StartError(f"{binary} cannot be executed ({error.strerror}); {way_out}") from error
    said = (done.stdout + done.stderr).decode(errors="replace").strip()
    shown = said[:_SHOWN] or "nothing"
    if done.returncode != 0:
        raise StartError(f"`{binary} --version` failed ({done.returncode}) and said: {shown}; {way_out}")
    if "memgraph" not in said.lower() and not _VERSION_LINE.fullmatch(said.partition("\n")[0]):
        raise StartError(f"{binary} is no Memgraph: `--version` says {shown!r}; {way_out}")


def check_ports(specs: Iterable[InstanceSpec]) -> None:
    """Check that nobody listens on a port of these instances.

    Raises:
        StartError: Names each busy port, whose it would be, and who holds it if that can be seen.
    """
    busy = [
        f"port {port} ({spec.name}'s {purpose}) is in use{_by(port)}"
        for spec in specs
        for purpose, port in spec.ports.named()
        if _taken(port, spec, purpose)
    ]
    if busy:
        raise StartError(f"{'; '.join(busy)}: end that, or make a cluster with other ports in another --data directory")


def check_data(specs: Iterable[InstanceSpec]) -> None:
    """Check that no stranger uses the data directories of these instances.

    Raises:
        StartError: Names the directory and who uses it.
    """
    for spec in specs:
        # Memgraph holds a lock on this file as long as it runs (src/memgraph.cpp), and will not share.
        holder = lock_holder(spec.data / ".lock")
        if holder is not None:
            raise StartError(f"{spec.data} is in use by {holder}: end that, or use another --data directory")


def _taken(port: int, spec: InstanceSpec, purpose: str) -> bool:
    try:
        return port_is_busy(port, LOOPBACK)
    except OSError as error:
        raise StartError(
            f"port {port} ({spec.name}'s {purpose}) cannot be used ({error.strerror}); choose another"
        ) from error


def _by(port: int) -> str:
    holder = port_holder(port)
    return "" if holder is None else f" by {holder}"
