"""What a drill found, the verdict over it, and its machine-readable form."""

import math
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha.core.names import InstanceName
from memgraph_ha.drill.ledger import Findings, sample
from memgraph_ha.drill.pauses import Distribution, Fault, FaultKind, Pause, distribution

SCHEMA: Final = "memgraph-ha/drill/1"
"""Names the JSON form; the number rises when a field changes its meaning or goes."""

_IDS_SHOWN: Final = 100


@frozen(kw_only=True)
class DrillResult:
    """One drill.

    Attributes:
        binary: What ran as the instances.
        instances: Their names.
        writers: How many wrote.
        stock: Whether they left retries to the driver.
        seed: What the pauses between faults were drawn from.
        duration_s: From the first start of a process to the end of the last.
        faults_wanted: How many were planned.
        faults: What was done, in order.
        pauses: What the writers felt of each.
        other_silence_s: The longest time without an acknowledgement outside the pauses.
        findings: The ledger, compared; None if the instances could not be read back.
        level: Whether all instances held equally many writes in the end.
        trouble: What ended the drill early; None if nothing did.
        left: A line for each process, thread or port that was still there after the end.
        kept: Where the evidence is; None if it was removed.
    """

    binary: str
    instances: tuple[InstanceName, ...]
    writers: int
    stock: bool
    seed: int
    duration_s: float
    faults_wanted: int
    faults: tuple[Fault, ...]
    pauses: tuple[Pause, ...]
    other_silence_s: float
    findings: Findings | None
    level: bool
    trouble: str | None
    left: tuple[str, ...]
    kept: Path | None

    def of(self, kind: FaultKind) -> tuple[Pause, ...]:
        """Give the pauses of one kind of fault."""
        return tuple(pause for fault, pause in zip(self.faults, self.pauses, strict=True) if fault.kind is kind)

    def complaints(self) -> tuple[str, ...]:
        """Say in sentences what is wrong; empty if the drill was passed."""
        said: list[str] = [] if self.trouble is None else [self.trouble]
        if self.findings is None:
            said.append("the instances were not read back: nothing is known about lost writes")
        else:
            said.extend(self.findings.complaints())
            if not self.findings.acknowledged:
                said.append("no write was ever acknowledged: nothing was tested")
        if self.findings is not None and not self.level:
            said.append("the instances did not become level after the writers had stopped")
        silent = [
            str(fault.number) for fault, pause in zip(self.faults, self.pauses, strict=True) if pause.over_s is None
        ]
        if silent:
            said.append(f"no write was acknowledged after fault {sample(silent)}")
        return (*said, *self.left)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.complaints()


def first_pauses(pauses: tuple[Pause, ...]) -> Distribution:
    """Summarise the pauses until the first acknowledged write of any writer."""
    return distribution([pause.first_s for pause in pauses])


def writer_pauses(pauses: tuple[Pause, ...]) -> Distribution:
    """Summarise the pauses of every single writer."""
    return distribution([each for pause in pauses for each in pause.per_writer_s])


def to_json(result: DrillResult) -> dict[str, object]:
    """Give a drill as plain JSON values.

    Fields: ``schema``; ``passed`` and ``complaints`` (sentences); ``setting`` (``binary``, ``instances``, ``writers``,
    ``stock``, ``seed``, ``faults_wanted``); ``duration_s``; ``faults``, each with ``number``, ``kind`` (``kill`` or
    ``stop``), ``main``, ``new_main``, ``changes`` (kinds of the reigns that began, as in the record's history),
    ``at_s`` (since the first fault), ``pause_s`` (until the first acknowledged write), ``writer_pauses_s``,
    ``protected_s`` (until the standby was named and all instances answered); ``pauses``: for ``kill`` and ``stop``,
    ``first_write`` and ``per_writer``, each with ``count``, ``missing``, ``min_s``, ``p50_s``, ``p99_s``, ``max_s``;
    ``other_silence_s``; ``ledger``: totals, ``errors`` (text to count) and per instance ``rows``, ``lost``,
    ``duplicated``, ``phantom``, ``unknown`` (counts, with the first 100 ids in ``..._ids``) and
    ``indeterminate_present``; null if nothing was read back; ``left`` (what was left running); ``kept`` (path or null).
    A time that never came is null.
    """
    start_s = result.faults[0].sent_s if result.faults else 0.0
    return {
        "schema": SCHEMA,
        "passed": result.passed,
        "complaints": list(result.complaints()),
        "setting": {
            "binary": result.binary,
            "instances": list(result.instances),
            "writers": result.writers,
            "stock": result.stock,
            "seed": result.seed,
            "faults_wanted": result.faults_wanted,
        },
        "duration_s": round(result.duration_s, 3),
        "faults": [
            _fault_json(fault, pause, start_s) for fault, pause in zip(result.faults, result.pauses, strict=True)
        ],
        "pauses": {
            kind.value: {
                "first_write": _distribution_json(first_pauses(result.of(kind))),
                "per_writer": _distribution_json(writer_pauses(result.of(kind))),
            }
            for kind in FaultKind
        },
        "other_silence_s": round(result.other_silence_s, 6),
        "ledger": None if result.findings is None else _ledger_json(result.findings),
        "left": list(result.left),
        "kept": None if result.kept is None else str(result.kept),
    }


def _fault_json(fault: Fault, pause: Pause, start_s: float) -> dict[str, object]:
    return {
        "number": fault.number,
        "kind": fault.kind.value,
        "main": fault.main,
        "new_main": fault.new_main,
        "changes": [kind.value for kind in fault.changes],
        "at_s": round(fault.sent_s - start_s, 6),
        "pause_s": _seconds(pause.first_s),
        "writer_pauses_s": [_seconds(each) for each in pause.per_writer_s],
        "protected_s": round(fault.protected_s - fault.sent_s, 6),
    }


def _distribution_json(summary: Distribution) -> dict[str, object]:
    return {
        "count": summary.count,
        "missing": summary.missing,
        "min_s": _seconds(summary.min),
        "p50_s": _seconds(summary.p50),
        "p99_s": _seconds(summary.p99),
        "max_s": _seconds(summary.max),
    }


def _ledger_json(findings: Findings) -> dict[str, object]:
    return {
        "attempts": findings.attempts,
        "acknowledged": findings.acknowledged,
        "refused": findings.refused,
        "indeterminate": findings.indeterminate,
        "failed_connects": findings.failed_connects,
        "lost": findings.lost,
        "duplicated": findings.duplicated,
        "phantom": findings.phantom,
        "differing": len(findings.differing),
        "differing_ids": list(findings.differing[:_IDS_SHOWN]),
        "over_bound": list(findings.over_bound),
        "errors": dict(findings.errors),
        "instances": [
            {
                "instance": found.instance,
                "rows": found.rows,
                "indeterminate_present": found.indeterminate_present,
                **{
                    key: value
                    for what, ids in (
                        ("lost", found.lost),
                        ("duplicated", found.duplicated),
                        ("phantom", found.phantom),
                        ("unknown", found.unknown),
                    )
                    for key, value in ((what, len(ids)), (f"{what}_ids", list(ids[:_IDS_SHOWN])))
                },
            }
            for found in findings.instances
        ],
    }


def _seconds(value: float | None) -> float | None:
    """JSON knows neither NaN nor infinity: what was not measured, or never came, is null."""
    return None if value is None or not math.isfinite(value) else round(value, 6)
