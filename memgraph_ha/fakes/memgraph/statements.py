"""The queries that are not Cypher: what an operator or a controller sends (semantics 2.0, 14)."""

from __future__ import annotations

import enum
from typing import Final, TypeAlias

from attrs import frozen

from .instance import Mode
from .settings import StorageMode


class Topic(enum.Enum):
    """What a SHOW query asks for."""

    __hash__ = object.__hash__  # by identity: each query looks its topic up several times

    REPLICATION_ROLE = "REPLICATION ROLE"
    REPLICAS = "REPLICAS"
    VERSION = "VERSION"
    CONFIG = "CONFIG"
    STORAGE_INFO = "STORAGE INFO"
    DATABASE_STORAGE_INFO = "STORAGE INFO ON DATABASE"
    BUILD_INFO = "BUILD INFO"
    LICENSE_INFO = "LICENSE INFO"
    METRICS_INFO = "METRICS INFO"
    DATABASES = "DATABASES"
    DATABASE = "DATABASE"
    DATABASE_SETTINGS = "DATABASE SETTINGS"
    DATABASE_SETTING = "DATABASE SETTING"
    INSTANCE = "INSTANCE"
    INSTANCES = "INSTANCES"
    CURRENT_USER = "CURRENT USER"
    CURRENT_ROLE = "CURRENT ROLE"
    USERS = "USERS"
    ROLES = "ROLES"
    TRIGGERS = "TRIGGERS"
    TRANSACTIONS = "TRANSACTIONS"
    SNAPSHOTS = "SNAPSHOTS"


# Served by the worker that nothing slow occupies (semantics 9.4).
EXPRESS: Final = frozenset(
    {
        Topic.REPLICATION_ROLE,
        Topic.REPLICAS,
        Topic.VERSION,
        Topic.CONFIG,
        Topic.DATABASE_SETTINGS,
        Topic.DATABASE_SETTING,
        Topic.TRANSACTIONS,
        Topic.DATABASE,
        Topic.DATABASES,
    }
)


@frozen
class Show:
    """SHOW `topic`; `name` is the database or setting, where there is one."""

    topic: Topic
    name: str = ""


@frozen
class SetRole:
    """SET REPLICATION ROLE; `port` is None for MAIN."""

    port: int | None


@frozen
class Register:
    """REGISTER REPLICA."""

    name: str
    mode: Mode
    address: str


@frozen
class Drop:
    """DROP REPLICA."""

    name: str


@frozen
class CreateUser:
    """CREATE USER; without a password the user needs none."""

    name: str
    password: str | None
    if_not_exists: bool


@frozen
class SetPassword:
    """SET PASSWORD FOR."""

    name: str
    password: str | None


@frozen
class DropUser:
    """DROP USER."""

    name: str


@frozen
class CreateSnapshot:
    """CREATE SNAPSHOT."""


@frozen
class RecoverSnapshot:
    """RECOVER SNAPSHOT."""

    path: str
    force: bool


@frozen
class FreeMemory:
    """FREE MEMORY."""


@frozen
class DropGraph:
    """DROP GRAPH."""


@frozen
class SetStorageMode:
    """STORAGE MODE."""

    mode: StorageMode


@frozen
class CreateTrigger:
    """CREATE TRIGGER; `text` is all behind the name."""

    name: str
    text: str


@frozen
class DropTrigger:
    """DROP TRIGGER."""

    name: str


@frozen
class Terminate:
    """TERMINATE TRANSACTIONS."""

    ids: tuple[str, ...]


@frozen
class SetDatabaseSetting:
    """SET DATABASE SETTING."""

    name: str
    value: str


Statement: TypeAlias = (
    Show
    | SetRole
    | Register
    | Drop
    | CreateUser
    | SetPassword
    | DropUser
    | CreateSnapshot
    | RecoverSnapshot
    | FreeMemory
    | DropGraph
    | SetStorageMode
    | CreateTrigger
    | DropTrigger
    | Terminate
    | SetDatabaseSetting
)
