"""Events: each comes when what it names happens, and not before."""

import pytest

from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.events import EVENTS
from memgraph_ha.sim.scenario.load import parse
from memgraph_ha.sim.scenario.play import play

HEAD = 'schema = 1\nid = "X"\n[timing]\nthen = "0s"\n'
KILL_STANDBY = 'do = "kill"\non = "m1"\n'
KILL_MAIN = 'do = "keep-down"\non = "m0"\n'
CRASH = 'do = "crash-controller"\nwho = "leader"\n'
SWITCH = 'do = "ask"\nwhat = "switchover"\nof = "m1"\nwait = false\n'

CAUSES = {
    "un-named": KILL_STANDBY,
    "started m1": KILL_STANDBY,
    "down m1": KILL_STANDBY,
    "answers m1": KILL_STANDBY,
    "named m1": KILL_STANDBY,
    "reigns m1": KILL_MAIN,
    "promoted m1": KILL_MAIN,
    "opened": KILL_MAIN,
    "attached m2": KILL_MAIN,
    "holding Unprotected": KILL_MAIN,
    "lost-lease": CRASH,
    "leads C2": CRASH,
    "quiet": SWITCH,
    "acked": 'do = "hush"\nfor = "2s"\n',
}


def _play(event: str, cause: str, within: str) -> None:
    waits = f'[[fault]]\nat = {{ after = "{event}", within = "{within}" }}\ndo = "mark"\n'
    begins = '[[fault]]\nat = "2s"\ndo = "mark"\n'
    (scenario,) = parse(f'{HEAD}{begins}{waits}[[fault]]\nat = "3s"\n{cause}', "x.toml")
    play(scenario)


def test_every_event_is_tried() -> None:
    """None is only in the reference."""
    assert {event.partition(" ")[0] for event in CAUSES} == set(EVENTS)


@pytest.mark.parametrize("event", CAUSES)
def test_an_event_comes_with_its_cause(event: str) -> None:
    """It is waited for from a second before its cause on."""
    _play(event, CAUSES[event], "30s")


@pytest.mark.parametrize("event", [event for event in CAUSES if event != "acked"])
def test_an_event_does_not_come_before_its_cause(event: str) -> None:
    """What is so all the time is no event: a MAIN that reigns, a standby that is named, a process that answers."""
    with pytest.raises(FailedError, match=f"the event '{event}' did not come within 0.9 s"):
        _play(event, CAUSES[event], "900ms")
