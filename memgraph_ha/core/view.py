"""The view: named questions about what was observed. No decisions here, only words for the rules to use."""

import enum
from functools import cached_property

from attrs import frozen

from memgraph_ha.core.commands import Command, WriteRecord
from memgraph_ha.core.facts import LeaseSeen, NoopSeen, Outcome, RoleSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName, RowName, Token
from memgraph_ha.core.observed import Attempt, Observed, Seen
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.policy import LEASE_MARGIN_S, DataDurability, Policy
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Member, Mode, Role, Row, RowStatus, StorageMode

BACKOFF_FIRST_S = 0.1
BACKOFF_LONGEST_S = 5.0
DIVERGED_PAUSE_S = 60.0


class LossKind(enum.Enum):
    """Why MAIN counts as lost. Wrong passwords, slowness and readiness flaps are never among them."""

    GONE = "the platform has no process for it"
    REFUSED = "it refuses connections"
    FROZEN = "it accepts connections but answers nothing"
    NOT_MAIN = "it answers as REPLICA: it restarted, or somebody demoted it"
    RESTARTED = "it is another run than the one that the record relies on"
    EMPTIED = "it came back with another data set"


@frozen
class Loss:
    """The verdict that MAIN is lost, with its evidence."""

    kind: LossKind
    evidence: str


@frozen(kw_only=True)
class View:
    """What one decision is made from: nothing else may enter.

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

    # --- standing: may we act at all --------------------------------------------------------------

    @cached_property
    def lease(self) -> LeaseSeen | None:
        """Our lease, if we hold it and it has not ended on our own clock."""
        lease = self.observed.lease
        return lease if lease is not None and lease.leading and lease.until_s > self.now_s else None

    @property
    def lease_left_s(self) -> float:
        """What is left of our lease; 0 if we do not lead."""
        return 0.0 if self.lease is None else self.lease.until_s - self.now_s

    @cached_property
    def record(self) -> Record | None:
        """The record, if there is one and it can be used."""
        return None if self.observed.record is None else self.observed.record.record

    @property
    def token(self) -> Token | None:
        """The record's version for compare-and-set."""
        return None if self.observed.record is None else self.observed.record.token

    # --- instances --------------------------------------------------------------------------------

    @property
    def members(self) -> tuple[Member, ...]:
        """The platform's list, in ordinal order."""
        return () if self.observed.members is None else self.observed.members.members

    @cached_property
    def pair(self) -> tuple[InstanceName, ...]:
        """The instances that may be MAIN."""
        return self.policy.eligible or tuple(member.name for member in self.members[:2])

    @cached_property
    def main(self) -> Seen | None:
        """The recorded MAIN, if it is a member."""
        return None if self.record is None else self.observed.of(self.record.main)

    @cached_property
    def partner(self) -> Seen | None:
        """The pair's other member: the standby-to-be."""
        if self.record is None:
            return None
        return next((seen for name in self.pair if name != self.record.main if (seen := self.observed.of(name))), None)

    @cached_property
    def asyncs(self) -> tuple[Seen, ...]:
        """The members that may never be MAIN, and that the record relies on for nothing."""
        record, known = self.record, set(self.pair)
        if record is not None:
            known.add(record.main)
            known.update(holder.instance for holder in (record.standby, record.fallback) if holder is not None)
        return tuple(seen for seen in self.observed.seen if seen.member.name not in known)

    @cached_property
    def main_role(self) -> RoleSeen | None:
        """The recorded MAIN's last answer, if it says MAIN in a run that the record allows."""
        if self.record is None or self.main is None or self.main.role is None or self.loss is not None:
            return None
        return self.main.role if self.main.role.role is Role.MAIN else None

    @property
    def main_data_known(self) -> bool:
        """Whether MAIN's data set was seen in its present run; another one than the recorded is a loss."""
        seen = self.main
        if seen is None or seen.role is None or seen.storage is None:
            return False
        return seen.storage.run == seen.role.run

    @cached_property
    def main_rows(self) -> tuple[Row, ...] | None:
        """MAIN's rows on its present run; None if unknown or doubtful since a command's answer was lost."""
        if self.main_role is None or self.main is None or self.main.rows is None:
            return None
        rows, doubtful_s = self.main.rows, self.observed.rows_doubtful_s
        if rows.run != self.main_role.run or (doubtful_s is not None and rows.asked_at_s < doubtful_s):
            return None
        return rows.rows

    def answered_within(self, seen: Seen, age_s: float) -> bool:
        """Whether its last answer is that young, and no probe has failed since."""
        if seen.member.incarnation is None or seen.role is None or seen.role.asked_at_s < self.now_s - age_s:
            return False
        return seen.miss is None or seen.miss.asked_at_s <= seen.role.asked_at_s

    def attachable(self, seen: Seen) -> str | None:
        """Why a replica cannot be registered now; None if it can (design 4, "fence the ASYNC replicas")."""
        record, storage = self.record, seen.storage
        if record is None or not self.answered_within(seen, 1.0) or seen.role is None:
            return "it does not answer"
        if seen.role.role is not Role.REPLICA:
            return "it is not a REPLICA"
        if seen.port is None or not seen.port.open or seen.port.asked_at_s < self.now_s - PORT_FRESH_S:
            return "its replication port is not known to be open"
        if storage is None or storage.run != seen.role.run:
            return "its data set is not known yet"
        if storage.uuid != record.database_uuid and not storage.empty:
            return f"it holds another data set ({storage.uuid})"
        if storage.mode is not StorageMode.TRANSACTIONAL:
            return f"its storage mode is {storage.mode.value}"
        return None

    # --- MAIN's loss ------------------------------------------------------------------------------

    @cached_property
    def loss(self) -> Loss | None:
        """The verdict that MAIN is lost; None while it lives or nothing is known yet."""
        record, seen = self.record, self.main
        if record is None:
            return None
        if seen is None:
            return Loss(LossKind.GONE, f"{record.main} is no member of this cluster")
        if seen.member.incarnation is None:
            return Loss(LossKind.GONE, f"the platform has no process for {record.main}")
        return self._silence(seen) or self._other_life(record, seen)

    def _silence(self, seen: Seen) -> Loss | None:
        policy = self.policy
        if seen.refused >= policy.refused_count:
            span_s = seen.refused_last_s - seen.refused_first_s
            if span_s >= policy.refused_gap_s:
                return Loss(LossKind.REFUSED, f"{seen.refused} connections refused within {span_s:.3f} s")
        if seen.timeouts >= policy.frozen_count:
            return Loss(LossKind.FROZEN, f"{seen.timeouts} probes without an answer within {seen.silent_s:.2f} s")
        return None

    def _other_life(self, record: Record, seen: Seen) -> Loss | None:
        role = seen.role
        if role is None:
            return None
        other_run = record.main_run is not None and role.run != record.main_run
        if seen.storage is not None and seen.storage.run == role.run:
            uuid = seen.storage.uuid
            if uuid != record.database_uuid and (other_run or not record.opened):
                return Loss(LossKind.EMPTIED, f"run {role.run} holds data set {uuid}, not {record.database_uuid}")
        if role.role is Role.MAIN:
            return Loss(LossKind.RESTARTED, f"it is MAIN in run {role.run}") if other_run else None
        if record.opened:
            return Loss(LossKind.NOT_MAIN, f"it answers as REPLICA in run {role.run}")
        return Loss(LossKind.RESTARTED, f"it answers in run {role.run}") if other_run else None

    @cached_property
    def cut_at_s(self) -> float | None:
        """Since when our gateway has certainly relayed nothing; None while it may (design 4: facts must be newer).

        For a new leader it is at least its taking the lease: what the old one relayed is over by then.
        """
        lease, gate = self.observed.lease, self.observed.gate
        if lease is None:
            return None
        if gate is None:
            return lease.since_s
        return None if gate.permit is not None else max(self.observed.gate_since_s, lease.since_s)

    # --- the standby and its row ------------------------------------------------------------------

    @cached_property
    def standby_row(self) -> Row | None:
        """The STRICT_SYNC row of the partner on MAIN that is numbered ``row_seq``, whole or not."""
        if self.record is None or self.partner is None or self.main_rows is None:
            return None
        name, address = self.record.standby_row(self.partner.member.name), self.partner.member.replication
        return next(
            (
                row
                for row in self.main_rows
                if row.name == name and row.address == address and row.mode is Mode.STRICT_SYNC
            ),
            None,
        )

    def rows_of(self, member: Member) -> tuple[Row, ...]:
        """MAIN's rows to that member: a row to its address is its whatever the name."""
        return tuple(row for row in self.main_rows or () if row.address == member.replication)

    @cached_property
    def noop_in_reign(self) -> NoopSeen | None:
        """The last no-op acknowledged by MAIN on this run, in this reign, in our term of leadership."""
        return self._in_reign(self.observed.noop_done)

    @cached_property
    def proof(self) -> NoopSeen | None:
        """The last acknowledged no-op with a witness on the row that could be named now."""
        proof = self._in_reign(self.observed.proof)
        if proof is None or proof.witness is None or self.record is None or self.partner is None:
            return None
        witness, role = proof.witness, self.partner.role
        same = role is not None and role.role is Role.REPLICA and role.run == witness.run
        same = same and witness.instance == self.partner.member.name
        return proof if same and witness.row == self.record.standby_row(witness.instance) else None

    @cached_property
    def unproven(self) -> str | None:
        """Why the proof's witness may not be named now; None if it may (design 4, to name a standby)."""
        proof, row = self.proof, self.standby_row
        if self.record is None or proof is None or proof.witness is None:
            return "there is no proof"
        if self.observed.noop != proof:
            return "a later proof failed"
        if self.now_s - proof.at_s > self.policy.proof_interval_s:
            return "the proof is old"
        if row is None or not row.takes_commits:
            return "its row is " + ("missing" if row is None else row.status.value)
        return "it must be rebuilt" if proof.witness.instance in self.record.rebuild else None

    def _in_reign(self, noop: NoopSeen | None) -> NoopSeen | None:
        record, role, lease = self.record, self.main_role, self.lease
        if noop is None or record is None or role is None or lease is None:
            return None
        same = noop.instance == record.main and noop.run == role.run and noop.generation == record.generation
        return noop if same and noop.asked_at_s >= lease.since_s else None

    # --- tries ------------------------------------------------------------------------------------

    def attempt(self, kind: type[Command], subject: InstanceName) -> Attempt | None:
        """The last try of that kind of command on that subject."""
        return next((a for a in self.observed.attempts if a.kind is kind and a.subject == subject), None)

    def retry_at_s(self, kind: type[Command], subject: InstanceName) -> float:
        """When it may be tried again: doubling pauses of 0.1 to 5 s after failures in a row.

        A replica that MAIN called diverged is asked again only after a minute, or at once in another run:
        nothing but a rebuild can change the answer (transcripts, "Rejoin of an old main").
        """
        attempt = self.attempt(kind, subject)
        if attempt is None or attempt.failures == 0:
            return self.now_s
        if attempt.error is ErrorClass.DIVERGED:
            seen = self.observed.of(subject)
            same = seen is not None and seen.role is not None and seen.role.run == attempt.replica_run
            return attempt.at_s + DIVERGED_PAUSE_S if same else self.now_s
        return attempt.at_s + min(BACKOFF_LONGEST_S, BACKOFF_FIRST_S * 2.0 ** min(attempt.failures - 1, 10))

    def may_try(self, kind: type[Command], subject: InstanceName) -> bool:
        """Whether its back-off is over."""
        return self.retry_at_s(kind, subject) <= self.now_s

    def rewrite(self, record: Record) -> WriteRecord:
        """The command that puts this record in the place of the one that was read."""
        return WriteRecord(expected=self.token, record=record)

    # --- routes -----------------------------------------------------------------------------------

    @cached_property
    def unserved(self) -> str | None:
        """Why read/write must be shut; None if a permit may be given (`route` builds it)."""
        record, lease = self.record, self.lease
        if lease is None:
            return "this controller does not lead"
        if self.lease_left_s <= LEASE_MARGIN_S:
            return "our lease is nearly over"
        if record is None:
            return "there is no usable record"
        if self.observed.members is None or record.cluster != self.observed.members.cluster:
            return "the record is of another cluster"
        if lease.floor_generation > record.generation:
            return "the record is older than the lease"
        if not record.opened:
            return f"reign {record.generation} of {record.main} is not open yet"
        return self._absent(record) or self._uncovered(record)

    def _absent(self, record: Record) -> str | None:
        """Why MAIN itself is not known to live and to be ours."""
        role = self.main_role
        if self.loss is not None:
            return f"MAIN {record.main} is lost: {self.loss.evidence}"
        if role is None or self.main is None or record.main_run != role.run:
            return f"MAIN {record.main} has not answered yet"
        broke = self.main.sentinel
        if broke is not None and broke.run == role.run and role.asked_at_s < broke.at_s:
            return f"the gateway's connection to MAIN {record.main} broke; it is asked again"
        if self.noop_in_reign is None:
            return "the first commit of our term is not acknowledged yet"
        return None

    def _uncovered(self, record: Record) -> str | None:
        """Why MAIN must not serve with the rows that it has."""
        if record.unprotected:
            required = self.policy.data_durability is DataDurability.REQUIRED
            return "data_durability is required and there is no standby" if required else None
        row = self.standby_row
        if row is None or row.status in (RowStatus.HALF, RowStatus.UNKNOWN):
            return "MAIN has no whole STRICT_SYNC row of the standby"
        return None

    def permit(self) -> Permit | None:
        """The read/write permit, if one may be given."""
        if self.unserved is not None or self.main is None or self.main_role is None or self.record is None:
            return None
        if self.lease is None or self.main.member.incarnation is None:
            return None
        return Permit(
            instance=self.record.main,
            address=self.main.member.bolt,
            run=self.main_role.run,
            incarnation=self.main.member.incarnation,
            generation=self.record.generation,
            valid_until_s=self.lease.until_s - LEASE_MARGIN_S,
        )

    def last_outcome(self, kind: type[Command], subject: InstanceName) -> str:
        """How the last try ended, in words for a reason."""
        attempt = self.attempt(kind, subject)
        if attempt is None or attempt.outcome is Outcome.DONE:
            return ""
        return f"; last try: {attempt.outcome.value}{f' ({attempt.detail})' if attempt.detail else ''}"

    def row_name(self, name: InstanceName) -> RowName:
        """Under which name an ASYNC replica is registered."""
        return RowName(str(name))


PORT_FRESH_S = 3.0
"""How old the last look at a replication port may be; it is looked at about once a second."""
