"""Rules that are wrong on purpose, to see that the search finds out: each a table in the place of what ships."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import evolve

from memgraph_ha.core.commands import Promote, WriteRecord
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.view import View

Rules = tuple[Rule, ...]
Decide = Callable[[View], Decision | Unmet]


def without(rules: Rules, *ids: str) -> Rules:
    """The same rules without some.

    Raises:
        ValueError: There is no rule of that id; the message lists those that there are.
    """
    known = [rule.id for rule in rules]
    for rule in ids:
        if rule not in known:
            raise ValueError(f"rule {rule!r} does not exist; there are {', '.join(known)}")
        if rule == known[-1]:
            raise ValueError(f"rule {rule!r} is the last and always matches: something has to")
    return tuple(rule for rule in rules if rule.id not in ids)


def promote_before_record(rules: Rules) -> Rules:
    """Whoever begins a reign is promoted before the record says so."""

    def hasty(decide: Decide) -> Decide:
        def decided(view: View) -> Decision | Unmet:
            found = decide(view)
            if not isinstance(found, Decision) or not found.commands:
                return found
            begun = found.commands[-1]
            seen = view.observed.of(begun.record.main) if isinstance(begun, WriteRecord) else None
            if not isinstance(begun, WriteRecord) or seen is None or seen.role is None:
                return found
            promote = Promote(instance=seen.member.name, run=seen.role.run, generation=begun.record.generation)
            return evolve(found, commands=(promote, begun))

        return _named(decide, decided)

    return _changed(rules, ("L20", "L30", "L40"), hasty)


def keep_name(rules: Rules) -> Rules:
    """A standby keeps its name when its process restarts: the name is taken for one of the place."""

    def forgetful(decide: Decide) -> Decide:
        return _named(decide, lambda view: decide(_as_if_it_had_not_restarted(view)))

    return _changed(rules, ("U10", "L10", "L20", "L30", "L40", "L90"), forgetful)


def _as_if_it_had_not_restarted(view: View) -> View:
    record, seen = view.record, view.observed.record
    named = None if record is None else record.standby
    there = None if named is None else view.observed.of(named.instance)
    if record is None or seen is None or named is None or there is None or there.role is None:
        return view
    told = evolve(record, standby=evolve(named, run=there.role.run))
    observed = evolve(view.observed, record=evolve(seen, record=told))
    return View(observed=observed, policy=view.policy, now_s=view.now_s, wall_s=view.wall_s)


def _changed(rules: Rules, ids: tuple[str, ...], change: Callable[[Decide], Decide]) -> Rules:
    return tuple(Rule(rule.id, change(rule.decide)) if rule.id in ids else rule for rule in rules)


def _named(original: Decide, changed: Decide) -> Decide:
    changed.__name__ = getattr(original, "__name__", "")
    return changed


PLANTS: Final[dict[str, Callable[[Rules], Rules]]] = {
    "promote-before-record": promote_before_record,
    "keep-name-after-restart": keep_name,
}
"""By the name that ``--plant`` takes."""


def rules_for(plant: str | None, taken_out: tuple[str, ...]) -> Rules:
    """The table that a search runs with.

    Args:
        plant: One of `PLANTS`, or None.
        taken_out: Ids of rules to leave out.

    Raises:
        ValueError: There is no such plant or rule.
    """
    if plant is not None and plant not in PLANTS:
        raise ValueError(f"plant {plant!r} is unknown; allowed are {', '.join(PLANTS)}")
    rules = RULES if plant is None else PLANTS[plant](RULES)
    return without(rules, *taken_out)
