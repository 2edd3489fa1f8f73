"""The controller as the API sees it: a frozen snapshot to read, and the few things that may be asked for."""

import enum
from collections.abc import Mapping
from typing import Any, Protocol

from attrs import field, frozen

from memgraph_ha.api.accounting import Accounting
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.requests import Answer, Ask
from memgraph_ha.core.view import View


class Gate(enum.Enum):
    """The gateways of one controller; the values are their names in metrics and documents."""

    RW = "rw"
    RO = "ro"


class GatewayCounters(Protocol):
    """What one gateway counts; `memgraph_ha.proxy.counters.Counters` is one.

    Everything but the ``..._now`` only grows while the process lives.
    """

    @property
    def accepted(self) -> int:
        """Connections taken from the listening socket, refused ones included."""

    @property
    def refused(self) -> Mapping[Any, int]:  # the proxy's enum of reasons, which this layer must not import
        """Of these, reset before they reached an instance: enum member of the reason to count."""

    @property
    def held(self) -> int:
        """Clients that had to wait."""

    @property
    def hung_up(self) -> int:
        """Clients that left while they waited."""

    @property
    def released(self) -> int:
        """Clients that reached an instance after waiting."""

    @property
    def relayed(self) -> int:
        """Clients that reached an instance, waited or not."""

    @property
    def cut(self) -> int:
        """Relayed connections that the gateway reset."""

    @property
    def cut_open(self) -> int:
        """Of these, in a quiet moment because their transaction was ended by force, or may have been."""

    @property
    def idled(self) -> int:
        """Relayed connections that were reset because nothing passed on them for too long."""

    @property
    def dial_failures(self) -> int:
        """Attempts to connect to an instance for a client that failed."""

    @property
    def sentinel_breaks(self) -> int:
        """Times an instance was found gone by the gateway's own connection."""

    @property
    def accept_pauses(self) -> int:
        """Times accepting was suspended for want of descriptors or memory."""

    @property
    def bytes_to_main(self) -> int:
        """Bytes written to instances for clients."""

    @property
    def bytes_to_clients(self) -> int:
        """Bytes written to clients for instances."""

    @property
    def held_now(self) -> int:
        """Clients waiting."""

    @property
    def dialling_now(self) -> int:
        """Clients being dialled."""

    @property
    def received_now(self) -> int:
        """Clients in their PROXY header or TLS handshake."""

    @property
    def active_now(self) -> int:
        """Connections being relayed."""

    @property
    def relayed_to_now(self) -> Mapping[InstanceName, int]:
        """Of these, how many to each instance."""

    @property
    def inside_now(self) -> int:
        """Of these, inside a transaction, as far as their messages tell."""

    @property
    def unknown_now(self) -> int:
        """Of these, not readable (TLS that passes through, or not Bolt): they may be inside one too."""

    @property
    def holding_now(self) -> int:
        """Of these, kept from sending by a quiet moment."""


@frozen(kw_only=True)
class HoldSince:
    """A hold that is present.

    Attributes:
        hold: Its name and what an operator must know of it.
        rule: Id of the rule that names it.
        reason: The rule's sentence, with the evidence.
        since: When it began, wall clock, seconds since 1970.
    """

    hold: Hold
    rule: str
    reason: str
    since: float


@frozen(kw_only=True)
class Gateway:
    """One gateway of this process.

    Attributes:
        port: Where it listens.
        counters: What it counted so far.
    """

    port: int
    counters: GatewayCounters = field(hash=False)


@frozen(kw_only=True)
class Snapshot:
    """One controller at one moment. Taking one costs nothing: the view and the decision are those of the last tick.

    Attributes:
        view: What the last tick decided from; None before the first.
        decision: What it decided.
        holds: Every present hold, that of the decision and those of lesser rules.
        leader: Identity of the controller that holds the lease, as last read; None if nobody does.
        identity: Ours.
        cluster: A name of the cluster for people: the release, or the data directory.
        namespace: Where the lease lives: a Kubernetes namespace, or ``local``.
        lease_name: Its name there.
        started_at: When this process started, wall clock, seconds since 1970.
        now: The wall clock at this moment, seconds since 1970.
        observe_only: No command is sent; decisions say what would be done.
        last_tick_age_s: How long ago the last tick was, seconds; infinite before the first.
        gateways: Those that this process runs.
    """

    view: View | None
    decision: Decision | None
    holds: tuple[HoldSince, ...]
    leader: str | None
    identity: str
    cluster: str
    namespace: str
    lease_name: str
    started_at: float
    now: float
    observe_only: bool
    last_tick_age_s: float
    gateways: Mapping[Gate, Gateway] = field(hash=False)

    @property
    def leading(self) -> bool:
        """Whether this controller holds the lease now: also when the loop that looked has stood still since.

        One that only observes decides as if it led, and never does.
        """
        return self.lease_left_s > 0 and not self.observe_only

    @property
    def lease_left_s(self) -> float:
        """What is left of our lease now, seconds; 0 if we do not lead."""
        return 0.0 if self.view is None else max(0.0, self.view.lease_left_s - self.last_tick_age_s)

    @property
    def instances(self) -> tuple[InstanceName, ...]:
        """The cluster's members, in ordinal order."""
        return () if self.view is None else tuple(member.name for member in self.view.members)


class NotLeading(Exception):  # noqa: N818 - what it says, as callers read it
    """This controller does not lead, so it cannot do what was asked.

    Args:
        leader: Who does, as last read; None if nobody is known to.
    """

    def __init__(self, leader: str | None) -> None:
        super().__init__(f"the leader is {leader}" if leader else "nobody leads at the moment")
        self.leader = leader


class NoAnswer(Exception):  # noqa: N818 - likewise
    """Nothing was answered in the time given; what was asked for may still happen."""


class NotSupported(Exception):  # noqa: N818 - likewise
    """The platform cannot do that; the text says what can."""


class Control(Protocol):
    """What the API needs of a controller. Every method may be called from any task of the controller's trio run."""

    @property
    def policy(self) -> Policy:
        """The operator's choices in force."""

    @property
    def accounting(self) -> Accounting:
        """What this process has counted since it started."""

    @property
    def restart_fields(self) -> frozenset[str]:
        """Policy fields that take effect only when the controller starts again."""

    def now(self) -> Snapshot:
        """Say how things stand."""

    async def ask(self, ask: Ask, instance: InstanceName | None, *, by: str, reason: str, wait_s: float) -> Answer:
        """Ask for something and wait for its end; cancelling withdraws the request.

        Args:
            ask: What is asked for.
            instance: Of whom; None where the verb needs none, or leaves the choice to the controller.
            by: Who asks, for the history.
            reason: Why, in their words; may be empty.
            wait_s: How long to wait for an answer, 0 to 600 seconds.

        Raises:
            NotLeading: Another controller must be asked.
            NoAnswer: ``wait_s`` passed; what was asked for may still happen.
        """

    def refusal(self, ask: Ask, instance: InstanceName | None) -> str | None:
        """Say why it would be refused now; None if it would be taken up.

        Raises:
            NotLeading: Another controller must be asked.
        """

    def at_stake(self, instance: InstanceName) -> str:
        """Say what a forced failover to that instance could lose, in one sentence."""

    async def apply_policy(self, policy: Policy) -> None:
        """Put another policy in force, and keep it across restarts.

        Raises:
            NotSupported: This controller's policy is set elsewhere; the text says where.
        """

    async def change_members(self, count: int) -> Answer:
        """Grow or shrink the cluster to so many instances, 2 to 9.

        Raises:
            NotLeading: Another controller must be asked.
            NotSupported: The platform cannot; the text says what can.
        """

    def reset_connections(self) -> int:
        """Cut every connection of the gateways of this process; say how many there were."""

    def log_tail(self, lines: int) -> tuple[str, ...]:
        """Give the last lines of the controller's log, oldest first."""
