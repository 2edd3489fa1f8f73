"""The commands that pages show: found in the text, and parsed by the very parser that would run them."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

import click

from memgraph_ha.cli import main
from tests.docs.pages import Page

PROGRAM: Final = "memgraph-ha"


def commands_in(text: str) -> list[list[str]]:
    """Take the words of each command of ours out of a line such as ``memgraph-ha a X, or memgraph-ha b``."""
    return [words for part in text.split(", or ") if (words := ours_in(part))]


def shown_on(page: Page) -> Iterator[str]:
    """Each line that a reader may type: prompts of console blocks, and code spans that begin with our name."""
    for fence in page.fences:
        if fence.language == "console":
            whole = re.sub(r"\\\n\s*", " ", fence.text)
            yield from (line.strip().removeprefix("$ ") for line in whole.splitlines() if line.strip().startswith("$ "))
    yield from (span for span in page.spans if span.split()[0].endswith(PROGRAM) and len(span.split()) > 1)


def ours_in(line: str) -> list[str]:
    """Take the words of our command out of a line that a reader may type; empty if it is another program's."""
    words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)
    at = next((index for index, word in enumerate(words) if word.rpartition("/")[2] == PROGRAM), None)
    if at is None or (at > 0 and words[at - 1] not in ("|", "&&", ";", "nohup", "-x")):
        return []
    rest = words[at + 1 :]
    end = next((index for index, word in enumerate(rest) if word in ("|", "&&", ";", "&", ">", "2>")), len(rest))
    return rest[:end]


def verb_of(words: list[str]) -> str:
    """The command without its options and arguments, e.g. ``policy apply``."""
    return " ".join(_resolve(words)[1])


def complaint(words: list[str]) -> str | None:
    """Say why our command line would be refused as a usage error; None if it would not.

    Placeholders in capitals stand for values, so values are not judged: only commands, options and how many
    arguments each takes.
    """
    command, verbs, rest = _resolve(words)
    if isinstance(command, click.Group) and not set(rest) & {"--help", "--version", "-h"}:
        return f"{' '.join(verbs) or PROGRAM} has no command {rest[:1]}"
    try:
        _values, extra, _order = command.make_parser(click.Context(command)).parse_args(list(rest))
    except click.UsageError as error:
        return error.format_message()
    return f"{' '.join(verbs)} takes no {extra}" if extra else None


def _resolve(words: list[str]) -> tuple[click.Command, list[str], list[str]]:
    """Walk down the groups as far as the words name commands."""
    command: click.Command = main
    verbs: list[str] = []
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        below = command.get_command(click.Context(command), rest[0])
        if below is None:
            break
        command = below
        verbs.append(rest.pop(0))
    return command, verbs, rest
