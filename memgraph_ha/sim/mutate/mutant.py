"""A mutant: one deliberate mistake in the rules, told apart by where it is and what it changes."""

import ast
from collections.abc import Callable

from attrs import field, frozen

from memgraph_ha.core.rules import Rule

Step = tuple[str, int | None]
"""From a node to a child: the field, and the place in it if the field is a list."""


@frozen
class Edit:
    """A change of one node of a module's syntax tree.

    Attributes:
        path: From the module to the node.
        put: What stands there instead; None takes the node out of the list that it is in.
    """

    path: tuple[Step, ...]
    put: ast.AST | None = field(eq=False)


@frozen
class Table:
    """A change of the table of rules.

    Attributes:
        change: Makes the mistaken table from the right one.
    """

    change: Callable[[tuple[Rule, ...]], tuple[Rule, ...]] = field(eq=False)


@frozen(kw_only=True)
class Mutant:
    """One mistake.

    Attributes:
        id: File, line and operator, as ``rules/loss.py:41:guard-off``; the second such one on a line ends in ``#2``.
        file: The module, below ``memgraph_ha/core``; for the table ``rules/__init__.py``.
        lines: The first line of the statement that is changed, and the last one of the change: 0 for the table.
        function: Qualified name of the function that is changed, or id of the rule that is moved.
        operator: What kind of mistake; see `operators.OPERATORS` and `table.OPERATORS`.
        before: What the code says.
        after: What the mutant says.
        plant: How it is made.
    """

    id: str
    file: str
    lines: tuple[int, int]
    function: str
    operator: str
    before: str
    after: str
    plant: Edit | Table

    @property
    def anchor(self) -> str:
        """What stays the same when lines move: for the list of equivalent ones."""
        return f"{self.file} {self.function} {self.operator}: {self.before} -> {self.after}"
