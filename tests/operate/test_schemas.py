"""The recorded answers of these tests are answers that the API's documented schemas allow."""

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from tests.operate import recorded
from tests.operate.terminal import ROOT

SCHEMAS: Path = ROOT / "docs" / "reference" / "json"


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("cluster", recorded.HEALTHY),
        ("cluster", recorded.HELD),
        ("cluster", recorded.PAUSED),
        ("history", recorded.HISTORY),
        ("explain", recorded.EXPLAIN),
        ("rules", recorded.RULES),
        ("policy", recorded.POLICY),
        ("doctor", recorded.DOCTOR),
        ("report", recorded.REPORT),
        ("answer", {"ok": True, "text": "done"}),
        ("error", {"error": "no"}),
    ],
)
def test_recorded_answers_follow_the_schemas(name: str, document: recorded.Json) -> None:
    """Nothing is missing and nothing is of another type."""
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(document)
