"""What led to what, and which lines are worth a line."""

import pytest

from memgraph_ha.core.facts import CommandEnded, Miss, Outcome, ProbeMissed, RoleSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.topology import Role
from memgraph_ha.sim.render.routine import routine_of
from memgraph_ha.sim.render.story import causes_of, read_story
from memgraph_ha.sim.render.telling import events_of
from memgraph_ha.trace.schema import CommandLine, FactLine, Ghost, GhostLine, Line, Source, TickLine
from tests.sim.render.told import KILLED_S, LANDED_S, M0, M1, NOOP, PROMOTE, RUN0, Script, decision, failover


def chain(lines: tuple[Line, ...], number: int) -> list[str]:
    """Walk from a line to whatever led to it, the earliest first."""
    causes = causes_of(read_story(lines))
    seen: set[int] = set()
    todo = [number]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += causes.get(at, ())
    return [_name(lines[at - 1]) for at in sorted(seen)]


def _name(line: Line) -> str:
    match line:
        case TickLine(decision=decided) if decided is not None:
            return decided.rule
        case CommandLine():
            return type(line.command).__name__
        case FactLine():
            return type(line.fact).__name__
        case GhostLine():
            return line.what.name
        case _:
            return type(line).__name__


def test_a_promotion_goes_back_to_the_kill() -> None:
    """From its effect over command, decision and facts to the record, the missed probe and the fault."""
    lines = failover()
    landed = next(
        number for number, line in enumerate(lines, 1) if isinstance(line, GhostLine) and line.what is Ghost.LANDED
    )
    assert chain(lines, landed) == [
        "FAULT", "INSTANCE", "ProbeMissed", "L10", "L30", "WriteRecord", "RecordSeen", "CommandEnded", "O20",
        "Promote", "LANDED",
    ]  # fmt: skip


def test_a_controller_hears_of_a_change_once() -> None:
    """The first answer of a new process comes from its start; the next ones say nothing new."""
    told = Script()
    told.start(0.0, "C1")
    told.ghost(1.0, "m0", Ghost.INSTANCE, state="up", role="MAIN", run=RUN0)
    for at_s in (2.0, 3.0):
        told.fact("C1", RoleSeen(at_s=at_s, asked_at_s=at_s, instance=M0, run=RUN0, role=Role.MAIN))
    causes = causes_of(read_story(told.whole(4.0)))
    assert causes == {4: (3,)}


def test_two_controllers_commands_are_not_mixed_up() -> None:
    """Each one's command is paired with its own effect, though both ask the same of the same instance."""
    told = Script()
    for who in ("C1", "C2"):
        told.start(0.0, who)
        told.command(1.0, who, PROMOTE, told.tick(1.0, who, decision("O20", PROMOTE)))
    for who in ("C2", "C1"):
        told.ghost(2.0, who, Ghost.LANDED, command="Promote", instance="m1", outcome="MAIN")
    story = read_story(told.whole(3.0))
    commands = [entry for entry in story.entries if isinstance(entry.line, CommandLine)]
    landed = {command.line.who: story.landing(command) for command in commands}
    assert {who: entry.line.who for who, entry in landed.items() if entry} == {"C1": "C1", "C2": "C2"}


def test_doing_the_same_again_is_routine_and_the_first_time_is_not() -> None:
    """A proof every second is told once; the next is routine as long as each was done."""
    told = Script()
    told.start(0.0, "C1")
    numbers = []
    for second, outcome in enumerate((Outcome.DONE, Outcome.DONE, Outcome.REFUSED, Outcome.DONE)):
        first = len(told.lines) + 1
        sent = told.command(second, "C1", NOOP, told.tick(second, "C1", decision("P10", NOOP)))
        told.ended(second + 0.1, "C1", NOOP, sent, outcome)
        numbers.append([number in routine_of(read_story(told.whole(9.0))) for number in range(first, first + 3)])
    assert numbers == [[False, False, False], [True, True, True], [True, True, False], [True, True, True]]


def test_a_hold_is_never_routine() -> None:
    """Who waits is told, whatever it asks for."""
    told = Script()
    told.start(0.0, "C1")
    told.ended(0.1, "C1", NOOP, told.command(0.0, "C1", NOOP, 1))
    told.tick(1.0, "C1", decision("R40", NOOP, hold=Hold.RECORD_REGRESSED))
    assert not routine_of(read_story(told.whole(9.0)))


def test_what_is_told_is_every_change_and_what_led_to_it() -> None:
    """All faults, all changes of mind, all commands that are not routine, and no cause is missing."""
    lines = failover()
    events = events_of(read_story(lines))
    whats = [event.what for event in events]
    assert whats.count("fault") == 1
    assert whats.count("P10") == 1, "the first of nine"
    assert [what for what in whats if what in ("L10", "L30", "O20", "O50", "Y20")] == [
        "L10",
        "L30",
        "O20",
        "O50",
        "Y20",
    ]
    told = {event.number for event in events}
    assert all(cause in told and cause < event.number for event in events for cause in event.causes)
    assert len(events) < len(lines) / 3, "writes, repeated facts and routine are left out"


def test_a_decision_that_broke_is_told() -> None:
    """Then nothing was decided: the error is the event."""
    told = Script()
    told.start(0.0, "C1")
    told.tick(1.0, "C1", None, error="rule O50 breaks SINGLE_WRITER")
    (_start, event) = events_of(read_story(told.whole(2.0)))
    assert (event.what, event.text) == ("broke", "rule O50 breaks SINGLE_WRITER")


def test_time_begins_at_zero_where_the_clock_is_the_machines() -> None:
    """A real trace is stamped by the machine's clock; the simulator's clock is kept, for its scenarios speak of it."""
    told = Script()
    told.start(5000.0, "C1")
    assert read_story(told.whole(5001.0)).start_s == 5000.0
    real = Script(Source.LOCAL)
    real.start(5000.0, "C1")
    story = read_story(real.whole(5001.0))
    assert (story.start_s, story.end_s) == (0.0, 1.0)


def test_without_a_header_it_is_no_trace() -> None:
    """The error says what is missing."""
    with pytest.raises(ValueError, match="no header line"):
        read_story(failover()[1:])


def test_an_effect_before_its_command_belongs_to_an_earlier_one() -> None:
    """A late effect of a command that was sent before the trace began is nobody's."""
    told = Script()
    told.start(0.0, "C1")
    told.ghost(LANDED_S - 9, "C1", Ghost.LANDED, command="Promote", instance="m1", outcome="MAIN")
    told.command(KILLED_S, "C1", PROMOTE, 1)
    story = read_story(told.whole(20.0))
    assert all(story.landing(entry) is None for entry in story.entries)


def test_the_end_of_a_command_comes_from_the_command() -> None:
    """Also when it was refused."""
    told = Script()
    told.start(0.0, "C1")
    tick = told.tick(1.0, "C1", decision("O20", PROMOTE))
    told.ended(2.0, "C1", PROMOTE, told.command(1.0, "C1", PROMOTE, tick), Outcome.REFUSED)
    end = next(number for number, line in enumerate(told.lines, 1) if _is_end(line))
    assert chain(told.whole(3.0), end) == ["O20", "Promote", "CommandEnded"]


def _is_end(line: Line) -> bool:
    return isinstance(line, FactLine) and isinstance(line.fact, CommandEnded)


def test_a_missed_probe_without_a_simulator_comes_from_nothing() -> None:
    """Nobody knows why an instance is silent."""
    told = Script()
    told.start(0.0, "C1")
    told.fact("C1", ProbeMissed(at_s=1.0, asked_at_s=1.0, instance=M1, miss=Miss.TIMED_OUT))
    assert not causes_of(read_story(told.whole(2.0)))
