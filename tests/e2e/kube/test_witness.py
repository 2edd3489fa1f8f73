"""The tests' own instruments see what they are there to see."""

from memgraph_ha.core.names import RunId
from memgraph_ha.drill.ledger import Outcome, WriterLog
from tests.e2e.kube.client_pods import longest_gap, read_events
from tests.e2e.kube.witness import MainSeen, two_writing


def _look(**objects: int) -> dict[str, MainSeen]:
    """Make what was seen at one look: how much each MAIN held."""
    return {name: MainSeen(run=RunId(f"run of {name}"), objects=count) for name, count in objects.items()}


def test_two_mains_that_take_writes_are_seen() -> None:
    """Both were MAIN at three looks, and both hold more at the last."""
    looks = [_look(a=1, b=1), _look(a=2, b=1), _look(a=3, b=2)]
    assert two_writing(looks) == ("a", "b")


def test_an_old_main_that_nobody_writes_to_is_no_second_one() -> None:
    """It came back and still says that it is MAIN, but holds no more than before."""
    assert two_writing([_look(a=5, b=5)] * 2 + [_look(a=5, b=6)]) == ()


def test_a_failover_between_two_looks_is_not_two_mains() -> None:
    """One grew until it was ended, the other was MAIN only from then on."""
    assert two_writing([_look(a=1), _look(a=2), _look(a=3, b=3)]) == ()
    assert two_writing([_look(a=2), _look(a=3, b=3), _look(b=4)]) == ()


def test_a_process_that_was_started_anew_is_another_one() -> None:
    """What it recovered from its disk is no growth."""
    anew = {"a": MainSeen(run=RunId("another run"), objects=9)}
    assert two_writing([_look(a=1, b=1), _look(a=1, b=2), anew | _look(b=3)]) == ()


def test_what_a_client_pod_prints_becomes_a_ledger() -> None:
    """Each line is one event; a refusal in known words is certain, all else is in doubt."""
    log = WriterLog(7)
    printed = [
        "begun 1.0 ",
        "done 1.5 None",
        "begun 2.0 ",
        "refused 2.5 At least one STRICT_SYNC replica has not confirmed committing last transaction.",
        "begun 3.0 ",
        "broken 3.5 ServiceUnavailable: gone",
        "begun 9.0 ",
        "done 9.5 None",
        "begun 10.0 ",
    ]
    read_events(log, "\n".join(printed))
    counts = {outcome: list(log.ids(outcome)) for outcome in Outcome}
    assert counts[Outcome.ACKNOWLEDGED] == ["7-0", "7-3"]
    assert counts[Outcome.INDETERMINATE] == ["7-2", "7-4"]
    assert counts[Outcome.REFUSED] == ["7-1"]
    assert longest_gap([log], 1.0) == 8.0
