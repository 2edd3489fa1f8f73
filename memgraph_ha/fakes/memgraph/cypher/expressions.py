"""The expression grammar, with the precedence of Memgraph's own grammar.

From loosest to tightest: OR, XOR, AND, NOT, comparisons, + -, * / %, ^, unary + -, then IN, STARTS WITH,
ENDS WITH, CONTAINS and IS NULL, then subscripts, properties and labels.
"""

from __future__ import annotations

from functools import reduce
from typing import Final

from memgraph_ha.fakes.memgraph.cypher.ast import (
    Aggregate,
    Binary,
    Call,
    Case,
    Expression,
    HasLabels,
    IsNull,
    ListLiteral,
    Literal,
    MapLiteral,
    Parameter,
    Property,
    Subscript,
    Unary,
    Variable,
)
from memgraph_ha.fakes.memgraph.cypher.cursor import TokenCursor
from memgraph_ha.fakes.memgraph.cypher.functions import FUNCTIONS
from memgraph_ha.fakes.memgraph.cypher.lexer import (
    FLOAT,
    INTEGER,
    NAME,
    PARAMETER,
    QUOTED,
    STRING,
    SYMBOL,
    syntax_error,
)

AGGREGATES: Final = frozenset({"count", "sum", "min", "max", "avg", "collect"})
_COMPARISONS: Final = frozenset({"=", "<>", "!=", "<", ">", "<=", ">="})
_LITERALS: Final = {"TRUE": True, "FALSE": False, "NULL": None}
# Left-associative binary operators that are symbols, loosest first.
_ARITHMETIC: Final = (frozenset("+-"), frozenset("*/%"), frozenset("^"))


class ExpressionParser(TokenCursor):
    """Parses expressions at the cursor."""

    def expression(self) -> Expression:
        """Take a whole expression.

        Raises:
            MemgraphError: It is not understood.
        """
        left = self._xor()
        while self.keyword("OR"):
            left = Binary("or", left, self._xor())
        return left

    def _xor(self) -> Expression:
        left = self._and()
        while self.keyword("XOR"):
            left = Binary("xor", left, self._and())
        return left

    def _and(self) -> Expression:
        left = self._not()
        while self.keyword("AND"):
            left = Binary("and", left, self._not())
        return left

    def _not(self) -> Expression:
        if self.keyword("NOT"):
            return Unary("not", self._not())
        return self._comparison()

    def _comparison(self) -> Expression:
        operands = [self._arithmetic(0)]
        operators = []
        while self.token.kind == SYMBOL and self.token.text in _COMPARISONS:
            operator = self.advance().text
            operators.append("<>" if operator == "!=" else operator)
            operands.append(self._arithmetic(0))
        if not operators:
            return operands[0]
        # a < b < c means a < b AND b < c.
        pairs = [Binary(op, operands[i], operands[i + 1]) for i, op in enumerate(operators)]
        return reduce(lambda left, right: Binary("and", left, right), pairs)

    def _arithmetic(self, level: int) -> Expression:
        if level == len(_ARITHMETIC):
            return self._sign()
        left = self._arithmetic(level + 1)
        while self.token.kind == SYMBOL and self.token.text in _ARITHMETIC[level]:
            left = Binary(self.advance().text, left, self._arithmetic(level + 1))
        return left

    def _sign(self) -> Expression:
        if self.peek_symbol("-") or self.peek_symbol("+"):
            return Unary(self.advance().text, self._sign())
        return self._predicate()

    def _predicate(self) -> Expression:
        left = self._postfix()
        while True:
            if self.keyword("IS", "NOT", "NULL"):
                left = IsNull(left, negated=True)
            elif self.keyword("IS", "NULL"):
                left = IsNull(left, negated=False)
            elif self.keyword("IN"):
                left = Binary("in", left, self._postfix())
            elif self.keyword("STARTS", "WITH"):
                left = Binary("starts with", left, self._postfix())
            elif self.keyword("ENDS", "WITH"):
                left = Binary("ends with", left, self._postfix())
            elif self.keyword("CONTAINS"):
                left = Binary("contains", left, self._postfix())
            else:
                return left

    def _postfix(self) -> Expression:
        value = self._atom()
        while True:
            if self.symbol("."):
                value = Property(value, self.expect_name("a property name"))
            elif self.symbol("["):
                index = self.expression()
                self.expect_symbol("]")
                value = Subscript(value, index)
            elif self.peek_symbol(":"):
                value = HasLabels(value, self.labels())
            else:
                return value

    def labels(self) -> tuple[str, ...]:
        """Take `:A:B`, or nothing."""
        labels = []
        while self.symbol(":"):
            labels.append(self.expect_name("a label"))
        return tuple(labels)

    def _atom(self) -> Expression:
        token = self.token
        if token.kind in (STRING, INTEGER, FLOAT):
            return Literal(self.advance().value)
        if token.kind == PARAMETER:
            return Parameter(self.advance().text)
        if self.symbol("("):
            inner = self.expression()
            self.expect_symbol(")")
            return inner
        if self.peek_symbol("["):
            return self._list()
        if self.peek_symbol("{"):
            return self.map_literal()
        if token.kind not in (NAME, QUOTED):
            self.fail("an expression")
        if token.upper in _LITERALS:
            self.advance()
            return Literal(_LITERALS[token.upper])
        if self.keyword("CASE"):
            return self._case()
        name = self.advance().text
        if token.kind == NAME and self.peek_symbol("("):
            return self._call(name.lower(), token.start)
        return Variable(name)

    def _list(self) -> Expression:
        self.expect_symbol("[")
        items = []
        if not self.peek_symbol("]"):
            items.append(self.expression())
            while self.symbol(","):
                items.append(self.expression())
        self.expect_symbol("]")
        return ListLiteral(tuple(items))

    def map_literal(self) -> MapLiteral:
        """Take `{name: value, ...}`.

        Raises:
            MemgraphError: It is not understood.
        """
        self.expect_symbol("{")
        items: dict[str, Expression] = {}
        while not self.peek_symbol("}"):
            name = self.expect_name("a property name")
            self.expect_symbol(":")
            items[name] = self.expression()
            if not self.symbol(","):
                break
        self.expect_symbol("}")
        return MapLiteral(tuple(items.items()))

    def _case(self) -> Expression:
        subject = None if self.peek_keyword("WHEN") else self.expression()
        branches = []
        while self.keyword("WHEN"):
            condition = self.expression()
            self.expect_keyword("THEN")
            branches.append((condition, self.expression()))
        if not branches:
            self.fail("WHEN")
        otherwise = self.expression() if self.keyword("ELSE") else None
        self.expect_keyword("END")
        return Case(subject, tuple(branches), otherwise)

    def _call(self, name: str, position: int) -> Expression:
        self.expect_symbol("(")
        if name == "count" and self.symbol("*"):
            self.expect_symbol(")")
            return Aggregate(name, None, distinct=False)
        distinct = self.keyword("DISTINCT")
        arguments = []
        if not self.peek_symbol(")"):
            arguments.append(self.expression())
            while self.symbol(","):
                arguments.append(self.expression())
        self.expect_symbol(")")
        if name in AGGREGATES:
            if len(arguments) != 1:
                raise syntax_error(self.text, position, f"{name}() takes one argument, {len(arguments)} are given")
            return Aggregate(name, arguments[0], distinct)
        function = FUNCTIONS.get(name)
        if function is None or distinct:
            raise syntax_error(self.text, position, f"the function '{name}' is not understood")
        if not function.fewest <= len(arguments) <= function.most:
            raise syntax_error(self.text, position, f"{name}() does not take {len(arguments)} arguments")
        return Call(name, tuple(arguments), position)
