"""One client's session: implicit and explicit transactions, statements, Cypher (semantics 7, 9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from attrs import define, frozen

from . import admin, cypher, texts, trigger_variables, triggers
from .commit import NotReplicatedError, commit
from .disk import StorageError
from .effects import Offload, Procedure, Sleep, Spawn
from .errors import MemgraphError
from .graph import Constraint
from .graph import Transaction as GraphTransaction
from .instance import Instance, Open
from .locks import acquire, wait_until_free
from .parsing import parse_statement
from .show import Table
from .statements import EXPRESS, Show, Statement
from .trigger_variables import Change
from .workers import Workers, enter

# Rows fetched between two chances for others to run.
SLICE_ROWS: Final = 500
# Nodes and edges from which looking through them is worth a thread.
MANY_OBJECTS: Final = 5000
_UNWIND: Final = re.compile(r"\bUNWIND\b", re.IGNORECASE)
# A client whose transaction was terminated got an answer to its next query 13 times of 20 (Q22).
ANSWERED_AFTER_TERMINATION: Final = 13 / 20


@frozen
class Page:
    """Part of an answer.

    Attributes:
        rows: As many as were asked for, or what is left.
        has_more: Whether there are more; if not, `summary` is final.
        summary: Type, stats and notifications for the final SUCCESS.
    """

    rows: list[list[Any]]
    has_more: bool
    summary: Mapping[str, Any]


@define(eq=False)
class Session:
    """A session; its methods are procedures.

    Attributes:
        instance: The instance it talks to.
        workers: The instance's Bolt workers.
        number: Tells sessions apart.
        user: Who logged in; empty while there are no users.
        explicit: The explicit transaction that is open.
        result: The answer that is being fetched.
        fires: Whether its commits fire triggers; those of triggers do not.
        now_us: Wall-clock time of the last query.
    """

    instance: Instance
    workers: Workers
    number: int
    user: str = ""
    explicit: Open | None = None
    result: Answer | None = None
    fires: bool = True
    now_us: int = 0

    def run(self, text: str, parameters: Mapping[str, Any], now_us: int) -> Procedure[Answer]:
        """Prepare a query; what it does happens when its rows are fetched.

        Args:
            text: The query.
            parameters: Its parameters.
            now_us: Wall-clock time in microseconds, for `timestamp()`.

        Raises:
            MemgraphError: What Memgraph says on RUN; an explicit transaction is then aborted.
        """
        self.now_us = now_us
        try:
            statement = parse_statement(text)
            express = isinstance(statement, Show) and statement.topic in EXPRESS
            seat = self.workers.take(express=express) or (yield from enter(self.workers, express=express))
            try:
                if statement is not None:
                    self.result = yield from self._prepare_statement(text, statement, express=express)
                else:
                    self.result = yield from self._prepare_cypher(text, parameters, now_us)
            finally:
                self.workers.give_back(seat)
        except MemgraphError:
            self.abort()
            raise
        return self.result

    def _prepare_statement(self, text: str, statement: Statement, *, express: bool) -> Procedure[Answer]:
        admin.refuse_early(self.instance, statement, explicit=self.explicit is not None)
        system = isinstance(statement, admin.SYSTEM)
        if system:
            patience_s = self.instance.settings.timings.system_lock
            if not (yield from acquire(self.instance.system_lock, timeout_s=patience_s)):
                raise MemgraphError.client(texts.SYSTEM_QUERY_BUSY)
        listed = (yield from self._begin()) if admin.needs_transaction(statement) else self._list(None)
        listed.queries.append(text)
        return StatementAnswer(self, listed, admin.columns_of(statement), express, statement, system)

    def _prepare_cypher(self, text: str, parameters: Mapping[str, Any], now_us: int) -> Procedure[Answer]:
        query = cypher.parse(text)
        if query.multicommand_refusal is not None and self.explicit is not None:
            raise MemgraphError.client(query.multicommand_refusal)
        # Preparing asks for the role, so it waits for role and registration commands (semantics 2.7).
        yield from wait_until_free(self.instance.repl_lock)
        if query.writes and not self.instance.is_main:
            raise MemgraphError.client(texts.WRITE_ON_REPLICA)
        listed = self.explicit
        if listed is None:
            listed = yield from self._begin(alone=_needs_storage_alone(query))
        elif listed.terminated and self.instance.chance.draw() >= ANSWERED_AFTER_TERMINATION:
            raise MemgraphError.transient(texts.TERMINATED)
        listed.queries.append(text)
        assert listed.writes is not None  # noqa: S101 - _begin gave it one
        execution = cypher.execute(query, listed.writes, parameters, now_us=now_us)
        implicit = self.explicit is None
        return CypherAnswer(self, listed, query.columns, False, query, execution, implicit)

    def begin(self) -> Procedure[None]:
        """BEGIN.

        Raises:
            MemgraphError: There is one already, or the storage is not accessible.
        """
        if self.explicit is not None:
            raise MemgraphError.client("Nested transactions are not supported.")
        seat = yield from enter(self.workers, express=False)
        try:
            self.explicit = yield from self._begin()
        finally:
            self.workers.give_back(seat)

    def _begin(self, *, alone: bool = False) -> Procedure[Open]:
        """Start a transaction: needs the storage, and the engine lock for its timestamp (semantics 3.5)."""
        patience_s = self.instance.settings.storage_access_timeout_s
        if alone:
            if not (yield from acquire(self.instance.storage_lock, timeout_s=patience_s)):
                raise MemgraphError.transient(texts.UNIQUE_ACCESS)
            self.instance.storage_lock.release()
        if not (yield from acquire(self.instance.storage_lock, exclusive=False, timeout_s=patience_s)):
            raise MemgraphError.transient(texts.STORAGE_ACCESS)
        try:
            yield from wait_until_free(self.instance.engine_lock)
        except BaseException:
            self.instance.storage_lock.release(exclusive=False)
            raise
        yield from wait_until_free(self.instance.graph_lock)
        self.instance.next_timestamp()
        return self._list(self.instance.graph.begin())

    def _list(self, writes: GraphTransaction | None) -> Open:
        listed = Open(self.instance.next_transaction_id(), self.user, writes)
        self.instance.transactions[listed.id] = listed
        return listed

    def commit(self) -> Procedure[None]:
        """COMMIT; a replica that did not confirm is a ClientError here (semantics 3.3).

        Raises:
            MemgraphError: Not committed, or with a SYNC replica committed but not confirmed.
        """
        if self.explicit is None:
            raise MemgraphError.client("No current transaction to commit.")
        seat = yield from enter(self.workers, express=False)
        try:
            listed, self.explicit = self.explicit, None
            if listed is not None:  # else the client is gone since: its transaction was aborted, and nobody is told
                yield from self.finish(listed)
        except NotReplicatedError as error:
            raise MemgraphError.client(error.message) from error
        finally:
            self.workers.give_back(seat)

    def finish(self, listed: Open) -> Procedure[None]:
        """Commit a transaction and take it off the list, which shows none that has begun to commit.

        SHOW and TERMINATE TRANSACTIONS leave those alone (interpreter_context.cpp of 3.6: only ACTIVE ones).

        Raises:
            MemgraphError: It was terminated, or as `commit.commit` says.
            NotReplicatedError: As `commit.commit` says.
        """
        try:
            if listed.terminated:
                raise MemgraphError.transient(texts.TERMINATED_AT_COMMIT)
            self.instance.transactions.pop(listed.id, None)
            if listed.writes is not None:
                yield from self._commit(listed.writes)
        finally:
            self.end(listed)

    def _commit(self, writes: GraphTransaction) -> Procedure[None]:
        """Commit, with the triggers before it in the same transaction and each one behind it in its own."""
        if not (self.fires and self.instance.triggers and self.instance.is_main):
            yield from commit(self.instance, writes, self.number)
            return
        definitions = list(self.instance.triggers.values())
        changes = trigger_variables.changes(writes, self.instance.graph)
        for trigger in triggers.due(definitions, triggers.BEFORE, writes.deltas()):
            yield from wait_until_free(self.instance.graph_lock)
            triggers.execute(trigger, changes, writes, self.now_us)
        deltas, changes = writes.deltas(), trigger_variables.changes(writes, self.instance.graph)
        yield from commit(self.instance, writes, self.number)
        for trigger in triggers.due(definitions, triggers.AFTER, deltas):
            yield Spawn(self._run_behind(trigger, changes))

    def _run_behind(self, trigger: triggers.Trigger, changes: tuple[Change, ...]) -> Procedure[None]:
        """Run a trigger's statement after a commit; what goes wrong is in the log only (semantics 7)."""
        session = Session(self.instance, self.workers, self.number, fires=False)
        seat = yield from enter(self.workers, express=False)
        try:
            listed = yield from session._begin()
            try:
                yield from wait_until_free(self.instance.graph_lock)
                assert listed.writes is not None  # noqa: S101 - _begin gave it one
                triggers.execute(trigger, changes, listed.writes, self.now_us)
                yield from session.finish(listed)
            finally:
                session.end(listed)
        except (MemgraphError, NotReplicatedError) as error:
            self.instance.log_line("warning", f"Trigger failed with exception: {error.message}")
        finally:
            self.workers.give_back(seat)

    def end(self, listed: Open) -> None:
        """Take a transaction off the list; what it wrote and did not commit is gone. A second time does nothing."""
        self.instance.transactions.pop(listed.id, None)
        writes, listed.writes = listed.writes, None
        if writes is not None:
            self.instance.abort_writes(writes)
            self.instance.storage_lock.release(exclusive=False)

    def abort(self) -> None:
        """End whatever is open: ROLLBACK, RESET, an error, or the end of the connection."""
        if self.result is not None:
            self.result.abandon()
            self.result = None
        if self.explicit is not None:
            self.end(self.explicit)
            self.explicit = None


def _needs_storage_alone(query: cypher.Query) -> bool:
    """Return whether nobody else may be in a transaction when the query starts (semantics 3.4)."""
    return isinstance(getattr(query.body, "item", None), Constraint)


@define(eq=False)
class Answer:
    """A query's answer that is being fetched.

    Attributes:
        columns: Names of the columns.
        express: Whether the express worker may fetch it.
    """

    session: Session
    listed: Open
    columns: tuple[str, ...]
    express: bool

    def pull(self, number: int) -> Procedure[Page]:
        """Fetch `number` rows, all if negative; the last page commits an implicit transaction.

        Raises:
            MemgraphError: What Memgraph says on PULL; an explicit transaction is then aborted.
        """
        workers = self.session.workers
        seat = workers.take(express=self.express) or (yield from enter(workers, express=self.express))
        try:
            return (yield from self.fetch(number))
        except MemgraphError:
            self.session.abort()
            raise
        except StorageError as error:
            self.session.abort()
            raise MemgraphError.database(f"Couldn't write to the data directory: {error.reason}") from error
        finally:
            workers.give_back(seat)

    def fetch(self, number: int) -> Procedure[Page]:
        """Do the work of `pull` on a worker."""
        raise NotImplementedError

    def abandon(self) -> None:
        """The rest is not wanted."""
        raise NotImplementedError


@define(eq=False)
class StatementAnswer(Answer):
    """The answer of a statement: carried out when the first rows are fetched (semantics 2.0)."""

    statement: Statement
    system: bool
    table: Table | None = None
    taken: int = 0

    def fetch(self, number: int) -> Procedure[Page]:
        """Carry the statement out, then hand out rows."""
        if self.table is None:
            self.table = yield from admin.carry_out(self.session.instance, self.statement, self.session.user)
            self.abandon()
        stop = len(self.table.rows) if number < 0 else self.taken + number
        rows = list(self.table.rows[self.taken : stop])
        self.taken += len(rows)
        summary: dict[str, Any] = {"type": "rw"}  # drivers know no word for neither
        if self.table.notifications:
            summary["notifications"] = [dict(each) for each in self.table.notifications]
        return Page(rows, self.taken < len(self.table.rows), summary)

    def abandon(self) -> None:
        """Give back the system lock, and leave the list of transactions."""
        if self.system:
            self.system = False
            self.session.instance.system_lock.release()
        self.session.end(self.listed)


@define(eq=False)
class CypherAnswer(Answer):
    """The answer of a Cypher query."""

    query: cypher.Query
    execution: cypher.Execution
    implicit: bool

    def fetch(self, number: int) -> Procedure[Page]:
        """Hand out rows, letting others have a turn now and then."""
        rows: list[list[Any]] = []
        has_more = True
        while has_more and len(rows) != number:
            left = SLICE_ROWS if number < 0 else min(SLICE_ROWS, number - len(rows))
            some, has_more = yield from self._take(left)
            rows += some
            if has_more and len(rows) != number:
                yield Sleep(0)
        if has_more:
            return Page(rows, has_more=True, summary={})
        if self.implicit:
            try:
                yield from self.session.finish(self.listed)
            except NotReplicatedError as error:
                raise self._on_pull(error) from error
        return Page(rows, has_more=False, summary=self._summary())

    def _take(self, number: int) -> Procedure[tuple[list[list[Any]], bool]]:
        """Run on to the next rows; what may take long does so in a thread, alone on the graph.

        Meanwhile SHOW queries and pings are answered, as a real server's other workers do (Q14).
        """
        instance = self.session.instance
        if not self._may_take_long():
            yield from wait_until_free(instance.graph_lock)
            return self.execution.take(number)
        yield from acquire(instance.graph_lock)
        try:
            taken: Any = yield Offload(lambda: self.execution.take(number))
        finally:
            instance.leave_graph()
        rows, has_more = taken
        return rows, has_more

    def _may_take_long(self) -> bool:
        if _UNWIND.search(self.query.text):
            return True
        graph = self.session.instance.graph
        return self.query.type != "w" and graph.vertex_count + graph.edge_count > MANY_OBJECTS

    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = {"type": self.query.type}
        if self.execution.stats:
            summary["stats"] = self.execution.stats
        if self.execution.notifications:
            summary["notifications"] = self.execution.notifications
        return summary

    def _on_pull(self, error: NotReplicatedError) -> MemgraphError:
        """Transient up to 3.7, a ClientError from 3.8 (semantics 3.3)."""
        transient = self.session.instance.quirks.sync_failure_is_transient
        return MemgraphError.transient(error.message) if transient else MemgraphError.client(error.message)

    def abandon(self) -> None:
        """Abort an implicit transaction."""
        if self.implicit:
            self.session.end(self.listed)
