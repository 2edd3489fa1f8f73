"""Gaining, renewing, losing and releasing a lease, whatever store it lies in.

The rule is that of Kubernetes: expiry is judged by when *this* process last saw the lease change, on its own clock,
never by a time that somebody wrote; and our own term runs from when its renewal was *sent* (design 7).
"""

import secrets
from collections.abc import Callable
from typing import Final, Protocol

import structlog
import trio
from attrs import evolve, frozen

from memgraph_ha.adapters.lease_failsafe import Failsafe, NoFailsafe
from memgraph_ha.adapters.lease_note import Claim, LeaseNote, Sight, may_take
from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.facts import Fact, LeaseSeen
from memgraph_ha.core.policy import Policy

_SLEEP_S: Final = 0.5
"""Longest sleep of a holder; sleeps do not count a suspended machine, so the clock is read at least so often."""

_log = structlog.get_logger()


class LeaseTroubleError(Exception):
    """The lease could not be read or written; whether it was written is not known."""


class LeaseBox(Protocol):
    """Where a lease lies: linearizable looks, compare-and-set writes."""

    @property
    def where(self) -> str:
        """Its place, for the log."""
        ...

    async def look(self, *, timeout_s: float) -> Sight:
        """Read it with a read that cannot be stale.

        Args:
            timeout_s: For how long, seconds.

        Raises:
            LeaseTroubleError: It could not be read in time.
        """
        ...

    async def swap(self, note: LeaseNote, sight: Sight, *, until_s: float) -> bool:
        """Put a note there if what is there now is what was seen; False if it is something else.

        Args:
            note: What to write.
            sight: What `look` returned last.
            until_s: When it must be over, on the campaign's clock; nothing is sent after it.

        Raises:
            LeaseTroubleError: Whether it was written is not known.
        """
        ...


@frozen(kw_only=True)
class Held:
    """A term of ours: ``sent_s`` is when its last renewal was sent, the rest as in `LeaseSeen`."""

    note: LeaseNote
    sent_s: float
    since_s: float
    clean: bool

    @property
    def until_s(self) -> float:
        """When it ends, if it is not renewed."""
        return self.sent_s + self.note.duration_s


class Campaign:
    """Implements `Lease` on a `LeaseBox`.

    Error handling: nothing is raised. A renewal that fails leaves the term's end where it was and is tried again
    soon; trouble is logged when it changes.

    Args:
        box: Where the lease lies.
        holder: The name of this controller, for people.
        policy: ``lease_duration_s``, ``lease_renew_s``, ``command_deadline_s``.
        clock: Seconds on CLOCK_BOOTTIME.
        floor: The highest generation known so far.
        look_s: Pause between two looks at somebody else's lease: bounds how long a release goes unnoticed.
        retry_s: Least time between the starts of two renewals, where the first one failed.
        failsafe: What may prolong a term while the box cannot be reached; by default nothing.
    """

    def __init__(
        self,
        box: LeaseBox,
        *,
        holder: str,
        policy: Policy,
        clock: Callable[[], float],
        floor: int,
        look_s: float,
        retry_s: float,
        failsafe: Failsafe | None = None,
    ) -> None:
        self._box = box
        self._holder = holder
        self._policy = policy
        self._clock = clock
        self._floor = floor
        self._look_s, self._retry_s = look_s, retry_s
        self._session = secrets.token_hex(8)
        self._busy = trio.Lock()
        self._wake = trio.Event()
        self._held: Held | None = None
        self._tried_s = clock()
        self._rest_until_s = clock()
        self._watched: tuple[str | None, float] | None = None
        self._other: str | None = None
        self._report: Report = _forget
        self._said = ""
        self._failsafe: Failsafe = NoFailsafe() if failsafe is None else failsafe
        self._failsafe.on_change(self._tell)

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
            self._failsafe.lost()
            try:
                sight = await self._look(self._policy.command_deadline_s)
                if self._is_ours(sight):
                    note = evolve(held.note, released=True, floor=self._floor)
                    await self._box.swap(note, sight, until_s=self._deadline_s())
            except LeaseTroubleError as error:
                self._say(str(error))
        _log.info("lease.released", holder=self._holder, term=held.note.term)
        self._tell()
        self._wake.set()

    async def _seek(self) -> float:
        """Look whether the lease may be taken, and take it. Returns how long to wait before the next look, s."""
        try:
            sight = await self._look(self._policy.command_deadline_s)
            now_s = self._clock()
            if self._watched is None or self._watched[0] != sight.beat:
                self._watched = (sight.beat, now_s)
            unchanged_s = now_s - self._watched[1]
            claim = may_take(sight, unchanged_s=unchanged_s, session=self._session, policy=self._policy)
            forbidden = None if claim is None else self._failsafe.forbids(unchanged_s)
            if claim is not None and forbidden is None and now_s >= self._rest_until_s:
                await self._take(sight, claim)
            self._say(f"it is not taken yet: {forbidden}" if forbidden else "")
        except LeaseTroubleError as error:
            self._say(str(error))
        return self._look_s if self._held is None else 0.0

    async def _take(self, sight: Sight, claim: Claim) -> None:
        sent_s = self._clock()
        note = LeaseNote(
            holder=self._holder,
            session=self._session,
            term=1 if sight.note is None else sight.note.term + 1,
            renewals=0,
            duration_s=self._policy.lease_duration_s,
            floor=self._floor,
            released=False,
            clean=claim.clean,
            controllers=self._failsafe.annotation(),
        )
        self._failsafe.taking(sight.token)
        done: bool | None = None
        try:
            done = await self._swap(note, sight, self._deadline_s())
        finally:
            self._failsafe.took(done)
        since_s = self._clock()
        # We may have stood still in between: then others may have counted our term down already.
        if done and since_s < sent_s + note.duration_s:
            self._held = Held(note=note, sent_s=sent_s, since_s=since_s, clean=claim.clean)
            self._failsafe.kept(note, sent_s)
            _log.info("lease.gained", holder=self._holder, term=note.term, clean=claim.clean, why=claim.why)
            self._tell()

    async def _keep(self, held: Held) -> float:
        """Renew when it is time. Returns how long to wait, s."""
        now_s, until_s = self._clock(), self._failsafe.until_s(held.until_s)
        if now_s >= until_s:
            return self._lose("it ran out")
        due_s = held.sent_s + self._policy.lease_renew_s if self._floor <= held.note.floor else now_s
        due_s = max(due_s, self._tried_s + self._retry_s)
        if now_s < due_s:
            return min(due_s - now_s, until_s - now_s, _SLEEP_S)
        self._tried_s = now_s
        try:
            sight = await self._look(until_s - now_s)
            if sight.note is not None and not self._is_ours(sight):
                return self._lose(f"{sight.note.holder} holds it")
            await self._renew(held, sight, now_s)
            self._say("")
        except LeaseTroubleError as error:
            self._say(str(error))
        return 0.0

    async def _renew(self, held: Held, sight: Sight, sent_s: float) -> None:
        """Write our note again, also where somebody removed or overwrote it while the term runs."""
        settled = held.clean or sent_s >= held.since_s + held.note.duration_s
        note = evolve(
            held.note,
            renewals=held.note.renewals + 1,
            floor=self._floor,
            clean=settled,
            controllers=self._failsafe.annotation(),
        )
        done = await self._swap(note, sight, min(self._deadline_s(), self._failsafe.until_s(held.until_s)))
        if done:
            self._held = evolve(held, note=note, sent_s=sent_s)
            self._failsafe.kept(note, sent_s)
            if self._clock() < sent_s + note.duration_s:
                self._tell()

    async def _swap(self, note: LeaseNote, sight: Sight, until_s: float) -> bool:
        self._failsafe.wrote(note.controllers)
        return await self._box.swap(note, sight, until_s=until_s)

    async def _look(self, timeout_s: float) -> Sight:
        sight = await self._box.look(timeout_s=min(timeout_s, self._policy.command_deadline_s))
        note = sight.note
        if note is not None:
            self._floor = max(self._floor, note.floor)
        self._failsafe.saw(sight)
        taken = note is not None and not note.released and note.session != self._session
        self._other = note.holder if note is not None and taken else None
        return sight

    def _is_ours(self, sight: Sight) -> bool:
        return sight.note is not None and sight.note.session == self._session and not sight.note.released

    def _deadline_s(self) -> float:
        return self._clock() + self._policy.command_deadline_s

    def _lose(self, why: str) -> float:
        self._held = self._watched = None
        self._failsafe.lost()
        _log.warning("lease.lost", holder=self._holder, why=why)
        self._tell()
        return 0.0

    def _tell(self) -> None:
        held, at_s = self._held, self._clock()
        if held is None:
            self._report(LeaseSeen(at_s=at_s, leading=False, floor_generation=self._floor))
            return
        seen = LeaseSeen(
            at_s=at_s,
            leading=True,
            until_s=self._failsafe.until_s(held.until_s),
            since_s=held.since_s,
            clean=held.clean,
            floor_generation=held.note.floor,
        )
        self._report(seen)

    def _say(self, said: str) -> None:
        """Log trouble with the lease once, not at every look."""
        if said and said != self._said:
            _log.warning("lease.trouble", where=self._box.where, error=said)
        self._said = said


def _forget(_fact: Fact) -> None:
    """Report to nobody: there is no campaign yet."""
