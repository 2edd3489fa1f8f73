"""What is shown says what was found; what is written as JSON can be read by a program."""

import io
import json
import math
from pathlib import Path

import pytest
import trio
from rich.console import Console
from trio.testing import MockClock

from memgraph_ha.drill.pauses import FaultKind
from memgraph_ha.drill.report import Report, in_words, pause_style
from memgraph_ha.drill.results import SCHEMA, DrillResult, to_json
from tests.drill.made_up import NAMES, result

KILL, STOP = FaultKind.KILL, FaultKind.STOP


def shown(res: DrillResult, *, width: int = 80, encoding: str = "utf-8") -> str:
    """Everything that a report prints of a result into a pipe."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    report = Report(Console(file=out, width=width))
    report.header(NAMES, tuple(fault.kind for fault in res.faults))
    for fault, pause in zip(res.faults, res.pauses, strict=True):
        report.fault(fault, pause, fault.sent_s)
    report.closing(res)
    out.flush()
    out.seek(0)
    return out.read()


def test_a_passed_drill_is_shown_whole() -> None:
    """Each fault has its line, the figures are those measured, and the verdict says what was checked."""
    drilled = result()
    text = shown(drilled)
    lines = text.splitlines()

    assert drilled.findings is not None
    assert [line.split()[:8] for line in lines if "killed " in line and "→" in line] == [
        ["1", "10.0", "s", "memgraph-0", "killed", "→", "memgraph-1", "failover"],
        ["2", "20.0", "s", "memgraph-1", "killed", "→", "memgraph-0", "failover"],
        ["3", "30.0", "s", "memgraph-0", "killed", "→", "memgraph-1", "failover"],
    ]
    assert "killed: the first writer   3   287 ms    312 ms   450 ms   450 ms" in text
    assert text.count(" met") == 1
    assert (
        f"✔ Nothing lost: all {drilled.findings.acknowledged} acknowledged writes are on all 3 instances, each once."
        in lines
    )
    assert f"memgraph-1 (MAIN)      {drilled.findings.acknowledged}" in text


def test_nothing_is_wider_than_a_terminal_of_80_columns() -> None:
    """The time-line and the tables of a passed drill fit without a broken line."""
    text = shown(result((KILL, STOP, KILL), pauses_s=(0.3, 2.6, 0.9)))

    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (result(lost=("0-1", "1-4")), "memgraph-2: 2 acknowledged but missing: 0-1, 1-4"),
        (result(trouble="no standby was named\nmore of it"), "no standby was named"),
        (result(left=("port 7687 is still in use",)), "port 7687 is still in use"),
        (result(pauses_s=(0.3, 0.3, None)), "no write was acknowledged after fault 3"),
    ],
    ids=["lost", "trouble", "left", "never"],
)
def test_whatever_is_wrong_is_said_and_fails(wrong: DrillResult, said: str) -> None:
    """One thing wrong is enough, and the verdict names it."""
    text = shown(wrong)

    assert not wrong.passed
    assert "✘ Failed after 3 of 3 faults" in text
    assert f"  - {said}" in text.splitlines()
    assert "Nothing lost" not in text


def test_the_evidence_is_named() -> None:
    """Whoever has to look into it is told where."""
    assert "The evidence is kept: /tmp/somewhere" in shown(result(left=("x",), kept=Path("/tmp/somewhere")))  # noqa: S108


def test_a_missed_target_is_called_so() -> None:
    """A slow drill loses nothing and passes, but nobody is told that the target was met."""
    slow = shown(result(pauses_s=(0.3, 1.2, 0.3)))

    assert " missed" in slow
    assert " met" not in slow
    assert "1.20 s  █" in slow


def test_the_stock_driver_has_no_target() -> None:
    """The targets are for writers that reconnect at once (design 10)."""
    text = shown(result(pauses_s=(1.2, 1.3, 1.2), stock=True))

    assert "target" not in text
    assert "missed" not in text


def test_an_ascii_terminal_gets_ascii() -> None:
    """Bars and marks fall back where the output cannot hold them."""
    text = shown(result(), encoding="ascii")

    assert text.isascii()
    assert "OK Nothing lost" in text
    assert "->" in text
    assert "####" in text


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 ms"),
        (0.3124, "312 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (12.345, "12.35 s"),
        (None, "never"),
        (math.inf, "never"),
    ],
)
def test_times_are_told_as_a_person_would(seconds: float | None, words: str) -> None:
    """Milliseconds below a second, seconds above, and a word for what never came."""
    assert in_words(seconds) == words


def test_colours_tell_good_from_late() -> None:
    """Green below what half should stay below, yellow within the target, red beyond it and for never."""
    assert [pause_style(KILL, each) for each in (0.3, 0.7, 1.0, None)] == ["green", "yellow", "bold red", "bold red"]
    assert [pause_style(STOP, each) for each in (2.2, 2.7, 3.0)] == ["green", "yellow", "bold red"]


def test_long_waits_are_told_in_a_pipe(autojump_clock: MockClock) -> None:
    """A wait is told after two seconds and again after ten more, a new one anew; a short one is not."""
    out = io.StringIO()
    report = Report(Console(file=out, width=80), clock=autojump_clock.current_time)

    async def wait() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(report.tick)
            report.stage("one")
            await trio.sleep(1.5)
            report.stage("two")
            await trio.sleep(12.5)
            report.count_with(lambda: 1234)
            report.stage("three")
            await trio.sleep(2.5)
            nursery.cancel_scope.cancel()

    trio.run(wait, clock=autojump_clock)
    assert out.getvalue().splitlines() == ["  ... two (2 s)", "  ... two (12 s)", "  ... three (2 s, 1,234 writes)"]


def test_json_says_the_same() -> None:
    """The machine's form carries verdict, setting, each fault, figures and ledger, and names its schema."""
    res = result(lost=("0-1",), pauses_s=(0.312, None, None), kept=Path("/tmp/somewhere"))  # noqa: S108
    read = json.loads(json.dumps(to_json(res), allow_nan=False))

    assert read["schema"] == SCHEMA
    assert read["passed"] is False
    assert read["complaints"] == list(res.complaints())
    assert read["setting"] == {
        "binary": "/opt/memgraph-ha-fake",
        "instances": list(NAMES),
        "writers": 2,
        "stock": False,
        "seed": 7,
        "faults_wanted": 3,
    }
    first, second, _ = read["faults"]
    assert (first["kind"], first["main"], first["new_main"]) == ("kill", "memgraph-0", "memgraph-1")
    assert first["changes"] == ["failover"]
    assert first["pause_s"] == pytest.approx(0.312)
    assert first["writer_pauses_s"] == pytest.approx([0.312, 0.332])
    assert first["protected_s"] == pytest.approx(1.5)
    assert second["at_s"] == pytest.approx(10.0)
    assert second["pause_s"] is None
    kills = read["pauses"]["kill"]["first_write"]
    assert (kills["count"], kills["missing"]) == (3, 2)
    assert kills["min_s"] == pytest.approx(0.312)
    assert kills["max_s"] is None
    assert read["pauses"]["stop"]["first_write"]["count"] == 0
    assert read["ledger"]["lost"] == 1
    assert read["ledger"]["instances"][2]["lost_ids"] == ["0-1"]
    assert read["kept"] == "/tmp/somewhere"  # noqa: S108


def test_a_drill_without_a_single_fault_can_be_told() -> None:
    """A cluster that never came up has nothing to measure, and that is said without a crash."""
    nothing = result((), pauses_s=(), trouble="the controller ended with exit code 1")

    assert "the controller ended with exit code 1" in shown(nothing)
    json.dumps(to_json(nothing), allow_nan=False)
