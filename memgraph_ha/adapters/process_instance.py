"""One instance of `memgraph-ha local`: found or started, watched, buried, and started again."""

import contextlib
import enum
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from memgraph_ha.adapters.datadir import DataDir, DataDirError, RunNote
from memgraph_ha.adapters.files_atomic import Clock, NothingChangedError, locked
from memgraph_ha.adapters.process_argv import InstanceSpec, instance_argv
from memgraph_ha.adapters.process_os import ProcessHandle, ProcessIdentity, command_line, find_by_argument
from memgraph_ha.core.names import Incarnation, InstanceName

_START_LOCK_S: Final = 2.0
"""Another controller on this data directory holds the lock while it starts a process: milliseconds."""

_EXEC_LOOK_S: Final = 0.001

_EARLY_S: Final = 10.0
"""Who ended sooner never worked: its last words are shown."""

_TAIL_BYTES, _TAIL_LINES = 4096, 6

_MOST_LOG_BYTES: Final = 16 * 1024 * 1024
"""A longer log is put aside (one is kept) when the instance is started again."""


class EventKind(enum.Enum):
    """What happened to an instance's process."""

    STARTED = "started"
    ADOPTED = "adopted"
    ENDED = "ended"
    NOT_STARTED = "not started"


@frozen(kw_only=True)
class InstanceEvent:
    """Something that an operator wants to read.

    Attributes:
        at_s: When, on the platform's clock.
        instance: To whom.
        kind: What.
        detail: A sentence; for an early end with the last lines of the log.
    """

    at_s: float
    instance: InstanceName
    kind: EventKind
    detail: str


Notice = Callable[[InstanceEvent], None]
"""Where events go; returns at once."""


@frozen(kw_only=True)
class RestartPolicy:
    """How fast an instance that ended is started again, as a kubelet does it.

    Attributes:
        first_s: Pause after the first end.
        step_s: After the second; doubled after each further one.
        most_s: But never longer than this.
        reset_after_s: Who lived so long starts over with ``first_s``.
    """

    first_s: float = 0.0
    step_s: float = 0.1
    most_s: float = 10.0
    reset_after_s: float = 60.0

    def delay_s(self, ends: int) -> float:
        """Give the pause after so many ends in a row; an end that was asked for counts as none."""
        if ends <= 1:
            return self.first_s
        return min(self.most_s, self.step_s * 2.0 ** min(ends - 2, 30))


def incarnation_of(identity: ProcessIdentity) -> Incarnation:
    """Name a process for the core: pid, start time and boot."""
    return Incarnation(f"{identity.pid}:{identity.start}:{identity.boot}")


@frozen(kw_only=True)
class _Life:
    """A running process: our child, or one that an earlier controller started."""

    handle: ProcessHandle
    child: "subprocess.Popen[bytes] | None"
    began_s: float


class Instance:
    """The supervisor of one instance.

    Any number of controllers may supervise the same instance: who holds its start lock looks first whether one
    lives, and starts another only if not.

    Resource handling: while a process lives, one pidfd. Error handling: what prevents a start is told to ``notice``
    and tried again.

    Args:
        datadir: Where it lives.
        spec: What it is.
        clock: Seconds on CLOCK_BOOTTIME.
        restart: How fast it is started again.
        changed: Called at once when its incarnation changes.
        notice: Called with what an operator wants to read.
    """

    def __init__(
        self,
        datadir: DataDir,
        spec: InstanceSpec,
        *,
        clock: Clock,
        restart: RestartPolicy,
        changed: Callable[[], None],
        notice: Notice,
    ) -> None:
        self.spec = spec
        self._datadir = datadir
        self._clock = clock
        self._restart = restart
        self._changed = changed
        self._notice = notice
        self._life: _Life | None = None
        self._starting = trio.Lock()
        self._asked_to_end: ProcessIdentity | None = None
        self._retired = False
        self._log_from = 0

    @property
    def process(self) -> ProcessIdentity | None:
        """The process that lives here, as far as is known; None if there is none."""
        return None if self._life is None else self._life.handle.identity

    async def ensure(self, *, start: bool = True) -> bool:
        """Have a living process here: the one that lives, or a new one.

        Args:
            start: Whether to start one if there is none.

        Returns:
            Whether one was started now.

        Raises:
            OSError: It could not be started.
            DataDirError: Its place cannot be prepared.
            NothingChangedError: Another controller is starting it and does not come to an end.
        """
        async with self._starting:
            if self._life is not None or self._retired:
                return False
            # Not abandoned when cancelled: a process that was started unseen would be nobody's.
            life = await trio.to_thread.run_sync(self._find_or_start, start)
            if life is None:
                return False
            self._life = life
        identity = life.handle.identity
        kind = EventKind.ADOPTED if life.child is None else EventKind.STARTED
        self._tell(kind, f"pid {identity.pid}, Bolt {self.spec.bolt}, replication {self.spec.replication}")
        self._changed()
        return life.child is not None

    async def supervise(self) -> None:
        """Keep a process alive here, for ever."""
        ends = 0
        while not self._retired:
            try:
                await self.ensure()
            except (OSError, DataDirError, NothingChangedError) as error:
                self._tell(EventKind.NOT_STARTED, str(error))
                ends += 1
            else:
                life = self._life
                if life is not None:
                    await life.handle.wait_ended()
                    ends = self._count(life, ends)
                    self._bury(life, f"next start in {self._restart.delay_s(ends):g} s")
            await trio.sleep(self._restart.delay_s(ends))
        await trio.sleep_forever()

    async def kill(self, incarnation: Incarnation, *, within_s: float) -> bool:
        """End that incarnation, and whatever it started, by SIGKILL.

        Returns:
            Whether nothing of it lives any more, after ``within_s`` at the latest.

        Raises:
            PermissionError: It runs as somebody else.
        """
        life = self._life
        if life is None or incarnation_of(life.handle.identity) != incarnation:
            return True
        self._asked_to_end = life.handle.identity
        # A hold of its own: the supervisor lets go of the life's as soon as it has ended.
        handle = ProcessHandle.open(life.handle.identity)
        gone: list[bool] = []

        async def mates() -> None:
            work = life.handle.kill_session_mates
            with contextlib.suppress(PermissionError):
                gone.append(await trio.to_thread.run_sync(work, within_s, abandon_on_cancel=True))

        try:
            if handle is not None:
                handle.send(signal.SIGKILL)
            with trio.move_on_after(within_s) as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(mates)
                    if handle is not None:
                        nursery.start_soon(handle.wait_ended)
        finally:
            if handle is not None:
                handle.close()
        return not scope.cancelled_caught and gone == [True]

    async def retire(self) -> None:
        """Start nothing here any more; what lives stays."""
        self._retired = True
        async with self._starting:
            return

    def bury_if_ended(self) -> None:
        """Take note that the process ended, where nobody supervises any more."""
        if self._life is not None and self._life.handle.ended:
            self._bury(self._life, "not started again")

    def last_words(self) -> str:
        """Give the last lines that the present or last process wrote; empty if none."""
        return _tail(self.spec.log, self._log_from)

    def _find_or_start(self, start: bool) -> _Life | None:
        began_s = self._clock()
        self._datadir.prepare(self.spec)
        lock = self.spec.place / "start.lock"
        with locked(lock, clock=self._clock, until_s=began_s + _START_LOCK_S):
            handle = self._find()
            if handle is not None:
                return _Life(handle=handle, child=None, began_s=began_s)
            return self._start(began_s) if start else None

    def _find(self) -> ProcessHandle | None:
        note = self._datadir.read_run(self.spec.name)
        if note is not None:
            handle = ProcessHandle.open(note.process)
            if handle is not None and self.spec.data_argument in command_line(note.process.pid):
                return handle
            if handle is not None:
                handle.close()
        # A controller that was killed between starting a process and writing down which leaves it unnamed.
        for identity in find_by_argument(self.spec.data_argument):
            handle = ProcessHandle.open(identity)
            if handle is not None:
                self._write_down(identity, command_line(identity.pid))
                return handle
        return None

    def _start(self, began_s: float) -> _Life:
        argv = instance_argv(self._datadir.config.binary, self.spec)
        log = self.spec.log
        if log.exists() and log.stat().st_size > _MOST_LOG_BYTES:
            log.replace(log.with_name(log.name + ".1"))
        with log.open("ab") as output:
            self._log_from = os.fstat(output.fileno()).st_size
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.spec.place,
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
        return _Life(handle=handle, child=child, began_s=began_s)

    def _write_down(self, identity: ProcessIdentity, argv: tuple[str, ...]) -> None:
        # A full disk is no reason not to run: the process is found again by its arguments.
        with contextlib.suppress(OSError):
            self._datadir.write_run(self.spec.name, RunNote(process=identity, argv=argv))

    def _count(self, life: _Life, ends: int) -> int:
        if life.handle.identity == self._asked_to_end:
            return 0
        return 1 if self._clock() - life.began_s >= self._restart.reset_after_s else ends + 1

    def _bury(self, life: _Life, then: str) -> None:
        if self._life is not life:
            return
        words = self.last_words() if self._clock() - life.began_s < _EARLY_S else ""
        asked = " as asked" if life.handle.identity == self._asked_to_end else ""
        self._life = None
        self._changed()
        life.handle.close()
        how = "its exit status is unknown: another controller started it"
        if life.child is not None:
            how = describe_exit(life.child.wait())  # returns at once: it has ended
        said = f"; its last words: {words}" if words and not asked else ""
        self._tell(EventKind.ENDED, f"pid {life.handle.identity.pid} ended{asked} ({how}), {then}{said}")

    def _tell(self, kind: EventKind, detail: str) -> None:
        self._notice(InstanceEvent(at_s=self._clock(), instance=self.spec.name, kind=kind, detail=detail))


def describe_exit(code: int) -> str:
    """Say how a child ended: its exit status, or the signal that ended it."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _tail(path: Path, start: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(start, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-_TAIL_LINES:])
