"""Everything that may keep the controller waiting, by name: what waits, what ends it, which command, what is at stake.

Each has a page in docs/runbook (a test checks that none is missing); the reference is made from this table. Since
when something waits, and the evidence, are in the decision and in the status of the API.
"""

import enum

from attrs import frozen


@frozen(kw_only=True)
class Wait:
    """What an operator must know of a hold.

    Attributes:
        blocked: What does not happen meanwhile.
        ends: What would end it.
        command: Which command helps; empty if only facts do.
        risk: How much could be lost, or that nothing can.
    """

    blocked: str
    ends: str
    command: str = ""
    risk: str = "nothing can be lost"


class Hold(enum.Enum):
    """The names of all holds; the values say what an operator must know."""

    NOT_LEADING = Wait(blocked="this controller does nothing", ends="another controller leads: it acts")
    LEASE_ENDING = Wait(
        blocked="no command is sent", ends="the lease is renewed, or lost to another controller, within seconds"
    )
    UNCLEAN_LEASE = Wait(
        blocked="no command is sent, and read/write is shut unless it was open under this lease",
        ends="the lease vanished by hand: one lease duration passes, after which no older permit can live",
    )
    TILT = Wait(blocked="one round is only observed", ends="this process stood still: the next probes are answered")
    RECORD_UNKNOWN = Wait(
        blocked="every command: nobody may be MAIN on a guess; read/write stays open if it was, while our lease lives",
        ends="the record can be read again: mend its store or our permissions",
    )
    RECORD_INVALID = Wait(
        blocked="everything: the record is corrupt and is never overwritten",
        ends="the newest good record is put back",
        risk="nothing while it waits; a wrong record put back can lose every write since it was made",
    )
    RECORD_SCHEMA = Wait(
        blocked="everything: another version wrote the record", ends="that version, or a newer one, runs"
    )
    RECORD_FOREIGN = Wait(
        blocked="everything: the record belongs to another cluster", ends="this controller is pointed at its own"
    )
    RECORD_REGRESSED = Wait(
        blocked="everything: the record is older than the facts; following it would demote the real MAIN",
        ends="the newest record is put back, or a human says whose reign it is",
        command="memgraph-ha adopt INSTANCE",
        risk="nothing while it waits; adopting one that lacks writes loses them",
    )
    AMBIGUOUS_BOOTSTRAP = Wait(
        blocked="the first reign: there is no record, and there is more than one choice or somebody cannot be asked",
        ends="the silent ones answer, or a human says whose data counts",
        command="memgraph-ha adopt INSTANCE",
        risk="nothing while it waits; data that only the others hold is given up by adopting one",
    )
    FLAPPING = Wait(
        blocked="failover: too many unplanned reigns began within failover_window_s",
        ends="the window passes, or failover_limit is raised",
        command="memgraph-ha policy apply FILE",
    )
    NO_SAFE_CANDIDATE = Wait(
        blocked="writes: MAIN is lost, and nobody certainly has every acknowledged write",
        ends="one of those listed comes back as the reason says, or a human accepts a loss",
        command="memgraph-ha failover --accept-data-loss INSTANCE",
        risk="nothing while it waits; a forced failover can lose what the status says of that instance",
    )
    NOT_WRITABLE = Wait(
        blocked="writes: MAIN answers but cannot commit (its disk is full or fails), and nobody may follow",
        ends="the disk takes writes again, or a standby comes back",
        command="memgraph-ha failover --accept-data-loss INSTANCE",
        risk="nothing while it waits; a forced failover can lose what the status says of that instance",
    )
    MAIN_LOST_DATA = Wait(
        blocked="writes: MAIN came back without commits that a replica holds (a volume was rolled back?)",
        ends="a human says whose data counts",
        command="memgraph-ha failover --accept-data-loss INSTANCE, or memgraph-ha reinit INSTANCE",
        risk="acknowledged writes: they are on that instance alone, and reinit gives them up",
    )
    DATA_SET_REPLACED = Wait(
        blocked="writes: the living MAIN holds another data set than the record (RECOVER SNAPSHOT by hand?)",
        ends="a human says that the new data counts; every replica is then filled anew",
        command="memgraph-ha adopt INSTANCE",
        risk="the old data set: RECOVER SNAPSHOT resets attached replicas at once; it may be left in backups only",
    )
    LOOKING = Wait(blocked="the next step", ends="the answers that are awaited come")
    BACKING_OFF = Wait(blocked="the next try", ends="the pause after the last one, which failed, is over")
    PAUSED = Wait(
        blocked="failover and repair: an operator paused this cluster",
        ends="it is resumed",
        command="memgraph-ha resume",
        risk="nothing; but nobody takes over while it lasts",
    )
    SWITCHING_OVER = Wait(
        blocked="new transactions, for a moment: a planned switchover is under way",
        ends="the target's reign opens, or the switchover is given up and MAIN goes on",
    )
    UNAUTHORISED = Wait(
        blocked="everything about that instance: it refuses our user or password",
        ends="the password in the accounts file and in Memgraph are the same again",
        command="memgraph-ha doctor",
        risk="nothing; it is never taken for dead because of this",
    )
    USERS_NOT_RESTORED = Wait(
        blocked="writes: the new MAIN has forgotten its accounts, and they could not be created",
        ends="the reason's error is mended (accounts file, password policy)",
        command="memgraph-ha doctor",
    )
    TRIGGERS_NOT_RESTORED = Wait(
        blocked="writes: policy triggers is `restore`, and a trigger could not be created on the new MAIN",
        ends="the reason's error is mended, or policy triggers is `report`",
        command="memgraph-ha policy apply FILE",
    )
    WAITING_FOR_STANDBY = Wait(
        blocked="writes: data_durability is `required`, and no standby is proven",
        ends="the standby comes back, or data_durability is `preferred`",
        command="memgraph-ha policy apply FILE",
    )
    ANALYTICAL_MODE = Wait(
        blocked="replication: MAIN is not in IN_MEMORY_TRANSACTIONAL mode, so nothing reaches a replica",
        ends="STORAGE MODE IN_MEMORY_TRANSACTIONAL on MAIN, a snapshot made and recovered there (its log lacks what "
        "was written), then each replica is given up and rebuilt",
        command="memgraph-ha reinit INSTANCE",
        risk="everything written meanwhile, if MAIN's process ends before a snapshot",
    )
    REBUILD_NEEDED = Wait(
        blocked="that replica: its data cannot be used, and history does not prove that it may be thrown away",
        ends="a human gives its data up",
        command="memgraph-ha reinit INSTANCE",
        risk="what only that instance holds; its old files are moved aside, not deleted",
    )
    DIVERGED_REPLICA = Wait(
        blocked="that replica: it holds commits that MAIN's history does not cover (Error: 3)",
        ends="it is rebuilt: by itself if history proves that MAIN has every acknowledged write, else by a human",
        command="memgraph-ha reinit INSTANCE",
        risk="what only that instance holds; its old files are moved aside, not deleted",
    )
    REBUILDING = Wait(
        blocked="that replica: its old data is aside, and it is started with nothing",
        ends="it answers, and is attached",
    )
    CATCHING_UP = Wait(
        blocked="protection: the standby is far behind and catches up as ASYNC first, so that writes go on",
        ends="it is level; a quiet moment then makes it STRICT_SYNC",
        risk="what is written meanwhile, if MAIN's disk is lost",
    )
    UNPROTECTED = Wait(
        blocked="protection: there is no proven standby, MAIN has the only certain copy",
        ends="the standby comes back, is attached and proven",
        risk="what is written meanwhile, if MAIN's disk is lost",
    )
    STALE_ROW = Wait(
        blocked="the repair of a row that cannot be dropped safely now",
        ends="a quiet moment, or the row's own recovery; a switchover forgets all rows without a DROP",
        command="memgraph-ha switchover",
    )
    REPLICA_MISSING = Wait(
        blocked="reads from that replica: it is not attached, or its row is not healthy", ends="it answers, or recovers"
    )
    FOREIGN_ROW = Wait(
        blocked="nothing of ours; but MAIN replicates to an address that is no member",
        ends="somebody drops the row by hand in a quiet hour, or the address becomes a member's",
        risk="a foreign STRICT_SYNC row can abort every write",
    )
    TRIGGERS_MISSING = Wait(
        blocked="triggers that MAIN had before a promotion and has not now",
        ends="they are created again, or policy triggers is `restore` or `ignore`",
        command="memgraph-ha policy apply FILE",
        risk="what they would have written",
    )
    INIT_FILE_MISSING = Wait(
        blocked="nothing; but an instance started without --init-file comes back writable after a crash",
        ends="it is started with an init file that makes it a REPLICA",
        command="memgraph-ha doctor",
        risk="writes that reach it directly before it is demoted",
    )
    UNSUPPORTED = Wait(
        blocked="nothing; but an instance cannot keep the promises (a Memgraph below 3.6.0, or without WAL)",
        ends="it runs a supported version with --storage-wal-enabled=true",
        command="memgraph-ha doctor",
        risk="below 3.6.0 healthy replicas are called diverged; without WAL nothing is replicated",
    )

    @property
    def word(self) -> str:
        """The name as operators see it, e.g. ``NoSafeCandidate``."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def page(self) -> str:
        """Its page in docs/runbook, e.g. ``no-safe-candidate.md``."""
        return self.name.lower().replace("_", "-") + ".md"
