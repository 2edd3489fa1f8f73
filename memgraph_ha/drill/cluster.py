"""A running `memgraph-ha local` as the drill sees it: a command, a directory, and processes with pids.

The drill starts it, reads the record's file and the notes of which process runs where, and at the end has it stopped
and looks whether anything is left. It never asks the controller.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from memgraph_ha.adapters.datadir import DataDir, DataDirError, open_data_dir
from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.adapters.ports_in_use import port_is_busy
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.adapters.process_os import ProcessHandle, ProcessIdentity, command_line, identify, pids
from memgraph_ha.core.names import Address, InstanceName
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Role
from memgraph_ha.drill.asking import ask_role
from memgraph_ha.drill.errors import DrillError

POLL_S: Final = 0.02
"""Pause between two looks at the record's file."""

STOP_MAX_S: Final = 30.0
"""How long ``local --stop`` may take; it grants the instances a graceful end."""

_EXIT_MAX_S: Final = 5.0
_OUTPUT_LINES: Final = 10
_LOG_LINES: Final = 12
_LINE_BYTES: Final = 600


class LocalCluster:
    """One `memgraph-ha local` and its processes.

    Resource handling: `start` starts processes; `stop` ends them all and must be called, also after a failure.

    Args:
        root: A directory of the drill's own; the data directory and what the controller prints go there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.data = self.root / "data"
        self._output = self.root / "local.out"
        self._process: trio.Process | None = None
        self._opened: DataDir | None = None
        self._store = FileRecordStore(self.data / "record.json", _boottime)
        self._seen: set[ProcessIdentity] = set()

    @property
    def specs(self) -> tuple[InstanceSpec, ...]:
        """The instances; empty as long as the controller has not described them.

        Raises:
            DrillError: What it wrote makes no sense.
        """
        if self._opened is None and (self.data / "cluster.json").exists():
            try:
                self._opened = open_data_dir(self.data)
            except DataDirError as error:
                raise DrillError(str(error)) from error
        return () if self._opened is None else self._opened.specs()

    @property
    def gateway(self) -> Address:
        """Where clients write.

        Raises:
            DrillError: The controller has not said so yet.
        """
        if not self.specs or self._opened is None:
            raise DrillError(f"there is no cluster in {self.data} yet")
        return Address(f"127.0.0.1:{self._opened.config.rw_port}")

    async def start(self, arguments: Sequence[str]) -> None:
        """Start the controller, in a session of its own: a ctrl-c is for the drill, which then stops it in order.

        Args:
            arguments: What follows ``memgraph-ha local --data DIR``.
        """
        with self._output.open("ab") as output:
            self._process = await trio.lowlevel.open_process(
                _command("local", "--data", str(self.data), *arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._note(identify(self._process.pid))

    def check(self) -> None:
        """Look whether the controller still runs.

        Raises:
            DrillError: It does not; its last words are in the text.
        """
        if self._process is None or self._process.returncode is not None:
            code = "was not started" if self._process is None else f"ended with exit code {self._process.returncode}"
            raise DrillError(f"the controller {code}\n{self.tail()}")

    async def record(self) -> Record | None:
        """Read the record; None if there is none that can be read now.

        Raises:
            DrillError: The controller has ended.
        """
        self.check()
        return (await self._store.read()).record

    async def roles(self) -> dict[InstanceName, Role | None]:
        """Ask every instance for its role, all at once; None for one that does not answer."""
        found: dict[InstanceName, Role | None] = {}

        async def ask(spec: InstanceSpec) -> None:
            found[spec.name] = await ask_role(spec)

        async with trio.open_nursery() as nursery:
            for spec in self.specs:
                nursery.start_soon(ask, spec)
        self._note_instances()
        return found

    def hold(self, name: InstanceName) -> ProcessHandle:
        """Take hold of the process that runs as an instance; the caller closes the handle.

        Raises:
            DrillError: None lives.
        """
        note = None if self._opened is None else self._opened.read_run(name)
        handle = None if note is None else ProcessHandle.open(note.process)
        if handle is None:
            raise DrillError(f"no process lives in the place of {name}\n{self.tail()}")
        self._note(handle.identity)
        return handle

    def tail(self) -> str:
        """Give the last lines of what the controller printed and logged, for messages."""
        said = _last_lines(self._output, _OUTPUT_LINES)
        return "\n".join((*said, *_last_lines(self.data / "controller.log", _LOG_LINES)))

    async def stop(self) -> tuple[str, ...]:
        """Have everything stopped by ``memgraph-ha local --stop``, and see to it that it is.

        Returns:
            A line for each process and port that was left; the processes are killed then.
        """
        if self._process is None:
            return ()
        self._note_instances()
        left = await self._stop_by_command() if self.specs else []
        if self._process.returncode is None:
            self._process.terminate()
        with trio.move_on_after(_EXIT_MAX_S):
            await self._process.wait()
        left.extend(await self._end_what_is_left())
        left.extend(f"port {port} is still in use" for port in self._ports() if port_is_busy(port))
        return tuple(left)

    async def _stop_by_command(self) -> list[str]:
        with trio.move_on_after(STOP_MAX_S):
            command = _command("local", "--data", str(self.data), "--stop")
            ended = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False)
            if ended.returncode:
                said = (ended.stderr or ended.stdout).decode(errors="replace").strip()
                return [f"`local --stop` ended with exit code {ended.returncode}: {said}"]
            return []
        return [f"`local --stop` did not end within {STOP_MAX_S:g} s"]

    async def _end_what_is_left(self) -> list[str]:
        left: list[str] = []
        for identity in sorted(self._seen | set(self._find_ours()), key=lambda one: one.start):
            handle = ProcessHandle.open(identity)
            if handle is None:
                continue
            left.append(f"process {identity.pid} was left running: {' '.join(command_line(identity.pid))}")
            handle.send(signal.SIGKILL)
            with trio.move_on_after(_EXIT_MAX_S):
                await handle.wait_ended()
            handle.close()
        if self._process is not None and left:
            with trio.move_on_after(_EXIT_MAX_S):
                await self._process.wait()  # reaped, if it was among them
        return left

    def _find_ours(self) -> list[ProcessIdentity]:
        """Find processes that work on our data directory, also those that no note names."""
        ours = {f"--data-directory={spec.data}" for spec in self.specs}
        found: list[ProcessIdentity] = []
        for pid in pids():
            arguments = command_line(pid)
            controls = any(pair == ("--data", str(self.data)) for pair in itertools.pairwise(arguments))
            identity = identify(pid) if controls or ours.intersection(arguments) else None
            if identity is not None:
                found.append(identity)
        return found

    def _ports(self) -> list[int]:
        if not self.specs or self._opened is None:
            return []
        instances = [port for spec in self.specs for _, port in spec.ports.named()]
        return [*(port for _, port in self._opened.config.gateways()), *instances]

    def _note_instances(self) -> None:
        notes = [self._opened.read_run(spec.name) for spec in self.specs] if self._opened is not None else []
        for note in notes:
            self._note(None if note is None else note.process)

    def _note(self, identity: ProcessIdentity | None) -> None:
        if identity is not None:
            self._seen.add(identity)


def _last_lines(path: Path, most: int) -> list[str]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most * _LINE_BYTES))
            lines = file.read().decode(errors="replace").splitlines()[-most:]
    except FileNotFoundError:
        return []  # it did not get so far
    return [f"{path} ends:", *(f"  {line}" for line in lines)]


def _command(*arguments: str) -> list[str]:
    """Run this very installation's command line; -P keeps modules of the working directory out."""
    return [sys.executable, "-P", "-m", "memgraph_ha", *arguments]


def _boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)
