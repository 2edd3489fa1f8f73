"""What is known from whom: taking back what was said gives what would be known without it."""

from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core import Fact, Observed, observe
from memgraph_ha.core.facts import MembersSeen, Miss, ProbeMissed, RoleSeen
from memgraph_ha.core.topology import Role
from memgraph_ha.sim.replay.statements import Ledger
from memgraph_ha.trace.schema import FactLine
from tests.core.places import M0, M1, NOW, run_of
from tests.core.views import HEALTHY
from tests.property.strategies import facts


def filed(told: list[Fact]) -> Ledger:
    """File facts, each under its number."""
    ledger = Ledger(HEALTHY.policy, Observed())
    for seq, fact in enumerate(told, 1):
        ledger.file(FactLine(seq=seq, t=float(seq), who="c1", fact=fact))
    return ledger


@given(st.lists(facts, max_size=30))
def test_filing_here_is_filing(told: list[Fact]) -> None:
    """Whoever explains knows exactly what the controller knew."""
    observed = Observed()
    for fact in told:
        observed = observe(observed, fact)
    assert filed(told).observed == observed


@given(st.lists(facts, max_size=20), facts)
def test_the_last_thing_said_can_be_taken_back(told: list[Fact], last: Fact) -> None:
    """Without a statement that has just been made, everything is as it was before it."""
    before, after = filed(told), filed([*told, last])
    newest = next((each for each in after.statements() if each.first.seq == len(told) + 1), None)
    if newest is not None:
        assert after.without(newest) == before.observed
        assert after.without(newest, last_only=True) == before.observed
    elif after.observed == before.observed:
        assert [each.first for each in after.statements()] == [each.first for each in before.statements()]


@given(st.lists(facts, max_size=20))
def test_everything_that_is_known_is_known_from_somebody(told: list[Fact]) -> None:
    """There is a statement wherever anything is known, and none where nothing is."""
    observed = filed(told).observed
    assert bool(filed(told).statements()) is (observed != Observed())


def answer(at_s: float, role: Role = Role.REPLICA) -> RoleSeen:
    """m1 answers."""
    return RoleSeen(at_s=at_s, asked_at_s=at_s, instance=M1, run=run_of(M1), role=role)


def miss(at_s: float, name: str = M1) -> ProbeMissed:
    """It refuses a connection."""
    return ProbeMissed(at_s=at_s, asked_at_s=at_s, instance=M1 if name == M1 else M0, miss=Miss.REFUSED)


def members() -> MembersSeen:
    """The platform's list of a healthy cluster."""
    return next(fact for fact in HEALTHY.facts() if isinstance(fact, MembersSeen))


def test_repetitions_are_one_statement() -> None:
    """However often it was said, it is one thing: taken back, nothing of it remains."""
    ledger = filed([members(), *(answer(NOW + step) for step in range(5))])
    said = next(each for each in ledger.statements() if isinstance(each.last.fact, RoleSeen))
    assert (said.first.seq, said.last.seq, said.count) == (2, 6, 5)
    known = ledger.without(said).of(M1)
    assert known is not None
    assert known.role is None


def test_an_answer_between_two_misses_parts_them() -> None:
    """Refused, answered, refused twice: the last statement is two refusals, and without it the answer stands."""
    ledger = filed([members(), miss(NOW), answer(NOW + 1), miss(NOW + 2), miss(NOW + 3)])
    said = ledger.statements()[0]
    assert (said.first.seq, said.count) == (4, 2)
    known = ledger.without(said).of(M1)
    assert known is not None
    assert (known.refused, known.silent_s) == (0, 0.0)
    last_only = ledger.without(said, last_only=True).of(M1)
    assert last_only is not None
    assert last_only.refused == 1


def test_a_fact_that_changes_nothing_is_no_statement() -> None:
    """An answer older than what is known is not filed, so nothing rests on it."""
    ledger = filed([members(), answer(NOW + 5), answer(NOW + 1, Role.MAIN)])
    assert [each.last.seq for each in ledger.statements()] == [2, 1]
