"""The recorded answers of these tests are answers that the API's documented schemas allow, of rules that exist."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from memgraph_ha.core.rules import RULES
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


def _named(document: Any) -> Iterator[tuple[str, str | None]]:
    """List every rule that a document names, with the name that it gives it."""
    if isinstance(document, dict):
        if "rule" in document:
            yield document["rule"], document.get("name") if "hold" in document or "summary" in document else None
        for inner in document.values():
            yield from _named(inner)
    elif isinstance(document, list):
        for inner in document:
            yield from _named(inner)


def test_recorded_answers_name_rules_that_exist() -> None:
    """They are in the pictures of the documentation as well."""
    real = {rule.id: rule.name for rule in RULES}
    documents = [recorded.HEALTHY, recorded.HELD, recorded.PAUSED, recorded.HISTORY, recorded.EXPLAIN, recorded.RULES]
    named = [each for document in documents for each in _named(document)]
    assert len(named) > 10
    assert [each for each in named if each[0] not in real or each[1] not in (None, real[each[0]])] == []
