"""The operator's commands as a program of their own: ``python -m tests.operate.program status``."""

import click

from memgraph_ha.operate.commands import COMMANDS


@click.group(name="memgraph-ha", context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Only what an operator asks of a cluster."""


for command in COMMANDS:
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="memgraph-ha")
