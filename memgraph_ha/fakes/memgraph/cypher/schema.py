"""Schema commands: CREATE and DROP of indexes and constraints, and the SHOW queries about them."""

from __future__ import annotations

from collections.abc import Iterator

from memgraph_ha.fakes.memgraph.cypher.ast import HIDDEN, SchemaChange, ShowSchema
from memgraph_ha.fakes.memgraph.cypher.plan import MatchPlan, Plan
from memgraph_ha.fakes.memgraph.graph_schema import EXISTS, Constraint, Index
from memgraph_ha.fakes.memgraph.graph_transaction import Transaction
from memgraph_ha.fakes.memgraph.graph_values import Value

INDEX_COLUMNS = ("index type", "label", "property", "count")
CONSTRAINT_COLUMNS = ("constraint type", "label", "properties", "data_type")


def note(code: str, title: str) -> dict[str, str]:
    """Return a notification of the summary, with the keys of the transcripts."""
    return {"code": code, "description": "", "severity": "INFO", "title": title}


def change_schema(change: SchemaChange, transaction: Transaction) -> dict[str, str]:
    """Create or drop an index or constraint, and return the note about it.

    What exists is not created again and what does not exist is no error to drop; the note says so.

    Raises:
        MemgraphError: Some node breaks the new constraint.
    """
    item = change.item
    exists = item in transaction.schema.indexes() or item in transaction.schema.constraints()
    creates = change.word.startswith("+")
    name = _describe(item)
    noun = "Index" if isinstance(item, Index) else "Constraint"
    if creates is exists:
        state = "already exists" if exists else "doesn't exist"
        return note(f"{'Existent' if exists else 'NonExistent'}{noun}", f"{name} {state}.")
    transaction.change_schema(change.word, item)
    done = "Created" if creates else "Dropped"
    return note(f"{'Create' if creates else 'Drop'}{noun}", f"{done} {name[0].lower()}{name[1:]}.")


def _describe(item: Index | Constraint) -> str:
    if isinstance(item, Index):
        properties = f" on properties {', '.join(item.properties)}" if item.properties else ""
        return f"Index on label {item.label}{properties}"
    kind = "EXISTS" if item.kind == EXISTS else "UNIQUE"
    return f"Constraint {kind} on label {item.label} on properties {', '.join(item.properties)}"


def show_schema(show: ShowSchema, transaction: Transaction) -> Iterator[list[Value]]:
    """Yield the rows of SHOW INDEX INFO or SHOW CONSTRAINT INFO.

    Source: transcripts, official.md, `SHOW INDEX INFO` ("label+property" | "N" | ['i'] | 3) and
    `SHOW CONSTRAINT INFO` ("exists" | "N" | "i" | "").
    """
    schema = transaction.schema
    if show.indexes:
        for index in schema.indexes():
            kind = "label+property" if index.properties else "label"
            properties = list(index.properties) if index.properties else None
            yield [kind, index.label, properties, schema.count(index)]
    else:
        for constraint in schema.constraints():
            names = list(constraint.properties)
            yield [constraint.kind, constraint.label, names[0] if constraint.kind == EXISTS else names, ""]


def plan_hints(plan: Plan, transaction: Transaction) -> Iterator[dict[str, str]]:
    """Yield Memgraph's hint about each labelled node that is looked for without an index.

    Source: transcripts, official.md, `MATCH (n:T) RETURN count(n)` (no hint for `MATCH (n)`); the form
    with properties is that of Memgraph's source, `plan/hint_provider`.
    """
    for clause in plan.clauses:
        if not isinstance(clause, MatchPlan):
            continue
        for path in clause.paths:
            node = path.path.nodes[0]
            if not node.labels or node.variable not in clause.introduced:
                continue
            if not any(transaction.schema.has_index(label) for label in node.labels):
                labels = ", ".join(f":{label}" for label in node.labels)
                symbol = "anon" if node.variable.startswith(HIDDEN) else node.variable
                names = ", ".join(name for name, _ in path.node_wants[0])
                properties = f" and properties {names}" if names else ""
                kind = "label-property" if names else "label"
                yield note(
                    "PlanHinting",
                    f"Sequential scan will be used on symbol `{symbol}` although there is a filter on "
                    f"labels {labels}{properties}. Consider creating a {kind} index.",
                )
