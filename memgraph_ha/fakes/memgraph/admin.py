"""How statements are carried out: what is refused on RUN, and what happens on PULL (semantics 2.0)."""

from __future__ import annotations

from typing import Final, TypeAlias, assert_never

from . import accounts, registration, roles, snapshots, texts, triggers
from .disk import Put
from .effects import Persist, Procedure
from .errors import MemgraphError
from .instance import Instance
from .locks import acquire, wait_until_free
from .quirks import StorageInfo
from .settings import StorageMode
from .show import COLUMNS, Table, database_settings, notification, show
from .statements import (
    CreateSnapshot,
    CreateTrigger,
    CreateUser,
    Drop,
    DropGraph,
    DropTrigger,
    DropUser,
    FreeMemory,
    RecoverSnapshot,
    Register,
    SetDatabaseSetting,
    SetPassword,
    SetRole,
    SetStorageMode,
    Show,
    Statement,
    Terminate,
    Topic,
)

# Statements that take the mutex of system queries (semantics 2.0).
SYSTEM: Final = (SetRole, Register, Drop, CreateUser, SetPassword, DropUser)
_Other: TypeAlias = (
    CreateSnapshot
    | RecoverSnapshot
    | FreeMemory
    | DropGraph
    | SetStorageMode
    | CreateTrigger
    | DropTrigger
    | Terminate
    | SetDatabaseSetting
)
_REPLICATION: Final = (SetRole, Register, Drop)
_ABOUT_REPLICATION: Final = (Topic.REPLICATION_ROLE, Topic.REPLICAS)
_OLD_FORMS: Final = (StorageInfo.PLAIN, StorageInfo.GRAPH_MEMORY)


def refuse_early(instance: Instance, statement: Statement, *, explicit: bool) -> None:
    """Refuse what Memgraph refuses on RUN already.

    Args:
        instance: Whom it is asked of.
        statement: What is asked.
        explicit: Whether the session is inside an explicit transaction.

    Raises:
        MemgraphError: Not allowed there, in this storage mode or in this version.
    """
    if explicit:
        raise MemgraphError.client(texts.multicommand(_subject(statement)))
    if isinstance(statement, _REPLICATION) and not instance.transactional:
        raise MemgraphError.client(texts.NOT_TRANSACTIONAL)
    if (
        isinstance(statement, Show)
        and statement.topic is Topic.DATABASE_STORAGE_INFO
        and instance.quirks.storage_info in _OLD_FORMS
    ):
        raise MemgraphError.client(
            "Error on line 1 position 19. The underlying parsing error is mismatched input 'ON' expecting {<EOF>, ';'}"
        )


def _subject(statement: Statement) -> str:
    asks = isinstance(statement, Show) and statement.topic in _ABOUT_REPLICATION
    if asks or isinstance(statement, _REPLICATION):
        return "Managing replication is"
    if isinstance(statement, CreateUser | SetPassword | DropUser):
        return "Authentication clause"
    if isinstance(statement, Show):
        return "Info queries are"
    return "This query is"


def needs_transaction(statement: Statement) -> bool:
    """Return whether a statement opens a storage transaction, as all that concern triggers do.

    So SHOW TRIGGERS takes a timestamp and waits behind a stalled commit, unlike SHOW REPLICAS (semantics 1;
    QueryTransactionRequirements in Memgraph's interpreter).
    """
    if isinstance(statement, Show):
        return statement.topic is Topic.TRIGGERS
    return isinstance(statement, CreateTrigger | DropTrigger)


def columns_of(statement: Statement) -> tuple[str, ...]:
    """Return the columns that the SUCCESS of RUN names, before the answer is known."""
    match statement:
        case CreateSnapshot():
            return ("path",)
        case Terminate():
            return ("transaction_id", "killed")
        case Show(topic=topic):
            return COLUMNS.get(topic, ())
        case _:
            return ()


def carry_out(instance: Instance, statement: Statement, user: str) -> Procedure[Table]:
    """Carry a statement out; system statements are called with the system lock held.

    Args:
        instance: Whom it is asked of.
        statement: What is asked.
        user: Who asks.

    Raises:
        MemgraphError: As its kind says.
    """
    if isinstance(statement, Show):
        return (yield from _show(instance, statement, user))
    if isinstance(statement, SYSTEM):
        return (yield from _system(instance, statement))
    return (yield from _other(instance, statement))


def _show(instance: Instance, query: Show, user: str) -> Procedure[Table]:
    if query.topic in _ABOUT_REPLICATION:
        # Blocks while a role or registration command is under way (semantics 2.1; transcripts Q6).
        yield from acquire(instance.repl_lock, exclusive=False)
        try:
            return Table(show(instance, query, user))
        finally:
            instance.repl_lock.release(exclusive=False)
    if query.topic is Topic.SNAPSHOTS:
        return Table((yield from snapshots.listing(instance)))
    return Table(show(instance, query, user))


def _system(
    instance: Instance, statement: SetRole | Register | Drop | CreateUser | SetPassword | DropUser
) -> Procedure[Table]:
    match statement:
        case SetRole(port=port):
            yield from roles.promote(instance) if port is None else roles.demote(instance, port)
            return _noted("SetReplica", f"Replica role set to {'MAIN' if port is None else 'REPLICA'}.")
        case Register(name=name, mode=mode, address=address):
            yield from registration.register(instance, name, mode, address)
            return _noted("RegisterReplica", f"Replica {name} is registered.")
        case Drop(name=name):
            yield from registration.drop(instance, name)
            return _noted("DropReplica", f"Replica {name} is dropped.")
        case CreateUser(name=name, password=password, if_not_exists=if_not_exists):
            yield from accounts.create_user(instance, name, password, if_not_exists=if_not_exists)
        case SetPassword(name=name, password=password):
            yield from accounts.set_password(instance, name, password)
        case DropUser(name=name):
            yield from accounts.drop_user(instance, name)
        case _:
            assert_never(statement)
    return Table()


def _noted(code: str, title: str) -> Table:
    return Table(notifications=(notification(code, title),))


def _other(instance: Instance, statement: _Other) -> Procedure[Table]:
    match statement:
        case CreateSnapshot():
            return Table([[(yield from snapshots.create(instance))]])
        case RecoverSnapshot(path=path, force=force):
            yield from snapshots.restore(instance, path, force=force)
        case FreeMemory():
            pass
        case DropGraph():
            yield from _drop_graph(instance)
        case SetStorageMode(mode=mode):
            yield from _set_storage_mode(instance, mode)
        case CreateTrigger(name=name, text=text):
            yield from _create_trigger(instance, name, text)
            return _noted("CreateTrigger", f"Created trigger {name}.")
        case DropTrigger(name=name):
            yield from _drop_trigger(instance, name)
            return _noted("DropTrigger", f"Dropped trigger {name}.")
        case Terminate(ids=ids):
            return Table([[each, _terminate(instance, each)] for each in ids])
        case SetDatabaseSetting(name=name, value=value):
            yield from _set_database_setting(instance, name, value)
        case _:
            assert_never(statement)
    return Table()


def _drop_graph(instance: Instance) -> Procedure[None]:
    """DROP GRAPH removes the data but neither position nor epoch (semantics 4.8)."""
    if instance.transactional:
        raise MemgraphError.transient(texts.DROP_GRAPH_NOT_ANALYTICAL)
    yield from _alone(instance)
    instance.graph.clear()
    instance.storage_lock.release()


def _set_storage_mode(instance: Instance, mode: StorageMode) -> Procedure[None]:
    """STORAGE MODE; allowed with replicas, which then miss what is written (transcripts Q21)."""
    if mode is instance.storage_mode:
        return
    yield from _alone(instance)
    instance.storage_mode = mode
    instance.storage_lock.release()


def _alone(instance: Instance) -> Procedure[None]:
    """Take the storage for oneself, or give up as Memgraph does."""
    patience_s = instance.settings.storage_access_timeout_s
    if not (yield from acquire(instance.storage_lock, timeout_s=patience_s)):
        raise MemgraphError.transient(texts.UNIQUE_ACCESS)
    yield from wait_until_free(instance.engine_lock)


def _create_trigger(instance: Instance, name: str, text: str) -> Procedure[None]:
    """Triggers are kept where they were made; never replicated (transcripts Q21)."""
    triggers.check(triggers.parse(text))  # what could not be fired is refused now
    if name in instance.triggers:
        raise MemgraphError.transient(texts.TRIGGER_EXISTS)
    instance.triggers[name] = text
    yield Persist((Put("triggers", dict(instance.triggers)),))


def _drop_trigger(instance: Instance, name: str) -> Procedure[None]:
    if name not in instance.triggers:
        raise MemgraphError.transient(texts.no_trigger(name))
    del instance.triggers[name]
    yield Persist((Put("triggers", dict(instance.triggers)),))


def _terminate(instance: Instance, number: str) -> bool:
    """End a transaction at its next step; its locks stay until then (transcripts Q22)."""
    found = next((open_ for open_ in instance.transactions.values() if str(open_.id) == number), None)
    if found is None or found.terminated:
        return False
    found.terminated = True
    return True


def _set_database_setting(instance: Instance, name: str, value: str) -> Procedure[None]:
    if name not in database_settings(instance):
        raise MemgraphError.client(f"Unknown setting name '{name}'")
    instance.database_settings[name] = value
    yield Persist((Put("settings", dict(instance.database_settings)),))
