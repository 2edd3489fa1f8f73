"""The verbs `sim replay`, `sim diff` and `sim explain`, as they are typed."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from memgraph_ha.cli import main
from memgraph_ha.core.facts import ProbeMissed
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.exits import Exit
from memgraph_ha.trace.recorder import ListSink
from memgraph_ha.trace.schema import FactLine
from tests.core.changes import gate_shut, refuses, unnamed_for
from tests.core.places import M0
from tests.core.views import HEALTHY
from tests.sim.replay.story import failover, ticks
from tests.trace.told import Told, recorder_to, write_lines

LINES = failover()
STEADY, STILL, LOST, BEGUN = (line.seq for line in ticks(LINES))


@pytest.fixture
def trace(tmp_path: Path) -> str:
    """A trace of one failover."""
    return str(write_lines(tmp_path / "incident.jsonl", LINES))


def typed(*words: str) -> Result:
    """Type a command."""
    return CliRunner().invoke(main, ["sim", *words], catch_exceptions=False)


def document(result: Result) -> dict[str, Any]:
    """Read what was printed as JSON."""
    read = json.loads(result.stdout)
    assert isinstance(read, dict)
    return read


def test_a_replay_that_is_the_same(trace: str) -> None:
    """Exit code 0, and how many decisions were made again."""
    result = typed("replay", trace)
    assert (result.exit_code, result.stdout) == (Exit.OK, "all 4 decisions are the same\n")


def edit(trace: str, old: str, new: str, seq: int) -> None:
    """Change one line of a trace."""
    path = Path(trace)
    lines = path.read_text().splitlines()
    at = next(index for index, line in enumerate(lines) if f'"seq":{seq},' in line)
    assert old in lines[at]
    lines[at] = lines[at].replace(old, new)
    path.write_text("\n".join([*lines, ""]))


def test_a_changed_fact_is_pointed_at(trace: str) -> None:
    """Exit code 6, the first decision that differs, and that the file was changed."""
    misses = [line.seq for line in LINES if isinstance(line, FactLine) and isinstance(line.fact, ProbeMissed)]
    edit(trace, "REFUSED", "TIMED_OUT", misses[0])
    for verb in ("replay", "diff"):
        result = typed(verb, trace)
        assert result.exit_code == Exit.DIFFERENT
        assert f"#{LOST}  " in result.stdout
        assert "then:  L30 fail_over_to_standby" in result.stdout
        assert "the trace was changed after it was recorded" in result.stdout
        assert document(typed(verb, trace, "--json"))["act"]["seq"] == LOST


def test_a_rule_left_out_is_pointed_at(trace: str) -> None:
    """Exit code 6; what it would have asked for, then and today."""
    result = typed("diff", trace, "--without", "L30")
    assert result.exit_code == Exit.DIFFERENT
    assert "3 decisions compared: 2 the same" in result.stdout
    assert "commands then: write the record: reign 5 of m1" in result.stdout
    assert f"memgraph-ha sim explain {trace} --seq {LOST}" in result.stdout
    read = document(typed("diff", trace, "--without", "L30", "--json"))
    assert read["schema"] == "memgraph-ha/trace-comparison/1"
    assert read["without"] == ["L30"]
    assert (read["act"]["seq"], read["act"]["then"]["rule"]) == (LOST, "L30")
    assert "commands" in read["act"]["fields"]


def test_a_rule_that_decided_nothing_is_not_missed(trace: str) -> None:
    """Exit code 0."""
    result = typed("diff", trace, "--without", "E10", "--without", "K20")
    assert result.exit_code == Exit.OK
    assert "4 decisions compared: 4 the same, 0 different only in reason" in result.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("diff", "--without", "X99"), "there is no rule 'X99'"),
        (("diff", "--without", "Z99"), "leave it in"),
        (("explain", "--seq", "9999"), "there is no line 9999"),
        (("explain", "--rule", "d10"), "rule D10 decided nothing"),
        (("explain", "--at", "noon"), "'noon' is neither seconds nor a time"),
        (("explain", "--seq", "3", "--last"), "give one of them"),
        (("explain", "--who", "c9"), "nothing was decided"),
    ],
)
def test_what_cannot_be_asked_is_a_usage_error(trace: str, words: tuple[str, ...], says: str) -> None:
    """Exit code 2 and one sentence."""
    result = typed(words[0], trace, *words[1:])
    assert result.exit_code == Exit.USAGE
    assert says in result.stderr


@pytest.mark.parametrize("verb", ["replay", "diff", "explain"])
def test_a_file_that_is_no_trace_is_a_usage_error(tmp_path: Path, verb: str) -> None:
    """Exit code 2; the message names file, line and what is wrong."""
    path = tmp_path / "thesis"
    path.write_text("Introduction\n")
    result = typed(verb, str(path))
    assert result.exit_code == Exit.USAGE
    assert f"{path}, line 1: is not JSON" in result.stderr
    assert typed(verb, str(tmp_path / "none")).exit_code == Exit.USAGE


@pytest.mark.parametrize("verb", ["replay", "diff", "explain"])
def test_a_trace_that_was_cut_off_is_used_as_far_as_it_goes(trace: str, verb: str) -> None:
    """A controller that was killed is the one that somebody wants to know about."""
    path = Path(trace)
    path.write_bytes(path.read_bytes()[:-250])
    result = typed(verb, trace)
    assert result.exit_code == Exit.OK
    assert "the last line was cut off in the middle" in result.stdout


@pytest.mark.parametrize(
    ("options", "seq"),
    [
        ((), BEGUN),
        (("--last",), BEGUN),
        (("--rule", "l30"), LOST),
        (("--seq", str(LOST + 1)), LOST),
        (("--at", "0"), STEADY),
        (("--at", "2023-11-14T22:13:20.012"), LOST),
        (("--at", "2023-11-14T23:13:20.012+01:00"), LOST),
    ],
)
def test_the_decision_that_is_asked_for_is_explained(trace: str, options: tuple[str, ...], seq: int) -> None:
    """In words, and the same as JSON."""
    result = typed("explain", trace, *options)
    assert result.exit_code == Exit.OK
    assert result.stdout.startswith(f"#{seq}  ")
    assert document(typed("explain", trace, *options, "--json"))["seq"] == seq


def test_an_explanation_says_why_in_words(trace: str) -> None:
    """What it did, because of what, what nearly fired and what stopped it."""
    said = typed("explain", trace, "--rule", "L30").stdout
    for words in (
        "L30 fail_over_to_standby: MAIN m0 is lost",
        "write the record: reign 5 of m1, not opened, fallback m0 ->",
        "m0 does not answer: connection refused or reset, 2 times since",
        "without it: Z99 steady",
        "without it: L10 look_before_choosing [Looking]",
        "L10 nearly fired; it was stopped by: facts are older than the cut",
        "L20 repromote_main: ",
    ):
        assert words in said, words
    assert "N20" not in said
    assert (
        "N20 hold_as_lease_ends: the lease is nearly over" in typed("explain", trace, "--rule", "L30", "--all").stdout
    )


def test_a_hold_says_what_an_operator_can_do(tmp_path: Path) -> None:
    """What waits, what ends it, which command helps, and what could be lost."""
    sink = ListSink()
    told = Told(recorder_to(sink))
    told.hear(HEALTHY.but(refuses(M0), gate_shut(), unnamed_for(1.0)).facts())
    decision, _seq = told.tick()
    assert decision.hold is Hold.NO_SAFE_CANDIDATE
    said = typed("explain", str(write_lines(tmp_path / "held.jsonl", sink.lines))).stdout
    wait = decision.hold.value
    assert f"what waits: {wait.blocked}" in said
    assert f"what ends it: {wait.ends}; or run `{wait.command}`" in said
    assert f"what could be lost: {wait.risk}" in said
    assert "L30 fail_over_to_standby: " in said


def test_the_way_back_is_told(trace: str) -> None:
    """By which command of which decision, and what that had heard."""
    said = typed("explain", trace).stdout
    assert "by #" in said
    assert "of #" in said
    assert "which had just heard #" in said
    shallow = typed("explain", trace, "--depth", "0").stdout
    assert "by #" not in shallow


def test_hostile_texts_do_no_harm(trace: str) -> None:
    """A trace may come from anywhere: what it says is printed as it is, no markup is read from it."""
    edit(trace, '"detail":""', '"detail":"[bold red]x[/nope]\\u001b[2J"', LOST + 2)
    result = typed("explain", trace, "--rule", "L30")
    assert result.exit_code == Exit.OK
    assert "[bold red]x[/nope]\ufffd[2J" in result.stdout
    assert "\x1b" not in result.stdout
