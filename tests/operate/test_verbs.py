"""The verbs: what they ask of the API, what they ask of the operator, and how they end."""

import json
import threading

import pytest

from tests.operate.recorded import HEALTHY, Json
from tests.operate.server import HANG_UP, Answer, Api, Asked, says, verb
from tests.operate.terminal import run, terminal

SWITCHED: Json = HEALTHY | {"generation": 6, "main": "memgraph-1", "standby": "memgraph-0"}


def test_switchover_says_who_asks_and_who_is_main(api: Api) -> None:
    """Target, asker, reason and patience are sent with the token; the outcome and the new MAIN are told."""

    def switch(asked: Asked) -> Answer:
        api.scripts["GET", "cluster"] = says(SWITCHED)
        assert asked.token == "s3cr3t-token"  # noqa: S105 - of the server in these tests
        return 200, {"ok": True, "text": "memgraph-1 is MAIN, the pause was 212 ms"}

    api.scripts["POST", "switchover"] = switch
    done = run(api, "switchover", "--to", "memgraph-1", "--by", "ada", "--reason", "kernel", "--timeout", "7")
    assert done.code == 0
    [asked] = api.sent("POST")
    assert asked.body == {"target": "memgraph-1", "by": "ada", "reason": "kernel", "wait_s": 7.0}
    first, second = done.out.splitlines()
    assert first.startswith("switchover to memgraph-1: memgraph-1 is MAIN, the pause was 212 ms  (")
    assert second == "memgraph-1 is MAIN (reign 6), standby memgraph-0; writes are open"


def test_switchover_without_a_target_leaves_the_choice(api: Api) -> None:
    """No target is sent, and the operating system's user is who asks."""
    done = run(api, "switchover", LOGNAME="grace")
    assert done.code == 0
    [asked] = api.sent("POST")
    assert asked.body == {"by": "grace", "reason": "", "wait_s": 30.0}


def test_an_unknown_name_is_never_asked_for(api: Api) -> None:
    """The nearest name is suggested, all are listed, and nothing is sent."""
    done = run(api, "switchover", "--to", "memgrap-1")
    assert done.code == 2
    assert "did you mean memgraph-1?" in done.err
    assert "memgraph-0, memgraph-1, memgraph-2" in done.err
    assert run(api, "restart", "x").code == 2
    assert api.sent("POST") == []


@pytest.mark.parametrize(
    "line",
    [
        ("switchover",),
        ("failover", "--accept-data-loss", "memgraph-1"),
        ("restart", "memgraph-0"),
        ("reinit", "memgraph-2"),
        ("adopt", "memgraph-0"),
    ],
)
def test_a_dry_run_changes_nothing(api: Api, line: tuple[str, ...]) -> None:
    """Only a dry run is sent, its text is shown; refused: exit code 1. ``--json`` shows the API's object."""
    api.scripts["POST", line[0]] = verb("DONE", "it would be taken up now")
    done = run(api, *line, "--dry-run")
    assert (done.code, done.out) == (0, "it would be taken up now\n")
    assert [asked.body["dry_run"] for asked in api.sent("POST")] == [True]
    refused = {"ok": False, "text": "it would be refused now: memgraph-1 is not proven"}
    api.scripts["POST", line[0]] = says(refused)
    done = run(api, *line, "--dry-run", "--json")
    assert (done.code, json.loads(done.out)) == (1, refused)


@pytest.mark.parametrize(
    "line",
    [
        ("failover", "--accept-data-loss", "memgraph-1"),
        ("restart", "memgraph-0"),
        ("reinit", "memgraph-2"),
        ("adopt", "memgraph-1"),
        ("instances", "2"),
    ],
)
def test_danger_needs_a_person_or_yes(api: Api, line: tuple[str, ...]) -> None:
    """With nobody at a terminal it is refused with exit code 2, whatever comes in on standard input."""
    done = run(api, *line)
    assert done.code == 2
    assert "add --yes" in done.err
    assert [asked for asked in api.sent("POST") if not asked.body.get("dry_run")] == []
    assert api.sent("PUT") == []


def test_yes_is_enough(api: Api) -> None:
    """``--yes`` asks nobody, and still says first what could be lost."""
    api.scripts["POST", "failover"] = verb("memgraph-1 is MAIN", "at stake: 17 commits")
    done = run(api, "failover", "--accept-data-loss", "memgraph-1", "--yes")
    assert done.code == 0
    assert done.err == "Before you agree: at stake: 17 commits\n"
    rehearsal, real = api.sent("POST")
    assert rehearsal.body["dry_run"] is True
    assert real.body["accept_data_loss"] is True
    assert "dry_run" not in real.body


def test_failover_must_be_told_that_a_loss_is_accepted(api: Api) -> None:
    """Without the flag nothing is asked, and the verb that loses nothing is named."""
    done = run(api, "failover", "memgraph-1", "--yes")
    assert done.code == 2
    assert "--accept-data-loss" in done.err
    assert "memgraph-ha switchover" in done.err
    assert api.asked == []


def test_a_failover_that_would_be_refused_asks_nobody(api: Api) -> None:
    """The refusal's name is shown, exit code 1."""
    api.scripts["POST", "failover"] = says({"ok": False, "text": "it would be refused now: RecordInvalid"})
    done = run(api, "failover", "--accept-data-loss", "memgraph-1", "--yes")
    assert (done.code, done.err) == (1, "memgraph-ha: it would be refused now: RecordInvalid\n")


def test_the_name_must_be_typed(api: Api) -> None:
    """A failover by hand goes on only if the instance's name is typed; what could be lost stands above."""
    api.scripts["POST", "failover"] = verb("memgraph-1 is MAIN", "at stake: 17 commits")
    line = ("failover", "--accept-data-loss", "memgraph-1")
    with terminal(api, *line) as screen:
        screen.until("Type memgraph-1 to go on")
        assert "at stake: 17 commits" in screen.text
        screen.type("yes\n")
        assert screen.end() == 2
    assert "nothing was done" in screen.text
    assert len(api.sent("POST")) == 1
    with terminal(api, *line) as screen:
        screen.until("Type memgraph-1 to go on")
        screen.type("memgraph-1\n")
        assert screen.end() == 0
    assert "failover to memgraph-1: memgraph-1 is MAIN" in screen.text
    assert len(api.sent("POST")) == 3


def test_ctrl_c_at_the_question_is_a_no(api: Api) -> None:
    """Nothing was done, exit code 2, and no traceback."""
    with terminal(api, "reinit", "memgraph-2") as screen:
        screen.until("[y/N]")
        screen.type("\x03")
        assert screen.end() == 2
    assert "nothing was done" in screen.text
    assert "Traceback" not in screen.text


def test_only_a_restart_of_main_is_asked_about(api: Api) -> None:
    """A replica is restarted at once."""
    assert run(api, "restart", "memgraph-2").code == 0
    [asked] = api.sent("POST")
    assert asked.body["instance"] == "memgraph-2"


def test_growing_is_no_danger(api: Api) -> None:
    """More instances are not asked about; a platform that cannot says so."""
    api.scripts["PUT", "instances"] = says({"ok": True, "text": "memgraph-3 and memgraph-4 start"})
    done = run(api, "instances", "5")
    assert (done.code, done.out) == (0, "memgraph-3 and memgraph-4 start\n")
    assert api.sent("PUT")[0].body == {"count": 5}
    api.scripts["PUT", "instances"] = says({"error": "use kubectl scale"}, 404)
    assert run(api, "instances", "5").code == 1
    assert run(api, "instances", "1").code == 2


def test_no_wait_ends_when_it_is_under_way(api: Api) -> None:
    """``--no-wait`` returns as soon as the record names the switchover, long before it is done."""
    release = threading.Event()

    def slow(_asked: Asked) -> Answer:
        moving = {"target": "memgraph-1", "by": "ada", "reason": ""}
        api.scripts["GET", "cluster"] = says(HEALTHY | {"switchover": moving})
        release.wait(20)
        return 200, {"ok": True, "text": "done"}

    api.scripts["POST", "switchover"] = slow
    done = run(api, "switchover", "--no-wait")
    release.set()
    assert done.code == 0
    assert "switchover is under way" in done.out


def test_a_lost_answer_is_looked_for(api: Api) -> None:
    """The controller goes away in the middle of a switchover, comes back, and the new reign is seen: exit code 0."""

    def die(_asked: Asked) -> Answer:
        api.scripts["GET", "cluster"] = says({"error": "starting"}, 503)
        threading.Timer(1.0, lambda: api.scripts.update({("GET", "cluster"): says(SWITCHED)})).start()
        return HANG_UP, {}

    api.scripts["POST", "switchover"] = die
    done = run(api, "switchover", "--to", "memgraph-1")
    assert done.code == 0
    assert "it happened, though the answer was lost" in done.out
    assert "memgraph-1 is MAIN (reign 6)" in done.out


def test_a_lost_answer_that_is_not_found(api: Api) -> None:
    """When the time is over and nothing happened, the outcome is unknown: exit code 5."""
    api.scripts["POST", "switchover"] = says({"error": "no answer in time; it may still happen"}, 504)
    done = run(api, "switchover", "--timeout", "1")
    assert done.code == 5
    assert "may still happen" in done.err


def test_a_long_wait_is_told_where_nothing_can_be_drawn(api: Api) -> None:
    """In a pipe a word about the progress comes after two seconds, on standard error."""
    release = threading.Event()

    def slow(_asked: Asked) -> Answer:
        release.wait(2.6)
        return 200, {"ok": True, "text": "done"}

    api.scripts["POST", "switchover"] = slow
    done = run(api, "switchover")
    assert done.code == 0
    assert done.err.startswith("switchover: 2.")
    assert "Z99" in done.err


def test_a_terminal_shows_how_far_it_is(api: Api) -> None:
    """The line is alive: elapsed time and the last decision, and it is gone at the end."""
    release = threading.Event()

    def slow(_asked: Asked) -> Answer:
        decision = {"rule": "S20", "name": "wait_for_quiet", "reason": "3 transactions are open", "hold": None}
        api.scripts["GET", "cluster"] = says(HEALTHY | {"decision": decision})
        release.wait(20)
        return 200, {"ok": True, "text": "done"}

    api.scripts["POST", "switchover"] = slow
    with terminal(api, "switchover") as screen:
        screen.until("S20 3 transactions are open")
        release.set()
        assert screen.end() == 0
    assert screen.shown.rstrip().endswith(b"writes are open")
    assert b"\x1b[?25h" in screen.shown


def test_ctrl_c_while_waiting(api: Api) -> None:
    """Exit code 130, one sentence that it may still happen, and the cursor is back."""
    release = threading.Event()

    def slow(_asked: Asked) -> Answer:
        release.wait(20)
        return 200, {"ok": True, "text": "done"}

    api.scripts["POST", "switchover"] = slow
    with terminal(api, "switchover") as screen:
        screen.until("switchover: 0.")
        screen.type("\x03")
        assert screen.end() == 130
    release.set()
    assert "interrupted; what was asked for may still happen" in screen.text
    assert "Traceback" not in screen.text
    assert screen.shown.rindex(b"\x1b[?25h") > screen.shown.rindex(b"\x1b[?25l")


def test_pause_and_resume(api: Api) -> None:
    """Both send who and why, and ask nothing."""
    assert run(api, "pause", "--reason", "migration", "--by", "ada").code == 0
    assert run(api, "resume", "--by", "ada", "--json").code == 0
    pause, resume = api.sent("POST")
    assert (pause.path, pause.body["reason"], pause.body["by"]) == ("pause", "migration", "ada")
    assert (resume.path, resume.body["by"]) == ("resume", "ada")
