"""At most one controller leads, whatever happens in one term: searched on what ships, with bugs planted to be found."""

from collections.abc import Callable

import pytest
from attrs import evolve, frozen

from memgraph_ha.failsafe import term
from memgraph_ha.failsafe.promiser import Promiser, Reply
from memgraph_ha.failsafe.term import Term
from tests.failsafe.model import World, begin
from tests.failsafe.search import Found, search, walk

Plant = Callable[[pytest.MonkeyPatch], None]


@frozen(kw_only=True)
class Start:
    """Where a search begins; see `begin`."""

    listed: int
    unlisted: int = 0
    faults: int = 0
    cut: tuple[int, ...] = ()

    def search(self, most: int) -> Found:
        """Look at everything until the first leader's term is over."""
        world = begin(self.listed, self.unlisted, faults=self.faults, cut=self.cut)
        return search(world, two_lead, most=most, over=lambda world: "0/0" not in world.leaders())


def two_lead(world: World) -> bool:
    """Whether more than one controller leads by its own belief."""
    return len(world.leaders()) > 1


QUICK = {
    "the leader is cut off": Start(listed=2, cut=(0,)),
    "and there is an outsider": Start(listed=2, unlisted=1, cut=(0,)),
    "and there are two peers": Start(listed=3, cut=(0,)),
}
LONG = {
    "all are cut off, and one comes back or dies": Start(listed=2, cut=(0, 1), faults=1),
    "one fault in a cluster that is well": Start(listed=2, faults=1),
    "a fault while the leader is cut off": Start(listed=2, cut=(0,), faults=1),
    "a fault while there is an outsider": Start(listed=2, unlisted=1, cut=(0,), faults=1),
    "three are cut off, and one comes back or dies": Start(listed=3, cut=(0, 1, 2), faults=1),
}


@pytest.mark.parametrize("start", QUICK.values(), ids=QUICK)
def test_never_two_lead(start: Start) -> None:
    """Every order of everything that can happen without a further fault, to the end of the term."""
    found = start.search(most=50_000)
    assert found.path == ()
    assert found.complete
    assert found.states > 100


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("start", LONG.values(), ids=LONG)
def test_never_two_lead_with_a_fault(start: Start) -> None:
    """A crash, a new pod, a lost answer, a write that comes late, or somebody who reaches the API again or no more.

    As far as so many worlds go: they are looked at in the order of how much must happen.
    """
    found = start.search(most=25_000)
    assert found.path == ()


@pytest.mark.parametrize("seed", range(40))
def test_never_two_lead_on_drawn_paths(seed: int) -> None:
    """Far into several terms, with more faults than any search could look at."""
    start = begin(2 + seed % 2, seed % 2, faults=2 + seed % 4)
    _, found = walk(start, two_lead, seed=seed, steps=150)
    assert found.path == ()


def _short(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(term, "outlasting", lambda seconds: seconds / 2)


def _forgets(patch: pytest.MonkeyPatch) -> None:
    asks = Promiser.forbids

    def forbids(self: Promiser, unchanged_s: float, now_s: float, *, session: str = "") -> str | None:
        return asks(evolve(self, promised_until_s=0.0), unchanged_s, now_s, session=session)

    patch.setattr(Promiser, "forbids", forbids)


def _lets_outsiders_in(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Promiser, "_outside", lambda *_any: None)


def _goes_on_for_ever(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Term, "longest_s", property(lambda self: self.renewed_s + 1000))


def _one_of_two_is_enough(patch: pytest.MonkeyPatch) -> None:
    takes = Term.answered

    def answered(self: Term, reply: Reply, now_s: float) -> Term:
        if self.round is None:
            return self
        return takes(evolve(self, round=evolve(self.round, missing=frozenset({reply.uid}))), reply, now_s)

    patch.setattr(Term, "answered", answered)


@pytest.mark.parametrize(
    ("plant", "start"),
    [
        (_short, "the leader is cut off"),
        (_forgets, "the leader is cut off"),
        (_lets_outsiders_in, "and there is an outsider"),
        (_goes_on_for_ever, "and there is an outsider"),
        (_one_of_two_is_enough, "and there are two peers"),
    ],
)
def test_a_planted_bug_is_found(plant: Plant, start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search looks at can go wrong, and it finds the shortest way there."""
    plant(monkeypatch)
    found = QUICK[start].search(most=50_000)
    assert found.path[-1].endswith("write is done")
    assert any("promises" in name for name in found.path)
