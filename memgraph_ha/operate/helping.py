"""The form of every operator command's help: text, options, real examples, exit codes."""

from typing import Any

import click

from memgraph_ha.operate.exits import MEANINGS


class OperatorCommand(click.Command):
    """A command whose ``--help`` ends with examples and the exit codes.

    Args:
        examples: Whole command lines that work as they stand, one each.
        answers: The name of what ``--json`` prints, among `memgraph_ha.api.schemas`; empty: it prints no JSON.
        others: What `click.Command` takes.
    """

    def __init__(self, *others: Any, examples: tuple[str, ...], answers: str = "Answer", **named: Any) -> None:
        super().__init__(*others, **named)
        self.examples = examples
        self.answers = answers

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, line by line as they are, and the table of exit codes."""
        del ctx  # click hands it to every part of the help
        with formatter.section("Examples"):
            for line in self.examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in MEANINGS.items()])
