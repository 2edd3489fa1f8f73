"""The graph store: snapshots, conflicts, two-step commits, deltas, dumps, constraints."""

from __future__ import annotations

import json
import time

import pytest

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph import Constraint, DeltaError, Graph, Index, Phase
from tests.fakes.query_graph import create, value, with_schema


def test_a_transaction_sees_its_own_writes_and_nobody_elses() -> None:
    """What another transaction commits after my begin stays invisible to me."""
    graph = Graph()
    node = create(graph, "L", x=1)
    mine, other = graph.begin(), graph.begin()
    other.set_property(node, "x", 2)
    assert value(other, node, "x") == 2
    assert value(mine, node, "x") == 1
    other.commit()
    assert value(mine, node, "x") == 1
    assert value(graph.begin(), node, "x") == 2


def test_two_writers_of_one_node_conflict_at_once() -> None:
    """The second writer is told Memgraph's text and code while the first is still open."""
    graph = Graph()
    node = create(graph, "L", x=1)
    first, second = graph.begin(), graph.begin()
    first.set_property(node, "x", 2)
    with pytest.raises(MemgraphError) as caught:
        second.set_property(node, "x", 3)
    assert caught.value.code == "Memgraph.TransientError.MemgraphError.MemgraphError"
    assert caught.value.message == (
        "Cannot resolve conflicting transactions. You can retry this transaction when the conflicting "
        "transaction is finished"
    )


def test_a_write_to_what_was_committed_after_my_begin_conflicts() -> None:
    """First committer wins: an old snapshot must not overwrite a newer commit."""
    graph = Graph()
    node = create(graph, "L", x=1)
    old = graph.begin()
    newer = graph.begin()
    newer.set_property(node, "x", 2)
    newer.commit()
    with pytest.raises(MemgraphError, match="conflicting"):
        old.delete_node(node)


def test_an_edge_locks_both_its_nodes() -> None:
    """Nobody can delete a node to which an uncommitted edge leads."""
    graph = Graph()
    start, end = create(graph, "L"), create(graph, "L")
    joining, deleting = graph.begin(), graph.begin()
    joining.create_edge(start, end, "R")
    with pytest.raises(MemgraphError, match="conflicting"):
        deleting.delete_node(end)
    joining.commit()
    assert graph.edge_count == 1


def test_aborted_writes_leave_nothing_behind() -> None:
    """After an abort the counts, the lookups and the locks are what they were."""
    graph = Graph()
    node = create(graph, "L", x=1)
    before = graph.dump()
    transaction = graph.begin()
    transaction.set_property(node, "x", 2)
    transaction.add_label(node, "M")
    transaction.create_edge(node, transaction.create_node(["N"]), "R")
    transaction.abort()
    after = graph.dump()
    assert (after["nodes"], after["edges"]) == (before["nodes"], before["edges"])
    reader = graph.begin()
    assert [reader.candidates([label], {}) for label in ("M", "N")] == [[], []]
    reader.set_property(node, "x", 3)


def test_prepared_writes_are_invisible_and_locked_until_the_end() -> None:
    """STRICT_SYNC prepares first: readers see nothing and writers conflict until commit or abort."""
    graph = Graph()
    node = create(graph, "L", x=1)
    prepared = graph.begin()
    prepared.set_property(node, "x", 2)
    prepared.prepare()
    assert prepared.phase is Phase.PREPARED
    assert value(graph.begin(), node, "x") == 1
    with pytest.raises(MemgraphError, match="conflicting"):
        graph.begin().set_property(node, "x", 3)
    with pytest.raises(MemgraphError, match="prepared"):
        prepared.create_node(["L"])
    prepared.commit()
    assert value(graph.begin(), node, "x") == 2


def test_a_prepared_transaction_can_still_be_aborted() -> None:
    """Abort after prepare takes everything back and frees the lock."""
    graph = Graph()
    node = create(graph, "L", x=1)
    prepared = graph.begin()
    prepared.set_property(node, "x", 2)
    prepared.prepare()
    prepared.abort()
    after = graph.begin()
    assert value(after, node, "x") == 1
    after.set_property(node, "x", 3)
    after.commit()


def test_a_commit_that_only_touched_frees_its_locks() -> None:
    """Adding a label that is there writes nothing, so it neither locks nor conflicts afterwards."""
    graph = Graph()
    node = create(graph, "L")
    earlier, idle = graph.begin(), graph.begin()
    assert not idle.add_label(node, "L")
    assert idle.deltas() == []
    idle.commit()
    earlier.set_property(node, "x", 1)
    earlier.commit()


def test_create_and_delete_in_one_transaction_is_a_write() -> None:
    """The no-op commit `CREATE (n:X) DELETE n` has deltas, a read has none (transcripts Q3)."""
    graph = Graph()
    noop, idle = graph.begin(), graph.begin()
    noop.delete_node(noop.create_node(["X"]))
    assert noop.deltas() == [["+node", 0, ["X"], {}], ["-node", 0]]
    assert idle.deltas() == []
    noop.commit()
    assert not graph.has_data
    assert graph.nodes == {}


def test_deltas_rebuild_the_graph_elsewhere_through_json() -> None:
    """Every kind of write reaches another graph through its deltas, ids included."""
    main, replica = Graph(), Graph()
    transaction = main.begin()
    first = transaction.create_node(["A", "B"], {"x": 1, "list": [1, None, {"k": 2.5}]})
    second = transaction.create_node()
    third = transaction.create_node(["C"])
    edge = transaction.create_edge(first, second, "R", {"w": True})
    loose = transaction.create_edge(second, first, "S")
    transaction.set_property(edge, "w", None)
    transaction.set_property(first, "y", "text")
    transaction.remove_label(first, "A")
    transaction.add_label(second, "Z")
    transaction.delete_edge(loose)
    transaction.delete_node(third)
    shipped = json.loads(json.dumps(transaction.deltas()))
    transaction.commit()
    replica.apply(shipped)
    for word, item in (("+index", Index("B", ("x",))), ("+constraint", Constraint("unique", "B", ("x",)))):
        change = main.begin()
        change.change_schema(word, item)
        replica.apply(json.loads(json.dumps(change.deltas())))
        change.commit()
    assert replica.dump() == main.dump()
    assert (replica.vertex_count, replica.edge_count) == (2, 1)


def test_replayed_deltas_wait_for_commit() -> None:
    """A replica that prepared shows nothing until it is told to commit (semantics 3.4)."""
    graph = Graph()
    prepared = graph.replay([["+node", 7, ["L"], {}]])
    prepared.prepare()
    assert graph.vertex_count == 0
    prepared.commit()
    assert graph.vertex_count == 1
    assert create(graph, "L").id == 8


@pytest.mark.parametrize(
    "deltas",
    [
        [["+node", 0, [], {}], ["+node", 0, [], {}]],
        [["-node", 5]],
        [["+edge", 0, "R", 1, 2, {}]],
        [["node.set", 3, "x", 1]],
        [["edge.set", 3, "x", 1]],
        [["+label", 9, "L"]],
        [["nonsense", 1]],
        [["+node"]],
        ["+node"],
        [["+node", 0, [], {}], 17],
    ],
)
def test_deltas_that_do_not_fit_change_nothing(deltas: list[list[object]]) -> None:
    """Deltas of another history, or garbage, are refused by name and leave the graph as it was."""
    graph = Graph()
    with pytest.raises(DeltaError, match="delta"):
        graph.apply(deltas)
    assert not graph.has_data
    assert graph.nodes == {}


def test_a_dump_comes_back_whole() -> None:
    """`load` takes what `dump` gave, also through JSON, and goes on with fresh ids."""
    graph, copy = Graph(), Graph()
    node = create(graph, "L", x=1)
    transaction = graph.begin()
    transaction.create_edge(node, node, "SELF", {"w": 1.5})
    transaction.delete_node(transaction.create_node())
    transaction.commit()
    with_schema(graph, "+index", Index("L", ("x",)))
    with_schema(graph, "+constraint", Constraint("exists", "L", ("x",)))
    create(copy, "Old")
    copy.load(json.loads(json.dumps(graph.dump())))
    assert copy.dump() == graph.dump()
    assert create(copy, "L", x=2).id == 2
    found = copy.begin().candidates(["L"], {"x": 2})
    assert [one.id for one in found] == [2]
    assert copy.begin().candidates(["Old"], {}) == []


@pytest.mark.parametrize("dump", [{}, {"nodes": 3}, {"nodes": [[1]]}, {"nodes": [], "edges": [[0, "R", 1, 2, {}]]}])
def test_a_broken_dump_is_refused(dump: dict[str, object]) -> None:
    """What is no dump leaves an empty graph and says so."""
    graph = Graph()
    create(graph, "L")
    with pytest.raises(DeltaError, match="not a dump"):
        graph.load(dump)
    assert not graph.has_data


def test_clear_aborts_open_transactions() -> None:
    """A transaction that began before the graph was replaced cannot read or write any more."""
    graph = Graph()
    create(graph, "L")
    open_one = graph.begin()
    graph.clear()
    with pytest.raises(MemgraphError, match="aborted"):
        open_one.candidates(["L"], {})
    with pytest.raises(MemgraphError, match="aborted"):
        open_one.create_node()
    assert not graph.has_data


def test_a_node_with_edges_needs_detach() -> None:
    """Deleting it without its edges is refused with Memgraph's text."""
    graph = Graph()
    node = create(graph)
    transaction = graph.begin()
    edge = transaction.create_edge(node, node, "R")
    with pytest.raises(MemgraphError, match="Consider using DETACH DELETE"):
        transaction.delete_node(node)
    transaction.delete_edge(edge)
    assert transaction.delete_node(node)
    assert not transaction.delete_node(node)


@pytest.mark.parametrize("bad", [b"bytes", object(), 2**63, [b"inside"], {"k": b"inside"}])
def test_only_storable_values_become_properties(bad: object) -> None:
    """Bytes, objects and too large integers are refused, wherever they hide."""
    transaction = Graph().begin()
    with pytest.raises(MemgraphError):
        transaction.create_node(["L"], {"x": bad})
    assert transaction.deltas() == []


def test_old_versions_are_forgotten_when_nobody_can_see_them() -> None:
    """A thousand updates of one node leave one version, and a deleted node none at all."""
    graph = Graph()
    node = create(graph, "L", x=0)
    reader = graph.begin()
    for number in range(1000):
        writer = graph.begin()
        writer.set_property(node, "x", number)
        writer.commit()
    assert value(reader, node, "x") == 0
    reader.abort()
    deleter = graph.begin()
    assert len(node.versions) == 1
    deleter.delete_node(node)
    deleter.commit()
    assert graph.nodes == {}
    assert graph.lookup.labels == {}


def test_begin_and_commit_cost_the_same_at_any_size() -> None:
    """A small transaction on 50,000 nodes takes no longer than on an empty graph, within a wide margin."""

    def seconds_for_200(graph: Graph) -> float:
        begun = time.perf_counter()
        for _ in range(200):
            create(graph, "Probe", x=1)
        return time.perf_counter() - begun

    small, large = Graph(), Graph()
    large.load({
        "nodes": [[number, ["L"], {"x": number}] for number in range(50_000)],
        "edges": [],
        "indexes": [],
        "constraints": [],
        "next_node": 50_000,
        "next_edge": 0,
    })  # fmt: skip
    best_small = min(seconds_for_200(small) for _ in range(3))
    best_large = min(seconds_for_200(large) for _ in range(3))
    assert best_large < 20 * best_small + 0.02
