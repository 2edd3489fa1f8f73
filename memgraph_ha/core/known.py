"""What is known: the facts, the policy and the time, with the questions that need no verdict about MAIN."""

from collections.abc import Callable
from typing import TypeVar

from attrs import field, frozen

from memgraph_ha.core.cached import cached
from memgraph_ha.core.commands import Command, Demote, RegisterReplica, WriteRecord
from memgraph_ha.core.facts import LeaseSeen, Miss, Outcome, RecordTrouble
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName, Token
from memgraph_ha.core.observed import Attempt, Observed, Seen
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.record import Record
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import Member, Mode, Role, StorageMode

BACKOFF_FIRST_S = 0.1
BACKOFF_LONGEST_S = 5.0
DIVERGED_PAUSE_S = 60.0
STALLED_PAUSE_S = 30.0
BLOCKED_PAUSE_S = 60.0
"""How long a standby whose row took no commits is not registered again in the same run."""
GIVEN_UP_S = 2.0
"""For how long a process that does not answer may still be one that starts, or is merely overrun."""
STOP_MEMORY_S = 120.0
"""How long an announced stop that did not happen is believed."""

PORT_FRESH_S = 3.0
"""How old the last look at a replication port may be; it is looked at about once a second."""


_Made = TypeVar("_Made")


@frozen(kw_only=True, slots=False)  # cached properties are a third faster in a plain __dict__
class Known:
    """What one decision is made from: nothing else may enter. `View` adds the questions about MAIN.

    Attributes:
        observed: Every filed fact.
        policy: The operator's choices.
        now_s: The caller's monotonic clock, seconds.
        wall_s: Wall clock, seconds since 1970: only for history and its windows.
    """

    observed: Observed
    policy: Policy
    now_s: float
    wall_s: float

    _memo: dict[object, object] = field(factory=dict, init=False, eq=False, repr=False)

    def once(self, key: object, make: Callable[[], _Made]) -> _Made:
        """Make something that several rules ask for only once per view.

        Args:
            key: The function that makes it: nothing else may use it.
            make: Makes it; pure.
        """
        if key not in self._memo:
            self._memo[key] = make()
        made: _Made = self._memo[key]  # type: ignore[assignment]  # what `make` of this key returned
        return made

    # --- standing: may we act at all --------------------------------------------------------------

    @cached
    def lease(self) -> LeaseSeen | None:
        """Our lease, if we hold it and it has not ended on our own clock."""
        lease = self.observed.lease
        return lease if lease is not None and lease.leading and lease.until_s > self.now_s else None

    @property
    def lease_left_s(self) -> float:
        """What is left of our lease; 0 if we do not lead."""
        return 0.0 if self.lease is None else self.lease.until_s - self.now_s

    @cached
    def record(self) -> Record | None:
        """The record, if there is one and it can be used.

        While its store gives no answer that is the one read last, for only the leader writes it, unless a write of
        ours may have changed it (docs/decisions/0011).
        """
        seen, doubtful_s = self.observed.record, self.observed.record_doubtful_s
        if seen is None:
            return None
        unanswered = seen.trouble is RecordTrouble.UNANSWERED
        return None if unanswered and doubtful_s is not None and doubtful_s >= seen.at_s else seen.record

    @property
    def token(self) -> Token | None:
        """The record's version for compare-and-set."""
        return None if self.observed.record is None else self.observed.record.token

    # --- instances --------------------------------------------------------------------------------

    @property
    def members(self) -> tuple[Member, ...]:
        """The platform's list, in ordinal order."""
        return () if self.observed.members is None else self.observed.members.members

    @cached
    def pair(self) -> tuple[InstanceName, ...]:
        """The instances that may be MAIN."""
        return self.policy.eligible or tuple(member.name for member in self.members[:2])

    @cached
    def main(self) -> Seen | None:
        """The recorded MAIN, if it is a member."""
        return None if self.record is None else self.observed.of(self.record.main)

    @cached
    def partner(self) -> Seen | None:
        """The pair's other member: the standby-to-be; the named one, if MAIN is none of the pair and both could be."""
        record = self.record
        if record is None:
            return None
        named = None if record.standby is None else record.standby.instance
        others = sorted((name for name in self.pair if name != record.main), key=lambda name: name != named)
        return next((seen for name in others if (seen := self.observed.of(name))), None)

    @cached
    def asyncs(self) -> tuple[Seen, ...]:
        """The members that are neither MAIN nor its partner, and that the record relies on for nothing.

        One of the pair is among them while MAIN is none of it: the pair changed, or both left for a while.
        """
        record = self.record
        if record is None:
            known = set(self.pair)
        else:
            known = {record.main} if self.partner is None else {record.main, self.partner.member.name}
            known.update(holder.instance for holder in (record.standby, record.fallback) if holder is not None)
        return tuple(seen for seen in self.observed.seen if seen.member.name not in known)

    def stopping(self, name: InstanceName) -> bool:
        """Whether somebody has announced that its present process will be stopped, and may still mean it."""
        seen = self.observed.of(name)
        if seen is None or seen.stop_asked_s is None:
            return False
        asked = any(r.instance == name and r.ask in (Ask.STOP, Ask.RESTART) for r in self.observed.requests)
        return asked or self.now_s - seen.stop_asked_s < STOP_MEMORY_S

    def silent(self, seen: Seen) -> bool:
        """Whether it has no process, or a probe has failed since its last answer."""
        if seen.member.incarnation is None or seen.role is None:
            return True
        return seen.miss is not None and seen.miss.asked_at_s > seen.role.asked_at_s

    def given_up(self, seen: Seen) -> bool:
        """Whether there is no point in waiting for its answer: no process, or a verdict that it is dead or frozen."""
        refusing_s = seen.refused_last_s - seen.refused_first_s if seen.refused else 0.0
        frozen_solid = seen.timeouts >= self.policy.frozen_count and seen.silent_s >= GIVEN_UP_S
        dead = refusing_s >= GIVEN_UP_S or frozen_solid
        odd = seen.miss is not None and seen.miss.miss in (Miss.UNAUTHORISED, Miss.UNREADABLE)
        return seen.member.incarnation is None or dead or odd

    def answered_within(self, seen: Seen, age_s: float) -> bool:
        """Whether its last answer is that young, and no probe has failed since."""
        return not self.silent(seen) and seen.role is not None and seen.role.asked_at_s >= self.now_s - age_s

    def unready(self, seen: Seen) -> str | None:
        """Why a replica cannot be registered now; None if it can (design 4, "fence the ASYNC replicas")."""
        record, storage = self.record, seen.storage
        if self.stopping(seen.member.name):
            return "it is about to be stopped"
        if record is None or not self.answered_within(seen, 1.0) or seen.role is None:
            return "it does not answer"
        if seen.role.role is not Role.REPLICA:
            return "it is not a REPLICA"
        if seen.port is None or not seen.port.open or seen.port.asked_at_s < self.now_s - PORT_FRESH_S:
            return "its replication port is not known to be open"
        if storage is None or storage.run != seen.role.run:
            return "its data set is not known yet"
        if self.holds_other_data(seen):
            return f"it holds another data set ({storage.uuid})"
        if storage.mode is not StorageMode.TRANSACTIONAL:
            return f"its storage mode is {storage.mode.value}"
        return None

    def holds_other_data(self, seen: Seen) -> bool:
        """Whether it holds a data set, and another one than the record names."""
        record, role, storage = self.record, seen.role, seen.storage
        if record is None or role is None or storage is None or storage.run != role.run:
            return False
        return storage.uuid != record.database_uuid and not storage.empty

    # --- tries ------------------------------------------------------------------------------------

    def attempt(self, kind: type[Command], subject: InstanceName) -> Attempt | None:
        """The last try of that kind of command on that subject."""
        return next((a for a in self.observed.attempts if a.kind is kind and a.subject == subject), None)

    def retry_at_s(self, kind: type[Command], subject: InstanceName) -> float:
        """When it may be tried again: doubling pauses of 0.1 to 5 s after failures in a row.

        A replica that MAIN called diverged is asked again only after a minute, or at once in another run:
        nothing but a rebuild can change the answer (transcripts, "Rejoin of an old main"). One whose REGISTER got no
        answer, after half a minute: MAIN cannot reach it, and each try holds its commits for about 10 s (design 5).
        """
        attempt = self.attempt(kind, subject)
        if attempt is None:
            return self.now_s
        if attempt.failures == 0:
            return self._again_at_s(attempt, subject)
        stalls = attempt.kind is RegisterReplica and attempt.outcome is Outcome.UNKNOWN
        if attempt.error is ErrorClass.DIVERGED or stalls:
            seen = self.observed.of(subject)
            same = seen is not None and seen.role is not None and seen.role.run == attempt.replica_run
            pause_s = STALLED_PAUSE_S if stalls else DIVERGED_PAUSE_S
            return attempt.at_s + pause_s if same else self.now_s
        return attempt.at_s + min(BACKOFF_LONGEST_S, BACKOFF_FIRST_S * 2.0 ** min(attempt.failures - 1, 10))

    def _again_at_s(self, attempt: Attempt, subject: InstanceName) -> float:
        """When something that was done may be done again: at once, but for a standby whose row came to nothing.

        A process that was registered STRICT_SYNC in this reign and has no row any more blocked every write for a
        while (D20 gave it up), and would do so again; unless it was a stray MAIN meanwhile, which explains it.
        """
        seen, record = self.observed.of(subject), self.record
        if attempt.kind is not RegisterReplica or attempt.mode is not Mode.STRICT_SYNC or record is None:
            return self.now_s
        same = seen is not None and seen.role is not None and seen.role.run == attempt.replica_run
        demoted = self.attempt(Demote, subject)
        same = same and (demoted is None or demoted.at_s < attempt.at_s)
        return attempt.at_s + BLOCKED_PAUSE_S if same and attempt.generation == record.generation else self.now_s

    def may_try(self, kind: type[Command], subject: InstanceName) -> bool:
        """Whether its back-off is over."""
        return self.retry_at_s(kind, subject) <= self.now_s

    def rewrite(self, record: Record) -> WriteRecord:
        """The command that puts this record in the place of the one that was read."""
        return WriteRecord(expected=self.token, record=record)

    def last_outcome(self, kind: type[Command], subject: InstanceName) -> str:
        """How the last try ended, in words for a reason."""
        attempt = self.attempt(kind, subject)
        if attempt is None or attempt.outcome is Outcome.DONE:
            return ""
        return f"; last try: {attempt.outcome.value}{f' ({attempt.detail})' if attempt.detail else ''}"
