"""Reads scenario files: TOML, every key and word checked, and every value that is wrong named."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any, Final

from memgraph_ha.core import RULES
from memgraph_ha.core.errors import PolicyError
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.policy import Policy, parse_policy
from memgraph_ha.sim.scenario.errors import ScenarioError
from memgraph_ha.sim.scenario.expressions import parse_expression
from memgraph_ha.sim.scenario.judge import parse_count
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
from memgraph_ha.sim.scenario.questions import QUESTIONS
from memgraph_ha.sim.scenario.sweep import expand
from memgraph_ha.sim.scenario.table import Table
from memgraph_ha.sim.scenario.triggers import COMMANDS, parse_event, parse_step
from memgraph_ha.sim.scenario.verbs import VERBS
from memgraph_ha.sim.scenario.words import parse_duration

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")
ENTRY: Final = re.compile(r"[A-Z]\d+")
"""An entry of the catalogue."""

CLIENTS: Final = ("writer", "reader")
"""Kinds of clients."""

WHENS: Final = ("after", "once", "step")


def load(path: Path) -> tuple[Scenario, ...]:
    """Read a scenario file.

    Args:
        path: Of the file.

    Returns:
        Its runs: one, or one for each combination of the values that it sweeps, in the order of the file.

    Raises:
        ScenarioError: It cannot be read, or something in it is wrong; the text names file, place, value and the fix.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read ({error})") from error
    return parse(text, str(path))


def parse(text: str, file: str) -> tuple[Scenario, ...]:
    """Read the text of a scenario file; see `load`.

    Args:
        text: TOML.
        file: What to call it in messages.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{file}: is not TOML ({error})") from error
    return tuple(_scenario(Table(file, "", run), name) for name, run in expand(document))


def _scenario(table: Table, run: str) -> Scenario:
    if table.whole("schema", 0, 0, 1_000_000) != SCHEMA:
        raise table.wrong("schema", f"must be {SCHEMA}: another version of memgraph-ha wrote this file, or none")
    if not table.has("id"):
        raise table.wrong("id", "is missing; it names the scenario, e.g. 'A1-crash'")
    setting = _setting(table.table("cluster"))
    made = Scenario(
        id=table.read("id", _id),
        run=run,
        title=table.text("title"),
        description=table.text("description").strip(),
        catalogue=tuple(_matched(table, "catalogue", entry, ENTRY) for entry in table.texts("catalogue")),
        tags=table.texts("tags"),
        rules=tuple(_rule(table, "rules", rule) for rule in table.texts("rules")),
        seed=table.whole("seed", 1, 0, 2**63),
        setting=setting,
        policy=_policy(table),
        timing=_timing(table.table("timing")),
        clients=tuple(_client(inner) for inner in table.tables("client")) if table.has("client") else (Client(),),
        before=tuple(_fault(inner, setting, before=True) for inner in table.tables("before")),
        faults=tuple(_fault(inner, setting) for inner in table.tables("fault")),
        expects=tuple(_expect(inner) for inner in table.tables("expect")),
        operator=table.yes("operator", default=False),
        stuck=table.read("stuck", _hold) if table.has("stuck") else None,
    )
    table.end()
    return made


def _id(value: Any) -> str:
    if not isinstance(value, str) or not ID.fullmatch(value):
        raise ValueError("is no id; give letters, digits and hyphens, e.g. 'A1-crash'")
    return value


def _matched(table: Table, key: str, value: str, pattern: re.Pattern[str]) -> str:
    if not pattern.fullmatch(value):
        raise table.wrong(key, f"names {value!r}, which is no entry; write e.g. 'A1'")
    return value


def _rule(table: Table, key: str, value: str) -> str:
    known = [rule.id for rule in RULES]
    if value not in known:
        raise table.wrong(key, f"names {value!r}, which is no rule; known are {', '.join(known)}")
    return value


def _hold(value: Any) -> Hold:
    found = next((hold for hold in Hold if hold.word == value), None)
    if found is None:
        raise ValueError(f"is no hold; known are {', '.join(hold.word for hold in Hold)}")
    return found


def _setting(table: Table) -> Setting:
    plain = Setting()
    made = Setting(
        instances=table.whole("instances", plain.instances, 2, 5),
        controllers=table.whole("controllers", plain.controllers, 1, 3),
        whole=table.choice("start", "whole", ("whole", "new")) == "whole",
        lossy=table.yes("lossy", plain.lossy),
        weight=table.whole("weight", plain.weight, 1, 1_000_000_000),
        kubernetes=table.choice("platform", PLATFORMS[0], PLATFORMS) == PLATFORMS[1],
    )
    table.end()
    return made


def _policy(table: Table) -> Policy:
    given = table.table("policy").given
    try:
        return parse_policy(given)
    except PolicyError as error:
        raise ScenarioError(f"{table.file}: {error}") from error


def _timing(table: Table) -> Timing:
    plain = Timing()
    made = Timing(
        then_s=table.seconds("then", plain.then_s),
        heal_s=table.seconds("heal", plain.heal_s),
        converge_s=table.seconds("converge", plain.converge_s),
    )
    table.end()
    return made


def _client(table: Table) -> Client:
    plain = Client()
    made = Client(
        kind=table.choice("kind", plain.kind, CLIENTS),
        count=table.whole("count", plain.count, 0, 10_000),
        every_s=table.seconds("every", plain.every_s),
    )
    table.end()
    return made


def _fault(table: Table, setting: Setting, *, before: bool = False) -> Fault:
    if not table.has("do"):
        raise table.wrong("do", f"is missing; give one of {', '.join(VERBS)}")
    name = table.text("do")
    if name not in VERBS:
        raise table.wrong("do", f"is no verb; known are {', '.join(VERBS)}")
    verb, args = VERBS[name], {}
    for key, arg in verb.args.items():
        if table.has(key):
            args[key] = table.read(key, lambda value, arg=arg: arg.read(value, setting.instances, setting.controllers))  # type: ignore[misc]
        elif arg.default is None and not arg.optional:
            raise table.wrong(key, f"is missing: {name} needs it; give {arg.allowed}")
    for_s = None if before else table.time("for")
    if for_s is not None and not verb.undo:
        raise table.wrong("for", f"is not allowed: nothing undoes {name}")
    when = When() if before else _when(table)
    table.end()
    return Fault(do=name, args=args, when=when, for_s=for_s)


def _when(table: Table) -> When:
    if not table.has("at"):
        return When()
    if isinstance(table.given["at"], str):
        text = table.given["at"]
        seconds = table.read("at", lambda value: parse_duration(value.removeprefix("+")))
        return When(plus_s=seconds) if text.startswith("+") else When(at_s=seconds)
    inner = table.table("at")
    given = [key for key in WHENS if inner.has(key)]
    if len(given) != 1:
        raise table.wrong(
            "at", f"is no instant; give a time, '+' and a time, or a table with one of {', '.join(WHENS)}"
        )
    readers = {"after": parse_event, "once": lambda text: parse_expression(text, QUESTIONS), "step": parse_step}
    text = inner.text(given[0])
    inner.read(given[0], readers[given[0]])
    made = When(
        after=text if given[0] == "after" else None,
        once=text if given[0] == "once" else None,
        step=text if given[0] == "step" else None,
        plus_s=inner.seconds("plus", 0.0),
        within_s=inner.seconds("within", When().within_s),
        anyway=inner.yes("anyway", default=False),
    )
    inner.end()
    return made


def _expect(table: Table) -> Expect:
    says = table.read("says", _hold) if table.has("says") else None
    rule = _rule(table, "rule_fired", table.text("rule_fired")) if table.has("rule_fired") else None
    commands = _commands(table.table("commands")) if table.has("commands") else ()
    kinds = [kind for kind in Kind if table.has(kind.value)]
    if len(kinds) + sum((says is not None, rule is not None, bool(commands))) != 1:
        words = ", ".join([*(kind.value for kind in Kind), "says", "commands", "rule_fired"])
        raise ScenarioError(f"{table.file}: {table.place}: says not one thing; give one of {words}")
    expression, when, within_s = None, None, None
    if kinds:
        expression = table.text(kinds[0].value)
        table.read(kinds[0].value, lambda text: parse_expression(text, QUESTIONS))
        when, within_s = (_when(table) if table.has("at") else None), table.time("within")
        if when is not None and (when.step is not None or when == When(plus_s=when.plus_s)):
            raise table.wrong("at", "is not allowed here; give a time, or a table with after or once")
    table.end()
    kind = kinds[0] if kinds else Kind.THAT
    return Expect(
        when=when, kind=kind, expression=expression, within_s=within_s, says=says, commands=commands, rule_fired=rule
    )


def _commands(table: Table) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for word in table.given:
        if word not in COMMANDS:
            raise table.wrong(word, f"is no command; known are {', '.join(COMMANDS)}")
        count = table.read(word, str)
        table.read(word, lambda value: parse_count(str(value)))
        found.append((word, count))
    return tuple(found)
