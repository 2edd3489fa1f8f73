"""How a scenario is played: in which order things happen, and that what is expected can fail."""

import pytest

from memgraph_ha.core import RULES
from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.load import parse
from memgraph_ha.sim.scenario.model import Result, Scenario
from memgraph_ha.sim.scenario.play import play
from memgraph_ha.sim.scenario.stage import Stage

KILL = '[[fault]]\nat = "1s"\ndo = "keep-down"\non = "m0"\n'


def _scenario(text: str) -> Scenario:
    (made,) = parse(f'schema = 1\nid = "X"\n[timing]\nthen = "0s"\n{text}', "x.toml")
    return made


def _played(text: str) -> tuple[Result, float]:
    """Play, and give the result and when the origin was."""
    stages: list[Stage] = []
    result = play(_scenario(text), staged=stages.append)
    return result, stages[0].origin_s


def _times(result: Result, what: str) -> list[float]:
    return [float(line.split()[0]) for line in result.trace if f"-- {what}" in line]


def test_things_happen_by_the_clock_and_one_after_another() -> None:
    """`at` counts from the origin, `+` from the fault before; a fault with `for` is undone by its undoing verb."""
    result, origin_s = _played(
        '[[fault]]\nat = "1s"\ndo = "cut"\nbetween = "m0"\nand = "m2"\nfor = "1.5s"\n'
        '[[fault]]\nat = "+500ms"\ndo = "hush"\n'
        '[[fault]]\nat = "3s"\ndo = "unhush"\n'
    )
    assert _times(result, "cut m0 m2") == [pytest.approx(origin_s + 1.0, abs=0.02)]
    assert _times(result, "hush") == [pytest.approx(origin_s + 1.5, abs=0.02)]
    assert _times(result, "mend m0 m2") == [pytest.approx(origin_s + 2.5, abs=0.02)]
    assert _times(result, "unhush") == [pytest.approx(origin_s + 3.0, abs=0.02)]


def test_an_event_a_state_and_a_step_are_waited_for() -> None:
    """Each comes in its order in a failover: the record, the promotion, the opening."""
    result, _ = _played(
        KILL
        + '[[fault]]\nat = { step = "before promote m1" }\ndo = "keep-record"\nimage = "one"\n'
        + '[[fault]]\nat = { after = "promoted m1" }\ndo = "keep-record"\nimage = "two"\n'
        + '[[fault]]\nat = { once = "opened and main == m1", plus = "1s" }\ndo = "keep-record"\nimage = "three"\n'
    )
    told = [
        line
        for line in result.trace
        if "-- keep-record" in line or "promote m1 for" in line or "gate open to m1" in line
    ]
    assert [line.split("--")[-1].strip() if "--" in line else line.split()[2] for line in told] == [
        "O20",
        "keep-record one",
        "keep-record two",
        "gate",
        "keep-record three",
    ]


def test_after_a_step_is_after_it() -> None:
    """`after` a command: its effect is there."""
    result, _ = _played(
        KILL + '[[fault]]\nat = { step = "after promote m1" }\ndo = "check"\nthat = "role(m1) == \'main\'"\n'
    )
    assert dict(result.sent)["promote"] == 1


@pytest.mark.parametrize(
    ("text", "check", "code"),
    [
        (KILL + '[[fault]]\nat = "+5s"\ndo = "check"\nthat = "main == m0"\n', "expect", Exit.UNMET),
        (KILL + '[[expect]]\nwithin = "2s"\nthat = "main == m2"\n', "expect", Exit.UNMET),
        ('[[expect]]\nat = "1s"\nthat = "not serves"\n', "expect", Exit.UNMET),
        (KILL + '[[fault]]\nat = "+5s"\ndo = "heal"\n[[expect]]\nalways = "main == m0"\n', "expect", Exit.UNMET),
        (KILL + '[[fault]]\nat = "+5s"\ndo = "heal"\n[[expect]]\nnever = "unprotected"\n', "expect", Exit.UNMET),
        ('[[expect]]\nsays = "Flapping"\n', "expect", Exit.UNMET),
        ('[[expect]]\nrule_fired = "L30"\n', "expect", Exit.UNMET),
        (KILL + "[[expect]]\ncommands = { promote = 0 }\n", "expect", Exit.UNMET),
        ('[[fault]]\nat = { after = "promoted m1", within = "2s" }\ndo = "heal"\n', "expect", Exit.UNMET),
        ('[[fault]]\ndo = "ask"\nwhat = "switchover"\nof = "m2"\n', "L7", Exit.LIVENESS),
        (
            '[[fault]]\nat = "2s"\ndo = "query"\non = "m0"\ntext = "MATCH (w:W) WITH w LIMIT 1 DELETE w"\n',
            "S1",
            Exit.SAFETY,
        ),
        ('[[expect]]\nat = "1s"\nthat = "main < 3"\n', "expect", Exit.UNMET),
    ],
)
def test_what_is_expected_can_fail(text: str, check: str, code: Exit) -> None:
    """Each kind of expectation, and a promise; the check says which."""
    with pytest.raises(FailedError) as caught:
        play(_scenario(text))
    assert (caught.value.check, caught.value.exit) == (check, code)
    assert caught.value.trace


def test_a_stuck_cluster_must_say_the_name_it_is_stuck_under() -> None:
    """`stuck` demands that hold, not just that the cluster is not whole."""
    lost = 'stuck = "{}"\n[[fault]]\ndo = "lose-volume"\non = "m0"\n[[fault]]\ndo = "lose-volume"\non = "m1"\n'
    timing = '[timing]\nconverge = "8s"\n'
    head = 'schema = 1\nid = "X"\n'
    (right,) = parse(head + lost.format("NoSafeCandidate").replace("[[fault]]", timing + "[[fault]]", 1), "x.toml")
    (wrong,) = parse(head + lost.format("Flapping").replace("[[fault]]", timing + "[[fault]]", 1), "x.toml")
    assert "NoSafeCandidate" in play(right).holds
    with pytest.raises(FailedError, match="L4: it should wait as Flapping"):
        play(wrong)


def test_the_same_seed_is_the_same_history_and_another_one_is_not() -> None:
    """Also with a lossy cluster, where much is left to the dice."""
    scenario = _scenario('[cluster]\nlossy = true\n[[fault]]\nat = "1s"\ndo = "kill"\non = "m0"\n')
    assert play(scenario, 7).trace == play(scenario, 7).trace != play(scenario, 8).trace


@pytest.mark.parametrize(
    ("fault", "least_s"),
    [
        (
            f'do = "delay-commands"\nwho = "C1"\nleast = "20s"\nmost = "20s"\n{KILL}[[fault]]\nat = "3s"\ndo = "hush"',
            20.0,
        ),
        ('do = "crash-controllers"\nfor = "1s"\n[[fault]]\ndo = "delete-pod"\non = "standby"\ngrace = "15s"', 15.0),
    ],
)
def test_a_cluster_is_judged_once_nothing_is_under_way_any_more(fault: str, least_s: float) -> None:
    """What was begun in the faults and no mending takes back is waited for."""
    result, origin_s = _played(f"[[fault]]\n{fault}\n")
    assert result.seconds - origin_s > least_s


def test_rules_can_be_taken_out() -> None:
    """Without the rule that begins a failover nobody follows MAIN."""
    without = tuple(rule for rule in RULES if rule.id != "L30")
    scenario = _scenario(KILL + '[[fault]]\nat = "+5s"\ndo = "check"\nthat = "main == m1"\n')
    play(scenario)
    with pytest.raises(FailedError, match="expected main == m1"):
        play(scenario, rules=without)
