"""The lease of `memgraph-ha local`: which of several controllers on one data directory leads.

The rule is that of Kubernetes: expiry is judged by when *this* process last saw the lease change, on its own clock,
never by a time that somebody wrote. One short cut is added, for all of this happens on one machine: a lease whose
holder's process is gone is taken at once. That is safe, because a process that is gone relays nothing: the kernel
closed its sockets before it could be seen as ended (`ProcessHandle.ended`). It holds only for a holder that this
process could see at all (same boot, same pid name space); any other is waited for.
"""

import secrets
from pathlib import Path
from typing import Final

import structlog
import trio
from attrs import evolve, frozen

from memgraph_ha.adapters.files_atomic import (
    AtomicFile,
    Clock,
    ForeignFileError,
    NothingChangedError,
    Swap,
    in_thread,
)
from memgraph_ha.adapters.files_lease_note import Claim, LeaseNote, Sight, may_take, see
from memgraph_ha.adapters.ports import Report
from memgraph_ha.adapters.process_os import own_identity
from memgraph_ha.core.facts import Fact, LeaseSeen
from memgraph_ha.core.policy import Policy

_LOOK_S: Final = 0.1
"""Pause between two looks at somebody else's lease: bounds how long a killed holder goes unnoticed."""

_RETRY_S: Final = 0.2
"""Pause after a renewal that failed."""

_SLEEP_S: Final = 0.5
"""Longest sleep of a holder; sleeps do not count a suspended machine, so the clock is read at least so often."""

_TROUBLE: Final = (OSError, ForeignFileError, NothingChangedError, trio.TooSlowError)

_log = structlog.get_logger()


@frozen(kw_only=True)
class _Held:
    """A term of ours: ``sent_s`` is when its last renewal was sent, the rest as in `LeaseSeen`."""

    note: LeaseNote
    sent_s: float
    since_s: float
    clean: bool

    @property
    def until_s(self) -> float:
        return self.sent_s + self.note.duration_s


class FileLease:
    """Implements `Lease` on one file, for any number of processes on one machine.

    Error handling: nothing is raised. A renewal that fails leaves the term's end where it was and is tried again
    every 0.2 s; trouble is logged when it changes. Resource handling: file work runs in worker threads of its own
    (at most four), each waited for until policy ``command_deadline_s``.

    Args:
        path: The lease's file; its directory must exist. ``<path>.lock`` is made beside it and must stay: it is
            how a removed lease is told from one that never was.
        holder: The name of this controller, for people.
        policy: ``lease_duration_s``, ``lease_renew_s``, ``command_deadline_s``.
        clock: Seconds on CLOCK_BOOTTIME.
        floor: The highest generation known so far.
    """

    def __init__(self, path: Path, *, holder: str, policy: Policy, clock: Clock, floor: int = 0) -> None:
        self._file = AtomicFile(path, clock)
        self._holder = holder
        self._policy = policy
        self._clock = clock
        self._floor = floor
        self._session = secrets.token_hex(8)
        self._process = own_identity()
        self._limiter = trio.CapacityLimiter(4)
        self._busy = trio.Lock()
        self._wake = trio.Event()
        self._held: _Held | None = None
        self._tried_s = clock()
        self._rest_until_s = clock()
        self._watched: tuple[str | None, float] | None = None
        self._other: str | None = None
        self._report: Report = _forget
        self._said = ""

    @property
    def leader(self) -> str | None:
        """Who holds the lease, as last read; a holder that died is named until another took it."""
        return self._holder if self._held is not None else self._other

    async def campaign(self, report: Report) -> None:
        """Gain, renew, lose and regain the lease for ever; one task at a time.

        Reports at once, then every gain, renewal and loss. ``until_s`` counts from before the renewal was written,
        ``since_s`` from after the term's first write was done.
        """
        self._report = report
        self._tell()
        while True:
            async with self._busy:
                held = self._held
                pause_s = await (self._seek() if held is None else self._keep(held))
            with trio.move_on_after(pause_s):
                await self._wake.wait()
            self._wake = trio.Event()

    def raise_floor(self, generation: int) -> None:
        """Carry the highest generation seen into the lease; if it is ours, by a renewal now."""
        if generation > self._floor:
            self._floor = generation
            self._wake.set()

    async def release(self) -> None:
        """Give the lease back, if held; only after the gateways are cut. Ends within twice ``command_deadline_s``.

        A campaign that is still running then waits one ``lease_renew_s``, so that another may lead.
        """
        async with self._busy:
            held, self._held, self._watched = self._held, None, None
            self._rest_until_s = self._clock() + self._policy.lease_renew_s
            if held is None:
                return
            try:
                sight = await self._look(self._policy.command_deadline_s)
                if self._is_ours(sight):
                    await self._swap(evolve(held.note, released=True, floor=self._floor), sight, self._deadline_s())
            except _TROUBLE as error:
                self._say(error)
        _log.info("lease.released", holder=self._holder, term=held.note.term)
        self._tell()
        self._wake.set()

    async def _seek(self) -> float:
        """Look whether the lease may be taken, and take it. Returns how long to wait before the next look, s."""
        try:
            sight = await self._look(self._policy.command_deadline_s)
            now_s = self._clock()
            if self._watched is None or self._watched[0] != sight.token:
                self._watched = (sight.token, now_s)
            unchanged_s = now_s - self._watched[1]
            claim = may_take(sight, unchanged_s=unchanged_s, session=self._session, policy=self._policy)
            if claim is not None and now_s >= self._rest_until_s:
                await self._take(sight, claim)
            self._say(None)
        except _TROUBLE as error:
            self._say(error)
        return _LOOK_S if self._held is None else 0.0

    async def _take(self, sight: Sight, claim: Claim) -> None:
        sent_s = self._clock()
        note = LeaseNote(
            holder=self._holder,
            session=self._session,
            process=self._process,
            term=1 if sight.note is None else sight.note.term + 1,
            renewals=0,
            duration_s=self._policy.lease_duration_s,
            floor=self._floor,
            released=False,
            clean=claim.clean,
        )
        swap = await self._swap(note, sight, self._deadline_s())
        since_s = self._clock()
        # We may have stood still in between: then others may have counted our term down already.
        if swap.done and since_s < sent_s + note.duration_s:
            self._held = _Held(note=note, sent_s=sent_s, since_s=since_s, clean=claim.clean)
            _log.info("lease.gained", holder=self._holder, term=note.term, clean=claim.clean, why=claim.why)
            self._tell()

    async def _keep(self, held: _Held) -> float:
        """Renew when it is time. Returns how long to wait, s."""
        now_s = self._clock()
        if now_s >= held.until_s:
            return self._lose("it ran out")
        due_s = held.sent_s + self._policy.lease_renew_s if self._floor <= held.note.floor else now_s
        due_s = max(due_s, self._tried_s + _RETRY_S)
        if now_s < due_s:
            return min(due_s - now_s, held.until_s - now_s, _SLEEP_S)
        self._tried_s = now_s
        try:
            sight = await self._look(held.until_s - now_s)
            if sight.note is not None and not self._is_ours(sight):
                return self._lose(f"{sight.note.holder} holds it")
            done = await self._renew(held, sight, now_s)
            self._say(None)
        except _TROUBLE as error:
            self._say(error)
            done = False
        return 0.0 if done else _RETRY_S

    async def _renew(self, held: _Held, sight: Sight, sent_s: float) -> bool:
        """Write our note again, also where somebody removed or overwrote it while the term runs."""
        settled = held.clean or sent_s >= held.since_s + held.note.duration_s
        note = evolve(held.note, renewals=held.note.renewals + 1, floor=self._floor, clean=settled)
        swap = await self._swap(note, sight, min(self._deadline_s(), held.until_s))
        if swap.done:
            self._held = evolve(held, note=note, sent_s=sent_s)
            if self._clock() < sent_s + note.duration_s:
                self._tell()
        return swap.done

    async def _look(self, timeout_s: float) -> Sight:
        def read() -> Sight:
            content = self._file.read()
            ever = content is not None or self._file.ever_written()
            return see(content, ever=ever, where=str(self._file.path))

        timeout_s = min(timeout_s, self._policy.command_deadline_s)
        sight = await in_thread(read, timeout_s=timeout_s, limiter=self._limiter)
        if sight.note is not None:
            self._floor = max(self._floor, sight.note.floor)
        note = sight.note
        taken = note is not None and not note.released and note.session != self._session
        self._other = note.holder if note is not None and taken else None
        return sight

    async def _swap(self, note: LeaseNote, sight: Sight, until_s: float) -> Swap:
        def swap() -> Swap:
            return self._file.swap(note.to_bytes(), expected=sight.token, until_s=until_s)

        return await in_thread(swap, timeout_s=until_s - self._clock(), limiter=self._limiter)

    def _is_ours(self, sight: Sight) -> bool:
        return sight.note is not None and sight.note.session == self._session and not sight.note.released

    def _deadline_s(self) -> float:
        return self._clock() + self._policy.command_deadline_s

    def _lose(self, why: str) -> float:
        self._held = self._watched = None
        _log.warning("lease.lost", holder=self._holder, why=why)
        self._tell()
        return 0.0

    def _tell(self) -> None:
        self._report(_seen(self._clock(), self._held, self._floor))

    def _say(self, error: Exception | None) -> None:
        """Log trouble with the file once, not at every look."""
        said = "" if error is None else str(error) or "the disk gave no answer in time"
        if said and said != self._said:
            _log.warning("lease.trouble", path=str(self._file.path), error=said)
        self._said = said


def _seen(at_s: float, held: _Held | None, floor: int) -> LeaseSeen:
    if held is None:
        return LeaseSeen(at_s=at_s, leading=False, floor_generation=floor)
    return LeaseSeen(
        at_s=at_s,
        leading=True,
        until_s=held.until_s,
        since_s=held.since_s,
        clean=held.clean,
        floor_generation=held.note.floor,
    )


def _forget(_fact: Fact) -> None:
    """Report to nobody: there is no campaign yet."""
