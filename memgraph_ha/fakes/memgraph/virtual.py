"""Runs the model's procedures in virtual time: no sleeping, no sockets, no files, every run the same.

`World` is a handful of instances, the network between them and their disks as values.  Kill, freeze,
wipe and cut them between any two steps; ask them as a client would.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from attrs import define

from .disk import StorageError
from .effects import Procedure
from .errors import MemgraphError
from .initfile import run_lines
from .instance import Chance, Instance
from .rpc import Request
from .session import Session
from .settings import Settings
from .startup import StartError, boot
from .virtual_host import Host, State
from .virtual_net import Network, Reach

# How long a process takes from exec to its first own step.
EXEC_S: Final = 0.1


class Refused(Exception):  # noqa: N818 - what a client's connect says
    """Nobody listens on the instance's Bolt port."""


@define(eq=False)
class Ticket:
    """A query that was sent.

    Attributes:
        done: Whether there is an outcome.
        rows: The answer, if it succeeded.
        error: What was raised, if it failed; `Refused` if the instance went away.
        took_s: Virtual seconds until the outcome.
        then: Told of the outcome when it comes, in the process that made it: nothing may be changed there and then.
    """

    sent_at: float
    done: bool = False
    rows: list[list[Any]] | None = None
    error: Exception | None = None
    took_s: float = 0.0
    then: Callable[[Ticket], None] | None = None

    def end(self) -> None:
        """There is an outcome."""
        self.done = True
        if self.then is not None:
            self.then(self)


class World:
    """Instances, their disks, the network, and the time.

    Args:
        seed: Of everything that is left to chance.

    Attributes:
        net: The links between the instances, and whoever else speaks with them.
        lose: Asked of every request between instances; true loses it, and its sender's connection breaks.
        aliases: Host names that lead elsewhere than to the instance of that name, or (None) nowhere: a name service
            that is behind.
        addresses: IP addresses and whose they are; None: nobody's any more, and what is sent there is swallowed.
        on_end: Told when a process ended, in whatever way, with its run id.
    """

    def __init__(self, seed: int = 0) -> None:
        self.now = 0.0
        self.hosts: dict[str, Host] = {}
        self.random = random.Random(seed)  # noqa: S311 - dice, not secrets
        self.logged: list[str] = []
        self.lose: Callable[[str, str, Request], bool] = lambda _src, _dst, _request: False
        self.net = Network(self, random.Random(f"{seed}/network"))  # noqa: S311 - dice, not secrets
        self.net.on_refusal = self._reset
        self.aliases: dict[str, str | None] = {}
        self.addresses: dict[str, str | None] = {}
        self.on_end: Callable[[Host, str], None] = lambda _host, _run: None
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._sessions = itertools.count(1)

    # -- time ------------------------------------------------------------------------------------

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Let `action` happen `seconds` from now."""
        heapq.heappush(self._events, (self.now + seconds, next(self._order), action))

    def run(self, seconds: float) -> None:
        """Let `seconds` pass."""
        end, events, pop = self.now + seconds, self._events, heapq.heappop
        while events and events[0][0] <= end:
            self.now, _, action = pop(events)
            action()
        self.now = end

    def run_until(self, holds: Callable[[], bool], within_s: float = 120.0) -> float:
        """Let time pass until `holds`; returns how long that took.

        Raises:
            TimeoutError: It does not hold within `within_s`.
        """
        start = self.now
        while not holds():
            if not self._events or self._events[0][0] > start + within_s:
                raise TimeoutError(f"not within {within_s} s of virtual time; last lines: {self.logged[-5:]}")
            self._step()
        return self.now - start

    def _step(self) -> None:
        self.now, _, action = heapq.heappop(self._events)
        action()

    # -- network ---------------------------------------------------------------------------------

    def cut(self, one: str, other: str, reach: Reach = Reach.BLACK_HOLE) -> None:
        """Change what becomes of bytes between two instances, in both directions."""
        self.net.cut(one, other, reach)

    def heal(self) -> None:
        """Let everybody reach everybody."""
        self.net.heal()

    def reach(self, source: str, target: str) -> Reach:
        """Return what becomes of bytes from `source` to `target`."""
        return self.net.reach(source, target)

    def resolve(self, name: str) -> Host | None:
        """Return whom a host name or an address leads to; None: nobody (no such name, or no such host)."""
        found = self.aliases.get(name, self.addresses.get(name, name))
        return None if found is None else self.hosts.get(found)

    def swallows(self, address: str) -> bool:
        """Return whether it was somebody's address once and is nobody's now: connecting ends by its time-out."""
        return self.addresses.get(address, address) is None

    def _reset(self, source: str, target: str) -> None:
        if source in self.hosts and target in self.hosts:
            self.hosts[source].break_links_to(target)

    # -- processes -------------------------------------------------------------------------------

    def start(
        self, name: str, settings: Settings | None = None, init_lines: Sequence[str] = (), *, wait: bool = True
    ) -> Host:
        """Start a process on the disk that `name` has, fresh if it has none.

        Args:
            name: The instance, which is also its host name.
            settings: Its configuration; None: as before, or the defaults.
            init_lines: Of its init file.
            wait: Let time pass until Bolt is open.
        """
        host = self.hosts.setdefault(name, Host(name, self))
        if settings is not None:
            host.settings = settings
        host.init_lines = tuple(init_lines) or host.init_lines
        host.state = State.STARTING
        host.instance = self._new_instance(host)
        host.spawn_after(EXEC_S, self._boot(host))
        if wait:
            self.run_until(lambda: host.state is not State.STARTING)
        return host

    def _new_instance(self, host: Host) -> Instance:
        chance = Chance(draw=self.random.random, uuid=lambda: str(UUID(int=self.random.getrandbits(128), version=4)))
        return Instance(
            settings=host.settings,
            chance=chance,
            log_line=lambda level, text: self.logged.append(f"{self.now:.3f} {host.name} [{level}] {text}"),
            run_id=chance.uuid(),
            main_uuid=chance.uuid(),
            database_uuid=chance.uuid(),
            epoch=chance.uuid(),
            storage_mode=host.settings.storage_mode,
        )

    def _boot(self, host: Host) -> Procedure[None]:
        instance = host.live()
        try:
            yield from boot(instance, host.disk)
        except (StartError, StorageError) as error:
            self.logged.append(f"{self.now:.3f} {host.name} [critical] {error}")
            host.kill()
            return
        yield from run_lines(Session(instance, host.workers, 0), host.init_lines)
        host.state = State.OPEN

    def kill(self, name: str, *, power_cut: bool = False) -> None:
        """SIGKILL, or the loss of the machine."""
        self.hosts[name].kill(power_cut=power_cut)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.hosts[name].frozen = True

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self.hosts[name].thaw()

    def __getitem__(self, name: str) -> Instance:
        """Return the living instance `name`."""
        return self.hosts[name].live()

    # -- clients ---------------------------------------------------------------------------------

    def session(self, name: str) -> Session:
        """Open a session, as a client that just connected.

        Raises:
            Refused: Its Bolt port is not open.
        """
        host = self.hosts[name]
        if host.state is not State.OPEN:
            raise Refused(name)
        return Session(host.live(), host.workers, next(self._sessions))

    def send(
        self,
        name: str,
        query: str,
        parameters: Mapping[str, Any] | None = None,
        then: Callable[[Ticket], None] | None = None,
    ) -> Ticket:
        """Send a query on a session of its own; its outcome comes with time.

        Args:
            name: To whom.
            query: What.
            parameters: Its parameters.
            then: Told of the outcome when it comes, see `Ticket`.

        Raises:
            Refused: Its Bolt port is not open.
        """
        return self.perform(name, self._query(self.session(name), query, parameters or {}), then)

    def perform(
        self, name: str, procedure: Procedure[list[list[Any]]], then: Callable[[Ticket], None] | None = None
    ) -> Ticket:
        """Let the instance `name` run a procedure of a session; its outcome comes with time.

        Args:
            name: Which.
            procedure: What.
            then: Told of the outcome, see `Ticket`; the procedure then begins at once, else with the next event.
        """
        ticket, host = Ticket(self.now, then=then), self.hosts[name]
        begin = host.spawn if then is None else host.take
        begin(_reported(procedure, ticket), lambda: self._lost(ticket, name))
        return ticket

    def _query(self, session: Session, query: str, parameters: Mapping[str, Any]) -> Procedure[list[list[Any]]]:
        answer = yield from session.run(query, parameters, int(self.now * 1e6))
        rows = (yield from answer.pull(-1)).rows
        session.result = None  # the session is over, and so freed at once: the answer refers to it
        return rows

    def _lost(self, ticket: Ticket, name: str) -> None:
        ticket.error = Refused(name)
        ticket.end()

    def ask(self, name: str, query: str, parameters: Mapping[str, Any] | None = None) -> list[list[Any]]:
        """Send a query, wait for its outcome, return its rows.

        Raises:
            MemgraphError: As the instance answers.
            Refused: It is not there, or goes away meanwhile.
            TimeoutError: No outcome within two minutes.
        """
        return self.outcome(self.send(name, query, parameters))

    def outcome(self, ticket: Ticket, within_s: float = 120.0) -> list[list[Any]]:
        """Wait for an outcome, so long at most; see `ask`."""
        self.run_until(lambda: ticket.done, within_s)
        ticket.took_s = self.now - ticket.sent_at
        if ticket.error is not None:
            raise ticket.error
        return ticket.rows or []


def _reported(procedure: Procedure[list[list[Any]]], ticket: Ticket) -> Procedure[None]:
    try:
        ticket.rows = yield from procedure
    except MemgraphError as error:
        ticket.error = error
    ticket.end()
