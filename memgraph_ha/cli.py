"""The command line. Usage errors end with exit code 2 and one sentence that says what, where and the way out."""

from typing import Final

import click

from memgraph_ha import __version__
from memgraph_ha.lazy import Late, LazyGroup

OPERATOR: Final[dict[str, Late]] = {
    "status": Late("memgraph_ha.operate.status:status", "Show who is MAIN, what waits, and why."),
    "switchover": Late("memgraph_ha.operate.verbs:switchover", "Make another instance MAIN, planned: nothing is lost."),
    "failover": Late(
        "memgraph_ha.operate.verbs:failover", "Make an instance MAIN although acknowledged writes may be lost."
    ),
    "restart": Late("memgraph_ha.operate.verbs:restart", "Restart one instance."),
    "pause": Late("memgraph_ha.operate.verbs:pause", "Stop failover and repair until resumed."),
    "resume": Late("memgraph_ha.operate.verbs:resume", "End a pause."),
    "history": Late("memgraph_ha.operate.shows:history", "Show every change of MAIN, who asked, and why."),
    "explain": Late("memgraph_ha.operate.shows:explain", "Say of every rule why it fired, or what it lacked."),
    "reinit": Late("memgraph_ha.operate.verbs:reinit", "Throw an instance's data away and fill it anew from MAIN."),
    "adopt": Late(
        "memgraph_ha.operate.verbs:adopt", "Say that an instance's data counts, where the controller may not guess."
    ),
    "doctor": Late(
        "memgraph_ha.operate.doctor:doctor", "Look whether a cluster, or a bare server, can be trusted with data."
    ),
    "report": Late("memgraph_ha.operate.report:report", "Write a redacted bundle for a bug report."),
    "rules": Late("memgraph_ha.operate.shows:rules", "Show the rules by which everything is decided."),
    "policy": Late("memgraph_ha.operate.policies:policy", "Show, check or change what the operator may choose."),
    "instances": Late("memgraph_ha.operate.verbs:instances", "Grow or shrink a local cluster."),
    "completion": Late("memgraph_ha.operate.completion:completion", "Print the script that makes your shell complete."),
}
"""What is asked of a running cluster, in the order in which the reference describes it."""

COMMANDS: Final[dict[str, Late]] = {
    "demo": Late(
        "memgraph_ha.drill.command:demo", "Kill MAIN again and again under load, and prove that nothing is lost."
    ),
    "local": Late("memgraph_ha.local.command:local", "Run a whole cluster on this machine."),
    "run": Late("memgraph_ha.kube.command:run", "Run a controller on Kubernetes."),
    "set-aside": Late(
        "memgraph_ha.kube.set_aside:set_aside",
        "Put aside what an instance stored, if that was ordered (init container).",
    ),
    **OPERATOR,
    "soak": Late(
        "memgraph_ha.drill.soak.command:soak", "Break a cluster in every way by lot, and prove that nothing is lost."
    ),
    "sim": Late("memgraph_ha.sim.cli:sim", "Replay, search and explain failures in a simulated cluster."),
}
"""In the order in which somebody meets them."""


@click.group(cls=LazyGroup, late=COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="memgraph-ha")
def main() -> None:
    """High availability for Memgraph Community.

    \b
    Try it:     memgraph-ha demo
    Run it:     memgraph-ha local
    Use it:     bolt://127.0.0.1:7687 (read/write, always MAIN)
    Look at it: memgraph-ha status
    """
