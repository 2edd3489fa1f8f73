"""The hunt: mutants are noticed for the right reason, what cannot be reached is not asked, nothing runs for ever."""

import os
import time
from functools import partial
from pathlib import Path

import pytest
from attrs import evolve

from memgraph_ha.core import RULES, InvariantViolation, Rule, View, decide
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Miss, ProbeMissed, RoleSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import RowName
from memgraph_ha.core.record import ChangeKind, Standby
from memgraph_ha.core.rules.issuing import succession
from memgraph_ha.sim.mutate import forked as forking
from memgraph_ha.sim.mutate import hunt as hunting
from memgraph_ha.sim.mutate.campaign import every_mutant
from memgraph_ha.sim.mutate.detector import Case, Detector, UnfitError, in_order, rules_near
from memgraph_ha.sim.mutate.forked import Say, forked
from memgraph_ha.sim.mutate.hunt import Hunt, Notice, show, watch
from memgraph_ha.sim.mutate.mutant import Mutant
from memgraph_ha.sim.mutate.plant import planted
from memgraph_ha.sim.mutate.promises import PROMISES, Promise, broken_promise
from memgraph_ha.sim.mutate.reach import Reach, watched
from memgraph_ha.sim.mutate.report import Fate, document, judged, lines, scores, together
from memgraph_ha.sim.mutate.session import Session, SessionError, fingerprint
from tests.core.corpus import BASES
from tests.core.occasions import OCCASIONS

VIEWS = tuple(scene.view for scene in (*BASES.values(), *OCCASIONS.values()))


def mutant(mutant_id: str) -> Mutant:
    """One of them."""
    return next(each for each in every_mutant() if each.id == mutant_id)


def promising(name: str = "promises") -> Case:
    """A case that checks the promises on hand-made views."""
    return Case(name=name, examine=lambda rules: broken_promise(VIEWS, rules))


def test_the_right_rules_keep_every_promise() -> None:
    """On every hand-made view."""
    assert broken_promise(VIEWS) is None


def wrong(**changes: object) -> tuple[Rule, ...]:
    """A table whose one rule decides as ours do, but for something."""
    return (Rule("X1", lambda view: evolve(decide(view), **changes)),)  # type: ignore[arg-type]  # of any kind


def promise(name: str) -> Promise:
    """One of them."""
    return next(each for each in PROMISES if each.name == name)


def found_by(name: str, rules: tuple[Rule, ...]) -> str:
    """The first thing that a promise says of the hand-made views; each starts afresh."""
    fresh = (View(observed=v.observed, policy=v.policy, now_s=v.now_s, wall_s=v.wall_s) for v in VIEWS)
    return next(filter(None, (promise(name).check(view, rules) for view in fresh)), "")


def test_a_rule_that_cannot_answer_breaks_a_promise() -> None:
    """Also one that is asked only because `explain` asks them all."""

    def crashes(view: View) -> Decision | Unmet:
        raise ZeroDivisionError(view.now_s)

    with pytest.raises(ZeroDivisionError):
        found_by("every rule answers", (*RULES, Rule("X2", crashes)))


def test_a_decision_that_oversleeps_is_not_well_formed() -> None:
    """Nor is one that wakes in the past."""
    assert "wakes after" in found_by("decisions are well formed", wrong(wake_at_s=1e9))
    assert "wakes after -" in found_by("decisions are well formed", wrong(wake_at_s=0.0))


def test_a_hold_that_commands_is_not_well_formed() -> None:
    """Whoever waits does nothing."""
    assert "holds (Paused) and commands" in found_by("decisions are well formed", wrong(hold=Hold.PAUSED))


def test_a_table_that_does_not_look_at_the_lease_breaks_a_promise() -> None:
    """Taking the lease away from any view must end everything; a command without one is our bug at once."""
    deaf = tuple(rule for rule in RULES if rule.id not in ("N10", "N20"))
    with pytest.raises(InvariantViolation, match="LEADER_ONLY"):
        found_by("nothing is done without a lease", deaf)


def test_a_name_without_a_proof_breaks_a_promise() -> None:
    """The core's own invariant finds it first."""

    def names_anybody(view: View) -> Decision | Unmet:
        record, other = view.record, view.partner
        if record is None or other is None or other.role is None:
            return Unmet("there is somebody")
        standby = Standby(instance=other.member.name, run=other.role.run, row=RowName("x"))
        return Decision(
            reason="x", commands=(view.rewrite(evolve(record, standby=standby)),), wake_at_s=view.now_s + 0.1
        )

    with pytest.raises(InvariantViolation, match="naming of"):
        found_by("nobody is named without a proof", (Rule("X4", names_anybody), *RULES))


def hasty(view: View) -> Decision | Unmet:
    """A rule that takes an old answer of MAIN for its death."""
    record, main, standby = view.record, view.main, None if view.record is None else view.record.standby
    if record is None or main is None or main.role is None or standby is None:
        return Unmet("there is a standby")
    if view.now_s - main.role.asked_at_s < 50:
        return Unmet("MAIN's answer is old")
    change = succession(view, record, standby.instance, kind=ChangeKind.FAILOVER, rule="X5", reason="x")
    begun = record.begun(change, main_run=standby.run, fallback=None)
    return Decision(reason="x", commands=(view.rewrite(begun),), wake_at_s=view.now_s + 0.1)


HASTY = (*RULES[:20], Rule("X5", hasty), *RULES[20:])


def test_a_reign_that_begins_because_an_answer_is_older_breaks_a_promise() -> None:
    """As if staleness were evidence of death."""
    assert "X5 begins because m" in found_by("older answers never begin a reign", HASTY)


@pytest.mark.parametrize(("after_s", "counts"), [(-1.0, True), (0.1, False)])
def test_only_a_miss_that_is_newer_than_an_answer_makes_it_more_than_an_old_one(
    *, after_s: float, counts: bool
) -> None:
    """One that the process has answered after stands filed for ever, and excuses nothing."""

    def missed(view: View) -> View:
        seen = tuple(
            each if each.role is None else evolve(each, miss=_miss(each.role, after_s)) for each in view.observed.seen
        )
        return View(observed=evolve(view.observed, seen=seen), policy=view.policy, now_s=view.now_s, wall_s=view.wall_s)

    check = promise("older answers never begin a reign").check
    views = [missed(scene.view) for scene in BASES.values()]
    assert any("X5 begins because m" in (check(view, HASTY) or "") for view in views) is counts
    assert [check(view, RULES) for view in views] == [None] * len(views)


def _miss(answer: RoleSeen, after_s: float) -> ProbeMissed:
    asked_at_s = answer.asked_at_s + after_s
    return ProbeMissed(at_s=asked_at_s, asked_at_s=asked_at_s, instance=answer.instance, miss=Miss.REFUSED)


def test_a_reign_that_begins_under_an_open_gate_breaks_a_promise() -> None:
    """Clients are cut first, always."""

    def rash(view: View) -> Decision | Unmet:
        record, standby = view.record, None if view.record is None else view.record.standby
        if record is None or standby is None or view.permit() is None:
            return Unmet("MAIN serves")
        change = succession(view, record, standby.instance, kind=ChangeKind.FAILOVER, rule="X6", reason="x")
        begun = record.begun(change, main_run=standby.run, fallback=None)
        return Decision(reason="x", commands=(view.rewrite(begun),), wake_at_s=view.now_s + 0.1)

    assert "X6: WriteRecord while m0 is relayed to" in found_by(
        "nothing begins while clients are relayed", (Rule("X6", rash), *RULES)
    )


@pytest.mark.parametrize("name", ["a permit is what the record gives", "readers never reach MAIN"])
def test_a_permit_that_is_bound_to_no_run_breaks_a_promise(name: str) -> None:
    """It would let clients through to whatever process comes next."""
    (unbound,) = [m for m in every_mutant() if (m.function, m.after) == ("View.permit_to", "run=None")]
    assert not found_by(name, RULES)
    with planted(unbound):
        assert found_by(name, RULES)


@pytest.mark.parametrize(
    ("operator", "says"),
    [("act-first", "SINGLE_WRITER"), ("rule-dropped", "LookupError|None")],
)
def test_a_mutant_is_noticed_in_a_process_of_its_own(operator: str, says: str) -> None:
    """And this process still has the right rules afterwards."""
    chosen = [each for each in every_mutant() if each.operator == operator and each.function == "L30"]
    detector = Detector(name="views", cases=(promising(),))
    found = dict(show(chosen, Hunt(detectors=(detector,), reach={})))
    (notices,) = found.values()
    noticed = [notice.says for notice in notices if notice.case]
    assert (noticed != []) is (operator == "act-first")
    assert all(says in text for text in noticed)
    assert broken_promise(VIEWS) is None


def test_a_case_that_never_comes_to_an_end_has_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended from outside, and the mutant counts as noticed by it."""
    monkeypatch.setattr(hunting, "CASE_S", 1.0)
    stuck = Case(name="stuck", examine=lambda _rules: time.sleep(60))
    chosen = every_mutant()[:1]
    began_s = time.monotonic()
    ((_mutant, notices),) = show(chosen, Hunt(detectors=(Detector(name="d", cases=(stuck,)),), reach={}))
    assert time.monotonic() - began_s < 20
    assert [notice.case for notice in notices] == ["stuck"]
    assert "did not come to an end" in notices[0].says


def test_a_case_that_dies_has_noticed() -> None:
    """As when a mutant eats all memory."""
    dead = Case(name="dead", examine=lambda _rules: os._exit(7))
    ((_mutant, notices),) = show(every_mutant()[:1], Hunt(detectors=(Detector(name="d", cases=(dead,)),), reach={}))
    assert [(notice.case, notice.says) for notice in notices] == [("dead", "its process died")]


def test_the_next_detector_is_asked_only_if_need_be() -> None:
    """Unless the hunt is thorough, the first that notices ends it."""
    one = Detector(name="one", cases=(Case(name="a", examine=lambda _rules: "wrong"),))
    two = Detector(name="two", cases=(Case(name="b", examine=lambda _rules: None),))
    chosen = every_mutant()[:1]
    ((_m, quick),) = show(chosen, Hunt(detectors=(one, two), reach={}))
    ((_m, thorough),) = show(chosen, Hunt(detectors=(one, two), reach={}, thorough=True))
    ((_m, other),) = show(chosen, Hunt(detectors=(two, one), reach={}))
    assert [notice.detector for notice in quick] == ["one"]
    assert [(notice.detector, notice.case) for notice in thorough] == [("one", "a"), ("two", "")]
    assert [(notice.detector, notice.case) for notice in other] == [("two", ""), ("one", "a")]


def test_patience_ends_a_detector_not_the_hunt() -> None:
    """What was left unasked is said."""

    def slow(_rules: tuple[Rule, ...]) -> None:
        time.sleep(0.2)

    cases = tuple(Case(name=str(number), examine=slow) for number in range(20))
    hunt = Hunt(detectors=(Detector(name="slow", cases=cases),), reach={}, patience_s=0.5)
    ((_m, (notice,)),) = show(every_mutant()[:1], hunt)
    assert 1 < notice.cases < 10
    assert notice.cases + notice.left == 20


# --- reach


def test_only_what_comes_past_a_mutant_is_asked() -> None:
    """By its statement; by its rule if the table is mutated; and who was written for the rule is asked first."""
    one = mutant("rules/__init__.py:L30:rule-dropped")
    text = next(each for each in every_mutant() if each.file == "rules/loss.py" and each.operator == "guard-off")
    cases = [Case(name=name, examine=lambda _rules: None, about=frozenset({about})) for name, about in ABOUT]
    reach = {
        "far": Reach({}, frozenset()),
        "fired": Reach({}, frozenset({"L30"}), 1.0),
        "passed": Reach({text.file: frozenset({text.lines[0]})}, frozenset(), 2.0),
        "slow and meant": Reach({text.file: frozenset({text.lines[0]})}, frozenset({"L30"}), 9.0),
    }
    assert [case.name for case in in_order(one, cases, reach)] == ["slow and meant", "fired"]
    assert rules_near(one) == {"L30"}
    named = {case.name for case in in_order(text, cases, reach)}
    assert named == {"passed", "slow and meant"}


ABOUT = [("far", ""), ("fired", "A10"), ("passed", "A10"), ("slow and meant", "L30")]


def test_watching_notes_statements_and_rules_and_leaves_nothing_behind() -> None:
    """A branch that is not taken is not noted; afterwards decisions are as fast and as right as before."""
    view = VIEWS[0]
    before = decide(view)
    with watched() as notes:
        noted = decide(View(observed=view.observed, policy=view.policy, now_s=view.now_s, wall_s=view.wall_s))
    found = notes.reach(0.0)
    assert noted == before
    assert found.fired == {before.rule}
    everything = {each.lines[0] for each in every_mutant() if each.file == "rules/standing.py"}
    assert found.lines["rules/standing.py"] & everything
    assert not found.lines["rules/standing.py"] >= everything
    notes.clear()
    decide(View(observed=view.observed, policy=view.policy, now_s=view.now_s, wall_s=view.wall_s))
    assert notes.reach(0.0).fired == frozenset()


def test_a_detector_that_faults_the_right_rules_is_unfit() -> None:
    """It would notice every mutant, and say nothing."""
    sour = Detector(name="sour", cases=(Case(name="always", examine=lambda _rules: "never good"),))
    with pytest.raises(UnfitError, match="sour always cannot judge mutants: of the right rules it says: never good"):
        watch((sour,), 1, lambda _name: None)


def test_watched_cases_are_told_apart() -> None:
    """Each has its own reach, also when several share a process."""
    cases = tuple(
        Case(name=str(place), examine=partial(broken_promise, (view,))) for place, view in enumerate(VIEWS[:12])
    )
    told: list[str] = []
    found = watch((Detector(name="views", cases=cases),), 2, told.append)["views"]
    assert sorted(found) == sorted(told) == sorted(str(place) for place in range(12))
    for place, view in enumerate(VIEWS[:12]):
        assert decide(view).rule in found[str(place)].fired


# --- processes


def test_tasks_are_forked_and_come_back_with_what_they_said() -> None:
    """In whatever order they end; one that stands still is killed, the others are not held up."""

    def work(number: int, say: Say) -> None:
        say(number)
        time.sleep(60 if number == 1 else 0)
        say("end")

    tasks = [(number, partial(work, number)) for number in range(4)]
    found = {ended.key: ended for ended in forked(tasks, jobs=2, limit_s=2.0)}
    assert {key: ended.said for key, ended in found.items()} == {
        0: (0, "end"),
        1: (1,),
        2: (2, "end"),
        3: (3, "end"),
    }
    assert [key for key, ended in found.items() if not ended.in_time] == [1]


def test_closing_early_leaves_no_process(tmp_path: Path) -> None:
    """As when somebody presses ctrl-c."""
    marks = [tmp_path / str(number) for number in range(2)]

    def work(mark: Path, say: Say) -> None:
        say("on")
        time.sleep(0 if mark.name == "0" else 3)
        mark.touch()

    found = forked([(mark, partial(work, mark)) for mark in marks], jobs=2, limit_s=30)
    assert next(found).key == marks[0]
    found.close()  # type: ignore[attr-defined]  # a generator has it
    time.sleep(3.5)
    assert marks[0].exists()
    assert not marks[1].exists()
    assert forking.MEMORY > 1 << 30


# --- report and session


def outcomes() -> tuple[hunting.Notice, ...]:
    """What two detectors say."""
    return (Notice(detector="one", cases=3, left=1), Notice(detector="two", case="b", says="wrong", cases=1))


def test_the_score_counts_mistakes_only() -> None:
    """Neither what the type checker refuses nor what is equivalent; a later detector is scored on what it was shown."""
    first, second, third, fourth = every_mutant()[:4]
    found = (
        judged(first, outcomes()),
        judged(second, outcomes()[:1]),
        evolve(judged(third, ()), fate=Fate.REFUSED),
        evolve(judged(fourth, ()), fate=Fate.EQUIVALENT, why="the same"),
    )
    assert (together(found).noticed, together(found).shown, together(found).percent) == (1, 2, 50.0)
    assert [(s.name, s.noticed, s.shown) for s in scores(found)] == [("one", 0, 2), ("two", 1, 1)]
    said = document(found)
    assert said["fates"] == {"noticed": 1, "survived": 1, "refused": 1, "equivalent": 1}
    assert [entry["fate"] for entry in said["mutants"]] == ["noticed", "survived", "refused", "equivalent"]
    assert said["mutants"][3]["why"] == "the same"
    assert any(line.startswith(f"survived {second.id}") for line in lines(found))
    assert not any(first.id in line for line in lines(found))


def test_a_hunt_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """With what was watched and judged, also if the last line was cut off; another hunt's file is refused."""
    path = tmp_path / "hunt.jsonl"
    first, second = every_mutant()[:2]
    session = Session(path, "print")
    session.watched({"one": {"a": Reach({"view.py": frozenset({1, 2})}, frozenset({"L30"}), 0.5)}})
    session.judged(first, outcomes())
    session.judged(second, outcomes())
    session.close()
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: len(text) - 40], encoding="utf-8")
    again = Session(path, "print")
    again.close()
    assert again.notices == {first.id: outcomes()}
    assert again.reach == session.reach
    with pytest.raises(SessionError, match="another hunt"):
        Session(path, "other")
    assert fingerprint("a") != fingerprint("b")
    assert fingerprint("a") == fingerprint("a")
