"""The read-only gateway's loop: several permits, each with its own gate; new clients go where the fewest are.

There is no sentinel and nobody is held: a replica that dies ends its connections by itself, and whoever cannot be
served at once is refused. A cut is complete when `ReadLoop.apply` returns, as in `engine`.
"""

import socket
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.permit import Permit, ReadPermit
from memgraph_ha.proxy.counters import Counters, Refusal
from memgraph_ha.proxy.idle import IdleWatch
from memgraph_ha.proxy.link import Link
from memgraph_ha.proxy.lobby import DIALS_AT_ONCE, USER_TIMEOUT_MS, Limits
from memgraph_ha.proxy.loop import NEVER, Loop
from memgraph_ha.proxy.options import PLAIN, Options
from memgraph_ha.proxy.poller import OUT
from memgraph_ha.proxy.relay import Gate, Shared
from memgraph_ha.proxy.sockets import Target, connected, dial


class Lane:
    """What goes under one read permit.

    Attributes:
        permit: The permit.
        takes_new: Whether new clients may come.
        target: Where it leads.
        gate: Its end.
        shared: What its links share.
        links: Its links.
        dialling: Clients being dialled there.
    """

    def __init__(self, read: ReadPermit, target: Target, gate: Gate, shared: Shared) -> None:
        self.permit = read.permit
        self.takes_new = read.takes_new
        self.target = target
        self.gate = gate
        self.shared = shared
        self.links: set[Link] = set()
        self.dialling = 0


class Visitor:
    """A client that has not reached a replica yet.

    Attributes:
        sock: Its connection; nothing that a replica should see has been read from it.
        preface: What the replica is to be told of it first.
        tried: Where it was dialled in vain.
        lane: Where it is being dialled.
        replica: That attempt.
        dialled_at: When it began.
    """

    def __init__(self, sock: socket.socket, preface: bytes) -> None:
        self.sock = sock
        self.preface = preface
        self.tried: list[Lane] = []
        self.lane: Lane | None = None
        self.replica: socket.socket | None = None
        self.dialled_at = NEVER


class ReadLoop(Loop):
    """Accepts, balances, relays and cuts readers.

    Args:
        listener: A non-blocking listening socket; closed by `run`, or by `close` if that never ran.
        limits: What to take on; nobody is held.
        clock: The permits' clock, seconds.
        options: How to receive clients, and for how long they may be silent.
    """

    def __init__(
        self, listener: socket.socket, limits: Limits, clock: Callable[[], float], options: Options = PLAIN
    ) -> None:
        super().__init__(listener, limits, clock, options)
        self._lanes: list[Lane] = []
        self._queue: deque[Visitor] = deque()
        self._dialling: OrderedDict[Visitor, None] = OrderedDict()
        self._idle = IdleWatch(options.idle_timeout_s)

    # -- called from any thread ------------------------------------------------------------------------------

    def needs_target(self, permit: Permit) -> bool:
        """Whether `apply` has not dialled under this permit before."""
        return not any(permit.extends(lane.permit) for lane in self._lanes)

    def apply(self, reads: Sequence[tuple[ReadPermit, Target | None]], *, widen: bool = True) -> None:
        """Work under these permits, and no others, from now on.

        Everything under a permit that none of these extends is reset before this returns.

        Args:
            reads: The permits in order of preference among equals, each with its resolved address; that may be None
                if `needs_target` says so, otherwise the permit is not used.
            widen: Also use permits that are new; otherwise only those that extend present ones stay.
        """
        for lane in self._lanes:
            if not any(read.permit.extends(lane.permit) for read, _ in reads):
                lane.gate.until = NEVER
        with self.locked() as working:
            if not working:
                return
            present, self._lanes = self._lanes, []
            for read, target in reads:
                found = next((lane for lane in present if read.permit.extends(lane.permit)), None)
                if found is None and widen and target is not None:
                    found = self._open(read, target)
                if found is not None:
                    found.permit, found.takes_new = read.permit, read.takes_new
                    found.gate.until = read.permit.valid_until_s
                    self._lanes.append(found)
            for lane in present:
                if lane not in self._lanes:
                    self._cut(lane)
            self._lapse()

    def counters(self) -> Counters:
        """A consistent snapshot."""
        with self._turnstile, self._lock:
            to: dict[InstanceName, int] = {}
            for lane in self._lanes:
                to[lane.permit.instance] = to.get(lane.permit.instance, 0) + len(lane.links)
            links = [link for lane in self._lanes for link in lane.links]
            return self._snapshot("ro", links, to, held=len(self._queue), dialling=len(self._dialling))

    def drain(self) -> None:
        """From now on accept nobody, and refuse whoever is not served yet."""
        with self.locked() as working:
            if working:
                self._stop_accepting()
                for lane in self._lanes:
                    lane.takes_new = False

    def stop(self) -> None:
        """Make `run` end soon; nothing passes from now on."""
        for lane in self._lanes:
            lane.gate.until = NEVER
        super().stop()

    # -- what the loop asks ----------------------------------------------------------------------------------

    def _crowd(self) -> int:
        return sum(len(lane.links) for lane in self._lanes) + len(self._queue) + len(self._dialling)

    def _objection(self) -> Refusal | None:
        return None if any(lane.takes_new for lane in self._lanes) else Refusal.SHUT

    def _admit(self, sock: socket.socket, preface: bytes, now: float) -> None:
        del now
        self._queue.append(Visitor(sock, preface))
        self.stir()

    def _due(self, now: float) -> None:
        self._lapse()
        while self._dialling and now >= self._oldest().dialled_at + self._limits.connect_timeout_s:
            self._failed(self._oldest())
        links = (link for lane in self._lanes for link in lane.links)
        for link in self._idle.silent(links, now, excused=False):
            self._tally.idled += 1
            link.reset()

    def _follow_up(self) -> float:
        while self._queue and len(self._dialling) < DIALS_AT_ONCE:
            self._dial(self._queue.popleft())
        due = min((lane.gate.until for lane in self._lanes), default=float("inf"))
        if self._dialling:
            due = min(due, self._oldest().dialled_at + self._limits.connect_timeout_s)
        return min(due, self._idle.wake_at)

    def _end(self) -> None:
        for lane in self._lanes:
            self._cut(lane, redial=False)
        self._lanes.clear()
        while self._queue:
            self._poller.abort(self._queue.popleft().sock)

    # -- the permits; always under the lock ------------------------------------------------------------------

    def _open(self, read: ReadPermit, target: Target) -> Lane:
        gate = Gate(self._lapse)
        return Lane(read, target, gate, Shared(self._poller, gate, self._clock))

    def _cut(self, lane: Lane, *, redial: bool = True) -> None:
        """Reset everything under a permit; who was only being dialled may try another."""
        lane.gate.until = NEVER
        self._tally.cut += len(lane.links)
        for link in tuple(lane.links):
            link.reset()
        lane.shared.pipes.end()
        for visitor in [visitor for visitor in self._dialling if visitor.lane is lane]:
            self._hang_up(visitor)
            if redial:
                self._queue.append(visitor)
            else:
                self._poller.abort(visitor.sock)

    def _lapse(self) -> None:
        """Cut what has no time left, or what another thread is about to cut."""
        now = self._clock()
        over = [lane for lane in self._lanes if now >= lane.gate.until]
        if over:
            self._lanes = [lane for lane in self._lanes if lane not in over]
            for lane in over:
                self._cut(lane)
            self.stir()

    # -- dialling --------------------------------------------------------------------------------------------

    def _oldest(self) -> Visitor:
        return next(iter(self._dialling))

    def _dial(self, visitor: Visitor) -> None:
        """Try the replica with the fewest clients of those that it has not tried, or refuse it."""
        now = self._clock()
        lanes = [lane for lane in self._lanes if lane.takes_new and lane not in visitor.tried and now < lane.gate.until]
        if not lanes:
            self._tally.refused[Refusal.UNREACHABLE if visitor.tried else Refusal.SHUT] += 1
            self._poller.abort(visitor.sock)
            return
        lane = min(lanes, key=lambda lane: len(lane.links) + lane.dialling)
        visitor.lane = lane
        visitor.tried.append(lane)
        visitor.dialled_at = now
        lane.dialling += 1
        self._dialling[visitor] = None
        try:
            visitor.replica = dial(lane.target, USER_TIMEOUT_MS)
        except OSError:
            self._failed(visitor)
            return
        self._progress(visitor, lane)

    def _progress(self, visitor: Visitor, lane: Lane) -> None:
        """See how far an attempt is; link the two when it has succeeded."""
        self.stir()
        replica = visitor.replica
        if replica is None or visitor.lane is not lane:
            return
        try:
            if not connected(replica, lane.target):
                self._poller.watch(replica.fileno(), OUT, lambda _mask: self._progress(visitor, lane))
                return
            if self._clock() >= lane.gate.until:
                self._lapse()
                return
            if visitor.preface and replica.send(visitor.preface) != len(visitor.preface):
                self._failed(visitor)
                return
        except OSError:
            self._failed(visitor)
            return
        del self._dialling[visitor]
        lane.dialling -= 1
        self._tally.relayed += 1
        link = Link(visitor.sock, replica, lane.shared, lambda link: self._over(lane, link))
        lane.links.add(link)
        link.begin()

    def _failed(self, visitor: Visitor) -> None:
        """The replica was not reached: try the next."""
        self._tally.dial_failures += 1
        self._hang_up(visitor)
        self._queue.append(visitor)
        self.stir()

    def _hang_up(self, visitor: Visitor) -> None:
        self._dialling.pop(visitor)
        if visitor.lane is not None:
            visitor.lane.dialling -= 1
            visitor.lane = None
        if visitor.replica is not None:
            self._poller.abort(visitor.replica)
            visitor.replica = None

    def _over(self, lane: Lane, link: Link) -> None:
        lane.links.discard(link)
        self._tally.bytes_to_main += link.main.written
        self._tally.bytes_to_clients += link.client.written
