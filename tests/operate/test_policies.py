"""`memgraph-ha policy`: show, check a file, apply with a diff."""

import json
from pathlib import Path

import pytest

from tests.operate import recorded
from tests.operate.recorded import Json
from tests.operate.server import Answer, Api, Asked, says
from tests.operate.terminal import run, terminal

CHANGES: Json = {
    "ok": True,
    "text": "2 fields would change",
    "changed": [
        {"name": "drain_s", "old": 2.0, "new": 5, "needs_restart": False},
        {"name": "lease_duration_s", "old": 10.0, "new": 20, "needs_restart": True},
    ],
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Write a policy file."""
    path = tmp_path / "policy.toml"
    path.write_text("drain_s = 5\nlease_duration_s = 20\n", encoding="utf-8")
    return path


def put(asked: Asked) -> Answer:
    """Answer as the API does."""
    return 200, CHANGES if asked.body.get("dry_run") else CHANGES | {"text": "2 fields changed"}


def test_show(api: Api) -> None:
    """Every field with value, default, what is allowed and what it means."""
    done = run(api, "policy", "show")
    line = next(line for line in done.out.splitlines() if line.startswith("data_durability"))
    assert line.split()[1:3] == ["required", "preferred"]
    assert recorded.POLICY["fields"][1]["doc"] in line


def test_check_asks_nobody(tmp_path: Path, file: Path) -> None:
    """A good file ends with 0; a bad one names file, field, value and range."""
    assert run(None, "policy", "check", str(file)).code == 0
    assert json.loads(run(None, "policy", "check", str(file), "--json").out)["ok"] is True
    bad = tmp_path / "bad.toml"
    bad.write_text("drain_s = -1\n", encoding="utf-8")
    done = run(None, "policy", "check", str(bad))
    assert done.code == 2
    for word in ("bad.toml", "drain_s", "-1", "0 to 600"):
        assert word in done.err
    bad.write_text("drain = 1\n", encoding="utf-8")
    assert "'drain' does not exist" in run(None, "policy", "check", str(bad)).err
    bad.write_text("drain_s: 1\n", encoding="utf-8")
    assert "is no TOML" in run(None, "policy", "check", str(bad)).err
    assert "No such file" in run(None, "policy", "check", str(tmp_path / "none")).err


def test_apply_shows_the_difference_and_changes(api: Api, file: Path) -> None:
    """First a dry run and its diff, then the change; what needs a restart says so."""
    api.scripts["PUT", "policy"] = put
    done = run(api, "policy", "apply", str(file), "--yes")
    assert (done.code, done.out) == (0, "2 fields changed\n")
    assert done.err.splitlines() == [
        "- drain_s = 2",
        "+ drain_s = 5",
        "- lease_duration_s = 10",
        "+ lease_duration_s = 20   after a restart of the controller",
    ]
    rehearsal, real = api.sent("PUT")
    assert rehearsal.body == {"fields": {"drain_s": 5, "lease_duration_s": 20}, "dry_run": True}
    assert real.body == {"fields": {"drain_s": 5, "lease_duration_s": 20}}


def test_apply_asks(api: Api, file: Path) -> None:
    """On a terminal the diff is shown and a no changes nothing; elsewhere ``--yes`` is needed."""
    api.scripts["PUT", "policy"] = put
    assert run(api, "policy", "apply", str(file)).code == 2
    with terminal(api, "policy", "apply", str(file)) as screen:
        screen.until("Change 2 fields? [y/N]")
        assert "+ drain_s = 5" in screen.text
        screen.type("n\n")
        assert screen.end() == 2
    assert all(asked.body.get("dry_run") for asked in api.sent("PUT"))


def test_a_dry_run_only_shows(api: Api, file: Path) -> None:
    """The diff is the result, also as JSON; nothing is changed or asked."""
    api.scripts["PUT", "policy"] = put
    done = run(api, "policy", "apply", str(file), "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "+ drain_s = 5" in done.out
    assert json.loads(run(api, "policy", "apply", str(file), "--dry-run", "--json").out) == CHANGES
    assert all(asked.body.get("dry_run") for asked in api.sent("PUT"))


def test_nothing_to_change(api: Api, file: Path) -> None:
    """It says so and asks nothing."""
    api.scripts["PUT", "policy"] = says({"ok": True, "text": "nothing to change", "changed": []})
    done = run(api, "policy", "apply", str(file))
    assert done.code == 0
    assert "nothing to change" in done.out


def test_a_value_that_the_controller_refuses(api: Api, file: Path) -> None:
    """Its sentence is shown, exit code 2."""
    api.scripts["PUT", "policy"] = says({"error": "policy field drain_s: 5000 is out of range"}, 400)
    done = run(api, "policy", "apply", str(file), "--yes")
    assert (done.code, done.err) == (2, "memgraph-ha: policy field drain_s: 5000 is out of range\n")
