"""What a recorder makes of what it is told."""

from attrs import define, evolve, field

from memgraph_ha.core import RULES, InvariantViolation
from memgraph_ha.core.commands import Promote, WriteRecord
from memgraph_ha.core.facts import CommandEnded, LeaseSeen, Outcome, RoleSeen
from memgraph_ha.sim.replay.comparing import compare_all
from memgraph_ha.sim.replay.playing import play
from memgraph_ha.trace.recorder import NO_RECORDER, LineRecorder, ListSink
from memgraph_ha.trace.schema import (
    SCHEMA,
    CommandLine,
    FactLine,
    Ghost,
    GhostLine,
    HeaderLine,
    Line,
    LostLine,
    MemoryLine,
    Numbered,
    PolicyLine,
    Source,
    StartLine,
    TickLine,
    digest_of,
)
from tests.core.changes import gate_shut, refuses
from tests.core.places import M0, M1, NOW, run_of
from tests.core.views import HEALTHY
from tests.trace.told import Clock, Told, recorder_to


def test_the_header_says_by_what_it_was_decided() -> None:
    """Two tables of rules with the same ids in the same order have the same digest, no others."""
    sink = ListSink()
    recorder_to(sink)
    (header,) = sink.lines
    assert isinstance(header, HeaderLine)
    assert header.schema == SCHEMA
    assert header.rules == tuple(rule.id for rule in RULES)
    assert header.digest == digest_of(header.rules) != digest_of(header.rules[::-1])
    assert (header.seed, header.scenario, header.source) == (7, "by hand", Source.SIMULATOR)


def test_the_header_names_the_rules_that_decide() -> None:
    """A simulator may leave one out, to see what it is for; whoever reads the trace is told."""
    sink = ListSink()
    LineRecorder(sink, source=Source.SIMULATOR, clock=Clock(), rules=RULES[1:])
    (header,) = sink.lines
    assert isinstance(header, HeaderLine)
    assert header.rules == tuple(rule.id for rule in RULES[1:])
    assert header.digest == digest_of(header.rules)


def test_numbers_rise_and_refer_backwards() -> None:
    """A command names its decision, its end names the command, a decision the facts that were new to it."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.tick()
    told.hear(HEALTHY.but(refuses(M0), gate_shut()).facts())
    decision = told.act(NOW + 0.01)
    told.tick(NOW + 0.02)
    assert decision.rule == "L30"
    lines = [line for line in sink.lines if isinstance(line, Numbered)]
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    sent = next(line for line in lines if isinstance(line, CommandLine))
    by = next(line for line in lines if line.seq == sent.by)
    assert isinstance(by, TickLine)
    assert by.decision == decision
    end = next(line for line in lines if isinstance(line, FactLine) and isinstance(line.fact, CommandEnded))
    assert end.of == sent.seq
    last = lines[-1]
    assert isinstance(last, TickLine)
    assert last.causes == (end.seq,)


def test_what_says_nothing_new_is_no_cause() -> None:
    """The same answer a moment later is none; another one is, and so is one more refused connection."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.tick()
    role = RoleSeen(at_s=NOW + 1, asked_at_s=NOW + 1, instance=M1, run=run_of(M1), role=HEALTHY.place(M1).role)
    told.hear([role])
    assert _causes(told, sink) == ()
    told.hear([evolve(role, run=run_of(M1, 2))])
    assert len(_causes(told, sink)) == 1
    misses = HEALTHY.but(refuses(M0)).place(M0).misses
    told.hear([misses[-1], misses[-1]])
    assert len(_causes(told, sink)) == 2


def _causes(told: Told, sink: ListSink) -> tuple[int, ...]:
    told.tick()
    tick = sink.lines[-1]
    assert isinstance(tick, TickLine)
    return tick.causes


def test_a_command_that_was_never_sent_has_an_end_of_no_command() -> None:
    """The daemon reports it as not sent: nothing is on the wire."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    command = Promote(instance=M1, run=run_of(M1), generation=5)
    told.hear([CommandEnded(at_s=NOW, command=command, outcome=Outcome.NOT_SENT)])
    end = sink.lines[-1]
    assert isinstance(end, FactLine)
    assert end.of is None


def test_the_ends_of_equal_commands_name_each_its_own() -> None:
    """The same command may be sent again while the end of the first is still to come."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    command = Promote(instance=M1, run=run_of(M1), generation=5)
    for _ in range(2):
        told.recorder.command("c1", command, by=1)
    for at_s in (NOW, NOW + 1):
        told.hear([CommandEnded(at_s=at_s, command=command, outcome=Outcome.UNKNOWN)])
    sent = [line.seq for line in sink.lines if isinstance(line, CommandLine)]
    assert [line.of for line in sink.lines if isinstance(line, FactLine)] == sent


def test_a_new_policy_is_written_before_the_first_decision_by_it() -> None:
    """A replay decides by the policy that was in force."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.tick()
    told.policy = evolve(told.policy, frozen_count=9)
    told.tick()
    told.tick()
    kinds = [type(line) for line in sink.lines[-4:]]
    assert kinds == [TickLine, PolicyLine, TickLine, TickLine]
    frozen = HEALTHY.policy.frozen_count
    assert [step.view.policy.frozen_count for step in play(sink.lines)] == [frozen, 9, 9]
    assert compare_all(sink.lines).first is None


def test_a_decision_that_broke_is_kept() -> None:
    """What the rules broke on is what everybody will want to replay."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.recorder.broke("c1", told.view(), InvariantViolation("rule X breaks S1"))
    tick = sink.lines[-1]
    assert isinstance(tick, TickLine)
    assert (tick.decision, tick.error) == (None, "rule X breaks S1")


def test_ghosts_are_told_in_order_by_name() -> None:
    """The order in which somebody names data makes no difference."""
    sink = ListSink()
    recorder = recorder_to(sink)
    recorder.ghost(Ghost.INSTANCE, "m0", state="up", role="MAIN")
    ghost = sink.lines[-1]
    assert isinstance(ghost, GhostLine)
    assert ghost.data == (("role", "MAIN"), ("state", "up"))


def test_nobody_records_nothing() -> None:
    """The recorder that is there when nobody asked for a trace takes everything."""
    told = Told(NO_RECORDER)
    told.hear(HEALTHY.facts())
    assert told.act() == told.tick()[0]
    told.recorder.broke("c1", told.view(), InvariantViolation("x"))
    told.recorder.ghost(Ghost.NOTE, "", text="x")
    told.recorder.end("c1", "x")


@define
class Narrow:
    """A sink that can be told to take nothing, and that a new part is due."""

    lines: list[Line] = field(factory=list)
    shut: bool = False
    full: bool = False

    def put(self, line: Line) -> bool:
        """Take a line, or refuse it."""
        if isinstance(line, HeaderLine):
            self.full = False
        if not self.shut:
            self.lines.append(line)
        return not self.shut


def narrow() -> tuple[Narrow, Told]:
    """Make a controller that has decided once, and the sink that it records to."""
    sink = Narrow()
    told = Told(LineRecorder(sink, source=Source.DAEMON, clock=Clock(), wall=lambda: 1.0))
    told.hear(HEALTHY.facts())
    told.tick()
    return sink, told


def test_after_a_gap_the_trace_says_what_is_missing_and_goes_on_with_what_is_known() -> None:
    """Lines that the disk did not take cost the gap and nothing after it: every later decision is replayed the same."""
    sink, told = narrow()
    sink.shut = True
    told.hear(HEALTHY.but(refuses(M0), gate_shut()).facts())
    told.act(NOW + 0.01)
    sink.shut = False
    told.hear([LeaseSeen(at_s=NOW + 0.02, leading=False)])  # still in the gap: no tick has closed it
    told.tick(NOW + 0.03)
    told.tick(NOW + 0.04)
    lost, memory, first, second = sink.lines[-4:]
    assert isinstance(lost, LostLine)
    assert lost.lines == len(HEALTHY.but(refuses(M0), gate_shut()).facts()) + 4  # tick, command, its end, the lease
    assert isinstance(memory, MemoryLine)
    assert memory.observed == told.observed
    assert isinstance(first, TickLine)
    assert isinstance(second, TickLine)
    found = compare_all(sink.lines)
    assert (found.ticks, found.first) == (3, None)


def test_a_gap_that_goes_on_is_counted_on() -> None:
    """A sink that refuses even the line about the gap is told of all of it later."""
    sink, told = narrow()
    sink.shut = True
    for step in range(3):
        told.tick(NOW + step)
    sink.shut = False
    told.tick(NOW + 4)
    lost = next(line for line in sink.lines if isinstance(line, LostLine))
    assert lost.lines >= 3
    assert compare_all(sink.lines).first is None


def test_a_new_part_stands_on_its_own() -> None:
    """It begins with a header and with what every controller knows, each before its next decision."""
    sink, told = narrow()
    other = Told(told.recorder, "c2")
    other.hear(HEALTHY.facts())
    other.tick()
    sink.full = True
    told.tick(NOW + 1)
    other.hear(HEALTHY.but(refuses(M0)).facts())  # of whom the new part does not know yet
    other.tick(NOW + 1)
    at = max(index for index, line in enumerate(sink.lines) if isinstance(line, HeaderLine))
    header, part = sink.lines[at], sink.lines[at:]
    assert isinstance(header, HeaderLine)
    assert header.part == 2
    assert [type(line) for line in part] == [HeaderLine, MemoryLine, TickLine, MemoryLine, TickLine]
    found = compare_all(part)
    assert (found.ticks, found.first) == (2, None)


def test_a_process_that_starts_again_remembers_nothing() -> None:
    """Its first decision is made from what it hears then."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.tick()
    told.recorder.end("c1", "crash")
    again = Told(told.recorder)
    decision, _seq = again.tick()
    assert decision.rule == "N10"
    assert sum(isinstance(line, StartLine) for line in sink.lines) == 2
    assert compare_all(sink.lines).first is None


def test_a_record_is_told_apart_by_its_token() -> None:
    """The same record read again says nothing new, one with another token does."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.facts())
    told.tick()
    reading = told.observed.record
    assert reading is not None
    told.hear([evolve(reading, at_s=NOW + 1)])
    assert _causes(told, sink) == ()
    told.hear([evolve(reading, at_s=NOW + 2, token=WriteRecord.__name__)])  # type: ignore[arg-type]  # any other text
    assert len(_causes(told, sink)) == 1
