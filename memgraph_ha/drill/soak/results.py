"""What a soak found, the verdict over it, and its machine-readable form. Pure book-keeping."""

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha.drill.ledger import Findings, Outcome, WriterLog, sample
from memgraph_ha.drill.pauses import Distribution, distribution
from memgraph_ha.drill.soak.plan import Step
from memgraph_ha.drill.soak.recovery import Help

SCHEMA: Final = "memgraph-ha/soak/1"
"""Names the JSON form; the number rises when a field changes its meaning or goes."""


@frozen(kw_only=True)
class Felt:
    """One fault, and what the cluster made of it. Times are seconds of CLOCK_MONOTONIC.

    Attributes:
        step: What was done.
        sent_s: Right before it began.
        seen_s: When it was in effect.
        whole_s: When the cluster was whole again and a write was acknowledged; infinity if it never was.
        helped: What a human had to do, in order.
        notes: What did not go as it should, in sentences.
        missed: Why the second of two faults did not happen; None if it did, or there was none.
    """

    step: Step
    sent_s: float
    seen_s: float
    whole_s: float
    helped: tuple[Help, ...] = ()
    notes: tuple[str, ...] = ()
    missed: str | None = None

    @property
    def ended(self) -> str:
        """How it ended, in a word or two."""
        if math.isinf(self.whole_s):
            return "never whole again"
        return ", ".join(help_.hold for help_ in self.helped) or "by itself"


@frozen(kw_only=True)
class Cost:
    """What the writers felt of one fault.

    Attributes:
        pause_s: From its begin to the first acknowledgement of a write that was begun when it was in effect; None if
            that never came.
        silence_s: The longest time without any acknowledgement from its begin until the cluster was whole again.
        indeterminate: Writes whose end nobody knows.
        lost: Acknowledged writes that some instance lacks in the end.
        given_up: Likewise, but of those that a human accepted to lose when it waited for one.
    """

    pause_s: float | None
    silence_s: float
    indeterminate: int
    lost: int
    given_up: int


@frozen(kw_only=True)
class SoakResult:
    """One soak.

    Attributes:
        binary: What ran as the instances.
        seed: What the faults were drawn from.
        isolated: Whether it ran in name spaces of its own: if not, no link was cut and no disk was full.
        duration_s: From the first start of a process to the end of the last.
        wanted: How many faults were asked for.
        out_of_time: Whether it ended since its time was over.
        felt: What was done, in order.
        costs: What the writers felt of each.
        findings: The ledger, compared; None if the instances could not be read back.
        level: Whether all instances held equally many writes in the end.
        trouble: What ended it early; None if nothing did.
        left: A line for each process, thread or port that was still there after the end.
        kept: Where the evidence is; None if it was removed.
    """

    binary: str
    seed: int
    isolated: bool
    duration_s: float
    wanted: int
    out_of_time: bool
    felt: tuple[Felt, ...]
    costs: tuple[Cost, ...]
    findings: Findings | None
    level: bool
    trouble: str | None
    left: tuple[str, ...]
    kept: Path | None

    @property
    def lost(self) -> int:
        """How many acknowledged writes some instance lacks though nobody accepted that."""
        return 0 if self.findings is None else self.findings.lost - sum(cost.given_up for cost in self.costs)

    def complaints(self) -> tuple[str, ...]:
        """Say in sentences what is wrong; empty if the soak was passed."""
        said: list[str] = [] if self.trouble is None else [self.trouble]
        for felt in self.felt:
            said.extend(f"fault {felt.step.number} ({felt.step}): {note}" for note in felt.notes)
        if self.findings is None:
            said.append("the instances were not read back: nothing is known about lost writes")
        else:
            said.extend(self._ledger_complaints(self.findings))
        return (*said, *self.left)

    def _ledger_complaints(self, findings: Findings) -> Iterable[str]:
        if not findings.acknowledged:
            yield "no write was ever acknowledged: nothing was tested"
        if self.lost:
            yield f"{self.lost} acknowledged writes are lost, and nobody accepted that"
        for found in findings.instances:
            for what, ids in (
                ("acknowledged but missing", found.lost if self.lost else ()),
                ("there more than once", found.duplicated),
                ("there though refused", found.phantom),
                ("there though never attempted", found.unknown),
            ):
                if ids:
                    yield f"{found.instance}: {len(ids)} {what}: {sample(ids)}"
        if findings.differing:
            yield f"the instances differ in {len(findings.differing)} writes: {sample(findings.differing)}"
        if not self.level:
            yield "the instances did not become level after the writers had stopped"

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.complaints()


def costs_of(
    felt: Sequence[Felt], logs: Sequence[WriterLog], findings: Findings | None, stopped_s: float
) -> tuple[Cost, ...]:
    """Reckon what the writers felt of each fault.

    A write that was acknowledged between the begin of one fault and that of the next is counted under the first.

    Args:
        felt: In order.
        logs: All writers'.
        findings: The ledger; None if it could not be checked.
        stopped_s: When the writers were told to stop.
    """
    acknowledged_s = {
        name: at_s
        for log in logs
        for name, at_s in zip(log.ids(Outcome.ACKNOWLEDGED), log.acknowledgements(), strict=True)
    }
    lost = set() if findings is None else {each for found in findings.instances for each in found.lost}
    lost_s = sorted(acknowledged_s[each] for each in lost)
    times = sorted(acknowledged_s.values())
    ends = [*(each.sent_s for each in felt), math.inf][1:]
    costs = []
    for each, end_s in zip(felt, ends, strict=True):
        until_s = min(end_s, stopped_s)
        gone = [at_s for at_s in lost_s if each.sent_s <= at_s < end_s]
        consented = any(help_.lossy for help_ in each.helped)
        given_up = sum(1 for at_s in gone if consented and at_s <= each.whole_s)
        costs.append(
            Cost(
                pause_s=pause_of(each, logs, until_s),
                silence_s=longest_silence(times, each.sent_s, min(each.whole_s, until_s)),
                indeterminate=sum(log.indeterminate_between(each.sent_s, end_s) for log in logs),
                lost=len(gone) - given_up,
                given_up=given_up,
            )
        )
    return tuple(costs)


def pause_of(felt: Felt, logs: Sequence[WriterLog], until_s: float) -> float | None:
    """Measure one fault's pause; the writers may be at work.

    Args:
        felt: Which.
        logs: All writers'.
        until_s: When the next fault began, or now.

    Returns:
        Seconds; None if no write was acknowledged since.
    """
    back = (log.first_acknowledged(begun_from_s=felt.seen_s, until_s=until_s) for log in logs)
    first_s = min((at_s for at_s in back if at_s is not None), default=None)
    return None if first_s is None else first_s - felt.sent_s


def longest_silence(times: Sequence[float], from_s: float, until_s: float) -> float:
    """Find the longest time without an acknowledgement in a window.

    Args:
        times: Of all acknowledgements, in order.
        from_s: Begin of the window.
        until_s: End of the window; what is silent at its end counts until there.
    """
    inside = times[bisect_right(times, from_s) : bisect_left(times, until_s)]
    return max((after - before for before, after in itertools.pairwise([from_s, *inside, until_s])), default=0.0)


@frozen(kw_only=True)
class Line:
    """One kind of fault in the table.

    Attributes:
        label: Which.
        count: How often.
        pauses: Until the first acknowledged write.
        silences: The longest without any acknowledgement.
        whole: Until the cluster was whole again, in seconds.
        indeterminate: Writes whose end nobody knows.
        lost: Acknowledged writes that are missing.
        given_up: Likewise, accepted by a human.
        ended: How often each way it ended.
    """

    label: str
    count: int
    pauses: Distribution
    silences: Distribution
    whole: Distribution
    indeterminate: int
    lost: int
    given_up: int
    ended: Mapping[str, int]


def lines_of(felt: Sequence[Felt], costs: Sequence[Cost]) -> tuple[Line, ...]:
    """Sum up by kind of fault, and all together at the end."""
    pairs = list(zip(felt, costs, strict=True))
    labels = sorted({each.step.label for each in felt})
    lines = [_line(label, [pair for pair in pairs if pair[0].step.label == label]) for label in labels]
    return (*lines, _line("all", pairs))


def _line(label: str, pairs: Sequence[tuple[Felt, Cost]]) -> Line:
    ended = [felt.ended for felt, _ in pairs]
    return Line(
        label=label,
        count=len(pairs),
        pauses=distribution([cost.pause_s for _, cost in pairs]),
        silences=distribution([cost.silence_s for _, cost in pairs]),
        whole=distribution([felt.whole_s - felt.sent_s for felt, _ in pairs]),
        indeterminate=sum(cost.indeterminate for _, cost in pairs),
        lost=sum(cost.lost for _, cost in pairs),
        given_up=sum(cost.given_up for _, cost in pairs),
        ended={each: ended.count(each) for each in sorted(set(ended))},
    )
