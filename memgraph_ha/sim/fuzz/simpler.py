"""One step towards a smaller scenario: each way to make one value of it plainer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import attrs
from attrs import evolve

from memgraph_ha.core import Policy
from memgraph_ha.sim.scenario.model import Client, Fault, Scenario, Setting, Value, When

Thing = TypeVar("Thing")

UNITS_S: Final = (10.0, 5.0, 1.0, 0.5, 0.1)
"""Times are rounded to these, the roundest first."""

FEWEST_INSTANCES: Final = 2
"""A pair."""


def rounder(seconds: float) -> Iterator[float]:
    """Give times near to one that are easier to read, the plainest first; nothing once it is one of them."""
    if seconds == 0.0:
        return
    yield 0.0
    for unit_s in UNITS_S:
        near_s = round(round(seconds / unit_s) * unit_s, 3)
        if near_s == seconds:
            return
        if near_s > 0.0:
            yield near_s


def plainer(scenario: Scenario) -> Iterator[Scenario]:
    """Give every scenario that is one step simpler than this one, in the order in which they are worth a try."""
    for setting in _plainer_setting(scenario.setting, scenario.policy):
        yield evolve(scenario, setting=setting)
    for policy in _defaulted(scenario.policy):
        yield evolve(scenario, policy=policy)
    for then_s in rounder(scenario.timing.then_s):
        yield evolve(scenario, timing=evolve(scenario.timing, then_s=then_s))
    if scenario.operator:
        yield evolve(scenario, operator=False)
    for clients in _each(scenario.clients, _plainer_client, least=0):
        yield evolve(scenario, clients=clients)
    for before in _each(scenario.before, _plainer_fault, least=0):
        yield evolve(scenario, before=before)
    for faults in _each(scenario.faults, _plainer_fault, least=len(scenario.faults)):
        yield evolve(scenario, faults=faults)


def _each(
    things: tuple[Thing, ...], simpler: Callable[[Thing], Iterator[Thing]], *, least: int
) -> Iterator[tuple[Thing, ...]]:
    """Take each away, as long as ``least`` are left, or put a plainer one in its place."""
    for place, thing in enumerate(things):
        if len(things) > least:
            yield (*things[:place], *things[place + 1 :])
        for other in simpler(thing):
            yield (*things[:place], other, *things[place + 1 :])


def _defaulted(thing: Thing, *, but: tuple[str, ...] = ()) -> Iterator[Thing]:
    """Set each field that deviates, ``but`` those, to its default; what the class refuses is left out."""
    given: Any = thing  # an attrs class all of whose fields have a default
    usual = type(given)()
    for part in attrs.fields(type(given)):
        if part.name not in but and getattr(thing, part.name) != getattr(usual, part.name):
            try:
                yield evolve(given, **{part.name: getattr(usual, part.name)})
            except ValueError:
                continue  # this field and another one only go together


def _plainer_setting(setting: Setting, policy: Policy) -> Iterator[Setting]:
    yield from _defaulted(setting, but=("instances", "controllers"))  # fewer are plainer, the usual number is not
    if setting.instances > FEWEST_INSTANCES and f"m{setting.instances - 1}" not in policy.eligible:
        yield evolve(setting, instances=setting.instances - 1)
    if setting.controllers > 1:
        yield evolve(setting, controllers=setting.controllers - 1)


def _plainer_client(client: Client) -> Iterator[Client]:
    if client.count > 1:
        yield evolve(client, count=1)
    yield from _defaulted(client, but=("count",))


def _plainer_fault(fault: Fault) -> Iterator[Fault]:
    if fault.for_s is not None:
        yield evolve(fault, for_s=None)
        yield from (evolve(fault, for_s=shorter_s) for shorter_s in rounder(fault.for_s) if shorter_s)
    for when in _plainer_when(fault.when):
        yield evolve(fault, when=when)
    for name, value in fault.args:
        rest = tuple(pair for pair in fault.args if pair[0] != name)
        yield evolve(fault, args=rest)
        for other in _plainer_value(value):
            yield evolve(fault, args=tuple((key, other if key == name else old) for key, old in fault.args))


def _plainer_when(when: When) -> Iterator[When]:
    usual = When()
    if (when.after, when.once, when.step) != (None, None, None):
        yield When(plus_s=when.plus_s)  # right after the one before it, whatever is going on
    if when.at_s is not None:
        yield evolve(when, at_s=None)  # right after the one before it
        yield from (evolve(when, at_s=at_s) for at_s in rounder(when.at_s))
    yield from (evolve(when, plus_s=plus_s) for plus_s in rounder(when.plus_s))
    if when.within_s != usual.within_s:
        yield evolve(when, within_s=usual.within_s)


def _plainer_value(value: Value) -> Iterator[Value]:
    if isinstance(value, float):
        yield from (near for near in rounder(value) if near)
