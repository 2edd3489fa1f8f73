"""`memgraph-ha-fake`: the executable that takes Memgraph's own flags."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .flags import ENTERPRISE_FLAGS, FlagError, Flags, parse_flags
from .settings import Edition, Hazards, Settings, StorageMode, Timings

if TYPE_CHECKING:
    from .server import Endpoints


def main(arguments: Sequence[str] | None = None) -> None:
    """Run an instance until it is stopped; the process ends with Memgraph's exit codes.

    Args:
        arguments: The command line without the program's name; None takes the process's own.
    """
    try:
        flags = parse_flags(sys.argv[1:] if arguments is None else arguments)
        settings = settings_from(flags, os.environ)
    except FlagError as error:
        _refuse(str(error))
    if flags.truth("version"):
        print(settings.version)  # noqa: T201 - what the flag is for
        return
    if flags.truth("help"):
        _print_help()
        return
    _run(flags, settings)


def settings_from(flags: Flags, environment: Mapping[str, str]) -> Settings:
    """Return what the model is to know of flags and environment.

    Raises:
        FlagError: A value that makes no sense, with the flag's name and the way out.
    """
    interval = flags.text("storage_snapshot_interval") or flags.text("storage_snapshot_interval_sec")
    if not interval.isdecimal():
        raise FlagError(
            f"ERROR: illegal value '{interval}' specified for flag 'storage_snapshot_interval'; the fake knows"
            " a period in seconds only"
        )
    mode = flags.text("storage_mode")
    if mode == "ON_DISK_TRANSACTIONAL":
        raise FlagError(
            f"ERROR: illegal value '{mode}' specified for flag 'storage_mode'; the fake keeps data in memory only"
        )
    user = environment.get("MEMGRAPH_USER", "")
    settings = Settings(
        version=flags.text("fake_version"),
        edition=Edition(flags.text("fake_edition")),
        hazards=Hazards(flags.text("fake_hazards")),
        timings=Timings(scale=flags.real("fake_time_scale")),
        wal_enabled=flags.truth("storage_wal_enabled") and int(interval) > 0,
        flush_every=max(1, flags.number("storage_wal_file_flush_every_n_tx")),
        snapshot_interval_s=float(interval),
        snapshot_on_exit=flags.truth("storage_snapshot_on_exit"),
        snapshot_retention=max(1, flags.number("storage_snapshot_retention_count")),
        data_recovery_on_startup=flags.truth("data_recovery_on_startup"),
        restore_replication_state=flags.truth("replication_restore_state_on_startup"),
        check_frequency_s=float(flags.number("replication_replica_check_frequency_sec")),
        storage_mode=StorageMode(mode),
        workers=flags.number("bolt_num_workers") or os.cpu_count() or 1,
        storage_access_timeout_s=float(flags.number("storage_access_timeout_sec")),
        data_directory=flags.text("data_directory"),
        server_name=flags.text("bolt_server_name_for_init"),
        log_level=flags.text("log_level"),
        log_to_stderr=flags.truth("also_log_to_stderr"),
        config=flags.config(),
        initial_user=(user, environment.get("MEMGRAPH_PASSWORD", "")) if user else None,
    )
    try:
        unknown = flags.given & settings.quirks.unknown_flags
        if not settings.official:
            unknown |= flags.given & ENTERPRISE_FLAGS
    except ValueError as error:
        raise FlagError(f"ERROR: {error}") from error
    if unknown:
        raise FlagError(f"ERROR: unknown command line flag '{min(unknown)}'")
    return settings


def _run(flags: Flags, settings: Settings) -> None:
    # Imported late: `--version` and a bad flag need none of it.
    from .disk import StorageError  # noqa: PLC0415
    from .durability import CorruptionError, DataDirectory, DirectoryInUseError  # noqa: PLC0415
    from .logs import Log  # noqa: PLC0415
    from .server import Endpoints, Server, new_instance, serve_until_stopped  # noqa: PLC0415

    # The graph is one big heap that lives long: looking through it for cycles takes longer than the work.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)
    # A long query computes in a thread; the one that answers everybody else gets its turn this soon.
    sys.setswitchinterval(0.001)
    log_file = flags.text("log_file")
    try:
        log = Log(
            settings.log_level,
            Path(log_file) if log_file else None,
            to_stderr=settings.log_to_stderr,
        )
    except OSError as error:
        _refuse(f"Couldn't open --log-file {log_file}: {error.strerror}")
    try:
        data = DataDirectory(Path(settings.data_directory), settings)
        seed = flags.number("fake_seed")
        instance = new_instance(settings, log, seed if seed >= 0 else None)
        serve_until_stopped(Server(instance, data, _endpoints(flags, Endpoints), log))
    except (DirectoryInUseError, CorruptionError, StorageError) as error:
        log.line("critical", str(error))
        _refuse(str(error))


def _endpoints(flags: Flags, kind: type[Endpoints]) -> Endpoints:
    return kind(
        bolt_address=flags.text("bolt_address"),
        bolt_port=flags.number("bolt_port"),
        replication_address=flags.text("fake_replication_address"),
        init_file=_path(flags.text("init_file")),
        init_data_file=_path(flags.text("init_data_file")),
        side_ports=(
            (flags.text("monitoring_address"), flags.number("monitoring_port"), "monitoring"),
            (flags.text("metrics_address"), flags.number("metrics_port"), "metrics"),
        ),
    )


def _path(text: str) -> Path | None:
    return Path(text) if text else None


def _refuse(message: str) -> NoReturn:
    print(message, file=sys.stderr)  # noqa: T201 - where gflags prints it
    sys.exit(1)


def _print_help() -> None:
    from .flag_table import FLAGS  # noqa: PLC0415

    for flag in FLAGS.values():
        print(f"  --{flag.name} ({flag.description}) default: {flag.default!r}")  # noqa: T201


if __name__ == "__main__":
    main()
