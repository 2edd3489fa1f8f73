"""What is drawn when something is missing, broken or strange."""

import pytest

from memgraph_ha.core.facts import (
    GapSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    Outcome,
    ProbeMissed,
    RecordSeen,
    RecordTrouble,
    RequestSeen,
    RoleSeen,
    RowsSeen,
)
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import RowName
from memgraph_ha.core.observed import Observed
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.requests import Ask, Request
from memgraph_ha.core.topology import Mode, Role, Row, RowStatus
from memgraph_ha.sim.render.build import timeline_of
from memgraph_ha.sim.render.model import Lane, Shape, Tone, Weave
from memgraph_ha.sim.render.page import page
from memgraph_ha.trace.schema import Ghost, LostLine, MemoryLine, PolicyLine
from tests.sim.render.told import M0, M1, MEMBERS, PROMOTE, RUN0, RUN1, RUN2, Script, decision, record, record_seen


@pytest.fixture
def told() -> Script:
    """A trace in which C1 has started."""
    script = Script()
    script.start(0.0, "C1")
    return script


def lane(told: Script, name: str, until_s: float = 10.0) -> Lane:
    """Draw what was told, and find a lane by its id."""
    timeline = timeline_of(told.whole(until_s), title="t")
    return next(lane for lane in timeline.lanes if lane.id == name)


def stretches(lane: Lane, row: int = 0) -> list[tuple[str, float, float]]:
    """List what a row says, with when."""
    return [(span.label, span.start_s, span.end_s) for span in lane.spans if span.row == row]


def test_a_controller_that_crashed_is_drawn_as_down_and_shut(told: Script) -> None:
    """From its end to its next start; its gateway relays nothing meanwhile."""
    told.tick(1.0, "C1", decision("Z99"))
    told.end(2.0, "C1")
    told.start(5.0, "C1")
    told.tick(6.0, "C1", decision("N10", hold=Hold.NOT_LEADING))
    assert stretches(lane(told, "controller C1"), 1) == [
        ("Z99 name of z99", 1.0, 2.0),
        ("down", 2.0, 5.0),
        ("N10 name of n10", 6.0, 10.0),
    ]
    (_held, shut, _later) = lane(told, "gateway C1").spans
    assert (shut.text, shut.start_s) == ("shut: shut: connections are refused", 2.0)


def test_a_decision_that_broke_a_promise_is_red(told: Script) -> None:
    """Nothing was decided then."""
    told.tick(1.0, "C1", None, error="breaks SINGLE_WRITER")
    (span,) = (span for span in lane(told, "controller C1").spans if span.row == 1)
    assert (span.label, span.tone) == ("BROKE", Tone.BAD)


def test_a_controller_that_stood_still_has_a_tick_and_a_frozen_one_a_band(told: Script) -> None:
    """The first is what it says itself, the second what the simulator did to it."""
    told.tick(1.0, "C1", decision("Z99"))
    told.ghost(2.0, "C1", Ghost.INSTANCE, state="frozen")
    told.fact("C1", GapSeen(at_s=5.0, gap_s=3.0))
    told.tick(5.0, "C1", decision("N30", hold=Hold.TILT))
    drawn = lane(told, "controller C1")
    assert [name for name, _start, _end in stretches(drawn, 1)] == ["Z99 name of z99", "frozen", "N30 name of n30"]
    assert [(mark.at_s, mark.shape) for mark in drawn.marks] == [(5.0, Shape.TICK)]
    assert "instance C1" not in [each.id for each in timeline_of(told.whole(9.0), title="t").lanes]


@pytest.mark.parametrize(
    ("outcome", "shape", "tone"),
    [
        (Outcome.DONE, Shape.DOT, Tone.OK),
        (Outcome.REFUSED, Shape.CROSS, Tone.BAD),
        (Outcome.UNKNOWN, Shape.RING, Tone.WARN),
        (None, Shape.RING, Tone.WARN),
    ],
)
def test_a_command_is_marked_by_how_it_ended(told: Script, outcome: Outcome | None, shape: Shape, tone: Tone) -> None:
    """By shape and by tone; one whose end the trace does not know is as open as one that nobody answered."""
    sent = told.command(1.0, "C1", PROMOTE, told.tick(1.0, "C1", decision("O20", PROMOTE)))
    if outcome is not None:
        told.ended(2.0, "C1", PROMOTE, sent, outcome)
    (mark,) = lane(told, "controller C1").marks
    assert (mark.shape, mark.tone) == (shape, tone)
    (arrow,) = timeline_of(told.whole(9.0), title="t").arrows
    assert arrow.tone is tone
    assert (arrow.source, arrow.target) == ("controller C1", "instance m1")


def test_a_record_that_cannot_be_used_is_red_until_it_can(told: Script) -> None:
    """Removed, corrupt, and back again."""
    told.fact("C1", record_seen(1.0, record(1, M0), 1))
    told.fact("C1", RecordSeen(at_s=2.0, record=None, token=None))
    told.fact("C1", RecordSeen(at_s=3.0, record=None, token=None, trouble=RecordTrouble.INVALID))
    told.fact("C1", RecordSeen(at_s=3.5, record=None, token=None, trouble=RecordTrouble.INVALID))
    told.fact("C1", record_seen(4.0, record(1, M0), 2))
    drawn = lane(told, "record")
    assert stretches(drawn) == [
        ("reign 1: m0, failover", 1.0, 2.0),
        ("there is no record", 2.0, 4.0),
        ("reign 1: m0, failover", 4.0, 10.0),
    ]
    assert stretches(drawn, 1) == [("unprotected", 1.0, 2.0), ("unprotected", 4.0, 10.0)]


@pytest.mark.parametrize("trouble", [RecordTrouble.UNREADABLE, RecordTrouble.UNANSWERED])
def test_a_controller_that_cannot_read_the_record_says_nothing_of_it(told: Script, trouble: RecordTrouble) -> None:
    """It is cut off; the record is as it was, for those who can read it."""
    told.fact("C1", record_seen(1.0, record(1, M0), 1))
    told.fact("C1", RecordSeen(at_s=2.0, record=None, token=None, trouble=trouble))
    told.fact("C1", record_seen(3.0, record(1, M0), 1))
    assert stretches(lane(told, "record")) == [("reign 1: m0, failover", 1.0, 10.0)]


def test_a_record_that_was_gone_for_a_moment_is_the_same_again(told: Script) -> None:
    """What one reader found missing and the next found unchanged."""
    told.fact("C1", record_seen(1.0, record(1, M0), 1))
    told.fact("C1", RecordSeen(at_s=2.0, record=None, token=None))
    told.fact("C1", record_seen(3.0, record(1, M0), 1))
    names = [name for name, _start, _end in stretches(lane(told, "record"))]
    assert names == ["reign 1: m0, failover", "there is no record", "reign 1: m0, failover"]


@pytest.mark.parametrize("certain", [True, False], ids=["ghosts", "facts"])
def test_the_rows_end_with_the_process_of_main(told: Script, *, certain: bool) -> None:
    """Whoever was attached to it is attached to nobody."""
    told.fact("C1", MembersSeen(at_s=0.0, cluster="c", members=MEMBERS))
    told.fact("C1", RoleSeen(at_s=1.0, asked_at_s=1.0, instance=M0, run=RUN0, role=Role.MAIN))
    row = Row(name=RowName("m1_1"), address=MEMBERS[1].replication, mode=Mode.ASYNC, status=RowStatus.READY)
    told.fact("C1", RowsSeen(at_s=1.0, asked_at_s=1.0, instance=M0, run=RUN0, rows=(row,)))
    if certain:
        told.ghost(4.0, "m0", Ghost.INSTANCE, state="down")
    else:
        told.fact("C1", ProbeMissed(at_s=3.0, asked_at_s=3.0, instance=M0, miss=Miss.TIMED_OUT))
        told.fact("C1", ProbeMissed(at_s=4.0, asked_at_s=4.0, instance=M0, miss=Miss.REFUSED))
    (span,) = (span for span in lane(told, "instance m1").spans if span.row == 1)
    assert (span.start_s, span.end_s) == (1.0, 4.0)


def test_an_order_is_marked_once_though_it_is_seen_twice(told: Script) -> None:
    """What an operator asked for is among what came from outside."""
    request = Request(id="r", ask=Ask.SWITCHOVER, instance=M1, by="alice", reason="", asked_s=1.0, until_s=9.0)
    for at_s in (1.0, 2.0):
        told.fact("C1", RequestSeen(at_s=at_s, request=request))
    assert [(mark.label, mark.at_s, mark.shape) for mark in lane(told, "faults").marks] == [
        ("switchover", 1.0, Shape.DIAMOND)
    ]


def test_only_the_leaders_eyes_count(told: Script) -> None:
    """A follower that cannot reach an instance does not make it silent; without a leader anybody's eyes do."""
    told.start(0.0, "C2")
    told.fact("C1", LeaseSeen(at_s=0.1, leading=True))
    told.fact("C1", RoleSeen(at_s=1.0, asked_at_s=1.0, instance=M0, run=RUN0, role=Role.MAIN))
    told.fact("C2", ProbeMissed(at_s=2.0, asked_at_s=2.0, instance=M0, miss=Miss.TIMED_OUT))
    told.fact("C1", LeaseSeen(at_s=3.0, leading=False))
    told.fact("C2", ProbeMissed(at_s=4.0, asked_at_s=4.0, instance=M0, miss=Miss.TIMED_OUT))
    assert stretches(lane(told, "instance m0")) == [("MAIN, run run-a", 1.0, 4.0), ("silent", 4.0, 10.0)]


def test_an_excused_miss_says_nothing(told: Script) -> None:
    """Our own command was in its way."""
    told.fact("C1", RoleSeen(at_s=1.0, asked_at_s=1.0, instance=M0, run=RUN0, role=Role.MAIN))
    told.fact("C1", ProbeMissed(at_s=2.0, asked_at_s=2.0, instance=M0, miss=Miss.TIMED_OUT, excused=True))
    assert stretches(lane(told, "instance m0")) == [("MAIN, run run-a", 1.0, 10.0)]


def test_what_the_simulator_leaves_out_is_filled_from_what_was_seen(told: Script) -> None:
    """It says that a process starts; that it is REPLICA is known when it answers; after a thaw it is what it was."""
    told.ghost(1.0, "m0", Ghost.INSTANCE, state="starting")
    told.fact("C1", RoleSeen(at_s=2.0, asked_at_s=2.0, instance=M0, run=RUN0, role=Role.REPLICA))
    told.ghost(3.0, "C1", Ghost.LANDED, command="CommitNoop", instance="m0", outcome="MAIN")
    told.ghost(4.0, "m0", Ghost.INSTANCE, state="frozen")
    told.fact("C1", RoleSeen(at_s=4.5, asked_at_s=3.9, instance=M0, run=RUN0, role=Role.MAIN))
    told.ghost(5.0, "m0", Ghost.INSTANCE, state="up")
    told.ghost(6.0, "m0", Ghost.INSTANCE, state="down")
    told.ghost(7.0, "m0", Ghost.INSTANCE, state="starting")
    told.ghost(8.0, "m0", Ghost.INSTANCE, state="up")
    told.fact("C1", RoleSeen(at_s=9.0, asked_at_s=9.0, instance=M0, run=RUN2, role=Role.REPLICA))
    drawn = lane(told, "instance m0")
    assert stretches(drawn) == [
        ("starting", 1.0, 2.0),
        ("REPLICA, run run-a", 2.0, 3.0),
        ("MAIN, run run-a", 3.0, 4.0),
        ("frozen, MAIN", 4.0, 5.0),
        ("MAIN, run run-a", 5.0, 6.0),
        ("down", 6.0, 7.0),
        ("starting", 7.0, 8.0),
        ("up", 8.0, 9.0),
        ("REPLICA, run run-c", 9.0, 10.0),
    ]
    assert [mark.at_s for mark in drawn.marks] == [9.0]


@pytest.mark.parametrize(
    ("mode", "status", "tone"),
    [
        (Mode.STRICT_SYNC, RowStatus.READY, Tone.OK),
        (Mode.STRICT_SYNC, RowStatus.REPLICATING, Tone.OK),
        (Mode.ASYNC, RowStatus.READY, Tone.INFO),
        (Mode.ASYNC, RowStatus.INVALID, Tone.WARN),
        (Mode.STRICT_SYNC, RowStatus.INVALID, Tone.BAD),
        (Mode.STRICT_SYNC, RowStatus.RECOVERY, Tone.WARN),
        (Mode.ASYNC, RowStatus.DIVERGED, Tone.BAD),
        (Mode.ASYNC, RowStatus.HALF, Tone.BAD),
    ],
)
def test_how_main_sees_its_replicas_is_a_thin_line(told: Script, mode: Mode, status: RowStatus, tone: Tone) -> None:
    """STRICT_SYNC that takes commits is green, ASYNC blue; what passes by itself is amber, what does not is red."""
    told.fact("C1", MembersSeen(at_s=0.0, cluster="c", members=MEMBERS))
    row = Row(name=RowName("m1_1"), address=MEMBERS[1].replication, mode=mode, status=status)
    told.fact("C1", RowsSeen(at_s=1.0, asked_at_s=1.0, instance=M0, run=RUN1, rows=(row,)))
    told.fact("C1", RowsSeen(at_s=5.0, asked_at_s=5.0, instance=M0, run=RUN1, rows=()))
    (span,) = (span for span in lane(told, "instance m1").spans if span.row == 1)
    assert (span.tone, span.weave, span.start_s, span.end_s) == (tone, Weave.THIN, 1.0, 5.0)


def test_lines_about_the_recording_are_told_and_counted(told: Script) -> None:
    """A policy that changed, lines that were lost, and a recording that goes on with what was known."""
    told.lines += [
        PolicyLine(seq=2, t=1.0, who="C1", policy=Policy()),
        LostLine(seq=3, t=2.0, who="C1", lines=17),
        MemoryLine(seq=4, t=2.0, who="C1", policy=Policy(), observed=Observed()),
    ]
    timeline = timeline_of(told.whole(9.0), title="t")
    assert [event.what for event in timeline.events] == ["starts", "policy", "lost", "resumes"]
    assert timeline.left_out == ("17 lines are missing in the trace itself: the disk was too slow for them.",)


def test_a_trace_of_nothing_but_a_header_can_be_drawn() -> None:
    """Nothing happened, and that is what is shown."""
    timeline = timeline_of(Script().lines, title="t")
    assert timeline.lanes == ()
    assert timeline.verdict == "No reign began"
    assert "No reign began" in page(timeline)
