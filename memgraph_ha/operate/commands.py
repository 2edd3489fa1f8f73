"""Every operator command, for the main group of the command line."""

from typing import Final

import click

from memgraph_ha.operate.completion import completion
from memgraph_ha.operate.doctor import doctor
from memgraph_ha.operate.policies import policy
from memgraph_ha.operate.report import report
from memgraph_ha.operate.shows import explain, history, rules
from memgraph_ha.operate.status import status
from memgraph_ha.operate.verbs import adopt, failover, instances, pause, reinit, restart, resume, switchover

COMMANDS: Final[tuple[click.Command, ...]] = (
    status,
    switchover,
    failover,
    restart,
    pause,
    resume,
    history,
    explain,
    reinit,
    adopt,
    doctor,
    report,
    rules,
    policy,
    instances,
    completion,
)
"""In the order in which the reference describes them."""
