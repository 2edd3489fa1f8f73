"""Spelling the statements that commands are sent as, and what they quote. Pure."""

from typing import Final, assert_never

from memgraph_ha.core.commands import CommitNoop, Demote, DropReplica, Promote, RegisterReplica
from memgraph_ha.core.topology import Trigger

NOOP: Final = "CREATE (n:MemgraphHaNoop) DELETE n"
"""One commit that changes nothing (transcripts Q3, Q18)."""

Spelled = Promote | Demote | RegisterReplica | DropReplica | CommitNoop
"""The commands that are one statement each."""


def statement_of(command: Spelled) -> str:
    """Spell a command as Memgraph takes it (transcripts Summary; semantics 2.4)."""
    match command:
        case Promote():
            return "SET REPLICATION ROLE TO MAIN"
        case Demote(port=port):
            return f"SET REPLICATION ROLE TO REPLICA WITH PORT {port}"
        case RegisterReplica(row=row, mode=mode, address=address):
            return f"REGISTER REPLICA {name_literal(row)} {mode.name} TO {string_literal(address)}"
        case DropReplica(row=row):
            return f"DROP REPLICA {name_literal(row)}"
        case CommitNoop():
            return NOOP
        case _:  # pragma: no cover - the type checker proves that nothing is left
            assert_never(command)


def name_literal(name: str) -> str:
    """Quote a replica's name: any character is allowed between backticks, a backtick is doubled (semantics 2.4)."""
    return "`" + name.replace("`", "``") + "`"


def string_literal(text: str) -> str:
    """Quote a string: addresses cannot be parameters (transcripts Summary, "Names")."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def create_trigger(trigger: Trigger) -> str:
    """Spell the statement that makes a trigger as SHOW TRIGGERS described it (Memgraph's grammar, createTrigger)."""
    event = f"ON {trigger.event} " if trigger.event else ""
    return f"CREATE TRIGGER {name_literal(trigger.name)} {event}{trigger.phase} EXECUTE {trigger.statement}"
