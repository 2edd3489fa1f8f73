"""The read/write gateway's engine: one permit, and what may pass under it.

A cut is complete when `Engine.apply` returns (see `loop`). To narrow, the gate's time is lowered *before* the lock
is asked for; the batch of events that is still running then finds it passed at its next check.
"""

import socket
from collections.abc import Callable
from typing import Final

from memgraph_ha.core.permit import Permit
from memgraph_ha.proxy.counters import Counters, Refusal
from memgraph_ha.proxy.dialogue import Quiet, Standing
from memgraph_ha.proxy.idle import IdleWatch
from memgraph_ha.proxy.link import Link
from memgraph_ha.proxy.lobby import Limits, Lobby
from memgraph_ha.proxy.loop import NEVER, Loop
from memgraph_ha.proxy.options import PLAIN, Options
from memgraph_ha.proxy.proxy_protocol import LOCAL_HEADER
from memgraph_ha.proxy.relay import Gate, Shared
from memgraph_ha.proxy.sentinel import GREETING, Sentinel
from memgraph_ha.proxy.sockets import Target

REVIVE_AFTER_S: Final = 5.0
"""Whoever extends a permit so long after its sentinel broke has probed MAIN since: a process that died or was replaced
is found within about 2 s (policy ``refused_count``, ``frozen_count``)."""

Notify = Callable[[float, Permit | None], None]
"""Told, on the engine's thread, when it shut by itself, or when in a quiet moment the last transaction ended: the time,
and the permit whose sentinel broke, if any."""


class Engine(Loop):
    """Accepts, holds, dials, relays and cuts.

    Args:
        listener: A non-blocking listening socket; closed by `run`, or by `close` if that never ran.
        limits: What to take on.
        clock: The permit's clock, seconds. Called for each chunk: it should be cheap.
        notify: See `Notify`; must not block.
        options: How to receive clients, and for how long they may be silent.
    """

    def __init__(
        self,
        listener: socket.socket,
        limits: Limits,
        clock: Callable[[], float],
        notify: Notify,
        options: Options = PLAIN,
    ) -> None:
        super().__init__(listener, limits, clock, options)
        self._notify = notify
        self._gate = Gate(self._lapse)
        self._quiet = Quiet(self.stir)
        self._shared = Shared(self._poller, self._gate, clock, self._quiet)
        self._lobby = Lobby(self._poller, limits, self._tally, clock, self)
        self._sentinel = Sentinel(
            self._poller,
            clock,
            limits.connect_timeout_s,
            self._broke,
            self.stir,
            greeting=LOCAL_HEADER + GREETING if options.send_proxy else GREETING,
        )
        self._links: set[Link] = set()
        self._idle = IdleWatch(options.idle_timeout_s)
        self._permit: Permit | None = None
        self._target: Target | None = None
        self._dead: Permit | None = None
        self._broke_at = NEVER
        self._settled = False
        self._draining = False

    # -- called from any thread ------------------------------------------------------------------------------

    @property
    def permit(self) -> Permit | None:
        """Under which permit bytes may pass now; None: none do."""
        return self._permit

    @property
    def quiet(self) -> bool:
        """Whether a quiet moment is on: there is a permit, and no transaction may begin under it."""
        return self._quiet.on

    @property
    def settled(self) -> bool:
        """Whether, since the quiet moment began, every connection has been seen between transactions."""
        return self._settled

    def needs_target(self, permit: Permit) -> bool:
        """Whether `apply` has not dialled under this permit before."""
        return not permit.extends(self._permit) and not permit.extends(self._dead)

    def apply(self, permit: Permit | None, target: Target | None, *, hold: bool, quiet: bool = False) -> None:
        """Work under this permit from now on.

        One that extends the present one moves its end. Any other change resets every relayed connection and
        every attempt before this returns. A permit whose sentinel broke is dead: whoever issues it again right
        away has not learnt yet that MAIN went. It may open again after another permit, or none, was applied, or
        when its end is moved `REVIVE_AFTER_S` or more after the break, and then only if MAIN answers.

        Args:
            permit: None shuts.
            target: Its resolved address; may be None if `needs_target` says so, otherwise the gate stays shut.
            hold: Whether clients may wait while it is shut.
            quiet: Whether a quiet moment is on: no transaction begins once this has returned, and new clients wait;
                transactions that are open may end (decision 0005). Without a permit it means nothing.
        """
        present = self._permit
        extends = permit is not None and permit.extends(present)
        if not extends:
            self._gate.until = NEVER
        with self.locked() as working:
            if not working:
                return
            if permit is not None and self._permit is not None and permit.extends(self._permit):
                self._extend(permit)
            else:
                self._shut()
                self._open(permit, target)
            quiet = (quiet or self._draining) and self._permit is not None
            self._rule_quiet(quiet=quiet)
            self._lobby.rule(hold=(hold or quiet) and not self._draining)

    def cut_open(self) -> None:
        """In a quiet moment, cut whoever is inside a transaction that only its client can end, or may be.

        Connections that wait for an answer of MAIN stay: it comes, and says what became of the transaction.
        """
        with self.locked() as working:
            if not working or not self._quiet.on:
                return
            for link in tuple(self._links):
                if link.standing in (Standing.INSIDE, Standing.UNKNOWN):
                    self._tally.cut += 1
                    self._tally.cut_open += 1
                    link.reset()

    def drain(self) -> None:
        """From now on accept nobody, refuse whoever waits, and let no transaction begin."""
        with self.locked() as working:
            if not working or self._draining:
                return
            self._draining = True
            self._stop_accepting()
            self._rule_quiet(quiet=self._permit is not None)
            self._lobby.rule(hold=False)

    def counters(self) -> Counters:
        """A consistent snapshot."""
        with self._turnstile, self._lock:
            to = {self._permit.instance: len(self._links)} if self._permit is not None else {}
            return self._snapshot("rw", self._links, to, held=self._lobby.waiting, dialling=self._lobby.dialling)

    def stop(self) -> None:
        """Make `run` end soon; nothing passes from now on."""
        self._gate.until = NEVER
        super().stop()

    # -- what the loop asks ----------------------------------------------------------------------------------

    def _crowd(self) -> int:
        return len(self._links) + self._lobby.waiting + self._lobby.dialling

    def _objection(self) -> Refusal | None:
        return self._lobby.objection()

    def _admit(self, sock: socket.socket, preface: bytes, now: float) -> None:
        self._lobby.admit(sock, preface, now)

    def _due(self, now: float) -> None:
        if self._permit is not None and now >= self._gate.until:
            self._lapse()
        self._lobby.expire(now)
        self._sentinel.tick()
        for link in self._idle.silent(self._links, now, excused=self._quiet.on):
            self._tally.idled += 1
            link.reset()

    def _follow_up(self) -> float:
        self._lobby.release()
        if self._quiet.on and not self._settled:
            self._settled = all(link.standing is Standing.BETWEEN for link in self._links)
            if self._settled:
                self._notify(self._clock(), None)
        return min(
            self._sentinel.wake_at,
            self._lobby.wake_at(),
            self._idle.wake_at,
            self._gate.until if self._permit is not None else float("inf"),
        )

    def _end(self) -> None:
        self._shut()
        self._lobby.end()
        self._shared.pipes.end()

    # -- the permit; always under the lock -------------------------------------------------------------------

    def _extend(self, permit: Permit) -> None:
        self._permit = permit
        self._gate.until = permit.valid_until_s
        if self._clock() >= permit.valid_until_s:
            self._shut()

    def _open(self, permit: Permit | None, target: Target | None) -> None:
        now = self._clock()
        dead, self._dead = self._dead, None
        if permit is None or now >= permit.valid_until_s:
            return
        revived = permit.extends(dead)
        if dead is not None and revived:
            target = self._target
            if permit.valid_until_s == dead.valid_until_s or now < self._broke_at + REVIVE_AFTER_S:
                self._dead = dead
                return
        if target is None:
            return
        self._permit = permit
        self._target = target
        self._gate.until = permit.valid_until_s
        self._lobby.opening = True
        self._sentinel.start(target, doubted=revived)

    def _shut(self) -> None:
        """Let nothing pass any more, and cut whatever could."""
        self._gate.until = NEVER
        self._permit = None
        self._quiet.on = self._settled = False
        self._sentinel.stop()
        self._tally.cut += len(self._links)
        for link in tuple(self._links):
            link.reset()
        self._lobby.withdraw()
        self._chores = True

    def _rule_quiet(self, *, quiet: bool) -> None:
        """Begin or end the quiet moment, if that is a change."""
        if quiet == self._quiet.on:
            return
        self._quiet.on = quiet
        self._settled = False
        if quiet:
            self._lobby.withdraw()
            for link in self._links:
                link.hush()
            return
        self._idle.forgive()
        self._lobby.opening = True
        for link in tuple(self._links):
            link.resume()

    def _lapse(self) -> None:
        """Time passed, or another thread is about to narrow: cut now, ask nobody."""
        if self._permit is not None:
            self._shut()
            self._lobby.rule(hold=self._lobby.hold)
            self._notify(self._clock(), None)

    def _broke(self) -> None:
        """The sentinel found MAIN gone."""
        self._dead, self._broke_at = self._permit, self._clock()
        self._tally.sentinel_breaks += 1
        self._shut()
        self._lobby.rule(hold=self._lobby.hold)
        self._notify(self._broke_at, self._dead)

    # -- what the lobby asks ---------------------------------------------------------------------------------

    def open_to(self) -> Target | None:
        """Whom clients may be dialled to right now; None until the sentinel stands."""
        return self._target if self._sentinel.up and self._clock() < self._gate.until else None

    def link(self, client: socket.socket, main: socket.socket) -> bool:
        """Relay between the two, if the permit and the sentinel hold at this moment."""
        if self._clock() >= self._gate.until:
            self._lapse()
            return False
        if not self._sentinel.alive():
            self._chores = True
            return False
        link = Link(client, main, self._shared, self._over)
        self._links.add(link)
        link.begin()
        return True

    def refused(self) -> None:
        """MAIN's port refused a client: the sentinel looks again, and decides."""
        self._sentinel.doubt()
        self._chores = True

    def _over(self, link: Link) -> None:
        self._links.discard(link)
        self._chores |= self._quiet.on
        self._tally.bytes_to_main += link.main.written
        self._tally.bytes_to_clients += link.client.written
