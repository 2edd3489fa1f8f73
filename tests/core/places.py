"""One instance, in the words of the tests: what has been seen of it, and the facts that say so."""

from typing import Final

from attrs import frozen

from memgraph_ha.core.facts import (
    Fact,
    PortSeen,
    ProbeMissed,
    RoleSeen,
    RowsSeen,
    ServerSeen,
    StorageSeen,
    TriggersSeen,
)
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId, Token
from memgraph_ha.core.topology import Member, Role, Row, StorageMode, Trigger

NOW: Final = 1000.0
"""The monotonic clock of every scene, seconds."""
WALL: Final = 1_700_000_000.0
"""The wall clock of every scene, seconds since 1970."""
CLUSTER: Final = "cluster-1"
DATA: Final = "data-set-1"
"""The recorded database_uuid."""
M0, M1, M2 = InstanceName("m0"), InstanceName("m1"), InstanceName("m2")
TOKEN: Final = Token("token-1")


def run_of(name: InstanceName, life: int = 1) -> RunId:
    """Name the n-th run of an instance."""
    return RunId(f"run-{name}-{life}")


def incarnation_of(name: InstanceName, life: int = 1) -> Incarnation:
    """Name the n-th process of an instance, as the platform would."""
    return Incarnation(f"pid-{name}-{life}")


def replication_of(name: InstanceName) -> Address:
    """Where MAIN replicates to."""
    return Address(f"10.0.0.{int(name[1:]) + 1}:{10000 + int(name[1:])}")


@frozen(kw_only=True)
class Place:
    """What has been seen of one instance; None means: nothing was.

    Attributes:
        asked_s: When its role was last asked; ``data_asked_s`` and ``port_asked_s`` likewise.
        rows_bad_s: Since when its rows have looked as they do, if longer than the last answer.
        objects: Vertices and edges that it holds.
        triggers: MAIN's triggers; ``triggers_before`` were seen earlier in the same run.
        misses: Probes that failed; ``missed_before`` were filed before its answer.
        address: Where MAIN replicates to, if it is not `replication_of`; ``keeps_address`` as in `Member`.
    """

    name: InstanceName
    incarnation: Incarnation | None
    run: RunId | None
    role: Role = Role.REPLICA
    asked_s: float = NOW - 0.1
    uuid: str | None = DATA
    empty: bool = False
    objects: int = 0
    storage_mode: StorageMode = StorageMode.TRANSACTIONAL
    data_run: RunId | None = None
    data_asked_s: float = NOW - 0.1
    flush_every: int | None = 1
    version: str = "3.6.1"
    wal: bool = True
    init_file: str = "/etc/memgraph/init.cypherl"
    port_open: bool | None = True
    port_asked_s: float = NOW - 0.5
    rows: tuple[Row, ...] | None = None
    rows_run: RunId | None = None
    rows_asked_s: float = NOW - 0.1
    rows_bad_s: float | None = None
    triggers: tuple[Trigger, ...] | None = None
    triggers_before: tuple[Trigger, ...] | None = None
    misses: tuple[ProbeMissed, ...] = ()
    missed_before: tuple[ProbeMissed, ...] = ()
    address: Address | None = None
    keeps_address: bool = True

    @property
    def member(self) -> Member:
        """The platform's line about it."""
        bolt = Address(f"10.0.0.{int(self.name[1:]) + 1}:7687")
        return Member(
            name=self.name,
            bolt=bolt,
            replication=self.address or replication_of(self.name),
            incarnation=self.incarnation,
            keeps_address=self.keeps_address,
        )

    def facts(self) -> list[Fact]:
        """Everything that was reported of it."""
        found: list[Fact] = [*self.missed_before]
        if self.run is not None:
            found.append(
                RoleSeen(at_s=self.asked_s, asked_at_s=self.asked_s, instance=self.name, run=self.run, role=self.role)
            )
            found += self._details(self.run)
        found += self.misses
        return found

    def _details(self, run: RunId) -> list[Fact]:
        name, found = self.name, list[Fact]()
        if self.uuid is not None:
            found.append(
                StorageSeen(
                    at_s=self.data_asked_s,
                    asked_at_s=self.data_asked_s,
                    instance=name,
                    run=self.data_run or run,
                    uuid=self.uuid,
                    empty=self.empty,
                    mode=self.storage_mode,
                    objects=self.objects,
                )
            )
        if self.flush_every is not None:
            found.append(
                ServerSeen(
                    at_s=0.0,
                    instance=name,
                    run=run,
                    version=self.version,
                    wal=self.wal,
                    flush_every=self.flush_every,
                    init_file=self.init_file,
                )
            )
        if self.port_open is not None:
            at_s = self.port_asked_s
            found.append(PortSeen(at_s=at_s, asked_at_s=at_s, instance=name, open=self.port_open))
        if self.rows is not None:
            times = (self.rows_asked_s,) if self.rows_bad_s is None else (self.rows_bad_s, self.rows_asked_s)
            rows_run = self.rows_run or run
            found += [
                RowsSeen(at_s=at_s, asked_at_s=at_s, instance=name, run=rows_run, rows=self.rows) for at_s in times
            ]
        return found + self._triggers(run)

    def _triggers(self, run: RunId) -> list[Fact]:
        looks = ((NOW - 5, self.triggers_before), (NOW - 0.3, self.triggers))
        return [
            TriggersSeen(at_s=at_s, asked_at_s=at_s, instance=self.name, run=run, triggers=seen)
            for at_s, seen in looks
            if seen is not None
        ]
