"""Random interleavings of transactions against a model so simple that it cannot be wrong."""

from __future__ import annotations

import copy
import json
from typing import Any

from attrs import define, field
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph import Graph, Index, Transaction
from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, NodeRecord

LABELS = st.sampled_from(["A", "B"])
VALUES = st.sampled_from([None, 0, 1, "x"])
View = dict[str, dict[int, Any]]


@define(eq=False)
class Model:
    """One transaction as the model has it: a private copy of everything."""

    real: Transaction
    begun_at: int
    view: View
    touched: set[tuple[str, int]] = field(factory=set)
    wrote: bool = False


def read(transaction: Transaction, graph: Graph) -> View:
    """Return everything a transaction sees."""
    nodes = {
        record.id: (sorted(state.labels), dict(state.properties))
        for record in graph.nodes.values()
        if (state := transaction.state(record)) is not None
    }
    edges = {
        record.id: (record.type, record.start.id, record.end.id, dict(state.properties))
        for record in graph.edges.values()
        if (state := transaction.state(record)) is not None
    }
    return {"node": nodes, "edge": edges}


class Interleavings(RuleBasedStateMachine):
    """Transactions begin, write, commit and abort in any order; a replica replays every commit."""

    transactions = Bundle("transactions")

    def __init__(self) -> None:
        super().__init__()
        self.graph, self.replica = Graph(), Graph()
        for graph in (self.graph, self.replica):
            change = graph.begin()
            change.change_schema("+index", Index("A", ("p",)))
            change.commit()
        self.committed: View = {"node": {}, "edge": {}}
        self.changed_at: dict[tuple[str, int], int] = {}
        self.clock = 0
        self.open: list[Model] = []

    def attempt(self, model: Model, touched: list[tuple[str, int]], write: Any) -> bool:
        """Carry `write` out; it must conflict exactly when the model says so."""
        clashes = False
        for one in touched:
            held = any(one in other.touched for other in self.open if other is not model)
            late = self.changed_at.get(one, 0) > model.begun_at
            if one not in model.touched and (held or late):
                clashes = True
                break
            model.touched.add(one)
        try:
            write()
        except MemgraphError:
            refused = True
        else:
            refused = False
        assert refused is clashes
        if refused:
            self.finish(model)
            model.real.abort()
        model.wrote = model.wrote or not refused
        return not refused

    def finish(self, model: Model) -> None:
        """Take a transaction off the list."""
        if model in self.open:
            self.open.remove(model)

    @rule(target=transactions)
    def begin(self) -> Model:
        """Begin a transaction."""
        model = Model(self.graph.begin(), self.clock, copy.deepcopy(self.committed))
        self.open.append(model)
        return model

    @rule(model=transactions, label=LABELS, value=VALUES)
    def create_node(self, model: Model, label: str, value: Any) -> None:
        """Create a node."""
        if model in self.open:
            node = model.real.create_node([label], {"p": value})
            model.touched.add(("node", node.id))
            model.wrote = True
            model.view["node"][node.id] = ([label], {} if value is None else {"p": value})

    @rule(model=transactions, pick=st.integers(0, 20), name=st.sampled_from("pq"), value=VALUES)
    def set_property(self, model: Model, pick: int, name: str, value: Any) -> None:
        """Set or remove a property."""
        found = self.pick_node(model, pick)
        if found is not None:
            number, record = found
            if self.attempt(model, [("node", number)], lambda: model.real.set_property(record, name, value)):
                properties = model.view["node"][number][1]
                properties.pop(name, None)
                if value is not None:
                    properties[name] = value

    @rule(model=transactions, pick=st.integers(0, 20), label=LABELS, add=st.booleans())
    def change_label(self, model: Model, pick: int, label: str, add: bool) -> None:
        """Add or remove a label."""
        found = self.pick_node(model, pick)
        if found is None:
            return
        number, record = found
        labels = model.view["node"][number][0]
        wrote_before = model.wrote
        change = model.real.add_label if add else model.real.remove_label
        if self.attempt(model, [("node", number)], lambda: change(record, label)):
            model.wrote = wrote_before or (label in labels) is not add
            new = {*labels, label} if add else {*labels} - {label}
            model.view["node"][number] = (sorted(new), model.view["node"][number][1])

    @rule(model=transactions, first=st.integers(0, 20), second=st.integers(0, 20))
    def create_edge(self, model: Model, first: int, second: int) -> None:
        """Create an edge between two nodes, maybe the same."""
        start, end = self.pick_node(model, first), self.pick_node(model, second)
        if start is None or end is None:
            return
        made: list[EdgeRecord] = []
        touched = [("node", start[0]), ("node", end[0])]
        if self.attempt(model, touched, lambda: made.append(model.real.create_edge(start[1], end[1], "R"))):
            model.touched.add(("edge", made[0].id))
            model.view["edge"][made[0].id] = ("R", start[0], end[0], {})

    @rule(model=transactions, pick=st.integers(0, 20))
    def delete_edge(self, model: Model, pick: int) -> None:
        """Delete an edge."""
        edges = model.view["edge"]
        if model not in self.open or not edges:
            return
        number = sorted(edges)[pick % len(edges)]
        record = self.graph.edges[number]
        touched = [("edge", number), ("node", record.start.id), ("node", record.end.id)]
        if self.attempt(model, touched, lambda: model.real.delete_edge(record)):
            del edges[number]

    @rule(model=transactions, pick=st.integers(0, 20))
    def delete_node(self, model: Model, pick: int) -> None:
        """Delete a node that has no edges."""
        found = self.pick_node(model, pick)
        if found is None:
            return
        number, record = found
        if any(number in edge[1:3] for edge in model.view["edge"].values()):
            return
        if self.attempt(model, [("node", number)], lambda: model.real.delete_node(record)):
            del model.view["node"][number]

    @rule(model=consumes(transactions), two_steps=st.booleans())
    def commit(self, model: Model, two_steps: bool) -> None:
        """Commit, in one step or in two, and let the replica follow."""
        if model not in self.open:
            return
        deltas = json.loads(json.dumps(model.real.deltas()))
        assert bool(deltas) is model.wrote
        if two_steps:
            model.real.prepare()
            reader = self.graph.begin()
            assert read(reader, self.graph) == self.committed
            reader.abort()
        model.real.commit()
        self.finish(model)
        self.replica.apply(deltas)
        if model.wrote:
            self.clock += 1
            for kind, number in model.touched:
                self.changed_at[kind, number] = self.clock
                self.committed[kind].pop(number, None)
                if number in model.view[kind]:
                    self.committed[kind][number] = copy.deepcopy(model.view[kind][number])

    @rule(target=transactions, model=consumes(transactions))
    def abort(self, model: Model) -> Any:
        """Abort."""
        self.finish(model)
        model.real.abort()
        return multiple()

    def pick_node(self, model: Model, pick: int) -> tuple[int, NodeRecord] | None:
        """Return some node that the transaction sees."""
        nodes = model.view["node"]
        if model not in self.open or not nodes:
            return None
        number = sorted(nodes)[pick % len(nodes)]
        return number, self.graph.nodes[number]

    @invariant()
    def every_transaction_sees_its_snapshot_and_its_writes(self) -> None:
        """What it reads is its private copy."""
        for model in self.open:
            assert read(model.real, self.graph) == model.view

    @invariant()
    def lookups_miss_nothing(self) -> None:
        """By label and by value every node is found that a scan would find."""
        for model in self.open:
            for label in ("A", "B"):
                expected = {number for number, node in model.view["node"].items() if label in node[0]}
                assert expected <= {node.id for node in model.real.candidates([label], {})}
            for value in (0, "x"):
                expected = {
                    number
                    for number, (labels, properties) in model.view["node"].items()
                    if "A" in labels and properties.get("p") == value
                }
                assert expected <= {node.id for node in model.real.candidates(["A"], {"p": value})}

    @invariant()
    def counts_and_replica_agree_with_the_commits(self) -> None:
        """Both graphs hold what was committed."""
        assert self.graph.vertex_count == len(self.committed["node"])
        assert self.graph.edge_count == len(self.committed["edge"])
        ours, theirs = self.graph.dump(), self.replica.dump()
        assert sorted(ours["nodes"]) == sorted(theirs["nodes"])
        assert sorted(ours["edges"]) == sorted(theirs["edges"])

    def teardown(self) -> None:
        """When everybody is gone, nothing but the newest versions is left."""
        for model in list(self.open):
            model.real.abort()
        self.graph.begin().abort()
        records = [*self.graph.nodes.values(), *self.graph.edges.values()]
        assert all(len(record.versions) == 1 and record.owner is None for record in records)
        assert len(self.graph.nodes) == self.graph.vertex_count
        assert len(self.graph.edges) == self.graph.edge_count
        for label, nodes in self.graph.lookup.labels.items():
            assert all(label in state.labels for node in nodes for state in node.states())


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
