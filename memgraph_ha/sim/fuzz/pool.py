"""Many lives at once: one process per core, each life in one of them, told in the order of the seeds."""

from __future__ import annotations

import gc
import itertools
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Final, TypeVar

Told = TypeVar("Told")

AHEAD: Final = 8
"""How many lives per process may wait to be played or told: a long one holds nobody else up."""


def in_order(work: Callable[[int], Told], first: int, jobs: int) -> Generator[Told, None, None]:
    """Do the work for ``first``, ``first + 1`` and so on, without end, and tell what came of each, in that order.

    The processes are started anew (spawn): they share nothing with this one, on every platform.
    Resource handling: close the generator to end them; what is being done then is not waited for.

    Args:
        work: A function of a module, with arguments that can be pickled.
        first: The first number.
        jobs: How many processes; with 1 everything is done in this one.
    """
    if jobs == 1:
        _settle()
        try:
            yield from map(work, itertools.count(first))
        finally:
            gc.unfreeze()
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(max_workers=jobs, mp_context=context, initializer=_begin, initargs=(work,))
    waiting: deque[Future[Told]] = deque()
    try:
        for number in itertools.count(first):
            waiting.append(pool.submit(work, number))
            if len(waiting) >= jobs * AHEAD:
                yield waiting.popleft().result()
    finally:
        _end(pool)


def _end(pool: ProcessPoolExecutor) -> None:
    processes = list((pool._processes or {}).values())  # noqa: SLF001 - there is no public way before Python 3.14
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def _begin(_work: Callable[[int], object]) -> None:
    """Leave Ctrl-C to the first process. To get here the work's modules were imported."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _settle()


def _settle() -> None:
    """What is there now is no garbage, ever: looking at it after each life takes a tenth of the time."""
    gc.collect()
    gc.freeze()
