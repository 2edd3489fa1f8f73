"""The view: named questions about what was observed. No decisions here, only words for the rules to use."""

import enum

from attrs import frozen

from memgraph_ha.core.cached import cached
from memgraph_ha.core.commands import CommitNoop, RebuildInstance, RegisterReplica, RestoreTriggers, RestoreUsers
from memgraph_ha.core.facts import Miss, NoopSeen, Outcome, RoleSeen
from memgraph_ha.core.known import Known
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.policy import LEASE_MARGIN_S, DataDurability, Triggers, Users
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.topology import Member, Mode, Role, Row, RowStatus, StorageMode

UNWRITABLE_COUNT = 2
"""Failed no-op commits in a row after which a full or failing disk counts as a loss."""


UNLISTED_S = 1.0
"""How long lists of the members must have lacked MAIN: one that comes from a server which is behind may lack it for a
moment (Kubernetes API concepts, "Resource versions": a list may be older than the one before it)."""


class LossKind(enum.Enum):
    """Why MAIN counts as lost. Wrong passwords, slowness and readiness flaps are never among them."""

    GONE = "the platform has no process for it"
    REFUSED = "it refuses connections"
    FROZEN = "it accepts connections but answers nothing"
    NOT_MAIN = "it answers as REPLICA: it restarted, or somebody demoted it"
    RESTARTED = "it is another run than the one that the record relies on"
    EMPTIED = "it came back with another data set"
    NOT_WRITABLE = "it answers, but its disk takes no commits"


@frozen
class Loss:
    """The verdict that MAIN is lost, with its evidence."""

    kind: LossKind
    evidence: str


@frozen(kw_only=True, slots=False)  # cached properties are a third faster in a plain __dict__
class View(Known):
    """Everything that a rule may ask; see `Known` for its fields."""

    # --- MAIN -------------------------------------------------------------------------------------

    @cached
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

    @cached
    def main_rows(self) -> tuple[Row, ...] | None:
        """MAIN's rows on its present run; None if unknown or doubtful since a command's answer was lost."""
        if self.main_role is None or self.main is None or self.main.rows is None:
            return None
        rows, doubtful_s = self.main.rows, self.observed.rows_doubtful_s
        if rows.run != self.main_role.run or (doubtful_s is not None and rows.asked_at_s < doubtful_s):
            return None
        return rows.rows

    # --- MAIN's loss ------------------------------------------------------------------------------

    @cached
    def loss(self) -> Loss | None:
        """The verdict that MAIN is lost; None while it lives or nothing is known yet."""
        record, seen = self.record, self.main
        if record is None:
            return None
        if seen is None:
            if self.now_s - self.observed.names_since_s < UNLISTED_S:
                return None
            return Loss(LossKind.GONE, f"{record.main} is no member of this cluster")
        if seen.member.incarnation is None and _unanswered(seen):
            return Loss(LossKind.GONE, f"the platform has no process for {record.main}")
        return self._silence(seen) or self._other_life(record, seen) or self._unwritable(record, seen)

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

    def _unwritable(self, record: Record, seen: Seen) -> Loss | None:
        """Two no-op commits in a row failed on this run's disk, and none was acknowledged since."""
        noop, tried, role = self.observed.noop, self.attempt(CommitNoop, record.main), seen.role
        if noop is None or tried is None or role is None or noop.error is not ErrorClass.DISK:
            return None
        if noop.run != role.run or noop.generation != record.generation or tried.failures < UNWRITABLE_COUNT:
            return None
        return Loss(LossKind.NOT_WRITABLE, f"{tried.failures} commits failed: {noop.detail}")

    @cached
    def replaced(self) -> str | None:
        """Why the living MAIN's data set is not the recorded one (RECOVER SNAPSHOT by hand); None if it is."""
        record, seen = self.record, self.main
        if record is None or seen is None or seen.storage is None or self.main_role is None or not record.opened:
            return None
        if seen.storage.run != self.main_role.run or seen.storage.uuid == record.database_uuid:
            return None
        return f"{record.main} holds data set {seen.storage.uuid} now, not {record.database_uuid}"

    @cached
    def lost_data(self) -> str | None:
        """Why the re-promoted MAIN lacks commits that a replica holds; None if nothing says so (design 4).

        MAIN commits before any replica does, and nobody else reigned in between: who was level in the reign before
        can be ahead only if MAIN's volume was rolled back.
        """
        record = self.record
        if record is None or not record.history or record.history[-1].kind is not ChangeKind.REPROMOTE:
            return None
        levels = dict(record.level)
        for seen in self.observed.seen:
            name, tried = seen.member.name, self.attempt(RegisterReplica, seen.member.name)
            if name in record.reinit or tried is None or tried.generation != record.generation:
                continue
            if tried.error is ErrorClass.DIVERGED and levels.get(name, 0) >= record.generation - 1:
                return f"{record.main} came back without commits that its replica {name} holds: {tried.detail}"
        return None

    @cached
    def unreplicated_mode(self) -> StorageMode | None:
        """The living MAIN's storage mode, if it is known to be one that replicates nothing (transcripts Q21)."""
        storage = None if self.main is None else self.main.storage
        if self.main_role is None or storage is None or storage.run != self.main_role.run:
            return None
        return None if storage.mode is StorageMode.TRANSACTIONAL else storage.mode

    def diverged(self, seen: Seen) -> bool:
        """Whether MAIN said that its present run holds what MAIN's history does not cover."""
        tried = self.attempt(RegisterReplica, seen.member.name)
        if any(row.status is RowStatus.DIVERGED for row in self.rows_of(seen.member)):
            return True
        same = tried is not None and seen.role is not None and tried.replica_run == seen.role.run
        return same and tried is not None and tried.error is ErrorClass.DIVERGED

    @cached
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

    @cached
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

    @cached
    def noop_in_reign(self) -> NoopSeen | None:
        """The last no-op acknowledged by MAIN on this run, in this reign, in our term of leadership."""
        return self._in_reign(self.observed.noop_done)

    @cached
    def proof(self) -> NoopSeen | None:
        """The last acknowledged no-op with a witness on the row that could be named now."""
        proof = self._in_reign(self.observed.proof)
        if proof is None or proof.witness is None or self.record is None or self.partner is None:
            return None
        witness, role = proof.witness, self.partner.role
        same = role is not None and role.role is Role.REPLICA and role.run == witness.run
        same = same and witness.instance == self.partner.member.name
        return proof if same and witness.row == self.record.standby_row(witness.instance) else None

    @cached
    def unproven(self) -> str | None:
        """Why the proof's witness may not be named now; None if it may (design 4, to name a standby)."""
        proof, row = self.proof, self.standby_row
        if self.record is None or proof is None or proof.witness is None:
            return "there is no proof"
        if self.observed.noop != proof:
            return "a later proof failed"
        if self.now_s - proof.at_s > self.policy.proof_interval_s:
            return "the proof is old"
        unnamed_s = self.observed.unnamed_since_s
        if unnamed_s is not None and proof.asked_at_s < unnamed_s:
            return "it was un-named since"  # what took its name away, the proof knows nothing of
        if row is None or not row.takes_commits:
            return "its row is " + ("missing" if row is None else row.status.value)
        if self.stopping(proof.witness.instance):
            return "it is about to be stopped"
        return "it must be rebuilt" if proof.witness.instance in self.record.rebuild else None

    @property
    def users_restored(self) -> bool:
        """Whether MAIN has the accounts it must have: restored in this reign and in our term (design 6, New term)."""
        record, lease = self.record, self.lease
        if self.policy.users is Users.NONE or record is None:
            return True
        done = self.attempt(RestoreUsers, record.main)
        if done is None or lease is None or done.outcome is not Outcome.DONE:
            return False
        return done.generation == record.generation and done.at_s >= lease.since_s

    @property
    def triggers_restored(self) -> bool:
        """Whether nothing is left to do about triggers before the reign opens."""
        record = self.record
        if self.policy.triggers is not Triggers.RESTORE or record is None or not record.triggers:
            return True
        done = self.attempt(RestoreTriggers, record.main)
        return done is not None and done.outcome is Outcome.DONE and done.generation == record.generation

    def rebuilt(self, seen: Seen) -> bool:
        """Whether we have emptied it ourselves: it holds nothing, in a later process than the one that we rebuilt.

        Being empty alone proves nothing: after an import in analytical mode an empty replica looks level, the no-op
        included (transcripts Q21).
        """
        storage, role, tried = seen.storage, seen.role, self.attempt(RebuildInstance, seen.member.name)
        if tried is None or tried.outcome is not Outcome.DONE or tried.incarnation == seen.member.incarnation:
            return False
        empty = storage is not None and role is not None and storage.run == role.run and storage.empty
        return empty and not self.diverged(seen)

    def unattachable(self, seen: Seen) -> str | None:
        """Why a replica cannot be registered on MAIN now; None if it can."""
        why = self.unready(seen)
        marked = self.record is not None and seen.member.name in self.record.rebuild
        if why is None and marked and not self.rebuilt(seen):
            return "it must be rebuilt first"
        return "MAIN replicates nothing" if why is None and self.unreplicated_mode is not None else why

    @cached
    def unsound(self) -> str | None:
        """Why MAIN's data cannot be relied on to fill another instance; None if it can, also while writes wait."""
        if self.main_role is None:
            return "MAIN does not answer"
        if self.noop_in_reign is None:
            return "the first commit of our term is not acknowledged yet"
        if self.unreplicated_mode is not None:
            return f"MAIN's storage mode is {self.unreplicated_mode.value}"
        return self.replaced or self.lost_data

    def _in_reign(self, noop: NoopSeen | None) -> NoopSeen | None:
        record, role, lease = self.record, self.main_role, self.lease
        if noop is None or record is None or role is None or lease is None:
            return None
        same = noop.instance == record.main and noop.run == role.run and noop.generation == record.generation
        return noop if same and noop.asked_at_s >= lease.since_s else None

    # --- routes -----------------------------------------------------------------------------------

    @cached
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
        return self._absent(record) or self.replaced or self.lost_data or self._uncovered(record)

    def _absent(self, record: Record) -> str | None:
        """Why MAIN itself is not known to live and to be ours."""
        role = self.main_role
        if self.loss is not None:
            return f"MAIN {record.main} is lost: {self.loss.evidence}"
        if self.main is not None and self.main.member.incarnation is None:
            return f"the platform lists no process for MAIN {record.main}"
        if role is None or self.main is None or record.main_run != role.run:
            return f"MAIN {record.main} has not answered yet"
        broke = self.main.sentinel
        if broke is not None and broke.run == role.run and role.asked_at_s < broke.at_s:
            return f"the gateway's connection to MAIN {record.main} broke; it is asked again"
        if self.noop_in_reign is None:
            return "the first commit of our term is not acknowledged yet"
        return None if self.users_restored else "its accounts are not restored yet"

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
        if self.unserved is not None or self.main is None or self.main_role is None:
            return None
        return self.permit_to(self.main)

    def permit_to(self, seen: Seen) -> Permit | None:
        """Leave to relay to its life that answered last, for what is left of our lease; None if there is none."""
        record, lease, role, member = self.record, self.lease, seen.role, seen.member
        if record is None or lease is None or role is None or member.incarnation is None:
            return None
        return Permit(
            instance=member.name,
            address=member.bolt,
            run=role.run,
            incarnation=member.incarnation,
            generation=record.generation,
            valid_until_s=lease.until_s - LEASE_MARGIN_S,
        )


def _unanswered(seen: Seen) -> bool:
    """Whether the last question to it in this life was not answered at all: a word of the platform is not enough.

    Its list may be behind, and lack a process that has started since; that one then answers.
    """
    role, miss = seen.role, seen.miss
    if miss is None or miss.excused or miss.miss not in (Miss.REFUSED, Miss.TIMED_OUT):
        return False
    return role is None or miss.asked_at_s > role.asked_at_s
