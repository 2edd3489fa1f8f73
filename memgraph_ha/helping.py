"""The form of a command's help: text, options, examples that work as they stand, exit codes."""

from collections.abc import Mapping
from typing import Any, ClassVar

import click


class ExampledCommand(click.Command):
    """A command whose ``--help`` ends with examples and the exit codes.

    Args:
        examples: Whole command lines that work as they stand, one each.
        others: What `click.Command` takes.

    Attributes:
        meanings: What each exit code means.
    """

    meanings: ClassVar[Mapping[Any, str]]

    def __init__(self, *others: Any, examples: tuple[str, ...], **named: Any) -> None:
        super().__init__(*others, **named)
        self.examples = examples

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, line by line as they are, and the table of exit codes."""
        del ctx  # click hands it to every part of the help
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in self.meanings.items()])
