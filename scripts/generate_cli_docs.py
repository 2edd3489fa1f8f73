"""Write docs/reference/cli.md and docs/reference/json/*.schema.json from the operator commands and the API's schemas.

python -m scripts.generate_cli_docs           write them
python -m scripts.generate_cli_docs --check   write nothing; name every file that is not in step (exit code 1)
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import click

from memgraph_ha.api.schema import Schema
from memgraph_ha.api.schemas import SCHEMAS
from memgraph_ha.cli import OPERATOR
from memgraph_ha.operate.exits import MEANINGS
from memgraph_ha.operate.helping import OperatorCommand
from scripts.in_step import REFERENCE, keep

COMMANDS: Final = tuple(late.load() for late in OPERATOR.values())
SHOWN: Final = {
    "status": ("help-status", "status", "status-watch", "status-held", "status-unprotected", "status-narrow"),
    "resume": ("pause",),
    "doctor": ("doctor", "doctor-bare"),
    "policy check": ("policy-apply",),
}
"""Which pictures show a command, if not just the one of its name."""

_COMMON: Final = ("data", "server", "token_file", "as_json")
"""Options that every command which asks the cluster has: described once."""

_HEAD: Final = """<!-- made by scripts/generate_cli_docs.py from the commands: change the commands, not this page -->
# The operator's commands

Each asks one controller over its HTTP API and prints what it says: tables in colour on a terminal, aligned plain text
in a pipe (`NO_COLOR` is honoured), or with `--json` the API's object unchanged and nothing else. Results go to standard
output; questions, progress and errors go to standard error.

## Where the cluster is

A `memgraph-ha local` on this machine is found by its data directory: without any option that of the user's state
directory, else `--data DIR`. Address and token are in it. Any other controller is named with `--server URL` (or
`MEMGRAPH_HA_SERVER`), and changes need its token: `--token-file FILE` or `MEMGRAPH_HA_TOKEN`. `--server` wins over
`--data`, a file over the variable. Reading needs no token.

![memgraph-ha --help](../pictures/cli-help.svg)

## Exit codes
"""

_JSON_HEAD: Final = """## JSON

With `--json` standard output is one JSON object (`status --watch`: one a line), also if the command fails: then it is
what the API answered, or `{"error": "..."}` if nobody did. The schemas are part of the interface: within one version
of a schema (the number at the end of its name) fields are only added.
"""


def leaves(commands: tuple[click.Command, ...], above: str = "memgraph-ha ") -> Iterator[tuple[str, OperatorCommand]]:
    """List every command that does something, with the words that call it."""
    for command in commands:
        words = f"{above}{command.name}"
        if isinstance(command, click.Group):
            yield from leaves(tuple(command.commands.values()), f"{words} ")
        elif isinstance(command, OperatorCommand):
            yield words, command
        else:
            raise TypeError(f"{words} is a {type(command).__name__}; make it an OperatorCommand")


def page() -> str:
    """Make the page."""
    codes = [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    every = list(leaves(COMMANDS))
    common = {parameter.name: parameter for _, command in every for parameter in command.params}
    parts = [
        _HEAD,
        "\n".join(["| code | meaning |", "|---|---|", *codes]),
        "\n## Options of every command that asks a cluster\n",
        _options([common[name] for name in _COMMON]),
        *(_section(words, command) for words, command in every),
        _JSON_HEAD,
        "\n".join(_answers(every)),
    ]
    return "\n".join(parts) + "\n"


def _section(words: str, command: OperatorCommand) -> str:
    context = click.Context(command, info_name=words)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    own = [each for each in command.params if isinstance(each, click.Option) and each.name not in _COMMON]
    examples = "\n".join(command.examples)
    options = f"\n{_options(own)}" if own else ""
    text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    drawn = "".join(f"\n![{words}](../pictures/cli-{name}.svg)\n" for name in pictures(words))
    return f"## {words}\n\n    {usage}\n\n{text}\n{options}\n```sh\n{examples}\n```\n{drawn}"


def pictures(words: str) -> tuple[str, ...]:
    """Name the pictures of a command: what follows ``cli-`` in the names of their files.

    Args:
        words: What calls it, beginning with ``memgraph-ha``.
    """
    name = words.removeprefix("memgraph-ha ")
    return SHOWN.get(name, (name.replace(" ", "-"),))


def _options(options: Sequence[click.Parameter]) -> str:
    rows = ["| option | meaning |", "|---|---|"]
    for option in options:
        if not isinstance(option, click.Option):
            raise TypeError(f"{option.name} is no option")
        context = click.Context(click.Command("x"))
        names, meaning = option.get_help_record(context) or ("", "")
        rows.append(f"| `{names}` | {meaning} |")
    return "\n".join(rows) + "\n"


def _answers(every: list[tuple[str, OperatorCommand]]) -> Iterator[str]:
    yield "| command | schema |"
    yield "|---|---|"
    for words, command in every:
        if command.answers:
            yield f"| `{words}` | [{command.answers}](json/{command.answers.lower()}.schema.json) |"


def schemas() -> dict[str, str]:
    """Make one self-contained JSON schema for each thing that a command prints."""
    names = sorted({command.answers for _, command in leaves(COMMANDS) if command.answers} | {"Error"})
    return {f"{name.lower()}.schema.json": _schema(name) for name in names}


def _schema(name: str) -> str:
    needed: dict[str, object] = {}
    whole = _inner(SCHEMAS[name], needed)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": name}
    made = head | whole | ({"$defs": needed} if needed else {})
    return json.dumps(made, indent=1) + "\n"


def _inner(schema: Schema, needed: dict[str, object]) -> Schema:
    """Point references into this file, and collect what they point to."""
    return {key: _value(key, value, needed) for key, value in schema.items()}


def _value(key: str, value: object, needed: dict[str, object]) -> object:
    if key == "$ref" and isinstance(value, str):
        name = value.rpartition("/")[2]
        if name not in needed:
            needed[name] = {}
            needed[name] = _inner(SCHEMAS[name], needed)
        return f"#/$defs/{name}"
    if isinstance(value, dict):
        return _inner(value, needed)
    if isinstance(value, list):
        return [_value("", each, needed) for each in value]
    return value


def files() -> dict[str, str]:
    """Make every file: path below docs/reference to text."""
    return {"cli.md": page()} | {f"json/{name}": text for name, text in schemas().items()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check them; returns the exit code."""
    return keep(files, "generate_cli_docs", arguments, REFERENCE)


if __name__ == "__main__":
    sys.exit(main())
