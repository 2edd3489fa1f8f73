"""The verdict and the stretches worth a closer look."""

from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.sim.render.model import Tone
from memgraph_ha.sim.render.story import read_story
from memgraph_ha.sim.render.turns import turns_of
from memgraph_ha.sim.render.verdict import verdict_of
from memgraph_ha.trace.schema import FooterLine, Ghost, GhostLine, Line
from tests.sim.render.told import (
    KILLED_S,
    M0,
    M1,
    PROMOTE,
    Script,
    broken,
    decision,
    failover,
    permit,
    record,
    record_seen,
)

CLIENTS = ("app", "batch")


def test_a_failover_is_told_with_the_pause_that_clients_felt() -> None:
    """From the last acknowledgement before to the first after it."""
    verdict = verdict_of(read_story(failover()))
    assert verdict.head == "Failover from m0 to m1: no write was acknowledged for 2.20 s"
    assert verdict.lines == (
        "Writes: 278 acknowledged, 1 in doubt.",
        "At the end: reign 2 of m1; m0 is its proven standby.",
    )
    assert verdict.tone is Tone.OK


def test_where_no_client_is_known_the_gateways_tell_how_long_it_took() -> None:
    """A real trace knows no clients: from when the leader shut its gateway until one opened."""
    story = read_story(failover(ghosts=False))
    assert verdict_of(story).head == "Failover from m0 to m1: the gateways were shut for 1.80 s"
    (turn,) = turns_of(story)
    assert turn.text == "L30: the reason of the change. The gateways were shut for 1.80 s."


def test_writes_that_began_later_say_nothing_of_a_failover() -> None:
    """Nobody wrote before m0 was killed: how long writes would have waited is what the gateways tell."""
    late = tuple(
        line for line in failover() if not (isinstance(line, GhostLine) and line.t < 15 and line.who in CLIENTS)
    )
    assert verdict_of(read_story(late)).head == "Failover from m0 to m1: the gateways were shut for 1.80 s"


def test_writes_that_go_on_hardly_noticed() -> None:
    """A change of MAIN within the usual time between two writes is no pause."""
    told = list(_reigns((0.0, 1, "m0", ChangeKind.BOOTSTRAP), (5.0, 2, "m1", ChangeKind.SWITCHOVER))[:-1])
    script = Script(lines=told)
    for number in range(100):
        script.ghost(number / 10, "app", Ghost.WRITES, outcome="acknowledged", count=1)
    head = verdict_of(read_story(script.whole(10.0))).head
    assert head == "Switchover from m0 to m1: writes hardly noticed"


def test_a_slow_client_is_no_pause() -> None:
    """Who writes once a second notices nothing when a second passes."""
    told = list(_reigns((0.0, 1, "m0", ChangeKind.BOOTSTRAP))[:-1])
    script = Script(lines=told)
    for number in range(20):
        script.ghost(number, "app", Ghost.WRITES, outcome="acknowledged", count=1)
    verdict = verdict_of(read_story(script.whole(20.0)))
    assert (verdict.tone, verdict.head) == (Tone.OK, "m0 reigned throughout")


def test_a_gateway_that_is_still_open_in_the_old_reign_serves_nobody() -> None:
    """A deposed leader's gateway stays open until its lease ends: the new reign serves when its own gateway opens."""
    told = Script()
    for who in ("C1", "C2"):
        told.start(0.0, who)
    told.fact("C1", record_seen(0.0, record(1, M0), 1))
    told.tick(0.0, "C1", decision("Z99", open_to=permit(M0, 1)))
    told.tick(4.0, "C1", decision("N10", hold=Hold.NOT_LEADING))
    told.fact("C2", record_seen(5.0, record(2, M1), 2))
    told.tick(6.0, "C1", decision("N10", hold=Hold.NOT_LEADING, open_to=permit(M0, 1)))
    told.tick(9.0, "C2", decision("Z99", open_to=permit(M1, 2)))
    head = verdict_of(read_story(told.whole(10.0))).head
    assert head == "Failover from m0 to m1: the gateways were shut for 5.00 s"


def test_a_broken_promise_is_the_first_thing_that_is_said() -> None:
    """Whatever else happened."""
    story = read_story(broken())
    verdict = verdict_of(story)
    assert (verdict.tone, verdict.head) == (Tone.BAD, "Promises were broken: S1")
    assert verdict.lines[0] == "m1 lacks write 99"
    turn = turns_of(story)[-1]
    assert (turn.title, turn.tone) == ("Broken: S1", Tone.BAD)
    assert turn.start_s < 13.0 < turn.end_s


def test_the_close_up_of_a_broken_promise_shows_what_was_done_last() -> None:
    """Commands of the last 20 ms are not lost in seconds of calm before them."""
    told = Script()
    told.start(0.0, "C1")
    for at_s in (1.0, 5.0, 15.0, 15.008, 15.016):
        told.command(at_s, "C1", PROMOTE, told.tick(at_s, "C1", decision("O20", PROMOTE)))
    told.ghost(15.02, "m1", Ghost.VIOLATION, check="S2", text="S2: two are MAIN")
    (turn,) = turns_of(read_story(told.whole(15.02)))
    assert (turn.title, turn.text) == ("Broken: S2", "two are MAIN")
    assert 14.9 < turn.start_s < 15.0
    assert 15.02 < turn.end_s < 15.1


def test_a_promise_that_breaks_in_the_midst_of_calm_is_shown_with_some_of_it() -> None:
    """Nothing was done for long: what was so then is shown."""
    told = Script()
    told.start(0.0, "C1")
    told.command(1.0, "C1", PROMOTE, told.tick(1.0, "C1", decision("O20", PROMOTE)))
    told.ghost(15.0, "m1", Ghost.VIOLATION, check="L1", text="not whole")
    (turn,) = turns_of(read_story(told.whole(15.0)))
    assert 12.5 < turn.start_s < 13.0


def test_a_turn_begins_with_what_led_to_it() -> None:
    """The close-up shows the fault and the first acknowledgement afterwards."""
    (turn,) = turns_of(read_story(failover()))
    assert turn.start_s < min(KILLED_S, 9.9)
    assert turn.end_s > 12.1


def _reigns(*reigns: tuple[float, int, str, ChangeKind], opened: bool = True) -> tuple[Line, ...]:
    """Tell that reigns began at these moments, each open at once if at all."""
    told = Script()
    told.start(0.0, "C1")
    for version, (at_s, generation, main, kind) in enumerate(reigns):
        name = M1 if main == "m1" else M0
        told.fact("C1", record_seen(at_s, record(generation, name, kind=kind, opened=opened), version))
        told.tick(at_s, "C1", decision("Z99", open_to=permit(name, generation) if opened else None))
    return told.whole(60.0)


def test_nothing_changed_is_a_verdict_too() -> None:
    """The reign with which the trace began is not one that began in it."""
    story = read_story(_reigns((0.0, 3, "m0", ChangeKind.FAILOVER)))
    assert verdict_of(story).head == "m0 reigned throughout"
    assert turns_of(story) == ()


def test_several_reigns_are_counted() -> None:
    """One turn each."""
    story = read_story(
        _reigns(
            (0.0, 1, "m0", ChangeKind.BOOTSTRAP),
            (9.0, 2, "m1", ChangeKind.SWITCHOVER),
            (20.0, 3, "m1", ChangeKind.REPROMOTE),
        )
    )
    assert verdict_of(story).head == "2 reigns began"
    assert [turn.title for turn in turns_of(story)] == ["Switchover: m0 to m1", "Promoted again: m1"]
    assert [turn.tone for turn in turns_of(story)] == [Tone.INFO, Tone.WARN]


def test_a_reign_that_did_not_open_is_a_warning() -> None:
    """Writes do not flow at the end of the trace, and both verdict and turn say so."""
    story = read_story(_reigns((0.0, 1, "m0", ChangeKind.BOOTSTRAP), (9.0, 2, "m1", ChangeKind.FAILOVER), opened=False))
    verdict = verdict_of(story)
    assert verdict.tone is Tone.WARN
    assert verdict.head == "Failover from m0 to m1; writes wait at the end"
    assert verdict.lines == (
        "At the end Z99: why Z99.",
        "At the end: reign 2 of m1, which has not opened; no standby is named.",
    )
    (turn,) = turns_of(story)
    assert "Reign 2 did not open until 60.0 s, when the trace ends." in turn.text
    assert turn.end_s <= 60.0


def test_a_pause_without_a_change_of_main_is_said() -> None:
    """m0 reigned throughout, and yet users waited."""
    told = list(_reigns((0.0, 1, "m0", ChangeKind.BOOTSTRAP))[:-1])
    script = Script(lines=told)
    for at_s in (*range(10), *range(20, 30)):
        script.ghost(at_s, "app", Ghost.WRITES, outcome="acknowledged", count=1)
    lines = (*script.lines, FooterLine(t=60.0, verdict="", lines=0, digest=""))
    verdict = verdict_of(read_story(lines))
    assert (verdict.tone, verdict.head) == (
        Tone.WARN, "m0 reigned throughout: no write was acknowledged for 11.00 s",
    )  # fmt: skip


def test_an_older_version_that_is_served_again_is_no_new_reign() -> None:
    """A stale read shows a record that was seen before: nothing began."""
    told = Script()
    told.start(0.0, "C1")
    for at_s, generation, version in ((0.0, 1, 1), (5.0, 2, 2), (6.0, 1, 1), (7.0, 2, 2)):
        told.fact("C1", record_seen(at_s, record(generation, M0), version))
    assert [turn.title for turn in turns_of(read_story(told.whole(9.0)))] == ["Failover: m0"]


def test_who_waits_at_the_end_says_for_what() -> None:
    """The leader's hold, whoever else stands by; a controller that is gone says nothing."""
    told = Script()
    for who in ("C1", "C2", "C3"):
        told.start(0.0, who)
    told.tick(1.0, "C3", decision("Z99", open_to=permit(M0, 1)))
    told.end(2.0, "C3")
    told.tick(3.0, "C1", decision("N10", hold=Hold.NOT_LEADING))
    told.tick(4.0, "C2", decision("L90", hold=Hold.NO_SAFE_CANDIDATE))
    verdict = verdict_of(read_story(told.whole(30.0)))
    assert verdict.head == "No reign began; writes wait at the end"
    assert verdict.lines == ("At the end L90: why L90 [NoSafeCandidate].",)


def test_a_recording_that_was_stopped_in_order_ends_as_it_was() -> None:
    """The controller ends with its trace: it served until then."""
    told = Script()
    told.start(0.0, "C1")
    told.tick(1.0, "C1", decision("Z99", open_to=permit(M0, 1)))
    told.end(9.5, "C1")
    assert verdict_of(read_story(told.whole(10.0))).head == "No reign began"


def test_without_a_leader_nobody_opens() -> None:
    """All stand by."""
    told = Script()
    told.start(0.0, "C1")
    told.tick(1.0, "C1", decision("N10", hold=Hold.NOT_LEADING))
    assert verdict_of(read_story(told.whole(10.0))).lines == ("At the end nobody leads.",)
