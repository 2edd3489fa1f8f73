"""Spelling the statements that quote a name, a text or a trigger. Pure."""

from memgraph_ha.core.topology import Trigger


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
