"""A history of the small world as a scenario file: written by the search, played again by `memgraph-ha sim run`."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Final

from attrs import asdict, evolve, field, frozen

from memgraph_ha.core.errors import PolicyError
from memgraph_ha.core.policy import Policy, parse_policy
from memgraph_ha.sim.search.explore import Search
from memgraph_ha.sim.search.moves import Move
from memgraph_ha.sim.search.pace import Pace
from memgraph_ha.sim.search.plants import rules_for
from memgraph_ha.sim.search.state import ViolationError
from memgraph_ha.sim.search.story import tell
from memgraph_ha.sim.search.verbs import names_of, parse, told

SCHEMA: Final = 1
WORLD: Final = "small"

_FIELDS: Final = frozenset(
    {"schema", "world", "id", "title", "description", "policy", "plant", "without", "pace", "step", "found", "rules"}
)


class SmallScenarioError(ValueError):
    """A file of the small world cannot be played; the message names file, field, value and what is allowed."""


@frozen(kw_only=True)
class SmallScenario:
    """A history, step by step.

    Attributes:
        id: Its name.
        title: One sentence.
        policy: The operator's choices.
        plant: Which wrong rules it needs, if the shipping ones do not do it.
        without: Which rules must be left out for it.
        steps: The moves.
        found: Which promise it broke when it was written.
    """

    id: str
    title: str
    policy: Policy
    steps: tuple[Move, ...]
    plant: str | None = None
    without: tuple[str, ...] = ()
    pace: Pace = Pace.PROMPT
    found: str = ""


@frozen(kw_only=True)
class Played:
    """What came of a history.

    Attributes:
        id: The scenario's.
        check: The promise that was broken; None if none was.
        text: How; or why the history could not go on.
        steps: How many moves were made.
        story: What happened, line by line.
        possible: Whether every move could be made: a mended rule makes the history impossible.
    """

    id: str
    check: str | None
    text: str
    steps: int
    story: tuple[str, ...] = field(repr=False)
    possible: bool = True

    @property
    def ok(self) -> bool:
        """Whether no promise was broken."""
        return self.check is None


def dump_small(scenario: SmallScenario) -> str:
    """Write it as TOML."""
    lines = [
        f"schema = {SCHEMA}",
        f'world = "{WORLD}"',
        f"id = {_text(scenario.id)}",
        f"title = {_text(scenario.title)}",
    ]
    if scenario.found:
        lines.append(f"found = {_text(scenario.found)}")
    if scenario.plant is not None:
        lines.append(f"plant = {_text(scenario.plant)}")
    if scenario.without:
        lines.append(f"without = [{', '.join(_text(rule) for rule in scenario.without)}]")
    if scenario.pace is not Pace.PROMPT:
        lines.append(f"pace = {_text(scenario.pace.value)}")
    chosen = _chosen(scenario.policy)
    if chosen:
        lines += ["", "[policy]", *(f"{name} = {_value(value)}" for name, value in chosen.items())]
    for step in scenario.steps:
        who = names_of(step)
        lines += ["", "[[step]]", f"do = {_text(step.verb)}"]
        if who:
            lines.append(f"who = [{', '.join(_text(name) for name in who)}]")
        lines.append(f"# {told(step)}")
    return "\n".join(lines) + "\n"


def load_small(path: Path) -> SmallScenario:
    """Read one.

    Raises:
        SmallScenarioError: It is not one, or something in it is wrong.
    """
    try:
        return _read(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, PolicyError, ValueError) as error:
        raise SmallScenarioError(f"{path}: {error}") from error


def play_small(path: Path) -> Played:
    """Play a file of the small world.

    Args:
        path: A file with ``world = "small"``.

    Raises:
        SmallScenarioError: It is not one, or something in it is wrong.
    """
    return play(load_small(path))


def play(scenario: SmallScenario) -> Played:
    """Play a history with the rules that it asks for.

    Raises:
        SmallScenarioError: It names a rule or plant that there is not.
    """
    try:
        rules = rules_for(scenario.plant, scenario.without)
    except ValueError as error:
        raise SmallScenarioError(f"{scenario.id}: {error}") from error
    faults = sum(move.fault for move in scenario.steps)
    search = Search(scenario.policy, faults, rules=rules, pace=scenario.pace)
    made = 0
    try:
        for _step in search.replay(scenario.steps):
            made += 1
    except LookupError as impossible:
        text = f"step {made + 1} cannot be made any more: {impossible.args[0]}"
        story = tuple(tell(search, scenario.steps[:made]))
        return Played(id=scenario.id, check=None, text=text, steps=made, story=story, possible=False)
    except ViolationError as broken:
        story = tuple(tell(search, scenario.steps[: made + 1]))
        return Played(id=scenario.id, check=broken.check, text=broken.text, steps=made + 1, story=story)
    return Played(id=scenario.id, check=None, text="", steps=made, story=tuple(tell(search, scenario.steps)))


def _read(given: dict[str, Any]) -> SmallScenario:
    unknown = sorted(given.keys() - _FIELDS)
    if unknown:
        raise ValueError(f"field {unknown[0]!r} does not exist; known are {', '.join(sorted(_FIELDS))}")
    if given.get("schema") != SCHEMA:
        raise ValueError(f"field schema: {given.get('schema')!r} is unknown; give {SCHEMA}")
    if given.get("world") != WORLD:
        raise ValueError(f"field world: {given.get('world')!r} is not {WORLD!r}")
    steps = given.get("step", [])
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise ValueError("field step: give a list of tables, [[step]]")
    return SmallScenario(
        id=_string(given, "id"),
        title=_string(given, "title", ""),
        policy=parse_policy(given.get("policy", {})),
        plant=None if "plant" not in given else _string(given, "plant"),
        without=_strings(given, "without"),
        pace=_pace(_string(given, "pace", Pace.PROMPT.value)),
        steps=tuple(parse(_string(step, "do"), _strings(step, "who")) for step in steps),
        found=_string(given, "found", ""),
    )


def _pace(given: str) -> Pace:
    allowed = [pace.value for pace in Pace]
    if given not in allowed:
        raise ValueError(f"field pace: {given!r} is unknown; allowed are {', '.join(allowed)}")
    return Pace(given)


def _string(given: dict[str, Any], name: str, default: str | None = None) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise ValueError(f"field {name}: {value!r} is not a text; give one in quotes")  # noqa: TRY004 - a file's fault
    return value


def _strings(given: dict[str, Any], name: str) -> tuple[str, ...]:
    value = given.get(name, [])
    if not isinstance(value, list) or not all(isinstance(part, str) for part in value):
        raise ValueError(f"field {name}: {value!r} is not a list of texts")
    return tuple(value)


def _chosen(policy: Policy) -> dict[str, Any]:
    """What differs from the default policy."""
    usual = asdict(evolve(Policy()))
    return {name: getattr(policy, name) for name, value in usual.items() if getattr(policy, name) != value}


def _value(value: Any) -> str:
    if hasattr(value, "value"):
        return _text(str(value.value))
    if isinstance(value, tuple):
        return f"[{', '.join(_text(str(part)) for part in value)}]"
    return str(value)


def _text(words: str) -> str:
    return json.dumps(words, ensure_ascii=False)  # a TOML basic string is written as JSON writes one
