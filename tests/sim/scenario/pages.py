"""The text of docs/reference/scenario-format.md and docs/reference/simulated-scenarios.md."""

# ruff: noqa: E501 - a row of a table is one line

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from attrs import fields

from memgraph_ha.core import RULES
from memgraph_ha.sim.scenario.events import EVENTS
from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.model import Scenario, Setting, Timing, When
from memgraph_ha.sim.scenario.questions import QUESTIONS
from memgraph_ha.sim.scenario.registry import Arg
from memgraph_ha.sim.scenario.shelf import SHIPPED, shipped
from memgraph_ha.sim.scenario.triggers import COMMANDS
from memgraph_ha.sim.scenario.verbs import VERBS
from memgraph_ha.sim.scenario.words import show_duration

MADE: Final = "<!-- made by scripts/generate_scenarios.py: change tests/sim/scenario/pages.py or the code -->"

FORMAT: Final = """
# The format of scenario files

A scenario says what a cluster starts from, what goes wrong and when, and what must come of it. `memgraph-ha sim run`
plays it in virtual time with the shipping rules; `sim fuzz` and `sim shrink` write such files; those in `scenarios/` are
shipped. It is TOML, read strictly: an unknown key, verb, word or name is an error that says where it is and what is
known there.

```toml
schema = 1
id = "X1-my-incident"
title = "MAIN dies, and its standby at any step of the reign that follows"
catalogue = ["B3"]             # entries of the catalogue that it plays
rules = ["L40"]                # rules that it justifies: without one of them it fails

[policy]                       # any field of the policy reference
data_durability = "preferred"

[[fault]]
at = "1s"                      # since the cluster was whole
do = "keep-down"
on = "main"
for = "5s"                     # then the verb that undoes it: let-up

[[fault]]
at = { step = ["before promote m1", "after promote m1"] }   # a list: one run for each
do = "keep-down"
on = "m1"

[[fault]]
at = "+12s"                    # after the fault before it
do = "check"
that = "serves and main == m0"
within = "20s"

[[expect]]
never = "kind == 'forced'"

[[expect]]
commands = { promote = "<= 2" }
```

## What is always so

The promises S1-S14 and L1-L9 are checked in every run, whatever the file says ([invariants](invariants.md)). When the
last fault is over everything is healed: links, disks, clocks, processes, controllers. Then the cluster must be whole
again by itself, stay so, and hold every acknowledged write on MAIN and standby - or, with `stuck = "Hold"`, wait under
that name. `operator = true` lets a person do what the leader's hold asks for, and nothing else.

The same file and seed is the same history, on every machine.

## Instants

| `at` | means |
|---|---|
| left out | as soon as the fault before it was done |
| `"10s"` | since the origin: when the cluster was first whole, or with `start = "new"` when the controllers start |
| `"+500ms"` | after the fault before it was done |
| `{ after = "promoted m1" }` | at an event that comes after the fault before it was done |
| `{ once = "opened and main == m1" }` | at the first instant, after the fault before it, at which an expression is true |
| `{ step = "before promote m1" }` | right before (`after`: right after) a command, in that very instant |

A table also takes `plus` (so much later), `within` (how long it is waited for, {within}; then the scenario fails) and
`anyway = true` (it is then done all the same). A step is `before` or `after` and a number (the third command since) or a
command: {commands}; then the instance it is for, if that matters.

{events}

Times are a number and `ms`, `s`, `min` or `h`. Names: `m0` ... are instances, `C1` ... controllers; `main`, `standby` (the
pair's other one), `async`, `leader` and `other` are whoever plays that part at that instant.

**Sweeps**: a list where one value is meant, in `[cluster]`, `[policy]`, `[timing]`, `[[client]]`, `[[before]]` and
`[[fault]]`, is several runs, one for each combination; they are named after the values, e.g. `X1-my-incident/for=5s`.

## Tables

`[cluster]`: {cluster}; `start = "whole"` or `"new"`;
`platform = "local"` or `"kubernetes"`: there rows lead to addresses of pods, each of which ends with its pod and swallows
what is sent to it afterwards, and whoever is stopped by order gets another pod.
`[timing]`: {timing}.
`[[client]]`: `kind` (`writer`, `reader`), `count`, `every`; without any, three writers every 150 ms. `count = 0`: nobody.
`[[before]]`: verbs that are done, one after another, before there are controllers.

## Expectations

Each `[[expect]]` says one thing.

| key | means |
|---|---|
| `that = "EXPRESSION"` | true when the last fault was done, or within `within` after it; with `at`, from then on |
| `always`, `never = "EXPRESSION"` | true (false) from the origin, or from `at`, until everything is healed, or for `within` |
| `says = "Hold"` | a controller waits under that name at some time |
| `rule_fired = "L30"` | that rule decides at some time |
| `commands = {{ promote = 1 }}` | how often commands are sent: a number, or `"<= 2"` |

The verb `check` expects something in the middle, in the order of the faults.

Expressions compare (`==`, `!=`, `<`, `<=`, `>`, `>=`, `in (...)`) and combine (`and`, `or`, `not`, parentheses; `+`, `-`)
numbers, times, texts in quotes, names, `true`, `false`, `null` and these words, and nothing else:

{words}

## `sim run --json` and `sim list --json`

`sim run --json` prints `schema` (`memgraph-ha/sim-run/1`), `ok`, `exit`, `took_s` (real seconds) and `runs`; each run has

{run}

`sim list --json` prints `schema` (`memgraph-ha/sim-list/1`) and `scenarios`, each with `id`, `file`, `title`, `description`,
`catalogue`, `tags`, `rules`, `stuck` and the names of its `runs`.

## Verbs

A verb with an undoing one may have `for`. A verb whose target is not there, or is so already, does nothing.

{verbs}
"""


RUN: Final = {
    "name": "id and run",
    "ok": "whether it came out as it must",
    "exit": "the exit code that it alone would have",
    "check": "`S1` to `S14`, `L1` to `L9`, `expect` (the file's own), `core` (the core's own); null: none failed",
    "reason": "what failed; null: nothing",
    "took_s": "real seconds",
    "seed": "of its dice; this and all that follows only of a run that came out as it must",
    "seconds": "virtual seconds, from the first start to the end",
    "pause_s": "the longest time in which nothing was acknowledged, from the origin until everything was healed",
    "acked": "how many writes were acknowledged",
    "reigns": "how many began",
    "rules": "those that decided at least once",
    "holds": "what the controllers waited for, by name",
    "commands": "how often each was sent, from the origin on",
}
"""The fields of a run in `sim run --json`."""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows)])


def _argument(name: str, arg: Arg) -> str:
    left_out = " (may be left out)" if arg.optional else "" if arg.default is None else f" (else `{_shown(arg)}`)"
    return f"`{name}`: {arg.allowed}{left_out}"


def _shown(arg: Arg) -> str:
    default = arg.default
    if isinstance(default, bool):
        return str(default).lower()
    return show_duration(default) if isinstance(default, float) and "time" in arg.kind.value else str(default)


def _verbs() -> str:
    parts: list[str] = []
    for group in dict.fromkeys(verb.group for verb in VERBS.values()):
        rows = [
            (
                f"`{verb.name}`",
                verb.text,
                "<br>".join(_argument(name, arg) for name, arg in verb.args.items()),
                f"`{verb.undo}`" if verb.undo else "",
            )
            for verb in VERBS.values()
            if verb.group == group
        ]
        parts.append(f"### {group}\n\n" + _table(("verb", "what it does", "arguments", "undone by"), rows))
    return "\n\n".join(parts)


def _fields(kind: type[Setting] | type[Timing], left_out: tuple[str, ...] = ()) -> str:
    plain = kind()
    return ", ".join(
        f"`{field.name.removesuffix('_s')}` ({_default(getattr(plain, field.name), field.name)})"
        for field in fields(kind)
        if field.name not in left_out
    )


def _default(value: object, name: str) -> str:
    if name.endswith("_s") and isinstance(value, float):
        return show_duration(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def format_page() -> str:
    """Write docs/reference/scenario-format.md."""
    words = [
        (f"`{name}({', '.join(question.args)})`" if question.args else f"`{name}`", question.text)
        for name, question in QUESTIONS.items()
    ]
    events = [(f"`{word}{f' {event.of.upper()}' if event.of else ''}`", event.text) for word, event in EVENTS.items()]
    text = FORMAT.replace("{{", "{").replace("}}", "}")
    for name, made in (
        ("{within}", f"else {show_duration(When().within_s)}"),
        ("{commands}", ", ".join(f"`{command}`" for command in COMMANDS)),
        ("{events}", _table(("event", "when"), events)),
        ("{cluster}", _fields(Setting, ("whole",))),
        ("{timing}", _fields(Timing)),
        ("{words}", _table(("word", "what it says"), words)),
        ("{verbs}", _verbs()),
        ("{run}", _table(("field", "what it is"), ((f"`{name}`", text) for name, text in RUN.items()))),
    ):
        text = text.replace(name, made)
    return f"{MADE}\n{text.strip()}\n"


def list_page() -> str:
    """Write docs/reference/simulated-scenarios.md."""
    files = [(path, load(path)) for path in shipped()]
    rows = [_row(path, runs) for path, runs in files]
    by_rule = [
        (rule.id, ", ".join(f"`{runs[0].id}`" for _, runs in files if rule.id in runs[0].rules)) for rule in RULES
    ]
    return f"""{MADE}
# Scenarios in virtual time

`memgraph-ha sim run` plays all of them, `memgraph-ha sim run A3` those of one entry of the catalogue,
`memgraph-ha sim run A3-hang --without O10` one with a rule taken out. [The format](scenario-format.md) says how to write
one. {len(files)} files, {sum(len(runs) for _, runs in files)} runs.

{_table(("file", "entries", "what happens", "runs", "rules"), rows)}

## Why each rule is there

Without the rule at least one run of each of these fails; a test takes every rule out.

{_table(("rule", "scenarios that fail without it"), by_rule)}
"""


def _row(path: Path, runs: tuple[Scenario, ...]) -> tuple[str, ...]:
    one = runs[0]
    stuck = f"; ends waiting as `{one.stuck.word}`" if one.stuck else ""
    link = f"[`{one.id}`](../../{path.relative_to(SHIPPED.parent)})"
    return link, " ".join(one.catalogue), one.title + stuck, str(len(runs)), " ".join(one.rules)
