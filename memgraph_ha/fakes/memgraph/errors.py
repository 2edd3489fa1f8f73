"""The one exception that reaches a client: a Bolt code and a message."""

from __future__ import annotations

_CLIENT = "Memgraph.ClientError.MemgraphError.MemgraphError"
_TRANSIENT = "Memgraph.TransientError.MemgraphError.MemgraphError"
_DATABASE = "Memgraph.DatabaseError.MemgraphError.MemgraphError"
_UNAUTHENTICATED = "Memgraph.ClientError.Security.Unauthenticated"


class MemgraphError(Exception):
    """A query, commit or login that Memgraph refuses.

    Memgraph has no finer code than these (semantics 2.0): clients tell errors apart by `message`.

    Args:
        code: The Bolt failure code, for example `Memgraph.ClientError.MemgraphError.MemgraphError`.
        message: The text as a client sees it.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message

    @classmethod
    def client(cls, message: str) -> MemgraphError:
        """Return an error that Memgraph raises as a `QueryException` (semantics 2.0)."""
        return cls(_CLIENT, message)

    @classmethod
    def transient(cls, message: str) -> MemgraphError:
        """Return an error that Memgraph raises as a plain `BasicException` (semantics 2.0)."""
        return cls(_TRANSIENT, message)

    @classmethod
    def database(cls, message: str) -> MemgraphError:
        """Return an error for an exception that Memgraph does not know (semantics 2.0)."""
        return cls(_DATABASE, message)

    @classmethod
    def unauthenticated(cls) -> MemgraphError:
        """Return the refusal of a login (transcripts Q2)."""
        return cls(_UNAUTHENTICATED, "Authentication failure")
