"""What a server answers, as a client sees it."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from neo4j.exceptions import Neo4jError

from tests.conformance import expected


@frozen
class Refusal:
    """An error as a client sees it: class of the driver's exception, code, text."""

    kind: str
    code: str | None
    text: str

    @classmethod
    def client(cls, text: str) -> Refusal:
        """Return what Memgraph sends for nearly everything."""
        return cls("ClientError", expected.CLIENT, text)

    @classmethod
    def transient(cls, text: str) -> Refusal:
        """Return the other kind."""
        return cls("TransientError", expected.TRANSIENT, text)

    @classmethod
    def of(cls, error: Neo4jError) -> Refusal:
        """Return what the driver raised."""
        return cls(type(error).__name__, error.code, str(error.message))


@frozen
class Answer:
    """A result: columns, rows, and the titles of the notifications by code."""

    columns: list[str]
    rows: list[list[Any]]
    notes: dict[str, str]
