"""What a rule returns: a decision, or the first guard that stopped it and what it saw."""

import enum

from attrs import field, frozen

from memgraph_ha.core.commands import Command
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.permit import Route


class Hold(enum.Enum):
    """Everything that may keep the controller waiting, by name; the text says what would end it."""

    NOT_LEADING = "another controller leads, or none yet"
    LEASE_ENDING = "our lease is too short for a command: it is renewed or lost within seconds"
    UNCLEAN_LEASE = "the lease vanished by hand: an older permit may live for one lease duration"
    TILT = "our own process stood still: one round is only observed"
    RECORD_UNKNOWN = "the record cannot be read: check the store and its permissions"
    RECORD_INVALID = "the record is corrupt: restore it, or remove it together with the lease to bootstrap anew"
    RECORD_SCHEMA = "another version wrote the record: run that version, or a newer one"
    RECORD_FOREIGN = "the record belongs to another cluster: point this controller at the right one"
    RECORD_REGRESSED = "the record is older than what was seen: somebody restored it; restore the newest"
    AMBIGUOUS_BOOTSTRAP = "there is no record and the facts allow more than one MAIN: a human must choose"
    FLAPPING = "too many unplanned reigns: the window passes, or raise failover_limit"
    NO_SAFE_CANDIDATE = "nobody certainly has every acknowledged write: bring back one of those listed"
    LOOKING = "not enough was seen yet: answers are awaited"
    BACKING_OFF = "the last try failed: it is repeated after a pause"
    WAITING_FOR_STANDBY = "data_durability is required: writes wait for a standby"
    UNPROTECTED = "there is no proven standby: MAIN has the only certain copy"
    DIVERGED_REPLICA = "a replica holds commits that MAIN's history does not cover: rebuild it"
    REPLICA_MISSING = "an ASYNC replica is not attached: reads from it are stale or refused"

    @property
    def word(self) -> str:
        """The name as operators see it, e.g. ``NoSafeCandidate``."""
        return "".join(part.capitalize() for part in self.name.split("_"))


@frozen(kw_only=True)
class Decision:
    """What to do now.

    Attributes:
        rule: Id of the rule that decided.
        name: Its name.
        reason: One sentence for a person, with the evidence.
        commands: To run in order; stop at the first that is not done.
        look: Instances to probe at once.
        hold: Why nothing more is done, if that is so.
        wake_at_s: Decide again then at the latest, on the caller's monotonic clock.
        route: What the gateways may do; a narrower one is applied before the commands.
    """

    reason: str
    wake_at_s: float
    commands: tuple[Command, ...] = ()
    look: tuple[InstanceName, ...] = ()
    hold: Hold | None = None
    rule: str = ""
    name: str = ""
    route: Route = field(default=Route(permit=None, hold=False, why="not decided yet"))


@frozen
class Unmet:
    """A rule did not fire: the guard that stopped it, and what it saw."""

    guard: str
    evidence: object = None

    def __str__(self) -> str:
        """For a person: the guard and the evidence."""
        return self.guard if self.evidence is None else f"{self.guard}: {self.evidence}"
