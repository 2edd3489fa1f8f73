"""What is reckoned of a soak, and how it is judged, shown and written down."""

import io
import json
import math

import jsonschema
import pytest
import trio
import trio.testing
from attrs import evolve
from rich.console import Console

from memgraph_ha.drill.soak.documents import JSON_SCHEMA, to_json
from memgraph_ha.drill.soak.plan import Kind
from memgraph_ha.drill.soak.results import SoakResult, lines_of, longest_silence
from memgraph_ha.drill.soak.screen import Screen
from tests.drill.soak_made_up import FORCED, NEVER, RESUMED, acknowledged_at, felt, log, result


def test_a_soak_without_losses_is_passed() -> None:
    """Every write is everywhere once, and each fault ended by itself."""
    made = result([felt(1, 10.0), felt(2, 20.0)])
    assert made.complaints() == ()
    assert made.passed


def test_pause_and_silence_are_measured() -> None:
    """The pause from the fault to the first write begun after it, the silence from the last before to the next."""
    (cost,) = result([felt(1, 10.0)]).costs
    assert cost.pause_s == pytest.approx(0.4)
    assert cost.silence_s == pytest.approx(0.4)
    assert cost.indeterminate == 1


def test_a_silence_before_the_cluster_is_whole_counts() -> None:
    """A second interruption while the standby is attached again is no pause, but is seen."""
    assert longest_silence([1.0, 2.5, 2.6], 0.5, 3.0) == pytest.approx(1.5)
    assert longest_silence([1.0], 0.9, 5.0) == pytest.approx(4.0)
    assert longest_silence([], 1.0, 2.0) == pytest.approx(1.0)


def test_a_lost_write_fails_and_is_counted_under_its_fault() -> None:
    """Acknowledged after the second fault began, and nowhere in the end."""
    faults = [felt(1, 10.0), felt(2, 20.0)]
    missing = acknowledged_at(log(faults), 25.0)
    made = result(faults, missing=(missing,))
    assert [cost.lost for cost in made.costs] == [0, 1]
    assert made.lost == 1
    assert not made.passed
    assert any("1 acknowledged writes are lost" in said for said in made.complaints())


def test_a_loss_that_a_human_accepted_is_told_apart() -> None:
    """Only of what was acknowledged between the fault and the end of the forced failover."""
    faults = [felt(1, 10.0, helped=(FORCED,))]
    within, after = acknowledged_at(log(faults), 11.0), acknowledged_at(log(faults), 14.0)
    accepted = result(faults, missing=(within,))
    assert [(cost.lost, cost.given_up) for cost in accepted.costs] == [(0, 1)]
    assert accepted.passed
    assert not result(faults, missing=(after,)).passed


def test_a_harmless_command_accepts_no_loss() -> None:
    """Who resumed a paused cluster gave nothing up."""
    faults = [felt(1, 10.0, helped=(RESUMED,))]
    assert result(faults).passed
    assert not result(faults, missing=(acknowledged_at(log(faults), 11.0),)).passed


def test_a_loss_from_before_the_first_fault_fails() -> None:
    """It belongs to no fault, and is not forgotten for that."""
    faults = [felt(1, 10.0)]
    made = result(faults, missing=(acknowledged_at(log(faults), 2.0),))
    assert sum(cost.lost for cost in made.costs) == 0
    assert made.lost == 1
    assert not made.passed


def test_a_doubled_write_fails() -> None:
    """Each acknowledged write must be there once."""
    made = result([felt(1, 10.0)], twice=("0-3",))
    assert any("more than once" in said for said in made.complaints())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda made: evolve(made, trouble="it was not whole"),
        lambda made: evolve(made, level=False),
        lambda made: evolve(made, left=("process 7 was left running",)),
        lambda made: evolve(made, findings=None),
        lambda made: evolve(made, felt=(evolve(made.felt[0], notes=("switchover was not done: no",)),)),
    ],
    ids=["trouble", "not level", "left", "not read back", "a verb refused"],
)
def test_whatever_is_unexplained_fails(wrong: "object") -> None:
    """Also where nothing is lost."""
    assert callable(wrong)
    made: SoakResult = wrong(result([felt(1, 10.0)]))
    assert not made.passed


def test_the_table_has_a_line_for_each_kind_and_one_for_all() -> None:
    """With how often, what it cost, and how it ended."""
    made = result([felt(1, 10.0), felt(2, 20.0, kind=Kind.SWITCHOVER), felt(3, 30.0, helped=(RESUMED,))])
    lines = {line.label: line for line in lines_of(made.felt, made.costs)}
    assert list(lines) == ["kill MAIN", "switchover", "all"]
    assert lines["kill MAIN"].count == 2
    assert lines["kill MAIN"].ended == {"by itself": 1, "Paused": 1}
    assert lines["all"].indeterminate == 3
    assert lines["switchover"].pauses.p50 == pytest.approx(0.4)


@pytest.mark.parametrize(
    "made",
    [
        result([felt(1, 10.0), felt(2, 20.0, helped=(FORCED,))]),
        result([felt(1, 10.0, whole_s=NEVER)], trouble="never whole"),
        result([]),
        evolve(result([felt(1, 10.0)]), findings=None),
    ],
    ids=["passed", "never whole", "no fault", "not read back"],
)
def test_the_json_keeps_its_schema(made: SoakResult) -> None:
    """Also after a way through JSON itself, which knows no infinity."""
    written = json.loads(json.dumps(to_json(made), allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(JSON_SCHEMA)
    jsonschema.validate(written, JSON_SCHEMA)
    assert written["passed"] is made.passed
    assert len(written["faults"]) == len(made.felt)


def test_the_closing_shows_the_whole_table_also_on_a_narrow_output() -> None:
    """Nothing is cut off where nobody can widen the window."""
    out = io.StringIO()
    Screen(Console(file=out, width=80)).closing(result([felt(1, 10.0), felt(2, 20.0, helped=(FORCED,))]))
    shown = out.getvalue()
    assert "1 NoSafeCandidate, 1 by itself" in shown
    assert "400 ms" in shown
    assert "Nothing lost" in shown
    assert "seed 7" in shown


@pytest.mark.parametrize("width", [100, 112])
def test_on_a_terminal_the_table_fits_into_it(width: int) -> None:
    """Every column is there, and no line is broken by the window's edge."""
    out = io.StringIO()
    Screen(Console(file=out, width=width, force_terminal=True, color_system=None)).closing(
        result([felt(1, 10.0), felt(2, 20.0, helped=(FORCED,))])
    )
    table = out.getvalue().partition("attempts:")[0]
    assert max(map(len, table.splitlines())) <= width
    assert {"pause", "silence", "whole", "doubt", "lost", "ended"} <= set(table.split())
    assert table.count("400 ms") >= 2


@pytest.mark.trio
async def test_on_a_terminal_what_is_waited_for_is_one_line(autojump_clock: trio.testing.MockClock) -> None:
    """It is drawn over, not told again and again, and gone in the end."""
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80, force_terminal=True))
    screen.stage("fault 3/200: kill MAIN")
    with trio.move_on_after(6.5):
        await screen.tick()
    assert autojump_clock.current_time() >= 6.5
    assert "fault 3/200: kill MAIN" in out.getvalue()
    assert out.getvalue().endswith("\x1b[1A\x1b[2K")


@pytest.mark.trio
async def test_every_two_seconds_what_is_waited_for_is_said(autojump_clock: trio.testing.MockClock) -> None:
    """Also where no terminal is: one line with the fault and the number of writes."""
    out = io.StringIO()
    screen = Screen(Console(file=out, width=80))
    screen.stage("fault 3/200: kill MAIN: until whole again")
    screen.count_with(lambda: 12_345)
    with trio.move_on_after(6.5):
        await screen.tick()
    assert autojump_clock.current_time() >= 6.5
    assert out.getvalue().count("fault 3/200: kill MAIN: until whole again") == 3
    assert "12,345 writes" in out.getvalue()


def test_the_closing_shows_what_failed() -> None:
    """Every complaint, and no praise."""
    out = io.StringIO()
    Screen(Console(file=out, width=80)).closing(result([felt(1, 10.0, whole_s=math.inf)], trouble="never whole"))
    assert "FAILED after 1 of 1 faults" in out.getvalue()
    assert "never whole again" in out.getvalue()
    assert "Nothing lost" not in out.getvalue()
