"""Opening the data directory of a `memgraph-ha local`: a new cluster as asked, an old one as it was made."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import evolve

from memgraph_ha.adapters.datadir import DataDir, DataDirError, open_data_dir
from memgraph_ha.adapters.datadir_config import ClusterConfig, new_config, parse_config
from memgraph_ha.adapters.json_fields import FieldError
from memgraph_ha.adapters.ports_in_use import port_holder, port_is_busy
from memgraph_ha.adapters.process_argv import LOOPBACK, plan_ports
from memgraph_ha.core import Policy, PolicyError, parse_policy
from memgraph_ha.local.options import LocalOptions, find_binary
from memgraph_ha.runtime.usage import UsageError

DEFAULT_PORT: Final = 7687
DEFAULT_RO_PORT: Final = 7688
DEFAULT_HTTP_PORT: Final = 8080
DEFAULT_INSTANCES: Final = 3


def open_cluster(options: LocalOptions) -> DataDir:
    """Open the data directory, making the cluster in it if there is none.

    Another number of instances is not looked at here: the platform changes it (`ProcessPlatform.change_members`).

    Raises:
        UsageError: It cannot be used, the binary cannot be, or options contradict the cluster that is there.
    """
    try:
        datadir = _with_all_ports(options, open_data_dir(options.data, new=lambda: _describe(options)))
    except (DataDirError, FieldError) as error:
        raise UsageError(str(error)) from None
    check_same(options, datadir)
    return datadir


def policy_of(datadir: DataDir, given: Mapping[str, object]) -> Policy:
    """Make the policy of one run: what is kept with the cluster, overlaid by what was given at the start.

    As in Patroni, what an operator applied to a running cluster (`DataDir.save_policy`) is the cluster's and outlives
    its controllers. What stands on the command line is that run's: it wins, since whoever typed it just now expects
    so, and is not kept, since an experiment or a service file must not silently become everybody's policy.

    Args:
        datadir: The cluster.
        given: What ``--policy`` and ``--set`` said, checked.

    Raises:
        UsageError: What is kept is not allowed (any more), or not together with what was given.
    """
    where = f"{datadir.path / 'policy.toml'}: "
    try:
        kept = datadir.load_policy()
        parse_policy(kept)
        where = "with the policy kept in the data directory: "
        return parse_policy({**kept, **given})
    except DataDirError as error:
        raise UsageError(str(error)) from None
    except PolicyError as error:
        raise UsageError(f"{where}{error}") from None


def find_cluster(data: Path) -> DataDir:
    """Open the data directory of a cluster that must exist.

    Raises:
        UsageError: It does not, or cannot be used.
    """
    try:
        return open_data_dir(data)
    except DataDirError as error:
        raise UsageError(str(error)) from None


def check_port_free(port: int, option: str = "--port", purpose: str = "read/write gateway") -> None:
    """Check that a port that the controller itself listens on is free.

    Args:
        port: Which.
        option: How it is chosen, for the message.
        purpose: What it is for, likewise.

    Raises:
        UsageError: It is not; names who holds it, if that can be seen.
    """
    try:
        busy = port_is_busy(port, LOOPBACK)
    except OSError as error:
        raise UsageError(f"port {port} ({purpose}) cannot be used: {error.strerror}; give another") from None
    if busy:
        holder = port_holder(port)
        by = "" if holder is None else f" by {holder}"
        raise UsageError(
            f"port {port} ({purpose}) is in use{by}; end that, or make a cluster with {option} in another --data"
        )


def check_gateways_free(config: ClusterConfig) -> None:
    """Check that every port is free that the controller itself listens on.

    Raises:
        UsageError: One is not; names who holds it, if that can be seen.
    """
    check_port_free(config.rw_port)
    if config.ro_port:
        check_port_free(config.ro_port, "--ro-port", "read-only gateway")
    if config.http_port:
        check_port_free(config.http_port, "--http-port", "HTTP API")


def _with_all_ports(options: LocalOptions, datadir: DataDir) -> DataDir:
    """Choose the ports that the cluster has not yet, since an older version made it.

    Raises:
        UsageError: None was asked for, and the usual one is not free.
        DataDirError: It cannot be written.
        FieldError: The one asked for is another's.
    """
    config = datadir.config
    if not config.unsaid:
        return datadir
    ro_port, http_port = config.ro_port, config.http_port
    if "ro_port" in config.unsaid:
        ro_port = _chosen("--ro-port", options.ro_port, DEFAULT_RO_PORT, datadir.path)
    if "http_port" in config.unsaid:
        http_port = _chosen("--http-port", options.http_port, DEFAULT_HTTP_PORT, datadir.path)
    completed = evolve(config, unsaid=(), ro_port=ro_port, http_port=http_port)
    return datadir.rewritten(parse_config(completed.to_bytes(), f"the cluster in {datadir.path}"))


def _chosen(option: str, asked: int | None, usual: int, path: Path) -> int:
    if asked is not None:
        return asked
    if port_is_busy(usual, LOOPBACK):
        holder = port_holder(usual)
        by = "" if holder is None else f" by {holder}"
        raise UsageError(
            f"the cluster in {path} was made without {option}, and the usual port {usual} is in use{by}; "
            f"give {option} PORT once, or {option} 0 to do without"
        )
    return usual


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
        ro_port=DEFAULT_RO_PORT if options.ro_port is None else options.ro_port,
        http_port=DEFAULT_HTTP_PORT if options.http_port is None else options.http_port,
        binary=str(find_binary(options.binary)),
        arguments=options.arguments,
    )


def check_same(options: LocalOptions, datadir: DataDir) -> None:
    """Refuse options that the cluster in the directory was not made with: nothing is silently ignored.

    Raises:
        UsageError: One differs; the number of instances is not looked at.
    """
    config, first = datadir.config, datadir.config.instances[0].ports
    asked: dict[str, tuple[object, object]] = {
        "--port": (options.port, config.rw_port),
        "--ro-port": (options.ro_port, config.ro_port),
        "--http-port": (options.http_port, config.http_port),
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
