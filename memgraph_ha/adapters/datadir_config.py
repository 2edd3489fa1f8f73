"""``cluster.json``: what a cluster of `memgraph-ha local` is. Read strictly; only the number of instances changes."""

import json
import uuid
from collections.abc import Sequence
from typing import Final

from attrs import evolve, field, frozen

from memgraph_ha.adapters.json_fields import FieldError, Fields, read_object
from memgraph_ha.adapters.process_argv import InstancePorts
from memgraph_ha.core.names import InstanceName

SCHEMA: Final = 1
LEAST_INSTANCES, MOST_INSTANCES = 2, 32
"""How many a cluster may be changed to. The first two stay: they are those that may be MAIN."""
_MOST_PORT: Final = 65535


@frozen(kw_only=True)
class InstanceConfig:
    """One instance: its name and its ports."""

    name: InstanceName
    ports: InstancePorts


@frozen(kw_only=True)
class ClusterConfig:
    """What a cluster is.

    Attributes:
        cluster: Its id, which the record must carry too.
        rw_port: Where the read/write gateway listens.
        ro_port: Where the read-only gateway listens; 0 for none.
        http_port: Where the HTTP API listens; 0 for none.
        instances: In ordinal order, at least one.
        binary: Absolute path of what runs as an instance.
        arguments: Further arguments for it.
        unsaid: Which ports the file does not name, since an older version wrote it; they are 0 here.
    """

    cluster: str
    rw_port: int
    ro_port: int = 0
    http_port: int = 0
    instances: tuple[InstanceConfig, ...]
    binary: str
    arguments: tuple[str, ...] = field(default=())
    unsaid: tuple[str, ...] = field(default=())

    def gateways(self) -> tuple[tuple[str, int], ...]:
        """List the ports that the controller itself listens on, with their purposes; none that is switched off."""
        ports = (
            ("the read/write gateway", self.rw_port),
            ("the read-only gateway", self.ro_port),
            ("the HTTP API", self.http_port),
        )
        return tuple((purpose, port) for purpose, port in ports if port)

    def resized(self, count: int) -> "ClusterConfig":
        """Describe the same cluster with another number of instances.

        Those to be added get the next ordinals and the ports that follow the first instance's; those to be removed
        are the last.

        Args:
            count: How many.

        Raises:
            FieldError: There may not be so many or so few, or a port is given already.
        """
        if not LEAST_INSTANCES <= count <= MOST_INSTANCES:
            raise FieldError(
                f"{count} instances: a cluster has {LEAST_INSTANCES} to {MOST_INSTANCES}; "
                "the first two are those that may be MAIN"
            )
        kept, first = self.instances[:count], self.instances[0].ports
        added = (
            InstanceConfig(name=InstanceName(f"memgraph-{ordinal}"), ports=first.shifted(ordinal))
            for ordinal in range(len(kept), count)
        )
        config = evolve(self, instances=(*kept, *added))
        return parse_config(config.to_bytes(), f"the cluster with {count} instances")

    def to_bytes(self) -> bytes:
        """Write it as JSON, to be read back by `parse_config`."""
        known: dict[str, object] = {
            "schema": SCHEMA,
            "cluster": self.cluster,
            "rw_port": self.rw_port,
            "ro_port": self.ro_port,
            "http_port": self.http_port,
            "binary": self.binary,
            "arguments": list(self.arguments),
            "instances": [
                {
                    "name": each.name,
                    "bolt_port": each.ports.bolt,
                    "replication_port": each.ports.replication,
                    "monitoring_port": each.ports.monitoring,
                    "metrics_port": each.ports.metrics,
                }
                for each in self.instances
            ],
        }
        for name in self.unsaid:
            del known[name]
        return json.dumps(known, indent=1).encode() + b"\n"


def new_config(
    ports: Sequence[InstancePorts],
    *,
    rw_port: int,
    ro_port: int = 0,
    http_port: int = 0,
    binary: str,
    arguments: Sequence[str] = (),
) -> ClusterConfig:
    """Describe a new cluster, with a new id and instances ``memgraph-0``, ``memgraph-1`` and so on.

    Raises:
        FieldError: The ports clash or cannot be.
    """
    config = ClusterConfig(
        cluster=str(uuid.uuid4()),
        rw_port=rw_port,
        ro_port=ro_port,
        http_port=http_port,
        instances=tuple(
            InstanceConfig(name=InstanceName(f"memgraph-{ordinal}"), ports=each) for ordinal, each in enumerate(ports)
        ),
        binary=binary,
        arguments=tuple(arguments),
    )
    return parse_config(config.to_bytes(), "the new cluster")


def parse_config(content: bytes, where: str) -> ClusterConfig:
    """Read a cluster's description strictly; fields that this version does not know are passed over.

    Args:
        content: JSON.
        where: Its path, for complaints.

    Raises:
        FieldError: A newer version wrote it, a field is missing or cannot be, or two ports are the same.
    """
    fields = read_object(content, where)
    schema = fields.integer("schema", 1)
    if schema > SCHEMA:
        raise FieldError(
            f"{where}: schema {schema} is newer than {SCHEMA}: a newer memgraph-ha made it; update this one"
        )
    inner = fields.objects("instances")
    if not 1 <= len(inner) <= MOST_INSTANCES:
        raise FieldError(f"{where}: field instances: must be 1 to {MOST_INSTANCES}, not {len(inner)}")
    config = ClusterConfig(
        cluster=fields.text("cluster"),
        rw_port=_port(fields, "rw_port"),
        ro_port=_port_or_off(fields, "ro_port"),
        http_port=_port_or_off(fields, "http_port"),
        instances=tuple(map(_parse_instance, inner)),
        binary=fields.text("binary"),
        arguments=fields.texts("arguments"),
        unsaid=tuple(name for name in ("ro_port", "http_port") if name not in fields.raw),
    )
    _check_distinct(config, where)
    return config


def _parse_instance(fields: Fields) -> InstanceConfig:
    name = fields.text("name")
    if not name.replace("-", "").replace("_", "").isalnum() or not name.isascii():
        raise fields.wrong("name", "made of letters, digits, '-' and '_' (it names a directory)")
    ports = InstancePorts(
        bolt=_port(fields, "bolt_port"),
        replication=_port(fields, "replication_port"),
        monitoring=_port(fields, "monitoring_port"),
        metrics=_port(fields, "metrics_port"),
    )
    return InstanceConfig(name=InstanceName(name), ports=ports)


def _port(fields: Fields, name: str) -> int:
    return fields.integer(name, 1, _MOST_PORT)


def _port_or_off(fields: Fields, name: str) -> int:
    return fields.integer(name, 0, _MOST_PORT) if name in fields.raw else 0


def _check_distinct(config: ClusterConfig, where: str) -> None:
    names = [each.name for each in config.instances]
    for name in names:
        if names.count(name) > 1:
            raise FieldError(f"{where}: field instances: {name!r} is named twice")
    users = [*config.gateways()]
    users += [(f"{each.name}'s {purpose}", port) for each in config.instances for purpose, port in each.ports.named()]
    used: dict[int, str] = {}
    for user, port in users:
        if port in used:
            raise FieldError(f"{where}: port {port} is given to {used[port]} and to {user}; give each its own")
        used[port] = user
