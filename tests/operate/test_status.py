"""`memgraph-ha status`: what it shows, in a pipe and on a terminal, and how it ends."""

import json

from tests.operate import recorded
from tests.operate.recorded import HEALTHY, HELD, PAUSED
from tests.operate.server import Api, says
from tests.operate.terminal import piped, run, terminal


def test_a_healthy_cluster_in_a_pipe(api: Api) -> None:
    """Plain aligned lines without escapes or blanks at their ends, exit code 0."""
    done = piped(api, "status")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    lines = done.out.splitlines()
    assert all(line == line.rstrip() for line in lines)
    assert "state     healthy" in lines
    assert "writes    open  port 7687  -> memgraph-0" in lines
    heading = next(line for line in lines if line.startswith("instance"))
    standby = next(line for line in lines if line.startswith("memgraph-1"))
    column = heading.index("state")
    assert standby[column:].startswith("standby, STRICT_SYNC ready")
    late = next(line for line in lines if line.startswith("memgraph-2"))
    assert "11 behind" in late


def test_json_is_the_object_unchanged(api: Api) -> None:
    """``--json`` prints what the API said and nothing else, with the same exit code."""
    done = run(api, "status", "--json")
    assert (json.loads(done.out), done.code, done.err) == (HEALTHY, 0, "")
    api.scripts["GET", "cluster"] = says(HELD)
    assert run(api, "status", "--json").code == 1


def test_what_waits_is_shown_with_the_way_out(api: Api) -> None:
    """A hold is shown with its name, since when, what ends it, the command and the page; exit code 1."""
    api.scripts["GET", "cluster"] = says(HELD)
    done = run(api, "status")
    assert done.code == 1
    assert "not healthy: writes are shut (NoSafeCandidate)" in done.out
    assert "NoSafeCandidate  for 2 min, since" in done.out
    assert "memgraph-ha failover --accept-data-loss INSTANCE" in done.out
    assert f"{api.url}/runbook/no-safe-candidate.md" in done.out
    assert "it was not named when MAIN died" in done.out


def test_a_hold_that_only_the_decision_names(api: Api) -> None:
    """A hold of the last decision counts and is shown once, also if it is not in the list."""
    api.scripts["GET", "cluster"] = says(HELD | {"holds": []})
    done = run(api, "status")
    assert (done.code, done.out.count("NoSafeCandidate  for")) == (1, 1)


def test_a_paused_cluster_is_not_healthy(api: Api) -> None:
    """It says who paused it, why, and how to go on; exit code 1."""
    api.scripts["GET", "cluster"] = says(PAUSED)
    done = run(api, "status")
    assert done.code == 1
    assert "yes by ada since" in done.out
    assert "memgraph-ha resume" in done.out
    assert "storage migration" in done.out


def test_unprotected(api: Api) -> None:
    """A MAIN that serves alone is said, and is not healthy."""
    alone = HEALTHY | {"standby": None, "unprotected": True}
    api.scripts["GET", "cluster"] = says(alone)
    done = run(api, "status")
    assert done.code == 1
    assert "UNPROTECTED" in done.out


def test_a_controller_that_does_not_lead(api: Api) -> None:
    """Who leads is named, exit code 3: only that one knows. If nobody leads, the cluster is not healthy: 1."""
    shut = HEALTHY["rw"] | {"open": False, "why": "this controller does not lead"}
    api.scripts["GET", "cluster"] = says(HEALTHY | {"leading": False, "leader": "box-9", "rw": shut})
    done = run(api, "status")
    assert done.code == 3
    assert "box-9 leads; ask that one" in done.out
    api.scripts["GET", "cluster"] = says(HEALTHY | {"leading": False, "leader": None, "rw": shut})
    done = run(api, "status")
    assert done.code == 1
    assert "nobody is known to" in done.out


def test_before_the_first_reign(api: Api) -> None:
    """Nothing is known yet, and that is what is shown."""
    blank = HEALTHY | dict.fromkeys(("generation", "main", "standby", "decision", "ro"))
    shut = {"open": False, "why": "nothing is decided yet", "quiet": False, "port": 7687}
    api.scripts["GET", "cluster"] = says(blank | {"rw": shut, "instances": []})
    done = run(api, "status")
    assert done.code == 1
    assert "nobody: there was no reign yet" in done.out
    assert "no instance is known" in done.out


def test_a_terminal_gets_colour_and_fits(api: Api) -> None:
    """On a terminal there is colour; what does not fit into its width is left out, and no line is longer."""
    with terminal(api, "status", columns=80) as screen:
        assert screen.end() == 0
    assert b"\x1b[1;32mhealthy" in screen.shown
    assert "standby, STRICT_SYNC ready" in screen.text
    assert "answered" not in screen.text
    assert max(map(len, screen.text.splitlines())) <= 80


def test_a_very_narrow_terminal(api: Api) -> None:
    """Thirty columns are enough for who is what."""
    api.scripts["GET", "cluster"] = says(HELD)
    with terminal(api, "status", columns=30) as screen:
        assert screen.end() == 1
    assert max(map(len, screen.text.splitlines())) <= 30
    assert "memgraph-2" in screen.text


def test_no_colour_if_nobody_wants_it(api: Api) -> None:
    """NO_COLOR takes the colours away, and a dumb terminal gets no escapes at all."""
    with terminal(api, "status", NO_COLOR="1") as screen:
        assert screen.end() == 0
    assert b"\x1b[1;32m" not in screen.shown
    assert b"\x1b[32m" not in screen.shown
    with terminal(api, "status", TERM="dumb") as screen:
        assert screen.end() == 0
    assert b"\x1b" not in screen.shown


def test_other_peoples_words_cannot_drive_the_terminal(api: Api) -> None:
    """An escape sequence in a reason is shown as a replacement character, never sent."""
    nasty = {"by": "eve\x1b[2J", "reason": "\x1b]0;owned\x07\x9b31m", "at": recorded.AT}
    api.scripts["GET", "cluster"] = says(HEALTHY | {"paused": nasty})
    with terminal(api, "status", TERM="dumb") as screen:
        screen.end()
    assert b"\x1b" not in screen.shown
    assert b"\x07" not in screen.shown
    assert "eve\N{REPLACEMENT CHARACTER}[2J" in screen.text


def test_a_later_versions_fields_are_passed_over(api: Api) -> None:
    """Fields that this version does not know change nothing; ``--json`` shows them."""
    later = HEALTHY | {"weather": {"sun": True}}
    api.scripts["GET", "cluster"] = says(later)
    assert run(api, "status").code == 0
    assert json.loads(run(api, "status", "--json").out) == later
