"""Work in processes of its own, forked from this one with everything loaded, a few at a time."""

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Final, Generic, TypeVar

from attrs import define, field, frozen

Key = TypeVar("Key")

Say = Callable[[object], None]
"""Tells the parent something; the process has the whole time limit again from then on."""

MEMORY: Final = 3 << 30
"""Most address space of such a process, bytes: one that collects without end is ended by that."""

CONTEXT: Final = multiprocessing.get_context("fork")


@frozen(kw_only=True)
class Ended(Generic[Key]):
    """A process that is over.

    Attributes:
        key: Of its task.
        said: What it told, in order.
        in_time: Whether it came to its own end before the time limit.
    """

    key: Key
    said: tuple[object, ...]
    in_time: bool


@define
class _Child(Generic[Key]):
    key: Key
    process: BaseProcess
    pipe: Connection
    due_s: float
    said: list[object] = field(factory=list)
    open: bool = True


def forked(tasks: Iterable[tuple[Key, Callable[[Say], None]]], *, jobs: int, limit_s: float) -> Iterator[Ended[Key]]:
    """Do each task in a process of its own.

    Args:
        tasks: What, under which key; taken one by one as there is room.
        jobs: How many at a time.
        limit_s: Longest silence of a process, seconds; then it is killed.

    Yields:
        One for each task, in the order in which they end. Closing this generator kills what still runs.
    """
    waiting, running = iter(tasks), list[_Child[Key]]()
    try:
        while True:
            while len(running) < jobs and (task := next(waiting, None)) is not None:
                running.append(_start(*task, limit_s))
            if not running:
                return
            for child in _over(running, limit_s):
                running.remove(child)
                yield Ended(key=child.key, said=tuple(child.said), in_time=child.process.exitcode is not None)
                _end(child)
    finally:
        for child in running:
            _end(child)


def _start(key: Key, work: Callable[[Say], None], limit_s: float) -> _Child[Key]:
    ours, theirs = CONTEXT.Pipe(duplex=False)
    process = CONTEXT.Process(target=_work, args=(work, theirs), daemon=True)
    process.start()
    theirs.close()
    return _Child(key, process, ours, time.monotonic() + limit_s)


def _work(work: Callable[[Say], None], pipe: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    work(pipe.send)
    pipe.close()


def _over(running: list[_Child[Key]], limit_s: float) -> list[_Child[Key]]:
    """Hear the processes out; those that are over or stand still."""
    soonest_s = min(child.due_s for child in running)
    ready = wait([child.pipe for child in running if child.open], max(0.0, soonest_s - time.monotonic()))
    for child in running:
        if child.pipe in ready:
            try:
                child.said.append(child.pipe.recv())
                child.due_s = time.monotonic() + limit_s
            except EOFError:
                child.open = False
                child.process.join(limit_s)
    return [child for child in running if not child.open or child.due_s <= time.monotonic()]


def _end(child: _Child[Key]) -> None:
    if child.process.exitcode is None:
        child.process.kill()
    child.process.join()
    child.process.close()
    child.pipe.close()
