"""From clauses to a plan: names are resolved, and what a query must not say is refused at RUN.

The error texts are Memgraph's own where its source has one (semantic_exception and the symbol
generator); a query that passes here can only fail on the values it meets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from memgraph_ha.fakes.memgraph.cypher.ast import (
    HIDDEN,
    Aggregate,
    Binary,
    Clause,
    Create,
    Delete,
    EdgePattern,
    Expression,
    MapLiteral,
    Match,
    Merge,
    NodePattern,
    Parameter,
    PathPattern,
    Projection,
    Property,
    Set,
    SetItem,
    SetLabels,
    Unwind,
    Variable,
)
from memgraph_ha.fakes.memgraph.cypher.plan import (
    ClausePlan,
    MatchPlan,
    MergePlan,
    PathPlan,
    Plan,
    ProjectionPlan,
    Wanted,
)
from memgraph_ha.fakes.memgraph.cypher.projection_planner import plan_projection
from memgraph_ha.fakes.memgraph.cypher.tree import conjuncts, parameters, variables, walk
from memgraph_ha.fakes.memgraph.errors import MemgraphError

_NODE, _EDGE, _VALUE = "Vertex", "Edge", "Value"
_ANYTHING = frozenset({_VALUE})


def plan_query(clauses: Sequence[Clause]) -> Plan:
    """Resolve the names of a query and choose how to execute it.

    Args:
        clauses: As parsed.

    Raises:
        MemgraphError: The clauses do not fit together or a name is used wrongly.
    """
    _check_order(clauses)
    planner = _Planner()
    planned = tuple(planner.clause(clause) for clause in clauses)
    last = planned[-1]
    returns = isinstance(last, ProjectionPlan)
    return Plan(
        clauses=planned,
        columns=last.columns if isinstance(last, ProjectionPlan) and returns else (),
        parameters=frozenset(planner.parameters),
        reads=any(isinstance(clause, Match | Merge) for clause in clauses),
        writes=any(isinstance(clause, Create | Merge | Set | Delete) for clause in clauses),
    )


def _check_order(clauses: Sequence[Clause]) -> None:
    updated = returned = optional = False
    for clause in clauses:
        if returned:
            raise MemgraphError.client("RETURN must be the last clause of a query.")
        match clause:
            case Match() | Unwind() if updated:
                name = "UNWIND" if isinstance(clause, Unwind) else "MATCH"
                raise MemgraphError.client(f"{name} can't be put after RETURN clause or after an update.")
            case Match():
                if optional and not clause.optional:
                    raise MemgraphError.client("MATCH can't be put after OPTIONAL MATCH.")
                optional = optional or clause.optional
            case Projection():
                returned = not clause.is_with
                updated = optional = False
            case Create() | Merge() | Set() | Delete():
                updated = True
            case Unwind():
                pass
    if not (returned or updated):
        raise MemgraphError.client("Query should either create or update something, or return results!")


class _Planner:
    """Walks the clauses with the variables in scope and what each is known to be."""

    def __init__(self) -> None:
        self.scope: dict[str, str] = {}
        self.parameters: set[str] = set()

    def clause(self, clause: Clause) -> ClausePlan:
        match clause:
            case Match():
                return self._match(clause)
            case Create():
                for path in clause.paths:
                    self._created(path, is_merge=False)
                return clause
            case Merge():
                return self._merge(clause)
            case Set():
                self._set_items(clause.items)
                return clause
            case Delete():
                for target in clause.targets:
                    self.check(target)
                return clause
            case Unwind():
                self.check(clause.source)
                self._introduce(clause.variable, _VALUE, may_exist=False)
                return clause
            case Projection():
                return self._projection(clause)

    def check(self, expression: Expression, also: Iterable[str] = ()) -> None:
        """Refuse unbound variables and aggregates; note the parameters."""
        for one in walk(expression):
            if isinstance(one, Aggregate):
                raise MemgraphError.client("Aggregation functions are only allowed in WITH and RETURN.")
        self._check_names(expression, also)

    def _check_names(self, expression: Expression, also: Iterable[str] = ()) -> None:
        self.parameters |= parameters(expression)
        for name in variables(expression):
            if name not in self.scope and name not in also:
                raise MemgraphError.client(f"Unbound variable: {name}.")

    def _introduce(self, name: str, kind: str, *, may_exist: bool) -> None:
        known = self.scope.get(name)
        if known is None:
            self.scope[name] = kind
        elif not may_exist:
            raise MemgraphError.client(f"Redeclaring variable: {name}.")
        elif kind != known and known not in _ANYTHING:
            raise MemgraphError.client(f"Type mismatch: {name} already defined as {known}, expected {kind}.")

    # -- MATCH -----------------------------------------------------------------------------------

    def _match(self, clause: Match) -> MatchPlan:
        before = set(self.scope)
        known_at = [set(before)]
        for path in clause.paths:
            self._introduce_path(path)
            known_at.append(set(self.scope))
        conditions = conjuncts(clause.where)
        for condition in conditions:
            self.check(condition)
        plans = []
        for number, path in enumerate(clause.paths):
            plan, later = self._path_plan(path, known_at[number], conditions)
            conditions = later
            decided = [one for one in conditions if variables(one) <= known_at[number + 1]]
            conditions = [one for one in conditions if one not in decided]
            plans.append(PathPlan(plan.path, plan.node_wants, plan.edge_wants, tuple(decided)))
        introduced = tuple(name for name in self.scope if name not in before)
        return MatchPlan(tuple(plans), introduced, clause.optional)

    def _introduce_path(self, path: PathPattern) -> None:
        for node in path.nodes:
            self._introduce(node.variable, _NODE, may_exist=True)
        for edge in path.edges:
            self._introduce(edge.variable, _EDGE, may_exist=True)

    def _path_plan(
        self, path: PathPattern, known: set[str], conditions: list[Expression]
    ) -> tuple[PathPlan, list[Expression]]:
        """Sort conditions into what is known before the path is looked for and what is left for later."""
        left = list(conditions)
        node_wants = tuple(self._wanted(node, known, left) for node in path.nodes)
        edge_wants = tuple(self._wanted(edge, known, left) for edge in path.edges)
        return PathPlan(path, node_wants, edge_wants, ()), left

    def _wanted(self, pattern: NodePattern | EdgePattern, known: set[str], conditions: list[Expression]) -> Wanted:
        """Return what is known of a pattern's properties; moves conditions between the two."""
        wanted: dict[str, Expression] = {}
        for name, value in _pattern_items(pattern.properties):
            self.check(value)
            if variables(value) <= known:
                wanted[name] = value
            else:
                conditions.append(Binary("=", Property(Variable(pattern.variable), name), value))
        if pattern.variable not in known:
            for condition in list(conditions):
                found = _equality(condition, pattern.variable, known)
                if found is not None and found[0] not in wanted:
                    wanted[found[0]] = found[1]
                    conditions.remove(condition)
        return tuple(wanted.items())

    # -- writing clauses -------------------------------------------------------------------------

    def _created(self, path: PathPattern, *, is_merge: bool) -> None:
        for node in path.nodes:
            if isinstance(node.properties, Parameter) and is_merge:
                raise MemgraphError.client("A parameter cannot be the property map of a MERGE pattern.")
            self._check_pattern_values(node.properties)
            bare = not node.labels and node.properties is None
            self._introduce(node.variable, _NODE, may_exist=bare and bool(path.edges))
        for edge in path.edges:
            if len(edge.types) != 1:
                raise MemgraphError.client("A single relationship type must be specified when creating an edge.")
            if edge.direction == "both" and not is_merge:
                raise MemgraphError.client("Bidirectional relationship are not supported when creating an edge")
            if isinstance(edge.properties, Parameter) and is_merge:
                raise MemgraphError.client("A parameter cannot be the property map of a MERGE pattern.")
            self._check_pattern_values(edge.properties)
            self._introduce(edge.variable, _EDGE, may_exist=False)

    def _check_pattern_values(self, properties: MapLiteral | Parameter | None) -> None:
        if isinstance(properties, Parameter):
            self.parameters.add(properties.name)
        elif properties is not None:
            self.check(properties)

    def _merge(self, clause: Merge) -> MergePlan:
        known = set(self.scope)
        self._created(clause.path, is_merge=True)
        search, later = self._path_plan(clause.path, known, [])
        if later:
            raise MemgraphError.client("The properties of a MERGE pattern must not use its own variables.")
        self._set_items(clause.on_match)
        self._set_items(clause.on_create)
        return MergePlan(search, clause.on_match, clause.on_create)

    def _set_items(self, items: Sequence[SetItem]) -> None:
        for item in items:
            self.check(Variable(item.variable))
            if not isinstance(item, SetLabels):
                self.check(item.value)

    # -- WITH and RETURN -------------------------------------------------------------------------

    def _projection(self, clause: Projection) -> ProjectionPlan:
        visible = [name for name in self.scope if not name.startswith(HIDDEN)]
        plan = plan_projection(clause, visible)
        for item in clause.items:
            self._check_names(item.expression)
        own = plan.columns
        for sort in plan.order:
            if not plan.keeps_scope:
                self._only(variables(sort.expression), own)
            self.check(sort.expression, also=own)
        for count in (plan.skip, plan.limit):
            if count is not None:
                self._only(variables(count), ())
                self.check(count)
        kinds = {
            item.name: self.scope.get(item.expression.name, _VALUE)
            for item in clause.items
            if isinstance(item.expression, Variable)
        }
        stars = {name: self.scope[name] for name in visible} if clause.star else {}
        self.scope = {name: kinds.get(name, stars.get(name, _VALUE)) for name in own}
        if plan.where is not None:
            self.check(plan.where)
        return plan

    def _only(self, names: Iterable[str], allowed: Iterable[str]) -> None:
        for name in names:
            if name not in set(allowed):
                raise MemgraphError.client(f"Unbound variable: {name}.")


def _pattern_items(properties: MapLiteral | Parameter | None) -> Wanted:
    if isinstance(properties, Parameter):
        raise MemgraphError.client(
            f"The parameter ${properties.name} cannot be the property map of a MATCH pattern; "
            "name the properties, as in (n {id: $id})."
        )
    return properties.items if properties is not None else ()


def _equality(condition: Expression, variable: str, known: set[str]) -> tuple[str, Expression] | None:
    """Return the property and its value if a condition says `variable.property = known value`."""
    if not isinstance(condition, Binary) or condition.operator != "=":
        return None
    for one, other in ((condition.left, condition.right), (condition.right, condition.left)):
        if isinstance(one, Property) and one.base == Variable(variable) and variables(other) <= known:
            return one.name, other
    return None
