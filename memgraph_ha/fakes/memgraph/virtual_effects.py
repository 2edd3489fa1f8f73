"""What each effect means in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final

from .disk import StorageError
from .effects import (
    Calendar,
    Call,
    Clock,
    Die,
    Effect,
    Failure,
    Hangup,
    Link,
    Listen,
    ListSnapshots,
    Offload,
    Persist,
    ReadSnapshot,
    Sleep,
    Spawn,
    Unlisten,
    Wait,
)
from .errors import MemgraphError
from .locks import Waiter
from .replica import serve
from .rpc import Reply
from .virtual_net import LATENCY_S, Connection, Reach

if TYPE_CHECKING:
    from .virtual_host import Host

LATER: Final = object()  # the outcome comes through `resume`
EPOCH_NS: Final = 1_767_225_600_000_000_000  # 2026-01-01
Resume = Callable[[Any], None]


def perform(host: Host, effect: Effect, resume: Resume) -> object:
    """Perform an effect.

    Args:
        host: The process that asked.
        effect: What it asked for.
        resume: Takes the outcome if it comes later.

    Returns:
        The outcome, or `LATER`; a `StorageError` or `MemgraphError` is to be thrown.
    """
    match effect:
        case Wait():
            return _wait(host, effect, resume)
        case Call():
            return _call(host, effect, resume)
        case Sleep(seconds=seconds):
            host.later(seconds, lambda: resume(None))
            return LATER
        case Offload(function=function, takes_s=takes_s):
            try:
                result = function()
            except MemgraphError as error:
                result = error
            host.later(takes_s, lambda: resume(result))
            return LATER
        case _:
            return _at_once(host, effect)


def _at_once(host: Host, effect: Effect) -> object:
    match effect:
        case Persist() | ListSnapshots() | ReadSnapshot():
            return _on_disk(host, effect)
        case Clock():
            return host.world.now
        case Calendar():
            return EPOCH_NS + int(host.world.now * 1e9)
        case Spawn(procedure=procedure):
            host.spawn(procedure)
        case Hangup(link=link):
            hang_up(host, link)
        case Listen(port=port):
            if host.refuses_to_listen:
                return False
            host.server, host.port = object(), port
            return True
        case Unlisten():
            host.server = None
            host.break_servers()
        case Die(signal=signal):
            host.died_of = signal
            host.kill()
        case _:
            raise NotImplementedError(effect)
    return None


def _on_disk(host: Host, effect: Persist | ListSnapshots | ReadSnapshot) -> object:
    match effect:
        case Persist(writes=writes):
            if host.disk_full:
                return StorageError("No space left on device")
            for write in writes:
                host.disk.apply(write)
            return host.world.now
        case ListSnapshots():
            return tuple((snapshot.name, 0) for snapshot in host.disk.snapshots)
        case ReadSnapshot(path=path):
            name = PurePath(path).name
            everywhere = (each for other in host.world.hosts.values() for each in other.disk.snapshots)
            found = [each for each in everywhere if each.name == name]
            return found[0] if found else StorageError(f"no snapshot {path}")


def _wait(host: Host, wait: Wait, resume: Resume) -> object:
    ended = False

    def end(outcome: object) -> None:
        nonlocal ended
        ended = True
        resume(outcome)

    def enqueue() -> None:
        waiter = Waiter(wait.exclusive, lambda: host.later(0.0, lambda: woken(waiter)))
        waiters.append(waiter)
        wait.lock.enqueue(waiter)

    def woken(waiter: Waiter) -> None:
        if ended:
            wait.lock.forget(waiter)
            return
        outcome = waiter.granted or wait.retry()
        if outcome is None:
            enqueue()
        else:
            end(outcome)

    def give_up() -> None:
        if not ended and not waiters[-1].granted:
            wait.lock.forget(waiters[-1])
            end(None)

    waiters: list[Waiter] = []
    enqueue()
    if wait.timeout_s is not None:
        host.later(wait.timeout_s, give_up)
    return LATER


def _call(host: Host, call: Call, resume: Resume) -> object:
    """Connect if need be, deliver, and wait for the reply as long as the call allows."""
    world, link = host.world, call.link
    connection = host.links.get(link)
    peer = world.resolve(link.host) if connection is None else world.hosts.get(connection.peer)
    reach = Reach.OPEN if peer is None else world.net.path(host.name, peer.name)
    if connection is None:
        if peer is None and world.swallows(link.host):
            reach = Reach.BLACK_HOLE
        if reach is Reach.BLACK_HOLE:
            host.later(call.connect_timeout_s, lambda: resume(Failure.UNREACHABLE))
            return LATER
        if peer is None or reach is Reach.REFUSED or peer.server is None or peer.port != link.port:
            host.later(LATENCY_S, lambda: resume(Failure.REFUSED))
            return LATER
        connection = host.links[link] = Connection(peer.name, peer.server)
    open_call = _OpenCall(host, link, resume)
    host.later(call.timeout_s, lambda: open_call.end(Failure.TIMED_OUT))
    if peer is None or peer.server is not connection.server or world.lose(host.name, peer.name, call.request):
        host.later(LATENCY_S, lambda: open_call.end(Failure.BROKEN))
    else:
        _deliver(host, peer, call, open_call)
    return LATER


class _OpenCall:
    """A call without an outcome yet."""

    def __init__(self, host: Host, link: Link, resume: Resume) -> None:
        self._host = host
        self._link = link
        self._resume = resume
        self._ended = False
        host.pending[link] = lambda outcome: host.later(0.0, lambda: self.end(outcome))

    def end(self, outcome: Reply | Failure) -> None:
        """Resume the caller, once."""
        if self._ended:
            return
        self._ended = True
        self._host.pending.pop(self._link, None)
        if isinstance(outcome, Failure):
            self._host.links.pop(self._link, None)
        self._resume(outcome)


def _deliver(host: Host, peer: Host, call: Call, open_call: _OpenCall) -> None:
    """Hand the request to the peer; if its server ends before it has answered, the caller is told."""
    net, patience_s = host.world.net, call.timeout_s

    def broken() -> None:
        net.carry(peer.name, host.name, host.alive(lambda: open_call.end(Failure.BROKEN)), patience_s)

    def answered(reply: Reply) -> None:
        if broken in peer.serving:
            peer.serving.remove(broken)
        net.answer(peer.name, host.name, host.alive(lambda: open_call.end(reply)), patience_s)

    def arrive() -> None:
        if broken in peer.serving:
            peer.advance(serve(peer.live(), call.request), None, answered)

    peer.serving.append(broken)
    net.carry(host.name, peer.name, peer.alive(arrive), patience_s)


def hang_up(host: Host, link: Link) -> None:
    """Close a connection; a call in flight on it fails."""
    host.links.pop(link, None)
    fail = host.pending.pop(link, None)
    if fail is not None:
        fail(Failure.BROKEN)
