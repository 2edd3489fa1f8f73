"""The pages of the HTTP API and the metrics are those of the code."""

import json
from pathlib import Path

import pytest

from memgraph_ha.api.metrics import METRICS
from memgraph_ha.api.routes import ENDPOINTS
from scripts import generate_api_docs as script
from scripts.in_step import REFERENCE, stale


def test_the_committed_pages_are_in_step() -> None:
    """Whoever changes a table writes the pages again."""
    assert stale(script.pages(), REFERENCE) == []


def test_a_stale_page_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check fails with the page and the command that mends it, and writes nothing."""
    assert script.main(["--folder", str(tmp_path)]) == 0
    (tmp_path / "metrics.md").write_text("old", encoding="utf-8")
    assert script.main(["--check", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "metrics.md is not in step" in said
    assert "http-api.md" not in said
    assert (tmp_path / "metrics.md").read_text(encoding="utf-8") == "old"


def test_everything_is_on_its_page() -> None:
    """No endpoint, status or metric is left out, and the links of the index lead somewhere."""
    made = script.pages()
    for endpoint in ENDPOINTS:
        assert f"### {endpoint.method} {endpoint.path}\n" in made["http-api.md"]
    for metric in METRICS:
        assert f"`{metric.name}`" in made["metrics.md"]
    assert json.loads(made["openapi.json"])["openapi"] == "3.1.0"
