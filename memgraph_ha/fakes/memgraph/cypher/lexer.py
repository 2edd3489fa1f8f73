"""From query text to tokens, and the syntax error that says where it stopped."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import INT64_MAX, Value

NAME: Final = "name"
QUOTED: Final = "quoted name"
STRING: Final = "string"
INTEGER: Final = "integer"
FLOAT: Final = "float"
PARAMETER: Final = "parameter"
SYMBOL: Final = "symbol"
END: Final = "end of the query"

# Far beyond any query that a client writes by hand; rows belong into parameters.
MAX_QUERY_LENGTH: Final = 4 * 1024 * 1024

_TOKEN: Final = re.compile(
    r"""
      (?P<skip>\s+|//[^\n]*|/\*.*?\*/)
    | (?P<name>[^\W\d]\w*)
    | (?P<float>(?:\d+\.\d+|\.\d+)(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+)
    | (?P<integer>0[xX][0-9a-fA-F]+|\d+)
    | (?P<quoted>`(?:[^`]|``)*`)
    | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    | (?P<parameter>\$(?:\w+|`(?:[^`]|``)*`))
    | (?P<symbol><=|>=|<>|!=|=~|\+=|\.\.|[-+*/%^=<>(){}\[\],.:;|])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "\\": "\\", "'": "'", '"': '"'}


@frozen
class Token:
    """A token and where it stands.

    Args:
        kind: One of the constants above.
        text: As written; of a name or parameter without quotes and `$`.
        value: Of a literal, else None.
        start: Offset of its first character in the query.
        end: Offset behind its last character.
        upper: The text as a keyword is compared; empty for what cannot be one.
    """

    kind: str
    text: str
    value: Value
    start: int
    end: int
    upper: str = ""

    def __str__(self) -> str:
        """Return it as an error text shows it."""
        return END if self.kind == END else f"{self.kind} '{self.text}'"


def syntax_error(text: str, offset: int, detail: str) -> MemgraphError:
    """Return a syntax error in Memgraph's form, which counts lines and positions from 1.

    Source: transcripts, official.md, `REGISTER REPLICA node-1`; the wording behind "is" is our own.

    Args:
        text: The query.
        offset: Where it cannot go on.
        detail: What is wrong there.
    """
    line = text.count("\n", 0, offset) + 1
    position = offset - text.rfind("\n", 0, offset)
    return MemgraphError.client(f"Error on line {line} position {position}. The underlying parsing error is {detail}")


def tokenize(text: str) -> list[Token]:
    """Split a query into tokens; the last one is of kind `END`.

    Raises:
        MemgraphError: A character or literal is not understood, or the query is too long.
    """
    if len(text) > MAX_QUERY_LENGTH:
        raise MemgraphError.client(
            f"The query has {len(text)} characters, at most {MAX_QUERY_LENGTH} are understood; "
            "pass large values as parameters."
        )
    tokens = []
    offset = 0
    while offset < len(text):
        found = _TOKEN.match(text, offset)
        if found is None:
            raise syntax_error(text, offset, f"token recognition error at: '{text[offset]}'")
        if found.lastgroup != "skip":
            tokens.append(_token(text, found))
        offset = found.end()
    tokens.append(Token(END, "", None, len(text), len(text)))
    return tokens


def _token(text: str, found: re.Match[str]) -> Token:
    written = found.group()
    start, end = found.span()
    match found.lastgroup:
        case "name":
            return Token(NAME, written, None, start, end, written.upper())
        case "symbol":
            return Token(SYMBOL, written, None, start, end)
        case "parameter":
            return Token(PARAMETER, _unquote(written[1:]), None, start, end)
        case "quoted":
            return Token(QUOTED, _unquote(written), None, start, end)
        case "string":
            return Token(STRING, written, _unescape(text, written, start), start, end)
        case "float":
            return Token(FLOAT, written, float(written), start, end)
        case _:
            return Token(INTEGER, written, _integer(text, written, start), start, end)


def _unquote(written: str) -> str:
    return written[1:-1].replace("``", "`") if written.startswith("`") else written


def _integer(text: str, written: str, start: int) -> int:
    # int() refuses to read thousands of digits; nothing longer than this can fit anyway.
    digits = written.lstrip("0")
    value = int(written, 16 if written[:2] in ("0x", "0X") else 10) if len(digits) <= 20 else None  # noqa: PLR2004
    if value is None or value > INT64_MAX:
        raise syntax_error(text, start, f"the integer '{written[:40]}' does not fit into 64 bits")
    return value


def _unescape(text: str, written: str, start: int) -> str:
    def replace(found: re.Match[str]) -> str:
        code = found.group(1)
        if len(code) > 1:
            number = int(code[1:], 16)
            if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF:  # noqa: PLR2004 - Unicode's limits
                return chr(number)
        elif code in _ESCAPES:
            return _ESCAPES[code]
        raise syntax_error(text, start + 1 + found.start(), f"the escape '\\{code}' is not understood")

    return _ESCAPE.sub(replace, written[1:-1]) if "\\" in written else written[1:-1]
