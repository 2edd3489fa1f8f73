"""`memgraph-ha completion`: the script that makes a shell complete commands, options and instance names."""

import click
from click.shell_completion import get_completion_class

from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.helping import OperatorCommand
from memgraph_ha.operate.output import Output
from memgraph_ha.operate.session import ending

_PROGRAM = "memgraph-ha"
_VARIABLE = "_MEMGRAPH_HA_COMPLETE"
"""The variable by which click knows that a shell asks it; made from the program's name."""


@click.command(
    cls=OperatorCommand,
    answers="",
    short_help="Print the script that makes your shell complete.",
    examples=(
        'eval "$(memgraph-ha completion bash)"',
        "memgraph-ha completion zsh > ~/.zfunc/_memgraph-ha",
        "memgraph-ha completion fish > ~/.config/fish/completions/memgraph-ha.fish",
    ),
)
@click.argument("shell", type=click.Choice(("bash", "zsh", "fish")))
@ending
def completion(*, shell: str) -> Exit:
    """Print the script that makes SHELL complete commands, options and instance names.

    Names are asked of the cluster, for half a second at most.
    """
    maker = get_completion_class(shell)
    if maker is None:  # the choice above is click's own list
        raise OperateError(Exit.USAGE, f"shell {shell!r} is unknown")
    root = click.get_current_context().find_root().command
    output = Output(as_json=False)
    output.text(maker(root, {}, _PROGRAM, _VARIABLE).source())
    return Exit.OK
