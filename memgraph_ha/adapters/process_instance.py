"""One instance of `memgraph-ha local`: found or started, watched, buried, and started again."""

import contextlib
import functools
import os
import signal
import subprocess
from collections.abc import Callable
from typing import Final

import trio
from attrs import frozen

from memgraph_ha.adapters.datadir import DataDir, DataDirError, RunNote
from memgraph_ha.adapters.files_atomic import Clock, NothingChangedError, locked
from memgraph_ha.adapters.process_argv import InstanceSpec, instance_argv
from memgraph_ha.adapters.process_events import (
    EventKind,
    InstanceEvent,
    Notice,
    RestartPolicy,
    describe_exit,
    last_lines,
)
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

_EARLY_S: Final = 10.0
"""Who ended sooner never worked: its last words are shown."""

_MOST_LOG_BYTES: Final = 16 * 1024 * 1024
"""A longer log is put aside (one is kept) when the instance is started again."""


@frozen(kw_only=True)
class _Life:
    """A running process: our child, or one that an earlier controller started."""

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
        self._rebuild = Rebuild(spec, clock)

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
        if life.rebuilt:
            self._tell(EventKind.REBUILT, life.rebuilt)
        kind = EventKind.ADOPTED if life.child is None else EventKind.STARTED
        self._tell(kind, f"pid {identity.pid}, Bolt {self.spec.bolt}, replication {self.spec.replication}")
        self._changed()
        return life.child is not None

    async def supervise(self) -> None:
        """Keep a process alive here until it is retired."""
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

    async def rebuild(self, incarnation: Incarnation, generation: int, *, within_s: float) -> Rebuilt:
        """End that incarnation and put aside what it stored; whoever supervises starts it with nothing.

        Args:
            incarnation: Which; also one that ended already, if none was started since.
            generation: The reign that it is for.
            within_s: How long the end of the process is waited for.
        """
        async with self._starting:
            if self._retired:
                return Rebuilt(outcome=Outcome.REFUSED, detail=f"{self.spec.name} is not started any more")
            work = functools.partial(self._put_aside, incarnation, generation, within_s)
            # Not abandoned when cancelled: what is begun is finished, and no start may come in between.
            ended = await trio.to_thread.run_sync(work)
        if ended.outcome is Outcome.DONE:
            self._tell(EventKind.REBUILT, ended.detail)
        return ended

    async def retire(self) -> None:
        """Start nothing here any more; what lives stays."""
        self._retired = True
        async with self._starting:
            return

    def bury_if_ended(self) -> None:
        """Take note that the process ended, where nobody supervises any more."""
        if self._life is not None and self._life.handle.ended:
            self._bury(self._life, "not started again")

    def kept(self) -> Kept:
        """Measure what rebuilds put aside; blocks."""
        return self._rebuild.kept()

    def last_words(self) -> str:
        """Give the last lines that the present or last process wrote; empty if none."""
        return last_lines(self.spec.log, self._log_from)

    def _find_or_start(self, start: bool) -> _Life | None:
        began_s = self._clock()
        if start and not self._datadir.is_member(self.spec.name):
            # Another controller removed it while this one stood still: what it left must not come back to life.
            raise DataDirError(f"{self.spec.name} is no member of {self._datadir.path} any more")
        self._datadir.prepare(self.spec)
        with self._start_lock(began_s):
            handle = self._find()
            if handle is not None and self._rebuild.is_ordered() and handle.ended_within(_DYING_S):
                handle.close()
                handle = self._find()
            if handle is not None:
                # It lives, so nothing was moved: whoever ordered that orders it again, on evidence of today.
                self._rebuild.withdraw()
                return _Life(handle=handle, child=None, began_s=began_s)
            if not start:
                return None
            last = self._datadir.read_run(self.spec.name)
            rebuilt = self._rebuild.finish(None if last is None else incarnation_of(last.process))
            return self._start(began_s, rebuilt)

    def _start_lock(self, began_s: float) -> "contextlib.AbstractContextManager[int]":
        return locked(self.spec.place / "start.lock", clock=self._clock, until_s=began_s + _START_LOCK_S)

    def _put_aside(self, incarnation: Incarnation, generation: int, within_s: float) -> Rebuilt:
        """Do `rebuild` under the start lock; blocks."""
        begun = False
        try:
            with self._start_lock(self._clock()), contextlib.ExitStack() as stack:
                living = self._find()
                if living is not None:
                    stack.callback(living.close)
                last = self._last_process(living)
                if last is None or incarnation_of(last) != incarnation:
                    return self._refuse_other(incarnation, last)
                self._rebuild.order(incarnation, generation)
                begun = True
                self._asked_to_end = last
                if not self._is_ended(living, within_s):
                    why = f"{self.spec.name} (pid {last.pid}) is still there after {within_s:g} s"
                    return Rebuilt(outcome=Outcome.UNKNOWN, detail=f"{why}; its data is put aside when it has ended")
                return Rebuilt(outcome=Outcome.DONE, detail=self._rebuild.finish(incarnation))
        except (OSError, DataDirError, NothingChangedError) as error:
            then = "it is finished before the next start" if begun else "nothing was touched"
            outcome = Outcome.UNKNOWN if begun else Outcome.REFUSED
            return Rebuilt(outcome=outcome, detail=f"{self.spec.name} in {self.spec.place}: {error}; {then}")

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
        note = self._datadir.read_run(self.spec.name)
        noted = None if note is None else note.process
        if living is None or living.identity == noted:
            return noted
        argv = command_line(living.identity.pid)
        self._datadir.write_run(self.spec.name, RunNote(process=living.identity, argv=argv))
        return living.identity

    def _refuse_other(self, incarnation: Incarnation, last: ProcessIdentity | None) -> Rebuilt:
        if self._rebuild.was_done(incarnation):
            return Rebuilt(outcome=Outcome.DONE, detail="it was done before")
        who = "nobody" if last is None else incarnation_of(last)
        return Rebuilt(outcome=Outcome.REFUSED, detail=f"{self.spec.name} is {who} by now, not {incarnation}")

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

    def _start(self, began_s: float, rebuilt: str) -> _Life:
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
        return _Life(handle=handle, child=child, began_s=began_s, rebuilt=rebuilt)

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
