"""What people do by hand, past every gateway and controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve, frozen

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record_json import dump_record

if TYPE_CHECKING:
    from memgraph_ha.sim.world.ground import Ground


PATIENCE_S: Final = 20.0
"""How long a person waits for an answer."""


@frozen
class Hands:
    """A person with access to everything."""

    cluster: Ground

    # -- at an instance --------------------------------------------------------------------------

    def ask(self, name: InstanceName, query: str, parameters: dict[str, Any] | None = None) -> list[list[Any]]:
        """Ask an instance directly, and wait for its answer.

        Raises:
            MemgraphError: As the instance answers.
            Refused: It is not there, or goes away meanwhile.
            TimeoutError: No outcome within `PATIENCE_S`; it may still come about.
        """
        world = self.cluster.world
        return world.outcome(world.send(name, query, parameters), PATIENCE_S)

    def write(self, name: InstanceName, count: int = 1) -> int:
        """Write directly to an instance, and rely on it; returns the last write's number."""
        numbers = self.cluster.ledger.begin(count)
        first_and_last = {"first": numbers[0], "last": numbers[-1]}
        self.ask(name, "UNWIND range($first, $last) AS i CREATE (:W {id: i})", first_and_last)
        self.cluster.ledger.by_hand.update(numbers)
        return numbers[-1]

    def replace_data(self, name: InstanceName) -> None:
        """Recover a snapshot of another data set there (RECOVER SNAPSHOT)."""
        self.ask(name, "CREATE SNAPSHOT")
        snapshot = self.cluster.world.hosts[name].disk.snapshots[-1]
        snapshot.header = {**snapshot.header, "uuid": "00000000-0000-4000-8000-00000000f0e1"}
        self.recover_snapshot(name)

    def recover_snapshot(self, name: InstanceName) -> None:
        """Recover the newest snapshot there."""
        path = self.ask(name, "SHOW SNAPSHOTS")[-1][0]
        self.ask(name, f"RECOVER SNAPSHOT '{path}' FORCE")

    # -- the record and the lease ----------------------------------------------------------------

    def delete_record(self) -> None:
        """Remove the record, as somebody does who deletes the ConfigMap."""
        self.cluster.store.forget()

    def corrupt_record(self, text: str = "{") -> None:
        """Put a text there that is no record."""
        self.cluster.store.put(text)

    def roll_back_record(self, changes: int = 1) -> None:
        """Restore the record as it was so many changes by controllers ago."""
        history = self.cluster.store.history
        if history:
            self.cluster.store.put(dump_record(history[max(0, len(history) - 1 - changes)]))

    def foreign_record(self) -> None:
        """Put another cluster's record there."""
        if self.cluster.store.history:
            self.cluster.store.put(dump_record(evolve(self.cluster.store.history[-1], cluster="other")))

    def mend_record(self) -> None:
        """Put back the newest record that a controller wrote, if something else is there."""
        store = self.cluster.store
        if store.history and store.text != dump_record(store.history[-1]):
            store.put(dump_record(store.history[-1]))

    def delete_lease(self) -> None:
        """Remove the lease: nobody holds it, whatever its holder believes."""
        self.cluster.lease.holder = None

    def steal_lease(self, by: str = "somebody") -> None:
        """Write another holder into the lease, who does not renew it."""
        self.cluster.lease.holder, self.cluster.lease.life = by, 0
        self.cluster.lease.renewals += 1
