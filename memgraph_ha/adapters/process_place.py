"""The place of one instance: the process in it found or started, and its data put aside. All of it blocks."""

import contextlib
import os
import subprocess
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.datadir import DataDir, DataDirError, RunNote
from memgraph_ha.adapters.files_atomic import Clock, NothingChangedError, locked
from memgraph_ha.adapters.process_argv import InstanceSpec, instance_argv
from memgraph_ha.adapters.process_events import last_lines
from memgraph_ha.adapters.process_os import (
    ProcessHandle,
    ProcessIdentity,
    command_line,
    find_by_argument,
    incarnation_of,
)
from memgraph_ha.adapters.process_rebuild import Kept, Rebuild
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import Incarnation

_START_LOCK_S: Final = 2.0
"""Another controller on this data directory holds the lock while it starts a process: milliseconds."""

_EXEC_LOOK_S: Final = 0.001

_DYING_S: Final = 0.5
"""Whose rebuild was begun by a controller that is gone may have been killed a moment ago."""

_MOST_LOG_BYTES: Final = 16 * 1024 * 1024
"""A longer log is put aside (one is kept) when the instance is started again."""


@frozen(kw_only=True)
class Life:
    """A running process: our child, or one that an earlier controller started.

    Attributes:
        handle: A hold on it.
        child: Our child; None if it is another controller's.
        began_s: When it was found or started, on the controller's clock.
        rebuilt: What was put aside before it was started, as a sentence; empty if nothing was.
    """

    handle: ProcessHandle
    child: "subprocess.Popen[bytes] | None"
    began_s: float
    rebuilt: str = ""


@frozen(kw_only=True)
class Rebuilt:
    """How an attempt to rebuild an instance ended.

    Attributes:
        outcome: ``DONE``: its data is aside. ``REFUSED``: nothing was touched. ``UNKNOWN``: it is begun, and finished
            before the next start.
        detail: A sentence.
    """

    outcome: Outcome
    detail: str


class Place:
    """Where one instance lives.

    Any number of controllers may use the same place: who holds its start lock looks first whether a process lives
    there, and starts another only if not.

    Args:
        datadir: The cluster.
        spec: The instance.
        clock: Seconds on CLOCK_BOOTTIME.
    """

    def __init__(self, datadir: DataDir, spec: InstanceSpec, clock: Clock) -> None:
        self._datadir, self._spec, self._clock = datadir, spec, clock
        self._rebuild = Rebuild(spec, clock)
        self._log_from = 0

    def kept(self) -> Kept:
        """Measure what rebuilds put aside."""
        return self._rebuild.kept()

    def last_words(self) -> str:
        """Give the last lines that the present or last process wrote; empty if none."""
        return last_lines(self._spec.log, self._log_from)

    def find_or_start(self, start: bool) -> Life | None:
        """Find the process that lives here, or start one; what was ordered to be put aside is so before.

        Args:
            start: Whether to start one if there is none.

        Raises:
            OSError: It could not be started.
            DataDirError: The place cannot be prepared, or is no member's any more.
            NothingChangedError: Another controller is starting it and does not come to an end.
        """
        began_s = self._clock()
        if start and not self._datadir.is_member(self._spec.name):
            # Another controller removed it while this one stood still: what it left must not come back to life.
            raise DataDirError(f"{self._spec.name} is no member of {self._datadir.path} any more")
        self._datadir.prepare(self._spec)
        with self._start_lock(began_s):
            handle = self._find()
            if handle is not None and self._rebuild.is_ordered() and handle.ended_within(_DYING_S):
                handle.close()
                handle = self._find()
            if handle is not None:
                # It lives, so nothing was moved: whoever ordered that orders it again, on evidence of today.
                with contextlib.ExitStack() as undo:
                    undo.callback(handle.close)
                    self._rebuild.withdraw()
                    undo.pop_all()
                return Life(handle=handle, child=None, began_s=began_s)
            if not start:
                return None
            last = self._datadir.read_run(self._spec.name)
            rebuilt = self._rebuild.finish(None if last is None else incarnation_of(last.process))
            return self._start(began_s, rebuilt)

    def _start_lock(self, began_s: float) -> "contextlib.AbstractContextManager[int]":
        return locked(self._spec.place / "start.lock", clock=self._clock, until_s=began_s + _START_LOCK_S)

    def put_aside(self, incarnation: Incarnation, generation: int, within_s: float) -> Rebuilt:
        """End that incarnation and put aside what it stored, under the start lock.

        Args:
            incarnation: Which; also one that ended already, if none was started since.
            generation: The reign that it is for.
            within_s: How long the end of the process is waited for.
        """
        try:
            with self._start_lock(self._clock()), contextlib.ExitStack() as stack:
                living = self._find()
                if living is not None:
                    stack.callback(living.close)
                last = self._last_process(living)
                if last is None or incarnation_of(last) != incarnation:
                    return self._refuse_other(incarnation, last)
                self._rebuild.order(incarnation, generation)
                if not self._is_ended(living, within_s):
                    why = f"{self._spec.name} (pid {last.pid}) is still there after {within_s:g} s"
                    return Rebuilt(outcome=Outcome.UNKNOWN, detail=f"{why}; its data is put aside when it has ended")
                return Rebuilt(outcome=Outcome.DONE, detail=self._rebuild.finish(incarnation))
        except (OSError, DataDirError, NothingChangedError) as error:
            begun = self._rebuild.is_ordered()
            then = "it is finished before the next start" if begun else "nothing was touched"
            outcome = Outcome.UNKNOWN if begun else Outcome.REFUSED
            return Rebuilt(outcome=outcome, detail=f"{self._spec.name} in {self._spec.place}: {error}; {then}")

    def _is_ended(self, living: ProcessHandle | None, within_s: float) -> bool:
        """End who lives here; False if it, or anybody else on its data, is still there after so long.

        Raises:
            PermissionError: It runs as somebody else. The order is withdrawn: it may go on for long.
        """
        try:
            gone = living is None or living.kill_and_wait(within_s)
        except PermissionError:
            self._rebuild.withdraw()
            raise
        return gone and self._rebuild.is_free()

    def _last_process(self, living: ProcessHandle | None) -> ProcessIdentity | None:
        """Give the process that lives here or ended here last, and have it written down.

        Raises:
            OSError: It lives and cannot be written down: nobody could tell later whose data it was.
        """
        note = self._datadir.read_run(self._spec.name)
        if living is not None and (note is None or note.process != living.identity):
            note = RunNote(process=living.identity, argv=command_line(living.identity.pid))
        if note is None:
            return None
        # Synced with the order: after a power cut the two must still agree, or a half-done one would be withdrawn.
        self._datadir.write_run(self._spec.name, note, durable=True)
        return note.process

    def _refuse_other(self, incarnation: Incarnation, last: ProcessIdentity | None) -> Rebuilt:
        if self._rebuild.was_done(incarnation):
            return Rebuilt(outcome=Outcome.DONE, detail="it was done before")
        who = "nobody" if last is None else incarnation_of(last)
        return Rebuilt(outcome=Outcome.REFUSED, detail=f"{self._spec.name} is {who} by now, not {incarnation}")

    def _find(self) -> ProcessHandle | None:
        note = self._datadir.read_run(self._spec.name)
        if note is not None:
            handle = ProcessHandle.open(note.process)
            if handle is not None and self._spec.data_argument in command_line(note.process.pid):
                return handle
            if handle is not None:
                handle.close()
        # A controller that was killed between starting a process and writing down which leaves it unnamed.
        for identity in find_by_argument(self._spec.data_argument):
            handle = ProcessHandle.open(identity)
            if handle is not None:
                self._write_down(identity, command_line(identity.pid))
                return handle
        return None

    def _start(self, began_s: float, rebuilt: str) -> Life:
        argv = instance_argv(self._datadir.config.binary, self._spec)
        log = self._spec.log
        if log.exists() and log.stat().st_size > _MOST_LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
        with log.open("ab") as output:
            self._log_from = os.fstat(output.fileno()).st_size
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._spec.place,
                start_new_session=True,  # it outlives this controller, and ctrl-c is not for it
            )
        try:
            handle = ProcessHandle.of_child(child.pid)
        except OSError:
            child.kill()
            child.wait()
            raise
        # For a moment after exec a process shows no arguments; under the lock nobody can miss it by that.
        while not command_line(child.pid) and not handle.ended_within(_EXEC_LOOK_S):
            continue
        self._write_down(handle.identity, tuple(argv))
        return Life(handle=handle, child=child, began_s=began_s, rebuilt=rebuilt)

    def _write_down(self, identity: ProcessIdentity, argv: tuple[str, ...]) -> None:
        try:
            self._datadir.write_run(self._spec.name, RunNote(process=identity, argv=argv))
        except OSError:
            # A full disk is no reason not to run: the process is found again by its arguments. But nobody may take
            # its data for that of the process before it.
            self._datadir.forget_run(self._spec.name)
