"""Faults that are real: SIGKILL and SIGSTOP for the process that is MAIN."""

import contextlib
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import trio

from memgraph_ha.adapters.process_os import ProcessHandle
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Change, ChangeKind, Record
from memgraph_ha.drill.cluster import LocalCluster
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.pauses import Fault, FaultKind
from memgraph_ha.drill.waiting import until_open, until_protected

SIGNAL_MAX_S: Final = 5.0
"""How long a process may take to end or to stop once it was told to."""

_SIGNALS: Final = {FaultKind.KILL: signal.SIGKILL, FaultKind.STOP: signal.SIGSTOP}
_LOOK_S: Final = 0.0005


async def inflict(
    cluster: LocalCluster, number: int, kind: FaultKind, *, within_s: float, sent: Callable[[float], None]
) -> Fault:
    """Do one fault to the MAIN that the record names, and wait until the cluster is protected again.

    A stopped MAIN is continued as soon as another reign is open, if it is still the same process.

    Args:
        cluster: Protected.
        number: The fault's.
        kind: What to do.
        within_s: How long the cluster may take.
        sent: Told when the fault is done, whatever becomes of it.

    Raises:
        DrillError: There is no MAIN to do it to, or the cluster is not protected again in time.
    """
    before = await cluster.record()
    if before is None:
        raise DrillError(f"there is no record to tell who is MAIN\n{cluster.tail()}")
    with contextlib.ExitStack() as held:
        victims = _hold(cluster, before.main, held)
        sent_s = time.monotonic()
        sent(sent_s)
        for victim in victims:
            victim.send(_SIGNALS[kind])
        seen_s = await _until_seen(victims, kind, before.main)
        if kind is FaultKind.STOP:
            await until_open(cluster, above=before.generation, within_s=within_s)
            for victim in victims:
                victim.send(signal.SIGCONT)
        record = await until_protected(cluster, above=before.generation, within_s=within_s)
    return Fault(
        number=number,
        kind=kind,
        main=before.main,
        sent_s=sent_s,
        seen_s=seen_s,
        protected_s=time.monotonic(),
        new_main=record.main,
        changes=changes_since(record, before.generation),
    )


def changes_since(record: Record, generation: int) -> tuple[ChangeKind, ...]:
    """List how the reigns after a generation came about, oldest first."""
    news: list[Change] = [change for change in record.history if change.generation > generation]
    return tuple(change.kind for change in news)


def _hold(cluster: LocalCluster, name: InstanceName, held: contextlib.ExitStack) -> list[ProcessHandle]:
    """Take hold of an instance's process, and of what it started if it is a wrapper; none is left frozen."""
    victims = [cluster.hold(name)]
    held.callback(victims[0].close)
    for mate in victims[0].session_mates():
        held.callback(mate.close)
        victims.append(mate)
    for victim in victims:
        held.callback(victim.send, signal.SIGCONT)  # before it is let go; a process that ended gets nothing
    return victims


async def _until_seen(victims: Sequence[ProcessHandle], kind: FaultKind, name: InstanceName) -> float:
    """Wait until the signal has worked on all of them; gives when that was seen."""
    has_worked = _has_ended if kind is FaultKind.KILL else _has_stopped
    with trio.move_on_after(SIGNAL_MAX_S):
        for victim in victims:
            while not has_worked(victim):  # noqa: ASYNC110 - the kernel tells nobody of a stop but the parent
                await trio.sleep(_LOOK_S)
        return time.monotonic()
    raise DrillError(f"{name} (pid {victims[0].identity.pid}) did not obey {_SIGNALS[kind].name} in {SIGNAL_MAX_S:g} s")


def _has_ended(victim: ProcessHandle) -> bool:
    return victim.ended


def _has_stopped(victim: ProcessHandle) -> bool:
    return victim.ended or is_stopped(victim.identity.pid)


def is_stopped(pid: int) -> bool:
    """Whether every thread of a process stands still by a stop signal (proc(5), state ``T``), or it is gone."""
    try:
        threads = [
            path.read_text(encoding="utf-8", errors="replace") for path in Path(f"/proc/{pid}/task").glob("*/stat")
        ]
    except OSError:
        return False  # a thread ended while we looked: look again
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in threads)
