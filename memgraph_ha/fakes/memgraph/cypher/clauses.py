"""The grammar of patterns and clauses, and of the schema commands."""

from __future__ import annotations

from memgraph_ha.fakes.memgraph.cypher.ast import (
    HIDDEN,
    Clause,
    Create,
    Delete,
    EdgePattern,
    Expression,
    Item,
    Literal,
    MapLiteral,
    Match,
    Merge,
    NodePattern,
    Parameter,
    PathPattern,
    Projection,
    SchemaChange,
    Set,
    SetItem,
    SetLabels,
    SetProperties,
    SetProperty,
    ShowSchema,
    SortItem,
    Unwind,
    Variable,
)
from memgraph_ha.fakes.memgraph.cypher.expressions import ExpressionParser
from memgraph_ha.fakes.memgraph.cypher.lexer import END, NAME, PARAMETER, QUOTED, syntax_error
from memgraph_ha.fakes.memgraph.graph_schema import EXISTS, UNIQUE, Constraint, Index

_CLAUSES = "CREATE, MERGE, MATCH, UNWIND, WITH, SET, REMOVE, DELETE or RETURN"


class QueryParser(ExpressionParser):
    """Parses one query: schema command or clauses, and an optional semicolon."""

    _hidden = 0

    def query(self) -> SchemaChange | ShowSchema | tuple[Clause, ...]:
        """Take the whole text.

        Raises:
            MemgraphError: Something in it is not understood.
        """
        found = self._schema_command() or self._clauses()
        self.symbol(";")
        if self.token.kind != END:
            self.fail(END)
        return found

    def _clauses(self) -> tuple[Clause, ...]:
        clauses = [self._clause()]
        while self.token.kind != END and not self.peek_symbol(";"):
            clauses.append(self._clause())
        return tuple(clauses)

    def _clause(self) -> Clause:  # noqa: C901 - one branch a clause, in no deeper order than the grammar
        if self.keyword("OPTIONAL", "MATCH"):
            return self._match(optional=True)
        if self.keyword("MATCH"):
            return self._match(optional=False)
        if self.keyword("CREATE"):
            return Create(self._paths())
        if self.keyword("MERGE"):
            return self._merge()
        if self.keyword("SET"):
            return Set(self._set_items())
        if self.keyword("REMOVE"):
            return self._remove()
        if self.keyword("DETACH", "DELETE"):
            return Delete(self._expressions(), detach=True)
        if self.keyword("DELETE"):
            return Delete(self._expressions(), detach=False)
        if self.keyword("UNWIND"):
            source = self.expression()
            self.expect_keyword("AS")
            return Unwind(source, self.expect_name("a variable"))
        if self.keyword("RETURN"):
            return self._projection(is_with=False)
        if self.keyword("WITH"):
            return self._projection(is_with=True)
        return self.fail(_CLAUSES)

    # -- patterns --------------------------------------------------------------------------------

    def _match(self, *, optional: bool) -> Match:
        paths = self._paths()
        where = self.expression() if self.keyword("WHERE") else None
        return Match(paths, where, optional)

    def _paths(self) -> tuple[PathPattern, ...]:
        paths = [self._path()]
        while self.symbol(","):
            paths.append(self._path())
        return tuple(paths)

    def _path(self) -> PathPattern:
        nodes = [self._node()]
        edges = []
        while self.peek_symbol("-") or self.peek_symbol("<"):
            edges.append(self._edge())
            nodes.append(self._node())
        return PathPattern(tuple(nodes), tuple(edges))

    def _node(self) -> NodePattern:
        self.expect_symbol("(")
        variable = self._variable()
        labels = self.labels()
        properties = self._properties()
        self.expect_symbol(")")
        return NodePattern(variable, labels, properties)

    def _edge(self) -> EdgePattern:
        points_left = self.symbol("<")
        self.expect_symbol("-")
        variable, types, properties = self._new_hidden(), [], None
        if self.symbol("["):
            if self.token.kind in (NAME, QUOTED):
                variable = self.advance().text
            if self.symbol(":"):
                types.append(self.expect_name("a relationship type"))
                while self.symbol("|"):
                    self.symbol(":")
                    types.append(self.expect_name("a relationship type"))
            if self.peek_symbol("*"):
                raise syntax_error(self.text, self.token.start, "variable-length relationships are not understood")
            properties = self._properties()
            self.expect_symbol("]")
        self.expect_symbol("-")
        points_right = self.symbol(">")
        direction = "both" if points_left == points_right else "out" if points_right else "in"
        return EdgePattern(variable, tuple(types), direction, properties)

    def _variable(self) -> str:
        if self.token.kind in (NAME, QUOTED):
            return self.advance().text
        return self._new_hidden()

    def _new_hidden(self) -> str:
        self._hidden += 1
        return f"{HIDDEN}{self._hidden}"

    def _properties(self) -> MapLiteral | Parameter | None:
        if self.peek_symbol("{"):
            return self.map_literal()
        if self.token.kind == PARAMETER:
            return Parameter(self.advance().text)
        return None

    # -- writing clauses -------------------------------------------------------------------------

    def _merge(self) -> Merge:
        path = self._path()
        on_match: tuple[SetItem, ...] = ()
        on_create: tuple[SetItem, ...] = ()
        while self.keyword("ON"):
            if self.keyword("MATCH"):
                self.expect_keyword("SET")
                on_match += self._set_items()
            else:
                self.expect_keyword("CREATE", "SET")
                on_create += self._set_items()
        return Merge(path, on_match, on_create)

    def _set_items(self) -> tuple[SetItem, ...]:
        items = [self._set_item()]
        while self.symbol(","):
            items.append(self._set_item())
        return tuple(items)

    def _set_item(self) -> SetItem:
        variable = self.expect_name("a variable")
        if self.symbol("."):
            name = self.expect_name("a property name")
            self.expect_symbol("=")
            return SetProperty(variable, name, self.expression())
        if self.symbol("+="):
            return SetProperties(variable, self.expression(), keep=True)
        if self.symbol("="):
            return SetProperties(variable, self.expression(), keep=False)
        labels = self.labels()
        if not labels:
            self.fail("'.', '=', '+=' or ':'")
        return SetLabels(variable, labels, remove=False)

    def _remove(self) -> Set:
        items = [self._remove_item()]
        while self.symbol(","):
            items.append(self._remove_item())
        return Set(tuple(items))

    def _remove_item(self) -> SetItem:
        variable = self.expect_name("a variable")
        if self.symbol("."):
            return SetProperty(variable, self.expect_name("a property name"), Literal(None))
        labels = self.labels()
        if not labels:
            self.fail("'.' or ':'")
        return SetLabels(variable, labels, remove=True)

    def _expressions(self) -> tuple[Expression, ...]:
        found = [self.expression()]
        while self.symbol(","):
            found.append(self.expression())
        return tuple(found)

    # -- WITH and RETURN -------------------------------------------------------------------------

    def _projection(self, *, is_with: bool) -> Projection:
        distinct = self.keyword("DISTINCT")
        star = self.symbol("*")
        items = []
        if not star or self.symbol(","):
            items.append(self._item(is_with=is_with))
            while self.symbol(","):
                items.append(self._item(is_with=is_with))
        order = self._order() if self.keyword("ORDER", "BY") else ()
        skip = self.expression() if self.keyword("SKIP") else None
        limit = self.expression() if self.keyword("LIMIT") else None
        where = self.expression() if is_with and self.keyword("WHERE") else None
        return Projection(is_with, star, distinct, tuple(items), order, skip, limit, where)

    def _item(self, *, is_with: bool) -> Item:
        start = self.token.start
        expression = self.expression()
        written = self.text[start : self.previous_end]
        if self.keyword("AS"):
            return Item(expression, self.expect_name("a name"))
        if isinstance(expression, Variable):
            return Item(expression, expression.name)
        if is_with:
            raise syntax_error(self.text, start, "Only variables can be non-aliased in WITH.")
        return Item(expression, written)

    def _order(self) -> tuple[SortItem, ...]:
        items = [self._sort_item()]
        while self.symbol(","):
            items.append(self._sort_item())
        return tuple(items)

    def _sort_item(self) -> SortItem:
        expression = self.expression()
        descending = self.keyword("DESC") or self.keyword("DESCENDING")
        if not descending and not self.keyword("ASC"):
            self.keyword("ASCENDING")
        return SortItem(expression, descending)

    # -- schema commands -------------------------------------------------------------------------

    def _schema_command(self) -> SchemaChange | ShowSchema | None:
        if self.keyword("SHOW", "INDEX", "INFO"):
            return ShowSchema(indexes=True)
        if self.keyword("SHOW", "CONSTRAINT", "INFO"):
            return ShowSchema(indexes=False)
        for verb, sign in (("CREATE", "+"), ("DROP", "-")):
            if self.keyword(verb, "INDEX", "ON"):
                return SchemaChange(f"{sign}index", self._index())
            if self.keyword(verb, "CONSTRAINT", "ON"):
                return SchemaChange(f"{sign}constraint", self._constraint())
        return None

    def _index(self) -> Index:
        self.expect_symbol(":")
        label = self.expect_name("a label")
        properties = []
        if self.symbol("("):
            properties.append(self.expect_name("a property name"))
            while self.symbol(","):
                properties.append(self.expect_name("a property name"))
            self.expect_symbol(")")
        return Index(label, tuple(properties))

    def _constraint(self) -> Constraint:
        self.expect_symbol("(")
        variable = self.expect_name("a variable")
        self.expect_symbol(":")
        label = self.expect_name("a label")
        self.expect_symbol(")")
        self.expect_keyword("ASSERT")
        if self.keyword("EXISTS"):
            self.expect_symbol("(")
            properties = (self._constraint_property(variable),)
            self.expect_symbol(")")
            return Constraint(EXISTS, label, properties)
        names = [self._constraint_property(variable)]
        while self.symbol(","):
            names.append(self._constraint_property(variable))
        self.expect_keyword("IS", "UNIQUE")
        return Constraint(UNIQUE, label, tuple(names))

    def _constraint_property(self, variable: str) -> str:
        if self.token.kind not in (NAME, QUOTED) or self.token.text != variable:
            self.fail(f"the variable '{variable}'")
        self.advance()
        self.expect_symbol(".")
        return self.expect_name("a property name")
