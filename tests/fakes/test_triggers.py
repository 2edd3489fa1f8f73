"""Triggers of the fake: how they are listed and made, what they need, and that they stay where they are (Q21)."""

from __future__ import annotations

import pytest

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.virtual import World
from tests.fakes.virtual_helpers import begin_with, count, promote, query_in, refusal, register, until_status

EVENTS = ("CREATE", "UPDATE", "DELETE", "() CREATE", "() UPDATE", "() DELETE", "--> CREATE", "--> UPDATE", "--> DELETE")


@pytest.mark.parametrize("event", [*EVENTS, "ANY"])
@pytest.mark.parametrize("phase", ["BEFORE COMMIT", "AFTER COMMIT"])
def test_what_is_shown_makes_the_same_trigger_again(world: World, event: str, phase: str) -> None:
    """SHOW TRIGGERS names event and phase as CREATE TRIGGER takes them; the statement is as it was written."""
    clause = "" if event == "ANY" else f"ON {event} "
    text = f"{clause}{phase} EXECUTE CREATE (:Log  {{by: 'x'}})"
    world.ask("a", f"CREATE TRIGGER `my trigger` {text}")
    shown = world.ask("a", "SHOW TRIGGERS")
    assert shown == [["my trigger", "CREATE (:Log  {by: 'x'})", event, phase, None]]
    world.ask("a", "DROP TRIGGER `my trigger`")
    assert world.ask("a", "SHOW TRIGGERS") == []
    name, statement, event_again, phase_again, _ = shown[0]
    on = "" if event_again == "ANY" else f"ON {event_again} "
    world.ask("a", f"CREATE TRIGGER `{name}` {on}{phase_again} EXECUTE {statement}")
    assert world.ask("a", "SHOW TRIGGERS") == shown


def test_those_before_the_commit_are_listed_first_each_phase_by_name(world: World) -> None:
    """Two lists, each in the order of names (trigger.cpp)."""
    for name, phase in (("d", "AFTER"), ("c", "BEFORE"), ("b", "AFTER"), ("a", "BEFORE")):
        world.ask("a", f"CREATE TRIGGER {name} {phase} COMMIT EXECUTE CREATE (:Log)")
    assert [row[0] for row in world.ask("a", "SHOW TRIGGERS")] == ["a", "c", "b", "d"]


def test_a_name_is_taken_once(world: World) -> None:
    """Memgraph's words, as a TransientError: they are no QueryException (trigger.cpp; semantics 2.0)."""
    world.ask("a", "CREATE TRIGGER t BEFORE COMMIT EXECUTE CREATE (:Log)")
    again = refusal(world, "a", "CREATE TRIGGER t AFTER COMMIT EXECUTE CREATE (:Other)")
    assert again.message == "Trigger with the same name already exists."
    absent = refusal(world, "a", "DROP TRIGGER u")
    assert absent.message == "Trigger with name 'u' doesn't exist"
    assert again.code == absent.code == "Memgraph.TransientError.MemgraphError.MemgraphError"


def test_triggers_are_not_replicated_but_what_they_write_is(world: World) -> None:
    """A promoted replica has none and fires none; it has the rows that they made on MAIN (Q21)."""
    register(world, "a", "b")
    until_status(world, "a", "b", "ready")
    world.ask("a", "CREATE TRIGGER t ON () CREATE BEFORE COMMIT EXECUTE CREATE (:Log)")
    world.ask("a", "CREATE (:N)")
    assert (count(world, "b", "N"), count(world, "b", "Log")) == (1, 1)
    assert world.ask("b", "SHOW TRIGGERS") == []
    promote(world, "b")
    world.ask("b", "CREATE (:N)")
    assert (count(world, "b", "N"), count(world, "b", "Log")) == (2, 1)
    assert world.ask("b", "SHOW TRIGGERS") == []


def test_triggers_survive_a_restart(world: World) -> None:
    """They are on the disk of the instance that they were made on."""
    world.ask("a", "CREATE TRIGGER t BEFORE COMMIT EXECUTE CREATE (:Log)")
    world.kill("a")
    world.start("a")
    assert [row[0] for row in world.ask("a", "SHOW TRIGGERS")] == ["t"]


@pytest.mark.parametrize("query", ["SHOW TRIGGERS", "CREATE TRIGGER t BEFORE COMMIT EXECUTE CREATE (:Log)"])
def test_statements_about_triggers_need_a_transaction(world: World, query: str) -> None:
    """They cost MAIN a timestamp, unlike SHOW REPLICAS, and wait behind a stalled commit (semantics 1, 3.5)."""
    before = world["a"].timestamp
    world.ask("a", "SHOW REPLICAS")
    assert world["a"].timestamp == before
    world.ask("a", "SHOW TRIGGERS")
    assert world["a"].timestamp == before + 1
    register(world, "a", "b")
    until_status(world, "a", "b", "ready")
    world.freeze("b")
    write, asked = world.send("a", "CREATE (:W)"), world.send("a", query)
    world.run(5.0)
    assert not write.done
    assert not asked.done
    world.run_until(lambda: write.done, 40.0)
    world.run_until(lambda: asked.done, 1.0)
    assert asked.error is None


def test_show_triggers_is_refused_in_an_explicit_transaction(world: World) -> None:
    """So whoever is listed with it alone has nothing to commit."""
    session = world.session("a")
    world.outcome(world.perform("a", begin_with(session, "RETURN 1")))
    with pytest.raises(MemgraphError, match="not allowed in multicommand transactions"):
        world.outcome(world.perform("a", query_in(session, "SHOW TRIGGERS")))


def logged(world: World, statement: str, event: str, phase: str, *queries: str) -> list[object]:
    """What a trigger with this statement wrote as `Log.v` while the queries ran, in the order of the values."""
    for query in queries[:-1]:
        world.ask("a", query)
    clause = f"ON {event} " if event else ""
    world.ask("a", f"CREATE TRIGGER t {clause}{phase} COMMIT EXECUTE {statement}")
    world.ask("a", queries[-1])
    world.run(0.1)
    return [row[0] for row in world.ask("a", "MATCH (n:Log) RETURN n.v ORDER BY n.v")]


@pytest.mark.parametrize("phase", ["BEFORE", "AFTER"])
@pytest.mark.parametrize(
    ("event", "statement", "queries", "values"),
    [
        (
            "() CREATE",
            "UNWIND createdVertices AS n CREATE (:Log {v: n.i})",
            ("CREATE (:N {i: 1}), (:N {i: 2})",),
            [1, 2],
        ),
        ("--> CREATE", "UNWIND createdEdges AS e CREATE (:Log {v: e.w})", ("CREATE (:N)-[:E {w: 7}]->(:N)",), [7]),
        (
            "CREATE",
            "UNWIND createdObjects AS o CREATE (:Log {v: o.event_type})",
            ("CREATE (:N)-[:E]->(:N)",),
            ["created_edge", "created_vertex", "created_vertex"],
        ),
        (
            "() DELETE",
            "UNWIND deletedVertices AS n CREATE (:Log {v: n.i})",
            ("CREATE (:N {i: 5})", "MATCH (n:N) DELETE n"),
            [5],
        ),
        (
            "() UPDATE",
            "UNWIND setVertexProperties AS u CREATE (:Log {v: u.vertex.k + u.key + u.old + u.new})",
            ("CREATE (:N {k: 'k', i: 'a'})", "MATCH (n:N) SET n.i = 'b' SET n.i = 'c'"),
            ["kiac"],
        ),
        (
            "UPDATE",
            "UNWIND updatedObjects AS u CREATE (:Log {v: u.event_type})",
            ("CREATE (:N {i: 1})-[:E {w: 1}]->(:M:X)", "MATCH (n:N)-[e]->(m) SET n.i = null, e.w = 2, m:Y REMOVE m:X"),
            ["removed_vertex_label", "removed_vertex_property", "set_edge_property", "set_vertex_label"],
        ),
        (
            "",
            "UNWIND setVertexLabels AS u CREATE (:Log {v: u.label + toString(size(u.vertices))})",
            ("CREATE (:N), (:N)", "MATCH (n:N) SET n:Y"),
            ["Y2"],
        ),
    ],
)
def test_a_statement_finds_what_its_transaction_did(  # noqa: PLR0917 - one per column of the table
    world: World, phase: str, event: str, statement: str, queries: tuple[str, ...], values: list[object]
) -> None:
    """The predefined variables of the event, before and after the commit (Memgraph's documentation)."""
    assert logged(world, statement, event, phase, *queries) == values


def test_what_was_created_and_deleted_again_left_nothing(world: World) -> None:
    """The no-op commit fires a trigger without an event, with nothing in its lists (Q21)."""
    values = logged(
        world, "CREATE (:Log {v: size(createdVertices) + size(deletedVertices)})", "", "BEFORE", "CREATE (n:X) DELETE n"
    )
    assert values == [0]


def test_a_failing_trigger_before_the_commit_fails_the_transaction(world: World) -> None:
    """Nothing of either is kept; one behind the commit fails in the log only (semantics 7)."""
    world.ask("a", "CREATE TRIGGER t BEFORE COMMIT EXECUTE CREATE (:Log {v: 1 / 0})")
    assert "zero" in refusal(world, "a", "CREATE (:N)").message
    assert count(world, "a") == 0
    world.ask("a", "DROP TRIGGER t")
    world.ask("a", "CREATE TRIGGER t AFTER COMMIT EXECUTE CREATE (:Log {v: 1 / 0})")
    world.ask("a", "CREATE (:N)")
    world.run(0.1)
    assert count(world, "a") == 1


def test_a_statement_with_a_variable_of_another_event_is_refused_when_it_is_made(world: World) -> None:
    """The error lists those of its own event (trigger.cpp)."""
    error = refusal(world, "a", "CREATE TRIGGER t ON () CREATE BEFORE COMMIT EXECUTE UNWIND deletedEdges AS e DELETE e")
    assert error.code.startswith("Memgraph.TransientError")
    assert error.message.startswith("Failed creating the trigger.\nError message: 'Unbound variable: deletedEdges.'\n")
    assert error.message.endswith("Allowed variables for event '() CREATE' are: createdVertices")
    assert world.ask("a", "SHOW TRIGGERS") == []
