"""The tables that SHOW queries answer with; columns and rows as in the raw recordings a and g."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from . import dataset, texts, triggers
from .errors import MemgraphError
from .instance import Instance, Row
from .quirks import StorageInfo
from .statements import Show, Topic

_MIB: Final = 1024 * 1024
# What an empty server takes, and what an object adds to it: only the order of magnitude is meant.
_BASE_BYTES: Final = 54 * _MIB
_OBJECT_BYTES: Final = 250


_INFO: Final = ("storage info", "value")
# What the SUCCESS of RUN names, before anything is asked.
COLUMNS: Final[Mapping[Topic, tuple[str, ...]]] = {
    Topic.REPLICATION_ROLE: ("replication role",),
    Topic.REPLICAS: ("name", "socket_address", "sync_mode", "system_info", "data_info"),
    Topic.VERSION: ("version",),
    Topic.CONFIG: ("name", "default_value", "current_value", "description"),
    Topic.STORAGE_INFO: _INFO,
    Topic.DATABASE_STORAGE_INFO: _INFO,
    Topic.BUILD_INFO: ("build info", "value"),
    Topic.LICENSE_INFO: ("license info", "value"),
    Topic.DATABASE_SETTINGS: ("setting_name", "setting_value"),
    Topic.DATABASE_SETTING: ("setting_value",),
    Topic.CURRENT_USER: ("user",),
    Topic.CURRENT_ROLE: ("role",),
    Topic.USERS: ("user",),
    Topic.TRIGGERS: ("trigger name", "statement", "event type", "phase", "owner"),
    Topic.TRANSACTIONS: ("username", "transaction_id", "query", "metadata"),
    Topic.SNAPSHOTS: ("path", "timestamp", "creation_time", "size"),
}
Rows: TypeAlias = Sequence[list[Any]]
_Rows: TypeAlias = list[list[Any]]


@frozen
class Table:
    """An answer.

    Attributes:
        notifications: As they go into the summary.
    """

    rows: Rows = ()
    notifications: Sequence[Mapping[str, str]] = field(default=())


def notification(code: str, title: str) -> Mapping[str, str]:
    """Return a notification of severity INFO (raw recording b)."""
    return {"severity": "INFO", "code": code, "title": title, "description": ""}


def show(instance: Instance, query: Show, user: str) -> Rows:
    """Answer a SHOW query that needs no waiting.

    Args:
        instance: Whom it is asked of.
        query: The query.
        user: Who asks; empty if there are no users.

    Raises:
        MemgraphError: Not on this role, edition or version.
    """
    if query.topic is Topic.CURRENT_USER:
        return [[user or None]]
    if query.topic is Topic.DATABASE_SETTING:
        value = database_settings(instance).get(query.name)
        return [] if value is None else [[value]]
    return _TABLES[query.topic](instance)


def _role(instance: Instance) -> Rows:
    return [[instance.role.value]]


def _replicas(instance: Instance) -> Rows:
    if not instance.is_main:
        raise MemgraphError.client(texts.SHOW_REPLICAS_ON_REPLICA)
    rows = instance.rows.values()
    return [[row.name, row.address, row.mode.value, None, _data_info(instance, row)] for row in rows]


def _data_info(instance: Instance, row: Row) -> dict[str, Any]:
    """`{}` for a half row (semantics 2.4) and while in analytical mode (transcripts Q21)."""
    if row.half or not instance.transactional:
        return {}
    behind = row.cached_ldt - instance.ldt
    return {"memgraph": {"ts": row.cached_ldt, "behind": behind, "status": row.state.value}}


def _version(instance: Instance) -> Rows:
    return [[instance.settings.version]]


def _config(instance: Instance) -> Rows:
    return [list(row) for row in instance.settings.config]


def _size(number: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:  # noqa: PLR2004 - binary units
            return f"{number:.2f}{unit}" if unit != "B" else f"{number:.0f}B"
        number /= 1024
    return f"{number:.2f}GiB"


def _counts(instance: Instance) -> tuple[int, int, float]:
    """While a copy arrives, what has arrived counts (transcripts Q13: uuid with partial counts)."""
    nodes, edges = instance.graph.vertex_count, instance.graph.edge_count
    if instance.arriving is not None:
        nodes = dataset.count(instance.arriving.parts, "nodes")
        edges = dataset.count(instance.arriving.parts, "edges")
    return nodes, edges, 2 * edges / nodes if nodes else 0.0


def _memory(instance: Instance) -> str:
    nodes, edges, _ = _counts(instance)
    return _size(_BASE_BYTES + _OBJECT_BYTES * (nodes + edges))


def _storage_info(instance: Instance) -> Rows:
    """The plain form; from 3.11 it is about the process and names no database (semantics 8)."""
    form = instance.quirks.storage_info
    nodes, edges, degree = _counts(instance)
    memory = _memory(instance)
    disk = _size(80 * 1024 + instance.log_bytes)
    mode = instance.storage_mode.value
    identity: _Rows = [["name", "memgraph"], ["database_uuid", instance.database_uuid]]
    counts: _Rows = [["vertex_count", nodes], ["edge_count", edges], ["average_degree", degree]]
    process: _Rows = [["vm_max_map_count", 65530], ["memory_res", memory], ["peak_memory_res", memory]]
    deltas: _Rows = [["unreleased_delta_objects", 0]]
    isolation: _Rows = [
        ["global_isolation_level", "SNAPSHOT_ISOLATION"],
        ["session_isolation_level", ""],
        ["next_session_isolation_level", ""],
    ]
    graph_memory: _Rows = [["graph_memory_tracked", "0B"], ["vector_index_memory_tracked", "0B"]]
    if form is StorageInfo.SPLIT:
        limits: _Rows = [["memory_limit", "21.19GiB"], ["license_memory_limit", "UNLIMITED"]]
        tracked: _Rows = [["disk_usage", disk], ["memory_tracked", "0B"], *limits]
        query: _Rows = [["query+graph_memory_tracked", "0B"], ["vector_index_memory_tracked", "0B"]]
        return [*process, *tracked, *query, *isolation, ["global_storage_mode", mode]]
    if form is StorageInfo.ON_DATABASE:
        limits = [
            ["global_disk_usage", disk],
            ["global_memory_tracked", "0B"],
            ["global_runtime_allocation_limit", "21.19GiB"],
            ["global_license_allocation_limit", "UNLIMITED"],
            ["db_memory_tracked", "0B"],
            ["db_storage_memory_tracked", "0B"],
            ["db_embedding_memory_tracked", "0B"],
            ["db_query_memory_tracked", "0B"],
        ]
        return [*identity, *counts, *process, *deltas, *limits, *isolation, ["storage_mode", mode]]
    tracked = [["disk_usage", disk], ["memory_tracked", "0B"]]
    extra = graph_memory if form is StorageInfo.GRAPH_MEMORY else []
    limit: _Rows = [["allocation_limit", "21.19GiB"]]
    return [*identity, *counts, *process, *deltas, *tracked, *extra, *limit, *isolation, ["storage_mode", mode]]


def _database_storage_info(instance: Instance) -> Rows:
    """`ON DATABASE memgraph`, from 3.10 (semantics 8)."""
    nodes, edges, degree = _counts(instance)
    state: _Rows = [["state", "HOT"], ["health", "ready"]] if instance.quirks.database_state_rows else []
    return [
        ["name", "memgraph"],
        ["database_uuid", instance.database_uuid],
        *state,
        ["storage_mode", instance.storage_mode.value],
        ["vertex_count", nodes],
        ["edge_count", edges],
        ["average_degree", degree],
        ["unreleased_delta_objects", 0],
        ["disk_usage", _size(80 * 1024 + instance.log_bytes)],
        ["graph_memory_tracked", "0B"],
        ["query_memory_tracked", "0B"],
        ["vector_index_memory_tracked", "0B"],
        ["tenant_memory_limit", "UNLIMITED"],
        ["storage_isolation_level", "SNAPSHOT_ISOLATION"],
    ]


def _build_info(_: Instance) -> Rows:
    return [["build_type", "Release"]]


def _license_info(_: Instance) -> Rows:
    rows: list[list[Any]] = [
        ["organization_name", ""],
        ["license_key", ""],
        ["is_valid", False],
        ["license_type", ""],
        ["valid_until", ""],
        ["memory_limit", "UNLIMITED"],
        ["status", "You have not provided any license!"],
    ]
    return rows


def database_settings(instance: Instance) -> dict[str, str]:
    """Return the run-time settings in the order SHOW DATABASE SETTINGS lists them."""
    defaults = {
        "cartesian-product-enabled": "true",
        "debug-query-plans": "false",
        "enterprise.license": "",
        "hops_limit_partial_results": "true",
        "log.level": instance.settings.log_level,
        "log.to_stderr": "true" if instance.settings.log_to_stderr else "false",
        "organization.name": "",
        "query-log-directory": "",
        "query.timeout": "600",
        "server.name": instance.settings.server_name,
        "storage.snapshot.interval": f"{instance.settings.snapshot_interval_s:g}",
        "timezone": "UTC",
    }
    return {**defaults, **instance.database_settings}


def _database_settings(instance: Instance) -> Rows:
    return [[name, value] for name, value in database_settings(instance).items()]


def _enterprise(official: str) -> Callable[[Instance], Rows]:
    """Refuse an enterprise query in the words of the edition."""

    def refuse(instance: Instance) -> Rows:
        message = official if instance.settings.official else texts.ENTERPRISE_QUERY
        raise MemgraphError.client(message)

    return refuse


def _current_role(_: Instance) -> Rows:
    return [[None]]


def _users(instance: Instance) -> Rows:
    return [[name] for name in sorted(instance.users)]


def _triggers(instance: Instance) -> Rows:
    """Those before the commit first, each phase by name (trigger.cpp: two skip lists)."""
    rows: list[list[Any]] = []
    for name, text in sorted(instance.triggers.items()):
        trigger = triggers.parse(text)
        rows.append([name, trigger.statement, trigger.event, f"{trigger.phase} COMMIT", None])
    return sorted(rows, key=lambda row: row[3] != f"{triggers.BEFORE} COMMIT")


def _transactions(instance: Instance) -> Rows:
    """Neither those that were terminated (transcripts Q22) nor those that commit (see `Session.finish`)."""
    listed = [open_ for open_ in instance.transactions.values() if not open_.terminated]
    return [[each.user, str(each.id), list(each.queries), {}] for each in listed]


_TABLES: Final[Mapping[Topic, Callable[[Instance], Rows]]] = {
    Topic.REPLICATION_ROLE: _role,
    Topic.REPLICAS: _replicas,
    Topic.VERSION: _version,
    Topic.CONFIG: _config,
    Topic.STORAGE_INFO: _storage_info,
    Topic.DATABASE_STORAGE_INFO: _database_storage_info,
    Topic.BUILD_INFO: _build_info,
    Topic.LICENSE_INFO: _license_info,
    Topic.METRICS_INFO: _enterprise(texts.enterprise("SHOW METRICS INFO")),
    Topic.DATABASES: _enterprise(texts.enterprise("multi-tenancy")),
    Topic.DATABASE: _enterprise(texts.ENTERPRISE_LICENCE),
    Topic.DATABASE_SETTINGS: _database_settings,
    Topic.INSTANCE: _enterprise(texts.NO_COORDINATOR),
    Topic.INSTANCES: _enterprise(texts.NO_COORDINATOR),
    Topic.CURRENT_ROLE: _current_role,
    Topic.USERS: _users,
    Topic.ROLES: _enterprise(texts.ENTERPRISE_LICENCE),
    Topic.TRIGGERS: _triggers,
    Topic.TRANSACTIONS: _transactions,
}
