"""`memgraph-ha sim render`: what it writes where, and how it ends."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from memgraph_ha.sim.commands.render import EXAMPLES, render
from memgraph_ha.sim.exits import Exit
from memgraph_ha.trace.writing import write_trace
from tests.sim.render.told import failover


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """A file with a failover."""
    path = tmp_path / "trace.jsonl"
    write_trace(path, failover()[:-1], t=30.0, verdict="ended")
    return path


def run(*arguments: str | Path) -> Result:
    """Run the command."""
    return CliRunner().invoke(render, [str(argument) for argument in arguments])


def test_a_page_is_written_beside_the_trace(trace: Path) -> None:
    """By default; the verdict is said too."""
    result = run(trace)
    assert result.exit_code == Exit.OK
    page = trace.with_suffix(".html")
    assert result.output == f"Failover from m0 to m1: no write was acknowledged for 2.20 s: {page}\n"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html><html")


def test_a_picture_is_one_window_as_svg(trace: Path, tmp_path: Path) -> None:
    """Of the seconds that were asked for."""
    where = tmp_path / "window.svg"
    assert run(trace, "--as", "svg", "-o", where, "--from", "9", "--to", "13").exit_code == Exit.OK
    svg = ET.fromstring(where.read_text(encoding="utf-8"))  # noqa: S314 - we have just written it
    assert (svg.attrib["data-start"], svg.attrib["data-end"]) == ("9.0", "13.0")


def test_text_is_printed_and_the_summary_kept_apart(trace: Path) -> None:
    """So that only events are compared."""
    result = run(trace, "--as", "text")
    assert result.exit_code == Exit.OK
    assert "    10.000 ! m0   fault     kill m0\n" in result.stdout
    assert "Failover from" not in result.stdout
    assert "Failover from m0 to m1" in result.stderr
    assert "\x1b" not in result.stdout, "colours are for terminals"


def test_text_goes_where_it_is_wanted(trace: Path, tmp_path: Path) -> None:
    """With the numbers for explain, if they are wanted."""
    where = tmp_path / "events.txt"
    assert run(trace, "--as", "text", "--seq", "-o", where).exit_code == Exit.OK
    assert "L30" in where.read_text(encoding="utf-8")


def test_a_page_can_go_to_standard_output(trace: Path) -> None:
    """Without a word besides."""
    result = run(trace, "-o", "-")
    assert result.stdout.startswith("<!doctype html>")
    assert result.stdout.endswith("</html>\n")


def test_what_is_no_trace_is_a_usage_error(tmp_path: Path) -> None:
    """The message names the file and the line."""
    path = tmp_path / "none.jsonl"
    path.write_text("hello\n")
    result = run(path)
    assert result.exit_code == Exit.USAGE
    assert result.stderr.startswith(f"Error: {path}, line 1: ")
    assert not path.with_suffix(".html").exists()


def test_a_window_beside_the_trace_is_a_usage_error(trace: Path) -> None:
    """The message says how long the trace lasts."""
    result = run(trace, "--from", "99")
    assert result.exit_code == Exit.USAGE
    assert "lasts from 0.000 to 30.000 s" in result.stderr


def test_a_trace_that_was_cut_off_is_rendered_and_that_is_said(trace: Path) -> None:
    """As a crash leaves it."""
    trace.write_text(trace.read_text()[:-20])
    assert run(trace).exit_code == Exit.OK
    assert "was cut off in the middle" in trace.with_suffix(".html").read_text(encoding="utf-8")


def test_help_has_examples_and_exit_codes() -> None:
    """As every verb of `sim`."""
    text = run("--help").output
    assert all(example in text for example in EXAMPLES)
    assert "Exit codes:" in text
