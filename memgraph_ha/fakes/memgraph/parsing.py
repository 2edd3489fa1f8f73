"""From query text to a `Statement`, with Memgraph's own syntax errors (raw recording c)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from . import texts
from .cypher.lexer import END, INTEGER, NAME, PARAMETER, QUOTED, STRING, Token, syntax_error, tokenize
from .errors import MemgraphError
from .instance import Mode
from .settings import StorageMode
from .statements import (
    CreateSnapshot,
    CreateTrigger,
    CreateUser,
    Drop,
    DropGraph,
    DropTrigger,
    DropUser,
    FreeMemory,
    RecoverSnapshot,
    Register,
    SetDatabaseSetting,
    SetPassword,
    SetRole,
    SetStorageMode,
    Show,
    Statement,
    Terminate,
    Topic,
)

# How our statements begin; everything else is Cypher.  SHOW INDEX INFO and the like are Cypher's.
_OURS: Final = re.compile(
    r"""(?:\s|//[^\n]*\n|/\*.*?\*/)*
    (?: SHOW \s+ (?! INDEX | CONSTRAINT ) | REGISTER \s | FREE \s | RECOVER \s | STORAGE \s | TERMINATE \s
      | DROP \s+ (?: REPLICA | USER | TRIGGER | GRAPH ) \b
      | SET \s+ (?: REPLICATION | PASSWORD | DATABASE ) \b
      | CREATE \s+ (?: USER | SNAPSHOT | TRIGGER ) \b )""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
_MODES: Final = {"SYNC": Mode.SYNC, "ASYNC": Mode.ASYNC, "STRICT_SYNC": Mode.STRICT_SYNC}
_ANY_NAME: Final = "a symbolic name"


@lru_cache(maxsize=1024)
def parse_statement(text: str) -> Statement | None:
    """Return the statement that `text` is, or None if it is to be read as Cypher.

    Raises:
        MemgraphError: It begins like one of ours and does not go on like one.
    """
    if not _OURS.match(text):
        return None
    reader = _Reader(text)
    statement = _STATEMENTS[reader.word(_STATEMENTS)](reader)
    reader.end()
    return statement


class _Reader:
    """Walks over the tokens and complains as ANTLR does."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
        self._at = 0

    @property
    def here(self) -> Token:
        return self._tokens[self._at]

    def take(self) -> Token:
        token = self.here
        self._at += token.kind != END
        return token

    def word(self, choices: Mapping[str, object]) -> str:
        """Take one of the keywords `choices`."""
        if self.here.upper not in choices:
            raise self.unexpected(choices)
        return self.take().upper

    def words(self, *keywords: str) -> None:
        """Take these keywords one after the other."""
        for keyword in keywords:
            self.word({keyword: None})

    def maybe(self, *keywords: str) -> bool:
        """Take these keywords if they are there."""
        found = [token.upper for token in self._tokens[self._at : self._at + len(keywords)]]
        if found != list(keywords):
            return False
        self._at += len(keywords)
        return True

    def name(self) -> str:
        """Take a plain or backtick-quoted name; its case is kept (semantics 2.4)."""
        if self.here.kind not in {NAME, QUOTED}:
            raise self.unexpected({_ANY_NAME: None})
        return self.take().text

    def string(self) -> str:
        """Take a string literal; parameters are not allowed where it is used (raw recording c)."""
        if self.here.kind != STRING:
            raise self.unexpected({"StringLiteral": None})
        return str(self.take().value)

    def rest(self) -> str:
        """Take everything to the end, as text."""
        text = self._text[self.here.start :].strip().removesuffix(";").strip()
        self._at = len(self._tokens) - 1
        return text

    def end(self) -> None:
        """Make sure that nothing follows but a semicolon."""
        if self.here.text == ";":
            self.take()
        if self.here.kind != END:
            raise self.unexpected({"<EOF>": None})

    def unexpected(self, expected: Mapping[str, object]) -> MemgraphError:
        """Return the complaint: ANTLR first tries to leave one token out, then to put one in."""
        token = self.here
        wanted = sorted(expected)
        listed = "{" + ", ".join(wanted) + "}" if len(wanted) > 1 else wanted[0]
        shown = self._text[token.start : token.end] or "<EOF>"
        following = self._tokens[min(self._at + 1, len(self._tokens) - 1)]
        if token.kind == PARAMETER:
            detail = f"extraneous input '$' expecting {listed}"
        elif following.upper in expected or (_ANY_NAME in expected and following.kind == NAME):
            detail = f"extraneous input '{shown}' expecting {listed}"
        elif token.kind == NAME:
            detail = f"missing {listed} at '{shown}'"
        else:
            detail = f"mismatched input '{shown}' expecting {listed}"
        return syntax_error(self._text, token.start, detail)


def _show(reader: _Reader) -> Statement:
    words: list[str] = []
    while reader.here.kind == NAME and " ".join(words) not in {"DATABASE SETTING", "STORAGE INFO ON DATABASE"}:
        words.append(reader.take().upper)
    topic = " ".join(words)
    if topic == "STORAGE INFO ON CURRENT DATABASE":
        return Show(Topic.DATABASE_STORAGE_INFO, "")
    if topic not in {each.value for each in Topic}:
        raise reader.unexpected({each.value: None for each in Topic})
    name = ""
    if topic == Topic.DATABASE_STORAGE_INFO.value:
        name = reader.name()
    elif topic == Topic.DATABASE_SETTING.value:
        name = reader.string()
    return Show(Topic(topic), name)


def _set(reader: _Reader) -> Statement:
    match reader.word({"REPLICATION": None, "PASSWORD": None, "DATABASE": None}):
        case "REPLICATION":
            reader.words("ROLE", "TO")
            return _role(reader)
        case "PASSWORD":
            reader.words("FOR")
            name = reader.name()
            reader.words("TO")
            return SetPassword(name, None if reader.maybe("NULL") else reader.string())
        case _:
            reader.words("SETTING")
            name = reader.string()
            reader.words("TO")
            return SetDatabaseSetting(name, reader.string())


def _role(reader: _Reader) -> Statement:
    role = reader.word({"MAIN": None, "REPLICA": None})
    port = None
    if reader.maybe("WITH"):
        reader.words("PORT")
        if reader.here.kind != INTEGER:
            raise MemgraphError.client("Port must be an integer literal!")
        port = reader.take().value
    if role == "MAIN" and port is not None:
        raise MemgraphError.client(texts.PORT_ON_MAIN)
    if role == "REPLICA" and port is None:
        raise MemgraphError.client(texts.PORT_MISSING)
    return SetRole(port if isinstance(port, int) else None)


def _register(reader: _Reader) -> Statement:
    reader.words("REPLICA")
    name = reader.name()
    mode = _MODES[reader.word(_MODES)]
    reader.words("TO")
    return Register(name, mode, reader.string())


def _drop(reader: _Reader) -> Statement:
    match reader.word({"REPLICA": None, "USER": None, "TRIGGER": None, "GRAPH": None}):
        case "REPLICA":
            return Drop(reader.name())
        case "USER":
            return DropUser(reader.name())
        case "TRIGGER":
            return DropTrigger(reader.name())
        case _:
            return DropGraph()


def _create(reader: _Reader) -> Statement:
    match reader.word({"USER": None, "SNAPSHOT": None, "TRIGGER": None}):
        case "USER":
            if_not_exists = reader.maybe("IF", "NOT", "EXISTS")
            name = reader.name()
            password = None
            if reader.maybe("IDENTIFIED"):
                reader.words("BY")
                password = reader.string()
            return CreateUser(name, password, if_not_exists)
        case "SNAPSHOT":
            return CreateSnapshot()
        case _:
            name = reader.name()
            return CreateTrigger(name, reader.rest())


def _recover(reader: _Reader) -> Statement:
    reader.words("SNAPSHOT")
    path = reader.string()
    return RecoverSnapshot(path, force=reader.maybe("FORCE"))


def _free(reader: _Reader) -> Statement:
    reader.words("MEMORY")
    return FreeMemory()


def _storage(reader: _Reader) -> Statement:
    reader.words("MODE")
    return SetStorageMode(StorageMode(reader.word({mode.value: None for mode in StorageMode})))


def _terminate(reader: _Reader) -> Statement:
    reader.words("TRANSACTIONS")
    ids = [reader.string()]
    while reader.here.text == ",":
        reader.take()
        ids.append(reader.string())
    return Terminate(tuple(ids))


_STATEMENTS: Final[Mapping[str, Callable[[_Reader], Statement]]] = {
    "SHOW": _show,
    "SET": _set,
    "REGISTER": _register,
    "DROP": _drop,
    "CREATE": _create,
    "RECOVER": _recover,
    "FREE": _free,
    "STORAGE": _storage,
    "TERMINATE": _terminate,
}
