"""The pages of the HTTP API and the metrics are those of the code."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from memgraph_ha.api.metrics import METRICS
from memgraph_ha.api.routes import ENDPOINTS


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The generator, which is no part of the package."""
    path = Path(__file__).parents[2] / "scripts" / "generate_api_docs.py"
    spec = importlib.util.spec_from_file_location("generate_api_docs", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_committed_pages_are_in_step(script: ModuleType) -> None:
    """Whoever changes a table writes the pages again."""
    assert script.stale_pages(script.PAGES) == []


def test_a_stale_page_is_named(script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The check fails with the page and the command that mends it, and writes nothing."""
    assert script.main(["--folder", str(tmp_path)]) == 0
    (tmp_path / "metrics.md").write_text("old", encoding="utf-8")
    assert script.main(["--check", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "metrics.md is not in step" in said
    assert "http-api.md" not in said
    assert (tmp_path / "metrics.md").read_text(encoding="utf-8") == "old"


def test_everything_is_on_its_page(script: ModuleType) -> None:
    """No endpoint, status or metric is left out, and the links of the index lead somewhere."""
    made = script.pages()
    for endpoint in ENDPOINTS:
        assert f"### {endpoint.method} {endpoint.path}\n" in made["http-api.md"]
    for metric in METRICS:
        assert f"`{metric.name}`" in made["metrics.md"]
    assert json.loads(made["openapi.json"])["openapi"] == "3.1.0"
