"""`memgraph-ha demo`: one command that shows what is promised, or fails."""

import json
import random
import sys
from pathlib import Path
from typing import Final

from attrs import Attribute, field, frozen
from rich.console import Console

from memgraph_ha.core.policy import Policy
from memgraph_ha.drill.conduct import Interrupted, conduct
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.plan import Plan, mix
from memgraph_ha.drill.report import Report, evidence
from memgraph_ha.drill.results import to_json
from memgraph_ha.runtime.usage import UsageError

PASSED: Final = 0
FAILED: Final = 1
_SIGNALLED: Final = 128
"""Exit codes; one ended by a signal gives 128 plus its number, as shells do."""


def _in_range(low: int, high: int) -> "_Range":
    return _Range(low=low, high=high)


@frozen(kw_only=True)
class _Range:
    low: int
    high: int

    def __call__(self, _owner: object, attribute: "Attribute[int]", value: int) -> None:
        if not self.low <= value <= self.high:
            raise UsageError(f"--{attribute.name} {value} is out of range; give {self.low} to {self.high}")


@frozen(kw_only=True)
class DemoOptions:
    """What ``memgraph-ha demo`` can be asked for.

    Attributes:
        kills: How often MAIN is killed (SIGKILL), 0 to 10,000.
        stops: How often it is frozen instead (SIGSTOP), spread among the kills; 0 to 10,000.
        writers: How many clients write meanwhile, 1 to 256.
        instances: How many instances, 2 to 9.
        memgraph: A Memgraph binary; None for the bundled fake.
        port: Where the gateway listens; None for 7687, or another if that is busy.
        seed: What the pauses between faults are drawn from; None for a new one.
        keep: Keep the cluster's directory, with all logs, though nothing is wrong.
        trace: Record what the controller is told and decides into this file; None: nowhere.
        as_json: Print the result as JSON (see `memgraph_ha.drill.results.to_json`), and the rest to standard error.

    Raises:
        UsageError: A value is out of range.
    """

    kills: int = field(default=20, validator=_in_range(0, 10_000))
    stops: int = field(default=0, validator=_in_range(0, 10_000))
    writers: int = field(default=8, validator=_in_range(1, 256))
    instances: int = field(default=3, validator=_in_range(2, 9))
    memgraph: Path | None = None
    port: int | None = None
    seed: int | None = None
    keep: bool = False
    trace: Path | None = None
    as_json: bool = False

    def plan(self) -> Plan:
        """Make them a plan."""
        what = " and ".join(
            _count(number, word) for number, word in ((self.kills, "kill"), (self.stops, "stop")) if number
        )
        rules = Policy()
        limit = f"{rules.failover_limit} failovers in {rules.failover_window_s / 60:g} minutes"
        return Plan(
            title=f"memgraph-ha demo: {self.instances} instances, {self.writers} writers, {what or 'no fault'} of MAIN",
            notes=(
                "Every answer is noted; at the end every instance is asked for every write.",
                f"After {limit} memgraph-ha would rightly hold;",
                "for this drill the policy failover_limit is raised.",
            ),
            faults=mix(self.kills, self.stops),
            writers=self.writers,
            instances=self.instances,
            memgraph=self.memgraph,
            port=self.port,
            keep=self.keep,
            trace=self.trace,
            seed=random.SystemRandom().randrange(1 << 32) if self.seed is None else self.seed,
        )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


async def run_demo(options: DemoOptions, console: Console | None = None) -> int:
    """Start a cluster, break it again and again while clients write, and reckon up.

    Args:
        options: What to do.
        console: Where to show it; None for standard output, or standard error if the result goes out as JSON.

    Returns:
        The exit code: 0 if nothing was lost, doubled or left running; 1 if something was, or the drill could not be
        finished; 128 plus the number of a signal.

    Raises:
        UsageError: The binary or the port that the user named cannot be used; nothing was started.
    """
    show = console or Console(stderr=options.as_json, highlight=False)
    report = Report(show)
    try:
        result = await conduct(options.plan(), report)
    except Interrupted as interrupted:
        return _say_interrupted(interrupted, show)
    except DrillError as error:
        show.print(f"Error: {error}", style="bold red", markup=False, soft_wrap=True)
        return FAILED
    report.closing(result)
    if options.as_json:
        json.dump(to_json(result), sys.stdout, indent=1)
        sys.stdout.write("\n")
    return PASSED if result.passed else FAILED


def _say_interrupted(interrupted: Interrupted, show: Console) -> int:
    if interrupted.left:
        show.print("Interrupted, and this was left and had to be killed:", style="bold red")
        for line in interrupted.left:
            show.print(f"  - {line}", markup=False, soft_wrap=True)
    else:
        show.print("Interrupted; everything was stopped, nothing is left.", style="yellow")
    if interrupted.root is not None:
        show.print(*evidence(interrupted.root), sep="\n", markup=False, soft_wrap=True)
    return _SIGNALLED + interrupted.signum
