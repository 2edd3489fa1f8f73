"""Memgraph's own words, letter for letter; sources are the raw recordings unless a line says otherwise."""

from __future__ import annotations

from typing import Final

WRITE_ON_REPLICA: Final = (
    "Write queries are forbidden on the replica instance. Replica instances accept only read queries, while"
    " the main instance accepts read and write queries. Please retry your query on the main instance."
)
NOT_MAIN_AT_COMMIT: Final = "Cannot commit because instance is not main anymore."
SHOW_REPLICAS_ON_REPLICA: Final = "Show replicas query should only be run on the main instance."
CANNOT_PROMOTE: Final = "Couldn't set replication role to main!"
CANNOT_DEMOTE: Final = "Couldn't set role to replica!"
PORT_MISSING: Final = "Replica must set a port!"
PORT_ON_MAIN: Final = "Main can't set a port!"
PORT_INVALID: Final = "Port number invalid!"
REGISTER_ON_REPLICA: Final = "Replica can't register another replica!"
DROP_ON_REPLICA: Final = (
    "Replica can't unregister a replica! Please rerun the query on main in order to unregister a replica"
    " from the cluster."
)
DROP_BUSY: Final = (
    "Failed to unregister replica due to lack of unique access over the cluster state. Please try again later on."
)
ADDRESS_INVALID: Final = "Invalid socket address."  # semantics 2.4
PORT_NOT_A_NUMBER: Final = "Couldn't parse string"
SYSTEM_QUERY_BUSY: Final = "Multiple concurrent system queries are not supported."
NOT_TRANSACTIONAL: Final = "Replication query requires IN_MEMORY_TRANSACTIONAL mode."  # semantics 2.0
_MULTICOMMAND: Final = (
    "{} not allowed in multicommand transactions. A multicommand transaction, also known as an explicit"
    " transaction, groups multiple commands into a single atomic operation. Instead, please use an implicit"
    " transaction, also knwon as an auto committing transaction, in order to execute this particular query."
    " For more details, visit https://memgraph.com/docs"
)
STORAGE_ACCESS: Final = "Cannot get shared access storage. Try stopping other queries that are running in parallel."
UNIQUE_ACCESS: Final = (
    "Cannot get unique access to the storage. Try stopping other queries that are running in parallel."
)
RECOVER_NOT_CLEAN: Final = "Failed to recover a snapshot. Storage is not clean. Try using FORCE."
SYNC_FAILED: Final = "At least one SYNC replica has not confirmed committing last transaction."
STRICT_SYNC_FAILED: Final = (
    "At least one STRICT_SYNC replica has not confirmed committing last transaction. Transaction will be"
    " aborted on all instances."
)
SNAPSHOT_ON_REPLICA: Final = "Failed to create a snapshot. Replica instances are not allowed to create them."
RECOVER_ON_REPLICA: Final = "Failed to recover a snapshot. Replica instances are not allowed to create them."
USERS_ON_REPLICA_OFFICIAL: Final = (
    "Query forbidden on the replica! Update on MAIN, as it is the only source of truth for authentication"
    " data. MAIN will then replicate the update to connected REPLICAs"
)
USERS_ON_REPLICA_COMMUNITY: Final = (
    "Query forbidden on the replica! Switch role to MAIN and update user data, then switch back to REPLICA."
)
DROP_GRAPH_NOT_ANALYTICAL: Final = (
    "Drop graph can only be used in the analytical mode. Switch to analytical mode by executing 'STORAGE"
    " MODE IN_MEMORY_ANALYTICAL'"
)
ROUTE_OFFICIAL: Final = "You cannot fetch routing table from an instance which is not part of a cluster."
ROUTE_COMMUNITY: Final = "Route message is not supported in Memgraph!"
ROUTE_COMMUNITY_CODE: Final = "66"
NO_COORDINATOR: Final = (
    "Coordinator was not initialized as coordinator port, coordinator id or management port were not set."
)
ENTERPRISE_LICENCE: Final = (
    "Trying to use enterprise feature without a valid license. Check your license status by running SHOW LICENSE INFO."
)
ENTERPRISE_QUERY: Final = "Query is part of the Enterprise feature. In order to run it, you need an Enterprise license."
TERMINATED_AT_COMMIT: Final = (
    "Aborting transaction commit because the transaction was requested to stop from other session. "
)
TERMINATED: Final = "Transaction was asked to abort by another user."
TRIGGER_EXISTS: Final = "Trigger with the same name already exists."  # trigger.cpp: a BasicException, so Transient
DIVERGED_LOG: Final = (
    "You cannot register Replica {0} to this Main because at one point Replica {0} acted as the Main"
    " instance. Both the Main and Replica {0} now hold unique data. Please resolve data conflicts and start"
    " the replication on a clean instance."
)
INIT_LINE_FAILED: Final = "Exception occurred while executing one line. The rest of the init-file will be run. {}"


def multicommand(what: str) -> str:
    """Return the refusal of a query inside an explicit transaction.

    Args:
        what: The subject and its verb, for example `Managing replication is`.
    """
    return _MULTICOMMAND.format(what)


def enterprise(feature: str) -> str:
    """Return the official build's refusal of an enterprise feature, trailing blank included."""
    return f"Your license has an invalid type. To use {feature} you need to have an enterprise license. \n"


def register_failed(name: str, number: int) -> str:
    """Return the refusal of REGISTER REPLICA (numbers: `registration.Refusal`)."""
    return f"Couldn't register replica {name}. Error: {number}"


def bad_trigger(reason: str, event: str, variables: str) -> str:
    """Return the refusal of CREATE TRIGGER for a statement that cannot be run (trigger.cpp)."""
    return (
        f"Failed creating the trigger.\nError message: '{reason}'\nThe error was mostly likely generated because of"
        " the wrong statement that this trigger executes.\nMake sure all predefined variables used are present for"
        f" the specified event.\nAllowed variables for event '{event}' are: {variables}"
    )


def no_trigger(name: str) -> str:
    """Return the refusal of DROP TRIGGER for a name that is not there (trigger.cpp)."""
    return f"Trigger with name '{name}' doesn't exist"


def drop_failed(name: str) -> str:
    """Return the refusal of DROP REPLICA for a name that is not registered."""
    return f"Failed to unregister the replica {name}."


def unable_to_replicate(failed: dict[str, str], *, strict: bool) -> str:
    """Return the commit error of 3.10 and later (semantics 3.3).

    Args:
        failed: Reason by replica name.
        strict: STRICT_SYNC, where the transaction was aborted.
    """
    mode = "STRICT_SYNC" if strict else "SYNC"
    by_reason: dict[str, list[str]] = {}
    for name, reason in failed.items():
        by_reason.setdefault(reason, []).append(f"'{name}'")
    sentences = [
        f"Failed to replicate to {mode} replica{'s' if len(names) > 1 else ''} {' and '.join(names)}: {reason}."
        for reason, names in by_reason.items()
    ]
    outcome = (
        "Transaction was aborted on all instances."
        if strict
        else "Transaction is still committed on the main instance and other alive replicas."
    )
    return " ".join([*sentences, "Replica will be recovered automatically.", outcome])
