"""The text: one line per event, in order, that can be compared."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from memgraph_ha.sim.render.build import timeline_of
from memgraph_ha.sim.render.text import summary_lines, text_lines
from memgraph_ha.trace.schema import Ghost, Line, Source
from tests.sim.render.told import Script, failover, renamed

LINE = re.compile(r" *(?P<seq>\d* )? *(?P<at>\d+\.\d{3}) (?P<sign>[+>~! ]) (?P<who>\S+) +(?P<what>\S+) +(?P<said>.+)")


def written(lines: tuple[Line, ...], *, seq: bool = False) -> list[str]:
    """Write a trace as text."""
    return list(text_lines(timeline_of(lines, title="t"), seq=seq))


def test_one_line_per_event_in_order_of_time() -> None:
    """Each has its time, who, what and a sentence, in columns."""
    timeline = timeline_of(failover(), title="t")
    lines = list(text_lines(timeline))
    assert len(lines) == len(timeline.events)
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found)
    times = [float(match["at"]) for match in found if match]
    assert times == sorted(times)
    assert "    10.000 ! m0   fault     kill m0" in lines
    starts = {line.index(match["said"]) for line, match in zip(lines, found, strict=True) if match}
    assert len(starts) == 1, "columns stand still"


def test_two_recordings_of_the_same_are_the_same_text() -> None:
    """Whatever the machine's clock said, and however lines were numbered, so that `diff` shows what differs."""
    first = failover(Script(Source.LOCAL), ghosts=False)
    late = Script(Source.LOCAL, seq=1000)
    assert written(first) == written(failover(late, ghosts=False))
    assert written(first, seq=True) != written(failover(Script(Source.LOCAL, seq=1000), ghosts=False), seq=True)


def test_numbers_are_those_for_explain() -> None:
    """What only the simulator knows has none."""
    for line in written(failover(), seq=True):
        assert line[:7].strip().isdigit() != any(f" {ghost.name.lower()} " in line for ghost in Ghost)


@settings(max_examples=50, deadline=None)
@given(text=st.text())
def test_whatever_is_said_stays_on_its_line_and_commands_no_terminal(text: str) -> None:
    """No newline, no escape sequence, no character that turns the direction of writing."""
    told = Script()
    told.ghost(1.0, "m0", Ghost.NOTE, text=text)
    (line,) = written(told.whole(2.0))
    assert line.isprintable()
    assert len(line.splitlines()) == 1


def test_names_cannot_command_a_terminal_either() -> None:
    """A controller's name comes from outside too."""
    assert all(line.isprintable() for line in written(renamed(failover(), C1="\x1b[31m\n\u202e")))


def test_the_summary_says_what_was_left_out() -> None:
    """A trace whose end is missing says so."""
    timeline = timeline_of(failover()[:-1], title="t", cut_off=True)
    assert list(summary_lines(timeline))[-1].startswith("The last line of the trace was cut off")
    assert "no last line" in list(summary_lines(timeline_of(failover()[:-1], title="t")))[-1]
    assert "Failover from m0 to m1" in list(summary_lines(timeline))[1]
