"""What a rule returns: a decision, or the first guard that stopped it and what it saw."""

from attrs import define, field, frozen

from memgraph_ha.core.commands import Command
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.permit import Route


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


@define(
    unsafe_hash=True
)  # nobody changes one; but each decision makes seventy, and a frozen one takes three times as long
class Unmet:
    """A rule did not fire: the guard that stopped it, and what it saw."""

    guard: str
    evidence: object = None

    def __str__(self) -> str:
        """For a person: the guard and the evidence."""
        return self.guard if self.evidence is None else f"{self.guard}: {self.evidence}"
