"""``cluster.json``: what a cluster of `memgraph-ha local` is. Made once, read strictly."""

import json
import uuid
from collections.abc import Sequence
from typing import Final

from attrs import field, frozen

from memgraph_ha.adapters.json_fields import FieldError, Fields, read_object
from memgraph_ha.adapters.process_argv import InstancePorts
from memgraph_ha.core.names import InstanceName

SCHEMA: Final = 1
_MOST_INSTANCES: Final = 32
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
        instances: In ordinal order, at least one.
        binary: Absolute path of what runs as an instance.
        arguments: Further arguments for it.
    """

    cluster: str
    rw_port: int
    instances: tuple[InstanceConfig, ...]
    binary: str
    arguments: tuple[str, ...] = field(default=())

    def to_bytes(self) -> bytes:
        """Write it as JSON, to be read back by `parse_config`."""
        known: dict[str, object] = {
            "schema": SCHEMA,
            "cluster": self.cluster,
            "rw_port": self.rw_port,
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
        return json.dumps(known, indent=1).encode() + b"\n"


def new_config(
    ports: Sequence[InstancePorts], *, rw_port: int, binary: str, arguments: Sequence[str] = ()
) -> ClusterConfig:
    """Describe a new cluster, with a new id and instances ``memgraph-0``, ``memgraph-1`` and so on.

    Raises:
        FieldError: The ports clash or cannot be.
    """
    config = ClusterConfig(
        cluster=str(uuid.uuid4()),
        rw_port=rw_port,
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
    if not 1 <= len(inner) <= _MOST_INSTANCES:
        raise FieldError(f"{where}: field instances: must be 1 to {_MOST_INSTANCES}, not {len(inner)}")
    config = ClusterConfig(
        cluster=fields.text("cluster"),
        rw_port=_port(fields, "rw_port"),
        instances=tuple(map(_parse_instance, inner)),
        binary=fields.text("binary"),
        arguments=fields.texts("arguments"),
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


def _check_distinct(config: ClusterConfig, where: str) -> None:
    names = [each.name for each in config.instances]
    for name in names:
        if names.count(name) > 1:
            raise FieldError(f"{where}: field instances: {name!r} is named twice")
    used: dict[int, str] = {config.rw_port: "the read/write gateway"}
    for each in config.instances:
        for purpose, port in each.ports.named():
            user = f"{each.name}'s {purpose}"
            if port in used:
                raise FieldError(f"{where}: port {port} is given to {used[port]} and to {user}; give each its own")
            used[port] = user
