"""Soaks as they would be, made up, for what only reckons and shows."""

import math
from collections import Counter

from memgraph_ha.core.names import InstanceName
from memgraph_ha.drill.ledger import Findings, Outcome, Reading, WriterLog, check
from memgraph_ha.drill.soak.plan import Blow, Kind, Step, Whom
from memgraph_ha.drill.soak.recovery import Help
from memgraph_ha.drill.soak.results import Felt, SoakResult, costs_of

NAMES = tuple(InstanceName(f"memgraph-{number}") for number in range(3))
STOPPED_S = 100.0

FORCED = Help(hold="NoSafeCandidate", did="failover memgraph-1", lossy=True)
RESUMED = Help(hold="Paused", did="resume", lossy=False)


def felt(
    number: int, sent_s: float, *, kind: Kind = Kind.KILL, helped: tuple[Help, ...] = (), whole_s: float | None = None
) -> Felt:
    """One fault of MAIN, over after three seconds."""
    return Felt(
        step=Step(number=number, settle_s=0.0, blow=Blow(kind=kind, whom=Whom.MAIN)),
        sent_s=sent_s,
        seen_s=sent_s + 0.01,
        whole_s=sent_s + 3.0 if whole_s is None else whole_s,
        helped=helped,
    )


def log(faults: list[Felt], *, pause_s: float = 0.4) -> WriterLog:
    """A writer that is acknowledged every 100 ms, has one write in doubt per fault, and is back after a pause."""
    made = WriterLog(0)
    at_s = 0.0
    for each in (*faults, None):
        end_s = STOPPED_S if each is None else each.sent_s
        while at_s + 0.1 < end_s:
            made.begin(at_s)
            at_s += 0.1
            made.end(Outcome.ACKNOWLEDGED, at_s)
        if each is not None:
            made.begin(at_s)
            made.end(Outcome.INDETERMINATE, each.sent_s + 0.005, "ServiceUnavailable: gone")
            at_s = each.sent_s + pause_s - 0.1
    return made


def settle(made: WriterLog, *, missing: tuple[str, ...] = (), twice: tuple[str, ...] = ()) -> Findings:
    """What is found when every acknowledged write is everywhere, but for those."""
    held = [each for each in made.ids(Outcome.ACKNOWLEDGED) if each not in missing]
    return check([made], [Reading(instance=name, ids=_count([*held, *twice])) for name in NAMES], [])


def _count(ids: list[str]) -> Counter[str]:
    return Counter(ids)


def result(
    faults: list[Felt], *, missing: tuple[str, ...] = (), twice: tuple[str, ...] = (), trouble: str | None = None
) -> SoakResult:
    """A soak of these faults."""
    made = log(faults)
    findings = settle(made, missing=missing, twice=twice)
    return SoakResult(
        binary="memgraph-ha-fake",
        seed=7,
        isolated=True,
        duration_s=120.0,
        wanted=len(faults),
        out_of_time=False,
        felt=tuple(faults),
        costs=costs_of(faults, [made], findings, STOPPED_S),
        findings=findings,
        level=True,
        trouble=trouble,
        left=(),
        kept=None,
    )


def acknowledged_at(made: WriterLog, from_s: float) -> str:
    """Name the first write that was acknowledged since."""
    pairs = zip(made.ids(Outcome.ACKNOWLEDGED), made.acknowledgements(), strict=True)
    return next(name for name, at_s in pairs if at_s >= from_s)


NEVER = math.inf
