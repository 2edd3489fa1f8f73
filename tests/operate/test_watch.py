"""`memgraph-ha status --watch`: alive on a terminal, lines in a pipe, through a restart of the controller."""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.operate.recorded import HEALTHY, HELD
from tests.operate.server import Api, says
from tests.operate.terminal import ROOT, argv, environment, terminal

PATIENCE_S = 20.0


def test_it_lives_through_a_restart_of_the_controller(api: Api) -> None:
    """The last picture stays with a word that nobody answers; when the controller is back, so is its picture."""
    with terminal(api, "status", "--watch") as screen:
        screen.until("healthy")
        api.stop()
        screen.until("No answer for")
        screen.until("connection refused")
        api.scripts["GET", "cluster"] = says(HELD)
        api.start()
        screen.until("NoSafeCandidate  for")
        screen.type("\x03")
        assert screen.end() == 1
    assert "Traceback" not in screen.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_gives_the_terminal_back(api: Api, number: signal.Signals) -> None:
    """A signal ends it with the exit code of the last look; screen and cursor are back, the last picture stays."""
    with terminal(api, "status", "--watch") as screen:
        screen.until("healthy")
        screen.send(number)
        assert screen.end() == 0
    left = screen.shown.rindex(b"\x1b[?1049l")
    assert screen.shown.rindex(b"\x1b[?25h") > screen.shown.rindex(b"\x1b[?25l")
    assert b"memgraph-2" in screen.shown[left:]


def test_it_begins_before_the_controller_does(api: Api) -> None:
    """Nobody answers yet: it says so, and shows the picture as soon as there is one."""
    api.stop()
    with terminal(api, "status", "--watch") as screen:
        screen.until("No answer for")
        api.start()
        screen.until("healthy")
        screen.type("\x03")
        assert screen.end() == 0


def test_a_dumb_terminal_gets_lines(api: Api) -> None:
    """Where nothing can be drawn again in its place, a line comes per change, without escapes."""
    with terminal(api, "status", "--watch", TERM="dumb") as screen:
        screen.until("reign 5: memgraph-0 is MAIN")
        api.scripts["GET", "cluster"] = says(HELD)
        screen.until("[NoSafeCandidate]")
        screen.type("\x03")
        assert screen.end() == 1
    assert b"\x1b" not in screen.shown


@contextmanager
def watching(api: Api, *more: str) -> Iterator[subprocess.Popen[str]]:
    """Run it in a pipe for the length of a block."""
    process = subprocess.Popen(
        argv("status", "--watch", *more), cwd=ROOT, env=environment(api), stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_in_a_pipe_a_line_per_change(api: Api) -> None:
    """One line when something changes that an operator would act on, none while nothing does; SIGTERM ends it."""
    with watching(api) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.rstrip().endswith("reign 5: memgraph-0 is MAIN, standby memgraph-1; writes open")
        looks = len(api.asked)
        while len(api.asked) < looks + 3:
            signal.sigtimedwait([], 0.1)
        api.scripts["GET", "cluster"] = says(HELD)
        second = process.stdout.readline()
        assert second.rstrip().endswith("no standby; writes shut [NoSafeCandidate]")
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 1


def test_json_lines(api: Api) -> None:
    """With ``--json`` every look is one line with the API's object."""
    with watching(api, "--json") as process:
        assert process.stdout is not None
        assert json.loads(process.stdout.readline()) == HEALTHY
        assert json.loads(process.stdout.readline()) == HEALTHY
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


def test_a_reader_that_leaves_ends_it(api: Api) -> None:
    """As with ``status --watch --json | head -1``: nobody reads, so it ends, quietly."""
    with watching(api, "--json") as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(PATIENCE_S) == 0
