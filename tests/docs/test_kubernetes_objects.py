"""The page of what is kept in Kubernetes names every label and annotation of ours, where it stands, and no other."""

import re
from collections.abc import Iterator
from typing import Final

import pytest

from tests.docs.pages import ROOT, read

PAGE: Final = read(ROOT / "docs" / "reference" / "kubernetes-objects.md")
_CODE: Final = ("memgraph_ha/adapters/kubernetes", "memgraph_ha/kube")
_TEMPLATES: Final = "charts/memgraph-ha/templates"


def _in_code() -> Iterator[str]:
    """Keys that the code names: whole strings."""
    for folder in _CODE:
        for path in (ROOT / folder).rglob("*.py"):
            yield from re.findall(r'"(memgraph-ha/[a-z]+)"', path.read_text(encoding="utf-8"))


def _in_chart() -> Iterator[str]:
    """Keys that the chart sets or selects; its paths begin with a slash."""
    for path in (ROOT / _TEMPLATES).rglob("*.yaml"):
        yield from re.findall(r"(?<!/)\b(memgraph-ha/[a-z]+):", path.read_text(encoding="utf-8"))


def _rows(part: str) -> dict[str, str]:
    """Each key of a table, and on what it stands."""
    return dict(re.findall(r"^\| `(memgraph-ha/[a-z]+)` \| ([^|]+?) \|", PAGE.sections()[part], re.MULTILINE))


def test_every_key_is_on_the_page_and_no_other() -> None:
    """What is new, or gone, is named by the difference."""
    assert {*_rows("Annotations"), *_rows("Labels")} == {*_in_code(), *_in_chart()}


@pytest.mark.parametrize(
    ("part", "on", "file"),
    [
        ("Annotations", "Lease", "lease_object.py"),
        ("Annotations", "ConfigMap `R-state`", "record_object.py"),
        ("Labels", "pod", "labels.py"),
    ],
)
def test_each_stands_where_the_code_puts_it(part: str, on: str, file: str) -> None:
    """One module writes what stands on one kind of object."""
    text = (ROOT / "memgraph_ha" / "adapters" / "kubernetes" / file).read_text(encoding="utf-8")
    assert {key for key, where in _rows(part).items() if on in where} == set(re.findall(r'"(memgraph-ha/\w+)"', text))
