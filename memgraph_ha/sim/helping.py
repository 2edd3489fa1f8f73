"""The form of every verb's help: text, options, examples that work as they stand, exit codes."""

from typing import Any

import click

from memgraph_ha.sim.exits import MEANINGS


class SimCommand(click.Command):
    """A verb whose ``--help`` ends with examples and the exit codes.

    Args:
        examples: Whole command lines, one each.
        others: What `click.Command` takes.
    """

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
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])
