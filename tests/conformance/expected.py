"""Memgraph's words as they were recorded (`transcripts/official.md`), not as any program of ours spells them.

Kept apart from the fake on purpose: a text that changes there must make a test fail here.
"""

from __future__ import annotations

from typing import Final

CLIENT: Final = "Memgraph.ClientError.MemgraphError.MemgraphError"
TRANSIENT: Final = "Memgraph.TransientError.MemgraphError.MemgraphError"
UNAUTHENTICATED: Final = "Memgraph.ClientError.Security.Unauthenticated"

AGENT: Final = "Neo4j/v5.11.0 compatible graph database server - Memgraph"
NO_ROUTE: Final = "You cannot fetch routing table from an instance which is not part of a cluster."

WRITE_ON_REPLICA: Final = (
    "Write queries are forbidden on the replica instance. Replica instances accept only read queries, while the "
    "main instance accepts read and write queries. Please retry your query on the main instance."
)
NOT_MAIN_ANYMORE: Final = "Cannot commit because instance is not main anymore."
SYNC_UNCONFIRMED: Final = "At least one SYNC replica has not confirmed committing last transaction."
STRICT_ABORTED: Final = (
    "At least one STRICT_SYNC replica has not confirmed committing last transaction. Transaction will be aborted "
    "on all instances."
)
CANNOT_PROMOTE: Final = "Couldn't set replication role to main!"
CANNOT_DEMOTE: Final = "Couldn't set role to replica!"
CONCURRENT_SYSTEM_QUERIES: Final = "Multiple concurrent system queries are not supported."
PORT_MISSING: Final = "Replica must set a port!"
PORT_ON_MAIN: Final = "Main can't set a port!"
PORT_INVALID: Final = "Port number invalid!"
SHOW_ON_REPLICA: Final = "Show replicas query should only be run on the main instance."
REGISTER_ON_REPLICA: Final = "Replica can't register another replica!"
DROP_ON_REPLICA: Final = (
    "Replica can't unregister a replica! Please rerun the query on main in order to unregister a replica from the "
    "cluster."
)
DROP_BUSY: Final = (
    "Failed to unregister replica due to lack of unique access over the cluster state. Please try again later on."
)
LINE_FAILED: Final = "Exception occurred while executing one line. The rest of the init-file will be run."
NOT_A_PORT: Final = "Couldn't parse string"
IN_TRANSACTION: Final = (
    " not allowed in multicommand transactions. A multicommand transaction, also known as an explicit transaction, "
    "groups multiple commands into a single atomic operation. Instead, please use an implicit transaction, also "
    "knwon as an auto committing transaction, in order to execute this particular query."
)
SNAPSHOT_ON_REPLICA: Final = "Failed to create a snapshot. Replica instances are not allowed to create them."
RECOVER_ON_REPLICA: Final = "Failed to recover a snapshot. Replica instances are not allowed to create them."
DROP_GRAPH_MODE: Final = (
    "Drop graph can only be used in the analytical mode. Switch to analytical mode by executing "
    "'STORAGE MODE IN_MEMORY_ANALYTICAL'"
)
USERS_ON_REPLICA: Final = (
    "Query forbidden on the replica! Update on MAIN, as it is the only source of truth for authentication data. "
    "MAIN will then replicate the update to connected REPLICAs"
)
USERS_ON_COMMUNITY_REPLICA: Final = (
    "Query forbidden on the replica! Switch role to MAIN and update user data, then switch back to REPLICA."
)
UNAUTHENTICATED_TEXT: Final = "Authentication failure"
NO_COORDINATOR: Final = (
    "Coordinator was not initialized as coordinator port, coordinator id or management port were not set."
)
NO_LICENCE: Final = (
    "Trying to use enterprise feature without a valid license. Check your license status by running SHOW LICENSE INFO."
)
NOT_IN_COMMUNITY: Final = "Query is part of the Enterprise feature. In order to run it, you need an Enterprise license."
TERMINATED_AT_COMMIT: Final = (
    "Aborting transaction commit because the transaction was requested to stop from other session. "
)
TERMINATED: Final = "Transaction was asked to abort by another user."


def licence(feature: str) -> str:
    """Return the refusal of an enterprise feature, the blank and the line end behind it included."""
    return f"Your license has an invalid type. To use {feature} you need to have an enterprise license. \n"


def cannot_register(name: str, number: int) -> str:
    """Return the refusal of REGISTER REPLICA (transcripts, "REGISTER REPLICA errors are numbers")."""
    return f"Couldn't register replica {name}. Error: {number}"


def cannot_drop(name: str) -> str:
    """Return the refusal of DROP REPLICA for a name that is not registered."""
    return f"Failed to unregister the replica {name}."
