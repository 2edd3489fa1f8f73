"""A soak as plain JSON values, and the schema that says what each field means."""

import math
from typing import Final

from memgraph_ha.drill.ledger import Findings
from memgraph_ha.drill.pauses import Distribution
from memgraph_ha.drill.soak.results import SCHEMA, Cost, Felt, Line, SoakResult, lines_of

_TIME: Final = {"type": ["number", "null"], "description": "seconds; null: it never came, or was not measured"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "array", "items": _TEXT}


def _object(**properties: object) -> dict[str, object]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


_DISTRIBUTION: Final = _object(count=_COUNT, missing=_COUNT, min_s=_TIME, p50_s=_TIME, p99_s=_TIME, max_s=_TIME)

JSON_SCHEMA: Final = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        schema={"const": SCHEMA},
        passed={"type": "boolean", "description": "nothing is lost, and nothing unexplained"},
        complaints=_TEXTS,
        setting=_object(
            binary=_TEXT,
            seed={"type": "integer"},
            isolated={"type": "boolean", "description": "name spaces of its own: links were cut, disks were full"},
            wanted=_COUNT,
            out_of_time={"type": "boolean"},
        ),
        duration_s=_TIME,
        faults={
            "type": "array",
            "items": _object(
                number=_COUNT,
                label=_TEXT,
                what=_TEXT,
                at_s=_TIME,
                pause_s=_TIME,
                silence_s=_TIME,
                whole_s=_TIME,
                indeterminate=_COUNT,
                lost=_COUNT,
                given_up=_COUNT,
                ended=_TEXT,
                helped={"type": "array", "items": _object(hold=_TEXT, did=_TEXT, lossy={"type": "boolean"})},
                notes=_TEXTS,
                missed={"type": ["string", "null"]},
            ),
        },
        kinds={
            "type": "array",
            "description": "one entry per kind of fault, and one for all together",
            "items": _object(
                label=_TEXT,
                count=_COUNT,
                pause=_DISTRIBUTION,
                silence=_DISTRIBUTION,
                whole=_DISTRIBUTION,
                indeterminate=_COUNT,
                lost=_COUNT,
                given_up=_COUNT,
                ended={"type": "object", "additionalProperties": _COUNT},
            ),
        },
        ledger={
            "anyOf": [
                {"type": "null", "description": "nothing was read back"},
                _object(
                    attempts=_COUNT,
                    acknowledged=_COUNT,
                    refused=_COUNT,
                    indeterminate=_COUNT,
                    failed_connects=_COUNT,
                    lost=_COUNT,
                    duplicated=_COUNT,
                    phantom=_COUNT,
                    differing=_COUNT,
                    level={"type": "boolean"},
                    rows={"type": "object", "additionalProperties": _COUNT},
                    errors={"type": "object", "additionalProperties": _COUNT},
                ),
            ]
        },
        left=_TEXTS,
        kept={"type": ["string", "null"]},
    ),
}
"""Of what `to_json` gives (JSON Schema 2020-12)."""


def to_json(result: SoakResult) -> dict[str, object]:
    """Give a soak as plain JSON values; `JSON_SCHEMA` says which."""
    start_s = result.felt[0].sent_s if result.felt else 0.0
    return {
        "schema": SCHEMA,
        "passed": result.passed,
        "complaints": list(result.complaints()),
        "setting": {
            "binary": result.binary,
            "seed": result.seed,
            "isolated": result.isolated,
            "wanted": result.wanted,
            "out_of_time": result.out_of_time,
        },
        "duration_s": round(result.duration_s, 3),
        "faults": [_fault(felt, cost, start_s) for felt, cost in zip(result.felt, result.costs, strict=True)],
        "kinds": [_kind(line) for line in lines_of(result.felt, result.costs)],
        "ledger": None if result.findings is None else _ledger(result.findings, level=result.level),
        "left": list(result.left),
        "kept": None if result.kept is None else str(result.kept),
    }


def _fault(felt: Felt, cost: Cost, start_s: float) -> dict[str, object]:
    return {
        "number": felt.step.number,
        "label": felt.step.label,
        "what": str(felt.step),
        "at_s": round(felt.sent_s - start_s, 3),
        "pause_s": _seconds(cost.pause_s),
        "silence_s": _seconds(cost.silence_s),
        "whole_s": _seconds(felt.whole_s - felt.sent_s),
        "indeterminate": cost.indeterminate,
        "lost": cost.lost,
        "given_up": cost.given_up,
        "ended": felt.ended,
        "helped": [{"hold": help_.hold, "did": help_.did, "lossy": help_.lossy} for help_ in felt.helped],
        "notes": list(felt.notes),
        "missed": felt.missed,
    }


def _kind(line: Line) -> dict[str, object]:
    return {
        "label": line.label,
        "count": line.count,
        "pause": _distribution(line.pauses),
        "silence": _distribution(line.silences),
        "whole": _distribution(line.whole),
        "indeterminate": line.indeterminate,
        "lost": line.lost,
        "given_up": line.given_up,
        "ended": dict(line.ended),
    }


def _distribution(summary: Distribution) -> dict[str, object]:
    return {
        "count": summary.count,
        "missing": summary.missing,
        "min_s": _seconds(summary.min),
        "p50_s": _seconds(summary.p50),
        "p99_s": _seconds(summary.p99),
        "max_s": _seconds(summary.max),
    }


def _ledger(findings: Findings, *, level: bool) -> dict[str, object]:
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
        "level": level,
        "rows": {found.instance: found.rows for found in findings.instances},
        "errors": dict(findings.errors),
    }


def _seconds(value: float | None) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return None if value is None or not math.isfinite(value) else round(value, 4)
