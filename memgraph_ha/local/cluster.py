"""Opening the data directory of a `memgraph-ha local`: a new cluster as asked, an old one as it was made."""

from pathlib import Path
from typing import Final

from memgraph_ha.adapters.datadir import DataDir, DataDirError, open_data_dir
from memgraph_ha.adapters.datadir_config import ClusterConfig, new_config
from memgraph_ha.adapters.json_fields import FieldError
from memgraph_ha.adapters.ports_in_use import port_holder, port_is_busy
from memgraph_ha.adapters.process_argv import LOOPBACK, plan_ports
from memgraph_ha.local.options import LocalOptions, UsageError, find_binary

DEFAULT_PORT: Final = 7687
DEFAULT_INSTANCES: Final = 3


def open_cluster(options: LocalOptions) -> DataDir:
    """Open the data directory, making the cluster in it if there is none.

    Raises:
        UsageError: It cannot be used, the binary cannot be, or options contradict the cluster that is there.
    """
    try:
        datadir = open_data_dir(options.data, new=lambda: _describe(options))
    except (DataDirError, FieldError) as error:
        raise UsageError(str(error)) from None
    _check_same(options, datadir)
    return datadir


def find_cluster(data: Path) -> DataDir:
    """Open the data directory of a cluster that must exist.

    Raises:
        UsageError: It does not, or cannot be used.
    """
    try:
        return open_data_dir(data)
    except DataDirError as error:
        raise UsageError(str(error)) from None


def check_port_free(port: int) -> None:
    """Check that the gateway's port is free.

    Raises:
        UsageError: It is not; names who holds it, if that can be seen.
    """
    try:
        busy = port_is_busy(port, LOOPBACK)
    except OSError as error:
        raise UsageError(f"port {port} (read/write gateway) cannot be used: {error.strerror}; give another") from None
    if busy:
        holder = port_holder(port)
        by = "" if holder is None else f" by {holder}"
        raise UsageError(
            f"port {port} (read/write gateway) is in use{by}; end that, or make a cluster with --port in another --data"
        )


def _describe(options: LocalOptions) -> ClusterConfig:
    count = DEFAULT_INSTANCES if options.instances is None else options.instances
    bases = {
        "bolt": options.bolt_base,
        "replication": options.replication_base,
        "monitoring": options.monitoring_base,
        "metrics": options.metrics_base,
    }
    return new_config(
        plan_ports(count, **{kind: base for kind, base in bases.items() if base is not None}),
        rw_port=DEFAULT_PORT if options.port is None else options.port,
        binary=str(find_binary(options.binary)),
        arguments=options.arguments,
    )


def _check_same(options: LocalOptions, datadir: DataDir) -> None:
    """Refuse options that the cluster in the directory was not made with: nothing is silently ignored."""
    config, first = datadir.config, datadir.config.instances[0].ports
    asked: dict[str, tuple[object, object]] = {
        "--instances": (options.instances, len(config.instances)),
        "--port": (options.port, config.rw_port),
        "--bolt-base": (options.bolt_base, first.bolt),
        "--replication-base": (options.replication_base, first.replication),
        "--monitoring-base": (options.monitoring_base, first.monitoring),
        "--metrics-base": (options.metrics_base, first.metrics),
        "--memgraph": (None if options.binary is None else str(find_binary(options.binary)), config.binary),
        "--flag": (options.arguments or None, config.arguments),
    }
    for name, (wanted, made) in asked.items():
        if wanted is not None and wanted != made:
            raise UsageError(
                f"{name} {wanted}: the cluster in {datadir.path} was made with {made}; "
                "leave the option out, or give another --data directory"
            )
