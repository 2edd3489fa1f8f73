"""How long one look takes: `decide` and `observe` on clusters of 3 and 9 instances, at rest and in a failover.

    python bench/decide.py [--seconds 1] [--profile]

Prints target, measured (p50 and p99 of single calls, in CPU time of this thread, so that what else the machine does
does not count) and whether the target is met by the p50. Each call of `decide` gets a view of its own, as in the
daemon: nothing that one call worked out helps the next. `--profile` shows where the time goes.
"""

import argparse
import cProfile
import gc
import pstats
import statistics
import time
from collections.abc import Callable
from functools import reduce
from itertools import cycle
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.core import Fact, Observed, Policy, Record, View, decide, observe
from memgraph_ha.core.facts import (
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    NoopSeen,
    Outcome,
    PortSeen,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
    RowsSeen,
    ServerSeen,
    StorageSeen,
)
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RowName, RunId, Token
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Standby
from memgraph_ha.core.topology import Member, Mode, Role, Row, RowStatus, StorageMode

NOW: Final = 1000.0
WALL: Final = 1_700_000_000.0
DATA: Final = "8ccf6784-dff4-47d7-b3a8-00ca322a431b"
TARGETS_US: Final = {3: 100.0, 9: 300.0}
"""Microseconds for one `decide`, by number of instances (design 10)."""
OBSERVE_TARGET_US: Final = 20.0
"""For one fact; ours, as a look files about ten."""


def name(n: int) -> InstanceName:
    """The n-th instance."""
    return InstanceName(f"memgraph-{n}")


def run(n: int) -> RunId:
    """Its run."""
    return RunId(f"run-{n}")


def member(n: int) -> Member:
    """The platform's line about it."""
    return Member(
        name=name(n),
        bolt=Address(f"127.0.0.1:{17687 + n}"),
        replication=Address(f"127.0.0.1:{20000 + n}"),
        incarnation=Incarnation(f"{100 + n}/{n}"),
    )


def answers(n: int, role: Role, at_s: float = NOW - 0.05) -> list[Fact]:
    """Everything that a probe round reports of it."""
    who = name(n)
    return [
        RoleSeen(at_s=at_s, asked_at_s=at_s, instance=who, run=run(n), role=role),
        StorageSeen(
            at_s=at_s,
            asked_at_s=at_s,
            instance=who,
            run=run(n),
            uuid=DATA,
            empty=False,
            mode=StorageMode.TRANSACTIONAL,
        ),
        ServerSeen(
            at_s=at_s, instance=who, run=run(n), version="3.6.1", wal=True, flush_every=1, init_file="init.cypherl"
        ),
        PortSeen(at_s=at_s, asked_at_s=at_s, instance=who, open=True),
    ]


def row(n: int, mode: Mode, label: str) -> Row:
    """One healthy line of SHOW REPLICAS."""
    return Row(name=RowName(label), address=member(n).replication, mode=mode, status=RowStatus.READY, ts=40, behind=0)


def record(instances: int) -> Record:
    """An open reign of the first, with the second named and a full history."""
    change = Change(
        generation=64,
        main=name(0),
        previous=name(1),
        kind=ChangeKind.FAILOVER,
        standby=name(1),
        rule="L30",
        reason="MAIN is lost: 2 connections refused within 0.060 s",
        at=WALL - 86_400,
    )
    return Record(
        cluster="bench",
        generation=64,
        main=name(0),
        main_run=run(0),
        opened=True,
        standby=Standby(instance=name(1), run=run(1), row=RowName("memgraph-1_7")),
        fallback=None,
        unprotected=False,
        row_seq=7,
        rebuild=frozenset(),
        database_uuid=DATA,
        level=tuple((name(n), 64) for n in range(instances)),
        history=tuple(evolve(change, generation=n + 1) for n in range(64)),
    )


def at_rest(instances: int) -> list[Fact]:
    """A healthy cluster."""
    held = record(instances)
    rows = (
        row(1, Mode.STRICT_SYNC, "memgraph-1_7"),
        *(row(n, Mode.ASYNC, str(name(n))) for n in range(2, instances)),
    )
    found: list[Fact] = [
        MembersSeen(at_s=0.0, cluster="bench", members=tuple(member(n) for n in range(instances))),
        LeaseSeen(at_s=NOW - 1, leading=True, until_s=NOW + 9, since_s=NOW - 500, floor_generation=64),
        RecordSeen(at_s=NOW - 1, record=held, token=Token("1")),
        GateSeen(at_s=NOW - 400, permit=None),
    ]
    for n in range(instances):
        found += answers(n, Role.MAIN if n == 0 else Role.REPLICA)
    found += [
        RowsSeen(at_s=NOW - 0.05, asked_at_s=NOW - 0.05, instance=name(0), run=run(0), rows=rows),
        NoopSeen(
            at_s=NOW - 0.4,
            asked_at_s=NOW - 0.4,
            instance=name(0),
            run=run(0),
            generation=64,
            outcome=Outcome.DONE,
            witness=held.standby,
            row_ts=40,
        ),
    ]
    return found


def lost(instances: int) -> list[Fact]:
    """MAIN refuses connections: the standby is to follow."""
    refused: list[Fact] = [
        ProbeMissed(at_s=at_s, asked_at_s=at_s, instance=name(0), miss=Miss.REFUSED)
        for at_s in (NOW - 0.04, NOW + 0.02)
    ]
    return [*at_rest(instances), *refused]


def begun(instances: int) -> list[Fact]:
    """The reign of the standby is written: it is to be promoted."""
    held = record(instances)
    next_reign = evolve(
        held,
        generation=65,
        main=name(1),
        main_run=run(1),
        opened=False,
        standby=None,
        fallback=Fallback(instance=name(0), run=None),
    )
    gone = (evolve(member(0), incarnation=None), *(member(n) for n in range(1, instances)))
    return [
        *lost(instances),
        RecordSeen(at_s=NOW, record=next_reign, token=Token("2")),
        MembersSeen(at_s=NOW, cluster="bench", members=gone),
    ]


def opening(instances: int) -> list[Fact]:
    """The new MAIN is promoted and durable: the first ASYNC replica is to be fenced."""
    committed = NoopSeen(
        at_s=NOW + 0.03,
        asked_at_s=NOW + 0.03,
        instance=name(1),
        run=run(1),
        generation=65,
        outcome=Outcome.DONE,
    )
    rows = RowsSeen(at_s=NOW + 0.03, asked_at_s=NOW + 0.03, instance=name(1), run=run(1), rows=())
    return [*begun(instances), *answers(1, Role.MAIN, NOW + 0.03), rows, committed]


STEPS: Final[dict[str, tuple[Callable[[int], list[Fact]], str]]] = {
    "at rest": (at_rest, "Z99"),
    "MAIN lost": (lost, "L30"),
    "reign begun": (begun, "O20"),
    "reign opening": (opening, "O40"),
}


@frozen
class Measured:
    """Single calls in microseconds."""

    p50_us: float
    p99_us: float
    calls: int


LEAST_CALLS = 100


def measure(call: Callable[[], object], seconds: float) -> Measured:
    """Time single calls for so long, and a hundred at least: a p99 of fewer is none."""
    for _ in range(200):
        call()
    gc.collect()
    times: list[int] = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times) < LEAST_CALLS:
        start = time.thread_time_ns()
        call()
        times.append(time.thread_time_ns() - start)
    cuts = statistics.quantiles(times, n=100)
    return Measured(p50_us=statistics.median(times) / 1000, p99_us=cuts[98] / 1000, calls=len(times))


def view_of(observed: Observed) -> View:
    """A fresh view, as each look of the daemon makes one."""
    return View(observed=observed, policy=Policy(), now_s=NOW + 0.05, wall_s=WALL)


def line(what: str, target_us: float, found: Measured) -> str:
    """One line of the table."""
    met = "yes" if found.p50_us <= target_us else "NO"
    return f"{what:<34} {target_us:>8.0f} {found.p50_us:>9.1f} {found.p99_us:>9.1f} {found.calls:>8} {met:>5}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="How long decide and observe take.")
    parser.add_argument("--seconds", type=float, default=1.0, help="how long each line is measured")
    parser.add_argument("--profile", action="store_true", help="show where the time of decide goes")
    given = parser.parse_args()
    print(f"{'one call':<34} {'target us':>8} {'p50 us':>8} {'p99 us':>9} {'calls':>8} {'met':>5}")
    policy = Policy()
    for instances in TARGETS_US:
        for step, (facts, rule) in STEPS.items():
            observed = reduce(observe, facts(instances), Observed())
            decided = decide(view_of(observed)).rule
            if decided != rule:
                raise SystemExit(f"{step} with {instances} instances: {decided} decided, not {rule}")

            def look(observed: Observed = observed) -> object:
                return decide(View(observed=observed, policy=policy, now_s=NOW + 0.05, wall_s=WALL))

            print(line(f"decide, {instances} instances, {step}", TARGETS_US[instances], measure(look, given.seconds)))
            if given.profile:
                profile(look)
        start = reduce(observe, at_rest(instances), Observed())
        stream = cycle(answers(1, Role.REPLICA, NOW))

        def file(start: Observed = start, stream: "cycle[Fact]" = stream) -> object:
            return observe(start, next(stream))

        print(line(f"observe, {instances} instances, one fact", OBSERVE_TARGET_US, measure(file, given.seconds)))


def profile(call: Callable[[], object]) -> None:
    """Show the functions that take most of the time."""
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(2000):
        call()
    profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(14)


if __name__ == "__main__":
    main()
