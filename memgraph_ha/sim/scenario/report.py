"""What `sim run` and `sim list` say: for people, as JSON, and as JUnit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as ET

from rich.text import Text

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.scenario.model import Scenario
from memgraph_ha.sim.scenario.suite import Outcome

SCHEMA = "memgraph-ha/sim-run/1"
LIST_SCHEMA = "memgraph-ha/sim-list/1"
SHOWN = 12
"""How many of its last events a failed run is shown with."""


def line(outcome: Outcome) -> Text:
    """One line about one run."""
    text = Text()
    if outcome.exit is Exit.OK and outcome.result is None:
        text.append("ok     ", "green")
        text.append(f"{outcome.name}  ")
        text.append(f"small world, {outcome.took_s:.2f} s real", "dim")
        return text
    if outcome.result is None:
        text.append("FAILED ", "bold red")
        text.append(f"{outcome.name}  ")
        text.append(f"{outcome.check}: " if outcome.check and not outcome.reason.startswith(outcome.check) else "")
        text.append(outcome.reason.splitlines()[0] if outcome.reason else "")
        return text
    result = outcome.result
    text.append("ok     ", "green")
    text.append(f"{outcome.name}  ")
    text.append(
        f"{result.seconds:.0f} s, pause {result.pause_s:.2f} s, {result.acked} acknowledged, "
        f"{len(result.fired)} rules, {outcome.took_s:.2f} s real",
        "dim",
    )
    return text


def story(outcome: Outcome, again: str) -> Text:
    """The end of a run that failed, and how to see more of it."""
    text = Text()
    for event in outcome.trace[-SHOWN:]:
        text.append(f"         {event}\n", "dim")
    text.append(f"         to see all of it: {again}\n")
    return text


def to_json(outcomes: list[Outcome], code: Exit, took_s: float) -> dict[str, Any]:
    """One document about all runs (schema memgraph-ha/sim-run/1)."""
    return {
        "schema": SCHEMA,
        "ok": code is Exit.OK,
        "exit": int(code),
        "took_s": round(took_s, 3),
        "runs": [_run(outcome) for outcome in outcomes],
    }


def _run(outcome: Outcome) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": outcome.name,
        "ok": outcome.exit is Exit.OK,
        "exit": int(outcome.exit),
        "check": outcome.check or None,
        "reason": outcome.reason or None,
        "took_s": round(outcome.took_s, 3),
    }
    result = outcome.result
    if result is not None:
        made |= {
            "seed": result.seed,
            "seconds": round(result.seconds, 3),
            "pause_s": round(result.pause_s, 3),
            "acked": result.acked,
            "reigns": result.reigns,
            "rules": list(result.fired),
            "holds": list(result.holds),
            "commands": dict(result.sent),
        }
    return made


def to_junit(outcomes: list[Outcome]) -> bytes:
    """The same as JUnit XML, for continuous integration."""
    failed = sum(outcome.exit is not Exit.OK for outcome in outcomes)
    took_s = sum(outcome.took_s for outcome in outcomes)
    suite = ET.Element(
        "testsuite",
        name="memgraph-ha sim run",
        tests=str(len(outcomes)),
        failures=str(failed),
        errors="0",
        time=f"{took_s:.3f}",
    )
    for outcome in outcomes:
        case = ET.SubElement(suite, "testcase", classname="scenarios", name=outcome.name, time=f"{outcome.took_s:.3f}")
        if outcome.exit is not Exit.OK:
            failure = ET.SubElement(case, "failure", type=outcome.check or outcome.exit.name, message=outcome.reason)
            failure.text = "\n".join(outcome.trace[-SHOWN:])
    return bytes(ET.tostring(suite, encoding="utf-8", xml_declaration=True))


def list_json(runs: Mapping[str, tuple[Scenario, ...]]) -> dict[str, Any]:
    """One document about what there is (schema memgraph-ha/sim-list/1)."""
    return {
        "schema": LIST_SCHEMA,
        "scenarios": [
            {
                "id": scenario.id,
                "file": file,
                "title": scenario.title,
                "description": scenario.description,
                "catalogue": list(scenario.catalogue),
                "tags": list(scenario.tags),
                "rules": list(scenario.rules),
                "stuck": scenario.stuck.word if scenario.stuck else None,
                "runs": [one.name for one in scenarios],
            }
            for file, scenarios in runs.items()
            for scenario in scenarios[:1]
        ],
    }


def rules_of(scenarios: Iterable[Scenario]) -> dict[str, list[str]]:
    """Which scenarios justify each rule, by its id."""
    found: dict[str, list[str]] = {}
    for scenario in scenarios:
        for rule in scenario.rules:
            if scenario.id not in found.setdefault(rule, []):
                found[rule].append(scenario.id)
    return dict(sorted(found.items()))
