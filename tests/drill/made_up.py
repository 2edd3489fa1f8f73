"""Results as a drill would give them, made up, for what only shows or translates them."""

from collections import Counter
from pathlib import Path

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.drill.ledger import Outcome, Reading, WriterLog, check
from memgraph_ha.drill.pauses import Fault, FaultKind, pauses_of
from memgraph_ha.drill.results import DrillResult

NAMES = tuple(InstanceName(f"memgraph-{number}") for number in range(3))


def fault(number: int, sent_s: float, kind: FaultKind = FaultKind.KILL) -> Fault:
    """A fault of one half of the pair, after which the other was MAIN."""
    main, new_main = NAMES[1 - number % 2], NAMES[number % 2]
    return Fault(
        number=number,
        kind=kind,
        main=main,
        sent_s=sent_s,
        seen_s=sent_s + 0.001,
        protected_s=sent_s + 1.5,
        new_main=new_main,
        changes=(ChangeKind.FAILOVER,),
    )


def writer(number: int, faults: list[Fault], pauses_s: list[float | None]) -> WriterLog:
    """A writer that is acknowledged every 100 ms, but for its pause after each fault (None: never back)."""
    log = WriterLog(number)
    at_s = 0.0
    for each, pause_s in zip(faults, pauses_s, strict=True):
        while at_s + 0.1 < each.sent_s:
            log.begin(at_s)
            at_s += 0.1
            log.end(Outcome.ACKNOWLEDGED, at_s)
        log.begin(at_s)
        log.end(Outcome.INDETERMINATE, each.sent_s + 0.002, "ServiceUnavailable: gone")
        if pause_s is None:
            return log
        at_s = each.sent_s + pause_s
        log.begin(at_s - 0.01)
        log.end(Outcome.ACKNOWLEDGED, at_s)
    return log


def result(
    kinds: tuple[FaultKind, ...] = (FaultKind.KILL,) * 3,
    *,
    pauses_s: tuple[float | None, ...] = (0.312, 0.287, 0.45),
    lost: tuple[str, ...] = (),
    trouble: str | None = None,
    left: tuple[str, ...] = (),
    kept: Path | None = None,
    stock: bool = False,
) -> DrillResult:
    """A drill with these pauses, in which memgraph-2 lacks what is lost."""
    faults = [fault(number, 10.0 * number, kind) for number, kind in enumerate(kinds, 1)]
    logs = [writer(number, faults, [p and p + 0.02 * number for p in pauses_s]) for number in range(2)]
    held = Counter(each for log in logs for each in log.ids(Outcome.ACKNOWLEDGED))
    readings = [Reading(instance=name, ids=held.copy()) for name in NAMES]
    for each in lost:
        del readings[2].ids[each]
    return DrillResult(
        binary="/opt/memgraph-ha-fake",
        instances=NAMES,
        writers=2,
        stock=stock,
        seed=7,
        duration_s=42.0,
        faults_wanted=len(kinds),
        faults=tuple(faults),
        pauses=pauses_of(faults, logs, 10.0 * (len(kinds) + 1)),
        other_silence_s=0.1,
        findings=check(logs, readings, [each.sent_s for each in faults]),
        level=True,
        trouble=trouble,
        left=left,
        kept=kept,
    )
