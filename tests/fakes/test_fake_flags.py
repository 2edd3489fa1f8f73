"""The command line of `memgraph-ha-fake`, as gflags reads it (semantics 5)."""

from __future__ import annotations

from pathlib import Path

import pytest

from memgraph_ha.fakes.memgraph.cli import settings_from
from memgraph_ha.fakes.memgraph.flags import FlagError, parse_flags
from memgraph_ha.fakes.memgraph.settings import Edition, Hazards


def test_both_spellings_and_both_forms_of_a_value() -> None:
    """Dashes or underscores, `=` or a blank, one dash or two."""
    flags = parse_flags(["--bolt-port=1", "--data_directory", "x", "-log-level", "TRACE", "ignored"])
    assert (flags.number("bolt_port"), flags.text("data_directory"), flags.text("log_level")) == (1, "x", "TRACE")


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--storage-wal-enabled", True),
        ("--storage-wal-enabled=true", True),
        ("--storage_wal_enabled=False", False),
        ("--nostorage-wal-enabled", False),
        ("--no-such", None),
    ],
)
def test_booleans(argument: str, expected: bool | None) -> None:
    """A boolean flag stands alone, has a value, or is negated by `no`."""
    if expected is None:
        with pytest.raises(FlagError, match="ERROR: unknown command line flag 'no-such'"):
            parse_flags([argument])
    else:
        assert parse_flags([argument]).truth("storage_wal_enabled") is expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bogus=1"], "ERROR: unknown command line flag 'bogus'"),
        (["--bolt-port"], "ERROR: flag '--bolt-port' is missing its argument"),
        (["--bolt-port=abc"], "ERROR: illegal value 'abc' specified for int64 flag 'bolt_port'"),
        (["--storage-wal-enabled=maybe"], "ERROR: illegal value 'maybe' specified for bool flag 'storage_wal_enabled'"),
        (["--fake-edition=free"], "expected one of official, community"),
        (["--fake-time-scale=0"], "ERROR: illegal value '0' specified for double flag 'fake_time_scale'"),
        (["--flag-file=/nowhere"], "ERROR: cannot read flag file '/nowhere'"),
    ],
)
def test_bad_command_lines_say_what_is_wrong(arguments: list[str], message: str) -> None:
    """A flag that is unknown or has a bad value is named with its value."""
    with pytest.raises(FlagError) as caught:
        parse_flags(arguments)
    assert message in str(caught.value)


def test_flag_file(tmp_path: Path) -> None:
    """A flag file holds one flag a line; comments are left out, later flags win."""
    file = tmp_path / "memgraph.conf"
    file.write_text("# comment\n--bolt-port=5\n\n--storage-wal-enabled=true\n")
    flags = parse_flags([f"--flag-file={file}", "--bolt-port=6"])
    assert (flags.number("bolt_port"), flags.truth("storage_wal_enabled")) == (6, True)


def test_settings_follow_flags_and_environment() -> None:
    """What the model is to know comes from flags and MEMGRAPH_USER."""
    flags = parse_flags(
        [
            "--storage-wal-enabled",
            "--fake-edition=community",
            "--fake-hazards=never",
            "--fake-time-scale=0.1",
            "--storage-wal-file-flush-every-n-tx=1",
            "--storage-snapshot-interval=7",
        ]
    )
    settings = settings_from(flags, {"MEMGRAPH_USER": "u", "MEMGRAPH_PASSWORD": "p"})
    assert (settings.edition, settings.hazards, settings.wal_enabled) == (Edition.COMMUNITY, Hazards.NEVER, True)
    assert settings.timings.commit == pytest.approx(3.0)
    assert (settings.flush_every, settings.snapshot_interval_s) == (1, 7.0)
    assert settings.initial_user == ("u", "p")


def test_bare_binary_has_wal_off() -> None:
    """The defaults are those of the binary, not of the packaged configuration (transcripts, introduction)."""
    settings = settings_from(parse_flags([]), {})
    assert (settings.wal_enabled, settings.snapshot_on_exit, settings.flush_every) == (False, False, 100_000)


@pytest.mark.parametrize(
    "argument",
    ["--fake-version=2.0.0", "--storage-mode=ON_DISK_TRANSACTIONAL", "--storage-snapshot-interval=* * * * *"],
)
def test_values_the_fake_cannot_play_are_refused(argument: str) -> None:
    """What the fake does not know it does not pretend to know."""
    with pytest.raises(FlagError, match="ERROR"):
        settings_from(parse_flags([argument]), {})


def test_flags_of_other_versions_are_unknown() -> None:
    """A flag that the played version has no more ends the start, as gflags does (semantics 5)."""
    arguments = ["--bolt-session-inactivity-timeout=60"]
    settings_from(parse_flags(arguments), {})
    with pytest.raises(FlagError, match="unknown command line flag 'bolt_session_inactivity_timeout'"):
        settings_from(parse_flags([*arguments, "--fake-version=3.8.0"]), {})


def test_the_community_build_lacks_the_flags_of_coordinators() -> None:
    """They are not in its SHOW CONFIG, so its command line does not know them (raw recording a of both builds)."""
    community = parse_flags(["--fake-edition=community"])
    missing = {row[0] for row in parse_flags([]).config()} - {row[0] for row in community.config()}
    assert len(missing) == 6
    assert {"management_port", "coordinator_id"} <= missing
    with pytest.raises(FlagError, match="unknown command line flag 'management_port'"):
        settings_from(parse_flags(["--fake-edition=community", "--management-port=1"]), {})


def test_show_config_has_the_recorded_rows() -> None:
    """Name, default, current value and description of each flag, sorted by name (raw recording a)."""
    rows = parse_flags(["--storage-wal-enabled=true"]).config()
    assert (
        "storage_wal_enabled",
        "false",
        "true",
        "Controls whether the storage uses write-ahead-logging. To enable WAL periodic snapshots must be enabled.",
    ) in rows
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert not any(row[0].startswith("fake") for row in rows)
