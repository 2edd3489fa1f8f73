"""Writes a scenario as a file that reads back as the same: what differs from the defaults, and nothing else."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import asdict, fields

from memgraph_ha.core import Policy
from memgraph_ha.sim.scenario.model import (
    PLATFORMS,
    SCHEMA,
    Client,
    Expect,
    Fault,
    Kind,
    Scenario,
    Setting,
    Timing,
    When,
)
from memgraph_ha.sim.scenario.registry import ArgKind
from memgraph_ha.sim.scenario.verbs import VERBS
from memgraph_ha.sim.scenario.words import show_duration


def dump(scenario: Scenario) -> str:
    """Write a scenario.

    Args:
        scenario: One run.

    Returns:
        TOML; `memgraph_ha.sim.scenario.load.parse` reads it back as the same run, but for the name of the run.
    """
    plain = Scenario(id=scenario.id)
    top: dict[str, Any] = {"schema": SCHEMA, "id": scenario.id}
    for name in ("title", "description", "catalogue", "tags", "rules", "seed", "operator"):
        value = getattr(scenario, name)
        if value != getattr(plain, name):
            top[name] = value
    if scenario.stuck is not None:
        top["stuck"] = scenario.stuck.word
    parts = [_lines(top)]
    for title, inner in (
        ("[cluster]", _setting(scenario.setting)),
        ("[policy]", _policy(scenario.policy)),
        ("[timing]", _timing(scenario.timing)),
    ):
        if inner:
            parts.append(f"{title}\n{_lines(inner)}")
    if scenario.clients != plain.clients:
        parts += [f"[[client]]\n{_lines(_client(client))}" for client in scenario.clients]
        if not scenario.clients:
            parts.append("[[client]]\ncount = 0\n")
    parts += [f"[[before]]\n{_lines(_fault(fault))}" for fault in scenario.before]
    parts += [f"[[fault]]\n{_lines(_fault(fault))}" for fault in scenario.faults]
    parts += [f"[[expect]]\n{_lines(_expect(expect))}" for expect in scenario.expects]
    return "\n".join(parts)


def _setting(setting: Setting) -> dict[str, Any]:
    given = _differing(setting, Setting(), ("instances", "controllers", "lossy", "weight"))
    if not setting.whole:
        given["start"] = "new"
    if setting.kubernetes:
        given["platform"] = PLATFORMS[1]
    return given


def _policy(policy: Policy) -> dict[str, Any]:
    return _differing(policy, Policy(), [attribute.name for attribute in fields(Policy)])


def _timing(timing: Timing) -> dict[str, Any]:
    given, plain = asdict(timing), asdict(Timing())
    return {name.removesuffix("_s"): show_duration(value) for name, value in given.items() if value != plain[name]}


def _client(client: Client) -> dict[str, Any]:
    return {"kind": client.kind, "count": client.count, "every": show_duration(client.every_s)}


def _differing(given: object, plain: object, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(given, name) for name in names if getattr(given, name) != getattr(plain, name)}


def _fault(fault: Fault) -> dict[str, Any]:
    args = VERBS[fault.do].args
    made: dict[str, Any] = {"do": fault.do} if fault.when == When() else {"at": _when(fault.when), "do": fault.do}
    for name, value in fault.args:
        timed = args[name].kind is ArgKind.TIME and not isinstance(value, str)
        made[name] = show_duration(float(value)) if timed else value
    if fault.for_s is not None:
        made["for"] = show_duration(fault.for_s)
    return made


def _when(when: When) -> str | dict[str, Any]:
    if when.at_s is not None:
        return show_duration(when.at_s + when.plus_s)
    words = {"after": when.after, "once": when.once, "step": when.step}
    made: dict[str, Any] = {name: text for name, text in words.items() if text is not None}
    if not made:
        return f"+{show_duration(when.plus_s)}"
    if when.plus_s:
        made["plus"] = show_duration(when.plus_s)
    if when.within_s != When().within_s:
        made["within"] = show_duration(when.within_s)
    if when.anyway:
        made["anyway"] = True
    return made


def _expect(expect: Expect) -> dict[str, Any]:
    if expect.says is not None:
        return {"says": expect.says.word}
    if expect.rule_fired is not None:
        return {"rule_fired": expect.rule_fired}
    if expect.commands:
        return {"commands": dict(expect.commands)}
    made: dict[str, Any] = {} if expect.when is None else {"at": _when(expect.when)}
    if expect.within_s is not None:
        made["within"] = show_duration(expect.within_s)
    return {**made, Kind(expect.kind).value: expect.expression}


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {_value(value)}\n" for name, value in table.items())


def _value(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return _value(value.value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_value(inner)}" for name, inner in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_value(inner) for inner in value) + "]"
    return repr(value)
