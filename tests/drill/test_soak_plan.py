"""Which faults a soak does."""

from collections import Counter

from memgraph_ha.drill.soak.plan import DOUBLE_SHARE, ISOLATED, LEASE_OVER_S, Kind, Step, Whom, draw

MANY = draw(1, 4000, isolated=True)


def test_the_same_seed_gives_the_same_sequence() -> None:
    """Also a shorter sequence begins like a longer one."""
    assert draw(7, 200, isolated=True) == draw(7, 200, isolated=True)
    assert draw(7, 50, isolated=True) == draw(7, 200, isolated=True)[:50]


def test_another_seed_gives_another_sequence() -> None:
    """A soak of another night is another soak."""
    assert draw(7, 20, isolated=True) != draw(8, 20, isolated=True)


def test_every_kind_comes_within_a_default_soak() -> None:
    """Two hundred faults leave no kind out, whatever the seed."""
    for seed in range(20):
        assert {step.blow.kind for step in draw(seed, 200, isolated=True)} == set(Kind)


def test_without_name_spaces_nothing_is_drawn_that_needs_them() -> None:
    """No link is cut and no disk is full; all else is there."""
    kinds = {step.blow.kind for step in draw(1, 1000, isolated=False)}
    assert kinds == set(Kind) - ISOLATED


def test_one_in_ten_is_double() -> None:
    """Besides those whose second part belongs to them."""
    plain = [step for step in MANY if step.blow.kind is not Kind.IN_REIGN]
    double = sum(1 for step in plain if step.second is not None)
    assert 0.5 * DOUBLE_SHARE < double / len(plain) < 1.5 * DOUBLE_SHARE


def test_a_wiped_disk_is_never_one_of_two() -> None:
    """With MAIN lost at the same time it could be a real loss."""
    assert all(step.second is None for step in MANY if step.blow.kind is Kind.WIPE)
    assert all(step.second.kind in (Kind.KILL, Kind.FREEZE) for step in MANY if step.second is not None)


def test_a_kill_in_a_reign_is_followed_by_another_blow() -> None:
    """The delay is drawn, so that over many it falls on every step of a reign."""
    steps = [step for step in MANY if step.blow.kind is Kind.IN_REIGN]
    delays = [step.second_after_s for step in steps if step.second is not None]
    assert len(delays) == len(steps)
    assert min(delays) < 0.1
    assert max(delays) > 1.3


def test_what_lasts_is_bounded() -> None:
    """Nothing lasts longer than a lease and a bit; a frozen leader always outlives its lease."""
    for step in MANY:
        for blow in filter(None, (step.blow, step.second)):
            assert 0.0 <= blow.for_s <= LEASE_OVER_S[1]
            assert blow.kind is not Kind.FREEZE or 0.5 <= blow.for_s <= 8.0
            assert blow.kind is not Kind.LEASE or blow.for_s >= LEASE_OVER_S[0] > 10.0


def test_everybody_is_hit() -> None:
    """Kills and freezes come to MAIN, its standby, the ASYNC replica and the controller."""
    hit = Counter((step.blow.kind, step.blow.whom) for step in MANY)
    for kind in (Kind.KILL, Kind.FREEZE):
        assert all(hit[kind, whom] for whom in Whom if whom is not Whom.EVERYBODY)


def test_lines_name_what_is_done() -> None:
    """The words of the time-line and of the table."""
    words = {str(step) for step in MANY}
    assert "kill MAIN" in words
    assert any(word.startswith("kill MAIN, after ") for word in words)
    assert {_cut(step) for step in MANY} >= {"cut link (replication of standby)", "cut link (bolt of MAIN)"}
    assert "two at once" in {step.label for step in MANY}


def _cut(step: Step) -> str:
    return step.blow.label if step.blow.kind is Kind.CUT else ""
