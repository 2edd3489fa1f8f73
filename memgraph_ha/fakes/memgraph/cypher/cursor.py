"""Stepping through tokens: what every part of the parser shares."""

from __future__ import annotations

from typing import NoReturn

from memgraph_ha.fakes.memgraph.cypher.lexer import END, NAME, QUOTED, SYMBOL, Token, syntax_error, tokenize


class TokenCursor:
    """A position in the tokens of one query.

    Args:
        text: The query.

    Raises:
        MemgraphError: It cannot be split into tokens.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._tokens = tokenize(text)
        self._next = 0

    @property
    def token(self) -> Token:
        """The next token; `END` for ever at the end."""
        return self._tokens[self._next]

    @property
    def previous_end(self) -> int:
        """The offset behind the token that was taken last."""
        return self._tokens[self._next - 1].end

    def advance(self) -> Token:
        """Take the next token, whatever it is."""
        token = self._tokens[self._next]
        if token.kind != END:
            self._next += 1
        return token

    def peek_keyword(self, *words: str) -> bool:
        """Return whether the next tokens are these keywords."""
        if self._tokens[self._next].upper != words[0]:
            return False
        tokens = self._tokens[self._next : self._next + len(words)]
        return len(tokens) == len(words) and all(token.upper == word for token, word in zip(tokens, words, strict=True))

    def keyword(self, *words: str) -> bool:
        """Take these keywords if they are next."""
        if not self.peek_keyword(*words):
            return False
        self._next += len(words)
        return True

    def peek_symbol(self, symbol: str) -> bool:
        """Return whether the next token is this symbol."""
        token = self._tokens[self._next]
        return token.kind == SYMBOL and token.text == symbol

    def symbol(self, symbol: str) -> bool:
        """Take this symbol if it is next."""
        if not self.peek_symbol(symbol):
            return False
        self._next += 1
        return True

    def expect_keyword(self, *words: str) -> None:
        """Take these keywords.

        Raises:
            MemgraphError: Something else is next.
        """
        if not self.keyword(*words):
            self.fail(" ".join(words))

    def expect_symbol(self, symbol: str) -> None:
        """Take this symbol.

        Raises:
            MemgraphError: Something else is next.
        """
        if not self.symbol(symbol):
            self.fail(f"'{symbol}'")

    def expect_name(self, what: str) -> str:
        """Take a name, plain or in backticks; Memgraph allows keywords as names.

        Args:
            what: What it names, for the error text.

        Raises:
            MemgraphError: Something else is next.
        """
        if self.token.kind not in (NAME, QUOTED):
            self.fail(what)
        return self.advance().text

    def fail(self, expected: str) -> NoReturn:
        """Refuse the next token.

        Raises:
            MemgraphError: Always, saying what is not understood, where, and what would be.
        """
        raise syntax_error(self.text, self.token.start, f"unexpected {self.token}, expecting {expected}")
