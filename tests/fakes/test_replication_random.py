"""Random faults in virtual time: whatever happened, what was acknowledged is there and the copies agree."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph_ha.fakes.memgraph.settings import Settings
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket, World
from memgraph_ha.fakes.memgraph.virtual_host import State
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from tests.fakes.virtual_helpers import NOOP, promote, register, switch_port, until_status

STEPS = 60


class Chaos:
    """A MAIN `a`, a STRICT_SYNC `b`, an ASYNC `c`, a writer, and faults drawn from a seed."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.random = self.world.random
        self.sent: list[tuple[str, Ticket]] = []
        for name in "abc":
            self.world.start(name, Settings(flush_every=1))
        for name, mode in (("b", "STRICT_SYNC"), ("c", "ASYNC")):
            switch_port(self.world, name)
            register(self.world, "a", name, mode)

    def write(self) -> None:
        """Send one write; its outcome comes with time."""
        name = f"w{len(self.sent)}"
        try:
            ticket = self.world.send("a", "CREATE (:W {id: $id})", {"id": name})
        except Refused:
            return
        self.sent.append((name, ticket))

    def step(self) -> None:
        """Do something, then let a little time pass."""
        host = self.world.hosts[self.random.choice("abc")]
        match self.random.randrange(8):
            case 0 if host.state is State.OPEN:
                self.world.kill(host.name, power_cut=self.random.random() < 0.5)
            case 1 if host.state is State.STOPPED:
                self.world.start(host.name, wait=False)
            case 2 if host.name != "a":
                self.world.freeze(host.name)
            case 3:
                self.world.thaw(host.name)
            case 4:
                self.world.cut("a", self.random.choice("bc"), self.random.choice([Reach.REFUSED, Reach.BLACK_HOLE]))
            case 5:
                self.world.heal()
            case _:
                for _ in range(5):
                    self.write()
                    self.world.run(self.random.uniform(0, 0.01))
        self.world.run(self.random.expovariate(2.0))

    def settle(self) -> None:
        """Undo all faults and wait until all rows are ready."""
        self.world.heal()
        for name, host in self.world.hosts.items():
            self.world.thaw(name)
            if host.state is State.STOPPED:
                self.world.start(name, wait=False)
        self.world.run_until(lambda: all(host.state is State.OPEN for host in self.world.hosts.values()), 300)
        for name in "bc":
            until_status(self.world, "a", name, "ready", within_s=300)
        self.world.ask("a", NOOP)
        self.world.run(5.0)

    def acknowledged(self) -> set[str]:
        """Return what a client was told is saved."""
        return {name for name, ticket in self.sent if ticket.done and ticket.error is None}

    def present(self, name: str) -> set[Any]:
        """Return what an instance has."""
        return {row[0] for row in self.world.ask(name, "MATCH (n:W) RETURN n.id")}


@pytest.mark.parametrize("seed", range(25))
def test_everything_acknowledged_is_on_all_copies_in_the_end(seed: int) -> None:
    """Kills, power cuts, freezes and cuts of a cluster whose MAIN stays MAIN lose nothing and leave equal copies."""
    chaos = Chaos(seed)
    for _ in range(STEPS):
        chaos.step()
    chaos.settle()
    acknowledged = chaos.acknowledged()
    assert acknowledged <= chaos.present("a")
    assert chaos.present("a") == chaos.present("b") == chaos.present("c")


@pytest.mark.parametrize("seed", range(100, 115))
def test_standby_that_was_never_away_has_everything_when_main_dies(seed: int) -> None:
    """MAIN is killed under load and the standby promoted: all acknowledged writes are there (Q9: 0 of 120)."""
    chaos = Chaos(seed)
    for _ in range(chaos.random.randrange(20, 200)):
        chaos.write()
        chaos.world.run(chaos.random.uniform(0, 0.004))
    chaos.world.kill("a")
    chaos.world.run(0.01)
    promote(chaos.world, "b")
    assert len(chaos.acknowledged()) > 5
    assert chaos.acknowledged() <= chaos.present("b")
