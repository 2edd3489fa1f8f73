"""Filing facts: total, idempotent, and order-free where the facts are about distinct subjects."""

from functools import reduce
from random import Random

from attrs import evolve, fields_dict
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core.facts import (
    CommandEnded,
    Fact,
    GapSeen,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    NoopSeen,
    QuietSeen,
    RecordSeen,
    RequestEnded,
    RequestSeen,
    RowsSeen,
)
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed, Seen
from memgraph_ha.core.view import View
from tests.core.views import HEALTHY
from tests.property.strategies import facts, near_scenes, observations


def subject(fact: Fact) -> str:
    """What a fact is about; those about everybody, the list of members and a gap, are not asked for here."""
    match fact:
        case RecordSeen() | LeaseSeen() | GateSeen() | NoopSeen() | QuietSeen() | GapSeen() | MembersSeen():
            return type(fact).__name__
        case CommandEnded():
            command = fact.command
            return f"{type(command).__name__} {getattr(command, 'replica', getattr(command, 'instance', 'record'))}"
        case RequestSeen() | RequestEnded():
            return "requests"
        case _:
            return str(fact.instance)


def unordered(observed: Observed) -> tuple[Observed, frozenset[object]]:
    """The same, with tries as the set that they are."""
    return evolve(observed, attempts=()), frozenset(observed.attempts)


@given(observations(), facts)
def test_filing_a_fact_twice_is_filing_it_once(observed: Observed, fact: Fact) -> None:
    """Repeats change nothing, whatever was filed before."""
    once = observe(observed, fact)
    assert observe(once, fact) == once


@given(observations(), facts)
def test_filing_knows_the_fields_by_their_names(observed: Observed, fact: Fact) -> None:
    """`changed` does not ask whether a field exists: nothing else than the classes' own fields ever comes to be."""
    filed = observe(observed, fact)
    assert vars(filed).keys() == fields_dict(Observed).keys()
    assert all(vars(seen).keys() == fields_dict(Seen).keys() for seen in filed.seen)


about_one = facts.filter(lambda fact: not isinstance(fact, GapSeen | MembersSeen))


@given(st.lists(about_one, max_size=12), st.randoms(use_true_random=False))
def test_facts_about_distinct_subjects_may_come_in_any_order(found: list[Fact], source: Random) -> None:
    """Only the order of facts about the same subject is kept; the rest is shuffled."""
    start = HEALTHY.observed
    queues: dict[str, list[Fact]] = {}
    for fact in found:
        queues.setdefault(subject(fact), []).append(fact)
    shuffled: list[Fact] = []
    while queues:
        chosen = source.choice(sorted(queues))
        shuffled.append(queues[chosen].pop(0))
        if not queues[chosen]:
            del queues[chosen]
    one, other = unordered(reduce(observe, shuffled, start)), unordered(reduce(observe, found, start))
    if len({fact.instance for fact in found if isinstance(fact, RowsSeen)}) > 1:  # MAIN changed: the last counts
        one, other = (last_forgotten(one), last_forgotten(other))
    assert one == other


def last_forgotten(filed: tuple[Observed, frozenset[object]]) -> tuple[Observed, frozenset[object]]:
    """Without what the last MAIN said of its replicas, whoever it was."""
    return evolve(filed[0], last_rows=None, catch_ups=()), filed[1]


@given(near_scenes())
def test_facts_of_a_scene_repeated_at_the_end_change_no_verdict(drawn: tuple[object, tuple[Fact, ...]]) -> None:
    """Late repeats of what an adapter reported before are not news."""
    start = HEALTHY.observed
    again = reduce(observe, HEALTHY.facts(), start)
    for observed in (start, again):
        view = View(observed=observed, policy=HEALTHY.policy, now_s=HEALTHY.now_s, wall_s=HEALTHY.wall_s)
        assert view.loss is None
    once = reduce(observe, drawn[1], start)
    assert reduce(observe, drawn[1][-1:], once) == once
