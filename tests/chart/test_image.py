"""The Dockerfile: what it must say so that the chart can run it. That it builds and runs, the end-to-end tests show."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

from tests.chart.kit import CHART, ROOT

TEXT: Final = (ROOT / "Dockerfile").read_text(encoding="utf-8")
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
INSTRUCTIONS: Final = [
    line.partition(" ")[::2] for line in re.sub(r"\\\n\s*", "", TEXT).splitlines() if re.match(r"[A-Z]+ ", line)
]


def said(instruction: str) -> list[str]:
    """List what is said by an instruction, in order."""
    return [rest for word, rest in INSTRUCTIONS if word == instruction]


def test_both_stages_stand_on_the_base_that_is_given_and_nothing_is_fetched_by_the_builder() -> None:
    """A machine without a registry gives its own base; a tag is given, since no tag means `latest`."""
    assert said("FROM") == ["${BASE} AS build", "${BASE}"]
    assert re.fullmatch(r"BASE=docker\.io/library/python:3\.\d+-slim-\w+", said("ARG")[0])
    assert "ADD" not in dict(INSTRUCTIONS)


def test_it_runs_as_a_number_that_is_not_root_and_starts_the_controller_without_a_shell() -> None:
    """`runAsNonRoot` can judge numbers only; the exec form needs no shell."""
    (user,) = said("USER")
    assert all(int(part) > 0 for part in user.split(":"))
    assert said("ENTRYPOINT") == ['["memgraph-ha"]']
    assert said("CMD") == ['["run"]']


def test_a_change_of_our_code_fetches_nothing_again(tmp_path: Path) -> None:
    """All that others wrote is installed before our files are there, and afterwards no package index is asked."""
    steps = [f"{word} {rest}" for word, rest in INSTRUCTIONS]
    before, after = (steps[slice(*ends)] for ends in ((0, steps.index("COPY . .")), (steps.index("COPY . ."), None)))
    assert [step for step in before if step.startswith("COPY ")] == ["COPY pyproject.toml ."]
    assert not [step for step in after if " install " in step and "--no-index" not in step]
    (made,) = (match for step in before if (match := re.search(r'python3 -c "([^"]*)"', step)))
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    subprocess.run([sys.executable, "-c", made[1]], cwd=tmp_path, check=True, timeout=60)
    needed = {*PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"]["kubernetes"]}
    assert set((tmp_path / "to-run.txt").read_text(encoding="utf-8").splitlines()) == needed
    assert (tmp_path / "to-build.txt").read_text(encoding="utf-8").splitlines() == PROJECT["build-system"]["requires"]


def test_it_says_which_version_it_is() -> None:
    """The image, the package and the chart say the same."""
    version = PROJECT["project"]["version"]
    assert f"VERSION={version}" in said("ARG")
    chart = (CHART / "Chart.yaml").read_text(encoding="utf-8")
    assert f"\nversion: {version}\nappVersion: {version}\n" in chart
    labels = re.findall(r"org\.opencontainers\.image\.(\w+)=", TEXT)
    assert labels == ["title", "description", "licenses", "version", "revision"]


def test_the_builder_is_given_all_that_the_wheel_is_made_of() -> None:
    """And nothing else: no repository, no environment, no secret that lies about."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    needed |= {*wheel["packages"], *wheel["force-include"], "wheels"}
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == needed
