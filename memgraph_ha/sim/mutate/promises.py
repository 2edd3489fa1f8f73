"""What every decision must keep, whatever was seen: checked on views, one at a time, without a world around them.

The core's own `INVARIANTS` are checked by `decide` itself. These are about a decision and a view as a whole, and about
two views of which one knows less: less known never means more done.
"""

from collections.abc import Callable, Iterable
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.core import RULES, Decision, Rule, View, decide, explain
from memgraph_ha.core.commands import Command, Demote, Promote, StopInstance, WriteRecord
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.topology import Role

LONGEST_WAIT_S: Final = 2.0
"""No decision sleeps longer, but for one that waits for a gap in our own time to pass (N30)."""

AGES_S: Final = (0.3, 1.5, 100.0)


@frozen
class Promise:
    """One property of decisions.

    Attributes:
        name: For people.
        check: Takes a view and the rules; returns what is wrong, or None.
    """

    name: str
    check: Callable[[View, tuple[Rule, ...]], str | None]


def anew(view: View) -> View:
    """The same view without what was already worked out from it.

    Args:
        view: Any.
    """
    return View(observed=view.observed, policy=view.policy, now_s=view.now_s, wall_s=view.wall_s)


def _total(view: View, rules: tuple[Rule, ...]) -> str | None:
    """Every rule answers, and the first that matches is what is decided."""
    decision = decide(anew(view), rules)
    first = next(line for line in explain(anew(view), rules) if isinstance(line.answer, Decision))
    return None if first.rule == decision.rule else f"explain says {first.rule}, decide {decision.rule}"


def _well_formed(view: View, rules: tuple[Rule, ...]) -> str | None:
    decision = decide(anew(view), rules)
    wait_s = decision.wake_at_s - view.now_s
    if wait_s < 0 or (wait_s > LONGEST_WAIT_S and decision.rule != "N30"):
        return f"{decision.rule} wakes after {wait_s:g} s"
    if decision.hold is not None and decision.commands and decision.rule != "R40":
        return f"{decision.rule} holds ({decision.hold.word}) and commands at once"
    stale = [c for c in decision.commands if isinstance(c, WriteRecord) and c.expected != view.token]
    return f"{decision.rule} writes a record over one that it did not read" if stale else None


def _permit(view: View, rules: tuple[Rule, ...]) -> str | None:
    """A permit is for the life of MAIN that was heard, in the open reign that was read, and ends before the lease."""
    permit = decide(anew(view), rules).route.permit
    record, lease = view.record, view.observed.lease
    if permit is None:
        return None
    seen = view.observed.of(permit.instance)
    if record is None or lease is None or seen is None or seen.role is None:
        return f"a permit for {permit.instance} without a record, a lease or an answer"
    due = (record.main, record.main_run, record.generation, seen.member.incarnation, True)
    if (permit.instance, permit.run, permit.generation, permit.incarnation, record.opened) != due:
        return f"a permit that the record does not give: {permit}"
    if (seen.role.run, seen.role.role) != (permit.run, Role.MAIN):
        return (
            f"a permit for run {permit.run} of {permit.instance}, which answers as {seen.role.role} in {seen.role.run}"
        )
    return None if view.now_s < permit.valid_until_s < lease.until_s else "a permit that outlives its lease"


def _shut_before(view: View, rules: tuple[Rule, ...]) -> str | None:
    """No reign begins and nobody is promoted or stopped under a route that relays, but for a planned move."""
    decision = decide(anew(view), rules)
    permit = decision.route.permit
    if permit is None or any(isinstance(c, Demote) and c.instance == permit.instance for c in decision.commands):
        return None
    rash = [c for c in decision.commands if _begins(view, c) and not _by_order(c)]
    rash += [c for c in decision.commands if isinstance(c, StopInstance) and c.instance == permit.instance]
    unasked = [c for c in rash if not view.observed.requests]
    return f"{decision.rule}: {type(unasked[0]).__name__} while {permit.instance} is relayed to" if unasked else None


def _begins(view: View, command: Command) -> bool:
    if isinstance(command, WriteRecord):
        return view.record is not None and command.record.generation != view.record.generation
    return isinstance(command, Promote)


def _by_order(command: Command) -> bool:
    return isinstance(command, WriteRecord) and bool(command.record.history) and command.record.history[-1].by != ""


def _without_lease(view: View, rules: tuple[Rule, ...]) -> str | None:
    lease = view.observed.lease
    if lease is None:
        return None
    observed = evolve(view.observed, lease=evolve(lease, leading=False))
    decision = decide(evolve(view, observed=observed), rules)
    does = [type(command).__name__ for command in decision.commands]
    return f"{decision.rule} without a lease: {does}" if does or decision.route.permit is not None else None


def _without_proof(view: View, rules: tuple[Rule, ...]) -> str | None:
    """No other fact stands in for a proof."""
    observed = evolve(view.observed, proof=None)
    decision = decide(evolve(view, observed=observed), rules)
    had = None if view.record is None else view.record.standby
    written = [command.record.standby for command in decision.commands if isinstance(command, WriteRecord)]
    named = [standby for standby in written if standby not in (None, had)]
    return f"{decision.rule} names {named[0]} without a proof" if named else None


def _older(view: View, rules: tuple[Rule, ...]) -> str | None:
    """Where nothing is done, nothing begins because what an instance said is older."""
    before = decide(anew(view), rules)
    if before.commands:
        return None
    for seen in filter(_has_word, view.observed.seen):
        for by_s in AGES_S:
            aged = tuple(_aged(other, by_s) if other is seen else other for other in view.observed.seen)
            after = decide(evolve(view, observed=evolve(view.observed, seen=aged)), rules)
            if any(_begins(view, command) for command in after.commands):
                return f"{after.rule} begins because {seen.member.name}'s answer is {by_s:g} s older; was {before.rule}"
    return None


def _has_word(seen: Seen) -> bool:
    """Whether the last that was heard of a process is an answer: one from before a miss is word of its end."""
    if seen.role is None or seen.member.incarnation is None:
        return False
    return seen.miss is None or seen.miss.asked_at_s <= seen.role.asked_at_s


def _aged(seen: Seen, by_s: float) -> Seen:
    """Let an answer be older, and a probe that missed before it, which nothing clears, as much older."""
    role = None if seen.role is None else evolve(seen.role, asked_at_s=seen.role.asked_at_s - by_s)
    miss = None if seen.miss is None else evolve(seen.miss, asked_at_s=seen.miss.asked_at_s - by_s)
    return evolve(seen, role=role, miss=miss)


def _reads(view: View, rules: tuple[Rule, ...]) -> str | None:
    """Readers go to living replicas of the recorded data set, never to who is or may be MAIN."""
    decision = decide(anew(view), rules)
    for read in decision.route.reads:
        seen, record = view.observed.of(read.permit.instance), view.record
        if record is None or seen is None or seen.role is None or read.permit.instance == record.main:
            return f"readers go to {read.permit.instance}, which is or may be MAIN"
        if (seen.role.role, seen.role.run) != (Role.REPLICA, read.permit.run):
            return f"readers go to {read.permit.instance}, which answers as {seen.role.role} in run {seen.role.run}"
    return None


PROMISES: Final[tuple[Promise, ...]] = (
    Promise("every rule answers", _total),
    Promise("decisions are well formed", _well_formed),
    Promise("a permit is what the record gives", _permit),
    Promise("nothing begins while clients are relayed", _shut_before),
    Promise("nothing is done without a lease", _without_lease),
    Promise("nobody is named without a proof", _without_proof),
    Promise("older answers never begin a reign", _older),
    Promise("readers never reach MAIN", _reads),
)


def broken_promise(views: Iterable[View], rules: tuple[Rule, ...] = RULES) -> str | None:
    """Check every promise on some views.

    Args:
        views: In this order.
        rules: Those to decide by.

    Returns:
        The first that is broken: its name and what is wrong; None if all are kept.

    Raises:
        InvariantViolation: A command breaks one of `memgraph_ha.core.INVARIANTS`.
    """
    for view in views:
        for promise in PROMISES:
            wrong = promise.check(view, rules)
            if wrong is not None:
                return f"{promise.name}: {wrong}"
    return None
