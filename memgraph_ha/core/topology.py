"""What a replicated Memgraph is made of: roles, modes, rows and members."""

import enum

from attrs import Attribute, field, frozen

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RowName


class Role(enum.Enum):
    """What SHOW REPLICATION ROLE answers."""

    MAIN = "main"
    REPLICA = "replica"


class Mode(enum.Enum):
    """How MAIN replicates to one replica; the values are SHOW REPLICAS' ``sync_mode``."""

    SYNC = "sync"
    ASYNC = "async"
    STRICT_SYNC = "strict_sync"


class RowStatus(enum.Enum):
    """What MAIN says of one replica (transcripts, "Status words").

    ``HALF`` is an empty ``data_info``: a REGISTER that failed left the row, and commits ignore it.
    ``UNKNOWN`` is an answer we cannot read; rules treat it as the worst case.
    """

    READY = "ready"
    REPLICATING = "replicating"
    RECOVERY = "recovery"
    INVALID = "invalid"
    DIVERGED = "diverged"
    HALF = "{}"
    UNKNOWN = "?"


class StorageMode(enum.Enum):
    """Memgraph's storage modes; only the transactional one replicates (transcripts Q21)."""

    TRANSACTIONAL = "IN_MEMORY_TRANSACTIONAL"
    ANALYTICAL = "IN_MEMORY_ANALYTICAL"
    ON_DISK = "ON_DISK_TRANSACTIONAL"
    UNKNOWN = "?"


@frozen(kw_only=True, order=True)
class Trigger:
    """One line of SHOW TRIGGERS, and all it takes to create it again.

    Attributes:
        name: Its name.
        event: What fires it, as CREATE TRIGGER wants it after ``ON``, e.g. ``() CREATE``; empty: any change.
        phase: ``BEFORE COMMIT`` or ``AFTER COMMIT``.
        statement: The query that it executes.
    """

    name: str
    event: str
    phase: str
    statement: str


@frozen(kw_only=True)
class Row:
    """One line of SHOW REPLICAS.

    Attributes:
        name: The registered name.
        address: ``host:port`` as it was registered.
        mode: None if the server sent a word we do not know.
        status: See `RowStatus`.
        ts: MAIN's idea of the replica's last durable timestamp; None in a half row.
        behind: Replica minus MAIN, in timestamps, so negative is lag; None in a half row.
    """

    name: RowName
    address: Address
    mode: Mode | None
    status: RowStatus
    ts: int | None = None
    behind: int | None = None

    @property
    def takes_commits(self) -> bool:
        """Whether MAIN replicates to it now; under load a row is rarely caught at ``behind`` 0."""
        return self.status in (RowStatus.READY, RowStatus.REPLICATING)

    @property
    def droppable(self) -> bool:
        """Whether DROP REPLICA is known not to kill or hang MAIN while commits run (transcripts Q4, Q5, Q7).

        A STRICT_SYNC or SYNC row that is ``ready`` or ``invalid`` (30 of 30), or a half row (30 of 30).
        Never a row in ``recovery`` (81 of 81 crashes), never an ASYNC row under load (35 of 40).
        """
        if self.status is RowStatus.HALF:
            return True
        settled = self.status in (RowStatus.READY, RowStatus.INVALID, RowStatus.DIVERGED)
        return settled and self.mode in (Mode.SYNC, Mode.STRICT_SYNC)


def _host_and_port(_owner: object, attribute: "Attribute[Address]", value: Address) -> None:
    host, _, port = value.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()):
        raise ValueError(f"member field {attribute.name}: {value!r} is not host:port; give e.g. '10.0.0.1:10000'")


@frozen(kw_only=True)
class Member:
    """An instance as the platform knows it.

    Attributes:
        name: Its place.
        bolt: ``host:port`` that clients and the controller speak Bolt to.
        replication: ``host:port`` that MAIN replicates to.
        incarnation: The living process; None when the platform says that there is none.
        keeps_address: Whether its next process will be found at the same addresses; a pod's end with the pod.

    Raises:
        ValueError: An address is not ``host:port``.
    """

    name: InstanceName
    bolt: Address = field(validator=_host_and_port)
    replication: Address = field(validator=_host_and_port)
    incarnation: Incarnation | None
    keeps_address: bool = True
