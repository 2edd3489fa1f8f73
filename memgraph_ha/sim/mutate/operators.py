"""The kinds of mistakes in a rule's text: each is one change of one node of its syntax tree.

They are those that somebody makes who writes a rule: a guard forgotten, a condition that lacks a part, fresh taken
for stale, a run not compared, a field left as it was, a number not raised, a command not sent or sent too early.
What people read (reasons, evidence) and when the next look comes are no decisions, and are left alone.
"""

import ast
from collections.abc import Callable, Iterator
from typing import Final

Change = tuple[ast.AST | None, str]
"""What stands there instead (None: nothing), and how the report shows it."""

FLIPPED: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
ORDERED: Final = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
PAIRED: Final = {"any": "all", "all": "any", "min": "max", "max": "min"}
BINDING: Final = frozenset({"run", "main_run", "replica_run", "fallback", "standby", "row", "incarnation"})
"""What a command or a record is bound to."""
CLOCKS: Final = ("_s", "at", "since")
"""How names of times end, in this project."""

SHOWN: Final = 90
"""Longest excerpt of code in a report, characters."""


def text(node: ast.AST) -> str:
    """Show code on one line, shortened."""
    said = " ".join(ast.unparse(node).split())
    return said if len(said) <= SHOWN else said[: SHOWN - 3] + "..."


def guard_off(node: ast.AST) -> Iterator[Change]:
    """A guard, or any other branch, that is never taken."""
    if isinstance(node, ast.If):
        never = ast.If(test=ast.Constant(value=False), body=node.body, orelse=node.orelse)
        yield never, f"never: {text(node.test)}"


def operand_off(node: ast.AST) -> Iterator[Change]:
    """A condition that lacks one of its parts."""
    if isinstance(node, ast.BoolOp):
        for place in range(len(node.values)):
            left = [value for at, value in enumerate(node.values) if at != place]
            put = left[0] if len(left) == 1 else ast.BoolOp(op=node.op, values=left)
            yield put, text(put)


def compare(node: ast.AST) -> Iterator[Change]:
    """A limit that is off by one, or a comparison turned round; times are `age_off`'s."""
    if not isinstance(node, ast.Compare) or len(node.ops) != 1 or _of_times(node) or _asks_for_none(node):
        return
    put = ast.Compare(left=node.left, ops=[FLIPPED[type(node.ops[0])]()], comparators=node.comparators)
    yield put, text(put)


def age_off(node: ast.AST) -> Iterator[Change]:
    """An age that is not looked at: always old enough or young enough, or never (stale for fresh)."""
    if isinstance(node, ast.Compare) and _of_times(node) and isinstance(node.ops[0], ORDERED):
        for answer in (True, False):
            yield ast.Constant(value=answer), str(answer)


def not_off(node: ast.AST) -> Iterator[Change]:
    """A negation forgotten."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node.operand, text(node.operand)


def either(node: ast.AST) -> Iterator[Change]:
    """A choice of two that always falls the same way."""
    if isinstance(node, ast.IfExp) and not (is_words(node.body) and is_words(node.orelse)):
        for put in (node.body, node.orelse):
            yield put, text(put)


def quantifier(node: ast.AST) -> Iterator[Change]:
    """All for any, the latest for the earliest."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PAIRED:
        name = ast.Name(id=PAIRED[node.func.id], ctx=ast.Load())
        put = ast.Call(func=name, args=node.args, keywords=node.keywords)
        yield put, text(put)


def filter_off(node: ast.AST) -> Iterator[Change]:
    """Everybody for those who qualify."""
    if isinstance(node, ast.comprehension):
        for place in range(len(node.ifs)):
            left = [test for at, test in enumerate(node.ifs) if at != place]
            put = ast.comprehension(target=node.target, iter=node.iter, ifs=left, is_async=node.is_async)
            yield put, text(put).strip()


def field_kept(node: ast.AST) -> Iterator[Change]:
    """A field of the record that is left as it was: a name kept, a fallback not cleared."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "evolve":
        for place, dropped in enumerate(node.keywords):
            left = [keyword for at, keyword in enumerate(node.keywords) if at != place]
            yield ast.Call(func=node.func, args=node.args, keywords=left), f"{dropped.arg} is kept"


def number_reused(node: ast.AST) -> Iterator[Change]:
    """A number that does not rise, a mark that is not added or taken away."""
    if isinstance(node, ast.BinOp) and not _of_times(node) and not is_words(node):
        counts = isinstance(node.op, ast.Add | ast.Sub) and isinstance(node.right, ast.Constant)
        if counts or isinstance(node.op, ast.BitOr | ast.BitAnd):
            yield node.left, text(node.left)


def unbound(node: ast.AST) -> Iterator[Change]:
    """Something that is not said: a run that is not asked for, a fallback forgotten, a row not named."""
    if isinstance(node, ast.keyword) and node.arg in BINDING and text(node.value) != "None":
        yield ast.keyword(arg=node.arg, value=ast.Constant(value=None)), f"{node.arg}=None"


def command_off(node: ast.AST) -> Iterator[Change]:
    """A command that is not sent, or sent before the one that must come first."""
    if isinstance(node, ast.keyword) and node.arg == "commands":
        for put, shown in _other_commands(node.value):
            yield ast.keyword(arg=node.arg, value=put), shown
    if isinstance(node, ast.Assign) and text(node.targets[0]) == "commands":
        for put, shown in _other_commands(node.value):
            yield ast.copy_location(ast.Assign(targets=node.targets, value=put), node), shown


def _other_commands(sent: ast.expr) -> Iterator[tuple[ast.expr, str]]:
    if isinstance(sent, ast.IfExp):
        for put, shown in _other_commands(sent.body):
            yield ast.IfExp(test=sent.test, body=put, orelse=sent.orelse), shown
        for put, shown in _other_commands(sent.orelse):
            yield ast.IfExp(test=sent.test, body=sent.body, orelse=put), shown
    if not isinstance(sent, ast.Tuple):
        return
    commands = sent.elts
    for place in range(len(commands)):
        left = [command for at, command in enumerate(commands) if at != place]
        yield ast.Tuple(elts=left, ctx=ast.Load()), f"without {text(commands[place])}"
    for place in range(len(commands) - 1):
        swapped = [*commands[:place], commands[place + 1], commands[place], *commands[place + 2 :]]
        yield ast.Tuple(elts=swapped, ctx=ast.Load()), f"{text(commands[place + 1])} first"


OPERATORS: Final[dict[str, Callable[[ast.AST], Iterator[Change]]]] = {
    "guard-off": guard_off,
    "operand-off": operand_off,
    "compare": compare,
    "age-off": age_off,
    "not-off": not_off,
    "either": either,
    "quantifier": quantifier,
    "filter-off": filter_off,
    "field-kept": field_kept,
    "number-reused": number_reused,
    "unbound": unbound,
    "command-off": command_off,
}
"""Name to what makes such a mistake of a node."""


def is_words(node: ast.AST) -> bool:
    """Whether it is something for people to read."""
    match node:
        case ast.JoinedStr() | ast.Constant(value=str()):
            return True
        case ast.IfExp(body=one, orelse=other) | ast.BinOp(left=one, right=other):
            return is_words(one) or is_words(other)
        case _:
            return False


def _of_times(node: ast.AST) -> bool:
    """Whether it reckons with times: on a clock in fractions of a second no limit is ever met exactly."""
    names = [part.attr if isinstance(part, ast.Attribute) else getattr(part, "id", "") for part in ast.walk(node)]
    return any(name.endswith(CLOCKS[0]) or name in CLOCKS for name in names)


def _asks_for_none(node: ast.Compare) -> bool:
    """Whether it only asks if something is known: forgotten it is `guard_off`'s, turned round it is a crash."""
    (other,) = node.comparators
    return isinstance(other, ast.Constant) and other.value is None
