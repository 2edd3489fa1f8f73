"""What a trace costs the controller: one turn of its loop (file two facts, decide), with and without a recorder.

    python bench/trace.py [--seconds 2]

CPU time of the loop's own thread, so that what the writing thread does beside it does not count, but what it takes
from the loop by its existence does (the second number: wall clock, with the writing thread at work). Targets are ours:
a turn may cost 100 us more, and what a cluster under load records in a second (40 turns with two facts each, as
`memgraph-ha demo --trace` shows) no more than 3 % of a core.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import Final

from attrs import evolve
from decide import NOW, WALL, at_rest

from memgraph_ha.core import Fact, Observed, Policy, View, decide, observe
from memgraph_ha.trace.recorder import NO_RECORDER, LineRecorder, Recorder
from memgraph_ha.trace.schema import Source
from memgraph_ha.trace.writing import FileSink

TARGET_US: Final = 100.0
SHARE_TARGET: Final = 0.03
TURNS_A_SECOND: Final = 40
FACTS: Final = 2
WARM: Final = 50


def turn(recorder: Recorder) -> Callable[[], float]:
    """Make one turn of the loop; called, it does the next one and gives its CPU time, seconds."""
    policy, state, times = Policy(), [Observed()], [NOW]
    recorder.start("c1", policy)
    told: Iterator[Fact] = cycle(at_rest(3))

    def once() -> float:
        times[0] += 0.025
        now_s = times[0]
        begin = time.thread_time()
        for _ in range(FACTS):
            fact = next(told)
            later = evolve(fact, at_s=now_s)
            recorder.fact("c1", later)
            state[0] = observe(state[0], later)
        view = View(observed=state[0], policy=policy, now_s=now_s, wall_s=WALL + now_s - NOW)
        recorder.tick("c1", view, decide(view))
        return time.thread_time() - begin

    return once


def measure(recorder: Recorder, seconds: float) -> tuple[float, float, int]:
    """Turn for so long, at the pace of a busy cluster; gives the median and the 99th percentile, us, and how many."""
    once = turn(recorder)
    for _ in range(WARM):
        once()
    found: list[float] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        found.append(once() * 1e6)
        time.sleep(1 / TURNS_A_SECOND)
    cuts = statistics.quantiles(found, n=100)
    return statistics.median(found), cuts[98], len(found)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What a trace costs the controller.")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each line is measured")
    given = parser.parse_args()
    print(f"{'one turn of the loop':<34} {'p50 us':>8} {'p99 us':>9} {'turns':>8}")
    plain, plain_99, count = measure(NO_RECORDER, given.seconds)
    print(f"{'without a recorder':<34} {plain:>8.0f} {plain_99:>9.0f} {count:>8}")
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "bench.jsonl"
        before = time.process_time()
        sink = FileSink(path, most_bytes=1 << 30, clock=time.monotonic, complain=print)
        recorder = LineRecorder(sink, source=Source.LOCAL, clock=time.monotonic, wall=time.time)
        began = time.perf_counter()
        traced, traced_99, count = measure(recorder, given.seconds)
        sink.close()
        took = time.perf_counter() - began
        size = path.stat().st_size
        spent = time.process_time() - before
    print(f"{'with one':<34} {traced:>8.0f} {traced_99:>9.0f} {count:>8}")
    more = traced - plain
    print(f"a turn costs {more:.0f} us more, target {TARGET_US:.0f} us: {'yes' if more <= TARGET_US else 'NO'}")
    share = max(0.0, spent / took - (plain * TURNS_A_SECOND) / 1e6)
    met = "yes" if share <= SHARE_TARGET else "NO"
    print(f"recording takes {share:.1%} of a core, the thread's part included, target {SHARE_TARGET:.0%}: {met}")
    lines = (count + WARM) * (FACTS + 1)
    print(
        f"{size / lines:.0f} bytes a line; {size / took * 3600 / 1e6:.0f} MB an hour at {TURNS_A_SECOND} turns a second"
    )


if __name__ == "__main__":
    main()
