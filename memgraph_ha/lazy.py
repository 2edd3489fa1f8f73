"""A group of commands whose modules are loaded when one of them is called: the rest costs nothing."""

import importlib
from collections.abc import Mapping
from typing import Any

import click
from attrs import frozen
from click.shell_completion import CompletionItem


@frozen
class Late:
    """A command that is loaded when it is called.

    Attributes:
        where: ``module:name`` of the click command.
        summary: Its short help: what the group's own help says of it.
    """

    where: str
    summary: str

    def load(self) -> click.Command:
        """Import it.

        Raises:
            TypeError: There is something else by that name.
        """
        module, _, name = self.where.partition(":")
        found = getattr(importlib.import_module(module), name)
        if not isinstance(found, click.Command):
            raise TypeError(f"{self.where} is a {type(found).__name__}, not a command")
        return found


class LazyGroup(click.Group):
    """A group that knows its commands by name and summary only.

    Args:
        late: Name to command, in the order in which the help lists them.
        others: What `click.Group` takes.
    """

    def __init__(self, *others: Any, late: Mapping[str, Late], **named: Any) -> None:
        super().__init__(*others, **named)
        self.late = dict(late)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command, in the order of the table."""
        return [*self.late, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load a command; None if there is none by that name."""
        late = self.late.get(cmd_name)
        return super().get_command(ctx, cmd_name) if late is None else late.load()

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading them."""
        del ctx  # click hands it to every part of the help
        with formatter.section("Commands"):
            formatter.write_dl([(name, late.summary) for name, late in self.late.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete names from the table, options as any command does."""
        names = [
            CompletionItem(name, help=late.summary) for name, late in self.late.items() if name.startswith(incomplete)
        ]
        return [*names, *click.Command.shell_complete(self, ctx, incomplete)]
