"""One instance of `memgraph-ha local`: watched, buried, and started again."""

import contextlib
import signal
from collections.abc import Callable
from typing import Final

import trio

from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.files_atomic import Clock, NothingChangedError
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.adapters.process_events import EventKind, InstanceEvent, Notice, RestartPolicy, describe_exit
from memgraph_ha.adapters.process_os import ProcessHandle, ProcessIdentity, incarnation_of
from memgraph_ha.adapters.process_place import Life, Place, Rebuilt
from memgraph_ha.adapters.process_rebuild import Kept
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import Incarnation

_EARLY_S: Final = 10.0
"""Who ended sooner never worked: its last words are shown."""


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
        self._clock = clock
        self._restart = restart
        self._changed = changed
        self._notice = notice
        self._life: Life | None = None
        self._starting = trio.Lock()
        self._asked_to_end: Incarnation | None = None
        self._retired = False
        self._hurry = trio.Event()
        self._place = Place(datadir, spec, clock)

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
            life = await trio.to_thread.run_sync(self._place.find_or_start, start)
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
            with trio.move_on_after(self._restart.delay_s(ends)):
                await self._hurry.wait()
                ends, self._hurry = 0, trio.Event()

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
        self._asked_to_end = incarnation
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
            asked_before, self._asked_to_end = self._asked_to_end, incarnation
            # Not abandoned when cancelled: what is begun is finished, and no start may come in between.
            ended = await trio.to_thread.run_sync(self._place.put_aside, incarnation, generation, within_s)
        if ended.outcome is Outcome.REFUSED:
            self._asked_to_end = asked_before
        if ended.outcome is Outcome.DONE:
            self._tell(EventKind.REBUILT, ended.detail)
            self._hurry.set()  # what made it end again and again is put aside
        return ended

    async def retire(self) -> None:
        """Start nothing here any more; what lives stays."""
        self._retired = True
        self._hurry.set()
        async with self._starting:
            return

    def bury_if_ended(self) -> None:
        """Take note that the process ended, where nobody supervises any more."""
        if self._life is not None and self._life.handle.ended:
            self._bury(self._life, "not started again")

    def kept(self) -> Kept:
        """Measure what rebuilds put aside; blocks."""
        return self._place.kept()

    def last_words(self) -> str:
        """Give the last lines that the present or last process wrote; empty if none."""
        return self._place.last_words()

    def _count(self, life: Life, ends: int) -> int:
        if self._was_asked_to_end(life):
            return 0
        return 1 if self._clock() - life.began_s >= self._restart.reset_after_s else ends + 1

    def _was_asked_to_end(self, life: Life) -> bool:
        return incarnation_of(life.handle.identity) == self._asked_to_end

    def _bury(self, life: Life, then: str) -> None:
        if self._life is not life:
            return
        words = self.last_words() if self._clock() - life.began_s < _EARLY_S else ""
        asked = " as asked" if self._was_asked_to_end(life) else ""
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
