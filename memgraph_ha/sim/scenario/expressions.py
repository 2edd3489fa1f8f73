"""The language of expectations: one expression about the cluster, true or false at an instant.

    main == m1 and standby == m0
    status(m2) in ("ready", "replicating") or not up(m2)
    pause < 1.5s and sent("promote") <= 1

Words without arguments and functions are those of `memgraph_ha.sim.scenario.questions`; ``m0``, ``C1`` and the like
are names of instances and controllers. There is no way out of this language: it has no attributes, no assignment, no
loops, and knows no word but those listed.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from attrs import define, frozen

from memgraph_ha.sim.scenario.words import UNITS

if TYPE_CHECKING:
    from memgraph_ha.sim.scenario.stage import Stage

Answer = str | float | bool | None
"""What a part of an expression can come to; whole numbers are floats here."""

Meaning = Callable[["Stage"], Answer]

TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d+)?)(?P<unit>ms|s|min|h)?(?![\w.])
      | (?P<text>'[^']*'|"[^"]*")
      | (?P<word>[A-Za-z_]\w*)
      | (?P<mark>==|!=|<=|>=|[<>(),+-])
    )""",
    re.VERBOSE,
)
PLACE: Final = re.compile(r"[mC]\d+|api")
"""Names of instances and controllers, and of the Kubernetes API."""

CONSTANTS: Final[dict[str, Answer]] = {"true": True, "false": False, "null": None}
RESERVED: Final = ("and", "or", "not", "in")
COMPARE: Final[dict[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@frozen(kw_only=True)
class Question:
    """A word of the language.

    Attributes:
        args: Names of its arguments, for the reference; none: it is used without parentheses.
        text: What it says, one sentence.
        ask: Answers it; takes the stage and its arguments.
    """

    args: tuple[str, ...]
    text: str
    ask: Callable[..., Answer]


@frozen
class Token:
    """One piece of an expression."""

    kind: str
    text: str
    value: Answer = None


def parse_expression(text: str, questions: Mapping[str, Question]) -> Meaning:
    """Read an expression.

    Args:
        text: The whole of it.
        questions: The words that it may use.

    Returns:
        What tells its value at an instant.

    Raises:
        ValueError: It is none; the text says where, and what could stand there.
    """
    reader = _Reader(_split(text), questions)
    meaning = reader.either()
    if reader.next.kind != "end":
        raise ValueError(f"has {reader.next.text!r} where an operator or the end should be")
    return meaning


def _split(text: str) -> list[Token]:
    tokens, place, text = [], 0, text.rstrip()
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            raise ValueError(f"cannot be read from {text[place:].strip()!r} on")
        place = found.end()
        if found["number"]:
            value = float(found["number"]) * UNITS[found["unit"] or "s"]
            tokens.append(Token("value", found["number"], value))
        elif found["text"]:
            tokens.append(Token("value", found["text"], found["text"][1:-1]))
        else:
            tokens.append(Token("word" if found["word"] else "mark", found["word"] or found["mark"]))
    return [*tokens, Token("end", "the end")]


@define
class _Reader:
    """Reads tokens from left to right; each method reads one level of binding, the loosest first."""

    tokens: list[Token]
    questions: Mapping[str, Question]

    @property
    def next(self) -> Token:
        return self.tokens[0]

    def take(self, *texts: str) -> str | None:
        """Take the next token if it is one of these marks or reserved words."""
        if self.next.kind in ("word", "mark") and self.next.text in texts:
            return self.tokens.pop(0).text
        return None

    def need(self, text: str) -> None:
        if self.take(text) is None:
            raise ValueError(f"has {self.next.text!r} where {text!r} should be")

    def either(self) -> Meaning:
        parts = [self.both()]
        while self.take("or"):
            parts.append(self.both())
        return parts[0] if len(parts) == 1 else lambda stage: any(_yes(part(stage)) for part in parts)

    def both(self) -> Meaning:
        parts = [self.negated()]
        while self.take("and"):
            parts.append(self.negated())
        return parts[0] if len(parts) == 1 else lambda stage: all(_yes(part(stage)) for part in parts)

    def negated(self) -> Meaning:
        if self.take("not"):
            inner = self.negated()
            return lambda stage: not _yes(inner(stage))
        return self.compared()

    def compared(self) -> Meaning:
        left = self.sum()
        if sign := self.take("==", "!="):
            right = self.sum()
            same = sign == "=="
            return lambda stage: (left(stage) == right(stage)) is same
        if sign := self.take(*COMPARE):
            right, compare = self.sum(), COMPARE[sign]
            return lambda stage: compare(_number(left(stage)), _number(right(stage)))
        if self.take("in"):
            self.need("(")
            choices = self.listed()
            return lambda stage: left(stage) in [choice(stage) for choice in choices]
        return left

    def sum(self) -> Meaning:
        meaning = self.atom()
        while sign := self.take("+", "-"):
            left, right, factor = meaning, self.atom(), 1 if sign == "+" else -1
            meaning = _plus(left, right, factor)
        return meaning

    def atom(self) -> Meaning:
        token = self.tokens.pop(0)
        if token.kind == "value":
            return lambda _stage: token.value
        if token.text == "(":
            inner = self.either()
            self.need(")")
            return inner
        if token.kind != "word" or token.text in RESERVED:
            raise ValueError(f"has {token.text!r} where a value should be")
        if token.text in CONSTANTS:
            return lambda _stage: CONSTANTS[token.text]
        if PLACE.fullmatch(token.text):
            return lambda _stage: token.text
        return self.asked(token.text)

    def asked(self, word: str) -> Meaning:
        question = self.questions.get(word)
        if question is None:
            raise ValueError(f"has the word {word!r}, which is unknown; known are {', '.join(sorted(self.questions))}")
        given = self.listed() if self.take("(") else []
        if len(given) != len(question.args):
            takes = ", ".join(question.args) or "nothing"
            raise ValueError(f"gives {len(given)} argument(s) to {word!r}, which takes {takes}")
        return lambda stage: question.ask(stage, *(part(stage) for part in given))

    def listed(self) -> list[Meaning]:
        """Read what stands between parentheses, the opening one being taken."""
        parts: list[Meaning] = []
        while not self.take(")"):
            if parts:
                self.need(",")
            parts.append(self.either())
        return parts


def _plus(left: Meaning, right: Meaning, factor: int) -> Meaning:
    return lambda stage: _number(left(stage)) + factor * _number(right(stage))


def _yes(value: Answer) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _number(value: Answer) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return value
