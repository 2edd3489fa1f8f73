"""The dashboard shows metrics that exist, and its panels do not cover each other."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from memgraph_ha.api.metrics import METRICS
from tests.chart.kit import CHART, Helm, run

BOARD: Final[dict[str, Any]] = json.loads((CHART / "dashboards" / "memgraph-ha.json").read_text(encoding="utf-8"))
LABELS: Final = {metric.name: set(metric.labels) for metric in METRICS}
KINDS: Final = {metric.name: metric.kind for metric in METRICS}
TARGET: Final = {"namespace", "job", "pod"}
"""What Prometheus adds to each."""


def expressions() -> Iterator[str]:
    """Every expression of the board."""
    for panel in BOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["expr"] for each in BOARD["annotations"]["list"])


@pytest.mark.parametrize("expression", tuple(expressions()))
def test_an_expression_names_metrics_that_exist_with_labels_that_they_have(expression: str) -> None:
    """A histogram is asked for by its parts, and nothing else is."""
    found = re.findall(r"\b(memgraph_[a-z_]+?)(_bucket)?\{([^}]*)\}", expression)
    assert found
    for name, part, selector in found:
        assert (KINDS[name] == "histogram") is (part == "_bucket")
        assert set(re.findall(r"([a-z_]+)(?:=~|!=|=)\"", selector)) <= LABELS[name] | TARGET


def test_legends_and_groups_name_labels_that_there_are() -> None:
    """A legend of a label that is missing shows nothing."""
    every = set().union(*LABELS.values()) | TARGET | {"le"}
    for panel in BOARD["panels"]:
        for target in panel.get("targets", ()):
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= every
            for names in re.findall(r"\bby \(([^)]*)\)", target["expr"]):
                assert set(names.split(", ")) <= every


def test_panels_have_numbers_of_their_own_and_lie_beside_each_other() -> None:
    """No two panels share a place or a number."""
    taken: set[tuple[int, int]] = set()
    numbers = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


@pytest.mark.kube
def test_prometheus_can_read_every_expression(promtool: Path, tmp_path: Path) -> None:
    """Each is checked as a rule would be, with Grafana's variables filled in."""
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "5m")}
        for number, expression in enumerate(expressions())
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "board", "rules": rules}]}), encoding="utf-8")
    done = run(promtool, "check", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


@pytest.mark.kube
def test_the_config_map_holds_the_board_as_it_is(helm: Helm) -> None:
    """Helm's own templates leave the board's alone."""
    made = helm.render({"dashboard": {"enabled": True}}).body("ConfigMap", "r-dashboard")
    assert json.loads(made["data"]["memgraph-ha.json"]) == BOARD
    assert made["metadata"]["labels"]["grafana_dashboard"] == "1"
