"""Ending processes for good: politely first, and nothing of ours is left."""

import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from memgraph_ha.adapters.datadir import DataDir
from memgraph_ha.adapters.process_argv import data_argument
from memgraph_ha.adapters.process_os import ProcessHandle, ProcessIdentity, alive, find_by_argument, own_identity
from memgraph_ha.core.names import InstanceName

_KILL_WITHIN_S: Final = 5.0
"""Only a process that hangs inside the kernel outlives SIGKILL for longer."""

_ROUNDS: Final = 3
"""Another controller may be starting an instance while we end them; it does so at most once more."""


@frozen(kw_only=True)
class Stopped:
    """What `stop_everything` ended.

    Attributes:
        controllers: The pids of controllers.
        instances: Names and pids of instances.
        left: What would not end, by pid; empty unless the kernel or another user keeps it.
    """

    controllers: tuple[int, ...]
    instances: tuple[tuple[InstanceName, int], ...]
    left: tuple[int, ...]


async def stop_everything(datadir: DataDir, *, grace_s: float = 10.0) -> Stopped:
    """End every controller of a data directory, then every instance of it. Nothing there is no error.

    A controller is asked first (SIGTERM), so that it can end its instances and give the lease back. Signals go by
    pidfd to exactly the processes that were written down or found by their data directory.

    Args:
        datadir: Whose.
        grace_s: How long the controllers, and then the instances, have for it before SIGKILL.

    Returns:
        What was ended.
    """
    places = [*((spec.name, spec.place) for spec in datadir.specs())]
    places += [(InstanceName(place.name), place) for place in datadir.strays()]
    controllers: dict[int, ProcessIdentity] = {}
    instances: dict[ProcessIdentity, InstanceName] = {}
    for _ in range(_ROUNDS):
        leading = [each for each in datadir.controllers() if each != own_identity()]
        running = {identity: name for name, place in places for identity in living_in(place)}
        if not leading and not running:
            break
        controllers.update((each.pid, each) for each in leading)
        instances.update(running)
        await end_processes(leading, grace_s)
        running = {identity: name for name, place in places for identity in living_in(place)}
        instances.update(running)
        await end_processes(running, grace_s)
    ended = [(name, identity.pid) for identity, name in instances.items() if not alive(identity)]
    left = [identity.pid for identity in (*controllers.values(), *instances) if alive(identity)]
    return Stopped(
        controllers=tuple(pid for pid, each in controllers.items() if not alive(each)),
        instances=tuple(ended),
        left=tuple(left),
    )


def living_in(place: Path) -> tuple[ProcessIdentity, ...]:
    """List the processes that run in an instance's place, whoever started them."""
    return find_by_argument(data_argument(place))


async def end_processes(identities: Iterable[ProcessIdentity], grace_s: float) -> None:
    """End processes and what they started: SIGTERM (and SIGCONT, for those that are stopped), then SIGKILL.

    Error handling: who runs as somebody else, or hangs inside the kernel, is left; nothing is raised.

    Args:
        identities: Whom; those that are gone, or whose pid is somebody else's by now, are passed over.
        grace_s: Between SIGTERM and SIGKILL.
    """
    handles = [handle for handle in map(ProcessHandle.open, identities) if handle is not None]
    handles.extend([mate for handle in tuple(handles) for mate in handle.session_mates()])
    try:
        await _signal_and_wait(handles, (signal.SIGTERM, signal.SIGCONT), grace_s)
        late = [handle for handle in handles if not handle.ended]
        await _signal_and_wait(late, (signal.SIGKILL,), _KILL_WITHIN_S)
    finally:
        for handle in handles:
            handle.close()


async def _signal_and_wait(handles: list[ProcessHandle], signals: tuple[signal.Signals, ...], within_s: float) -> None:
    with trio.move_on_after(within_s):
        async with trio.open_nursery() as nursery:
            for handle in handles:
                if _send(handle, signals):
                    nursery.start_soon(handle.wait_ended)


def _send(handle: ProcessHandle, signals: tuple[signal.Signals, ...]) -> bool:
    try:
        for each in signals:
            handle.send(each)
    except PermissionError:
        return False
    return True
