"""The quiet moment on MAIN: nobody else is inside a transaction, and no commit is under way (design 5).

Meanwhile our gateway lets no new transaction pass, so what is open can only end. SHOW TRANSACTIONS alone does not
prove it: a transaction that has begun to commit is not listed. So an empty list is followed by a question that
needs a storage transaction, which is answered only once commits under way have released the engine lock (semantics
3.1), and then by a second look. That question is SHOW TRIGGERS, whose answer is wanted just then: what a switchover
restores is what MAIN had last. What stays unseen: a transaction between its first step of committing and the lock,
and one of an AFTER COMMIT trigger, which has no session (Memgraph's interpreter.cpp). A demotion refuses both
(semantics 7).
"""

from typing import Final

import trio

from memgraph_ha.adapters.memgraph.commands import unfit_main
from memgraph_ha.adapters.memgraph.connection import BoltConnection, QueryRefusedError
from memgraph_ha.adapters.memgraph.errand import LAST_TRY_S, End, Errand
from memgraph_ha.adapters.memgraph.reading import OpenTransaction, read_transactions, read_triggers
from memgraph_ha.core.commands import Quiesce
from memgraph_ha.core.cypher import string_literal
from memgraph_ha.core.facts import Outcome, QuietSeen

LOOK_PAUSE_S: Final = 0.005
"""Between two looks. SHOW TRANSACTIONS is answered in milliseconds by the worker that nothing slow occupies
(transcripts Q4; semantics 9.4), and every look that comes too late is a pause for all clients."""


async def quiesce(errand: Errand, command: Quiesce) -> End:
    """Wait until MAIN has no transaction but our own; after ``patience_s`` end those that are still open.

    Returns:
        ``DONE`` after a `QuietSeen`; ``REFUSED`` if the guard does not hold, or if it did not become quiet in time,
        with how many transactions are open and how many were ended.
    """
    async with errand.instance.commands.talk() as connection:
        unfit = await unfit_main(errand, connection, command.run)
        if unfit is not None:
            return unfit
        return await _QuietMoment(errand, command, connection).reach()


class _QuietMoment:
    """The looks of one command.

    Attributes:
        _waits_for: What keeps it from being quiet, for the refusal.
        _refused: What the server said when it would not tell or end something.
    """

    def __init__(self, errand: Errand, command: Quiesce, connection: BoltConnection) -> None:
        self._errand = errand
        self._command = command
        self._connection = connection
        self._asked: set[str] = set()
        self._ended: set[str] = set()
        self._refused = ""
        self._waits_for = "SHOW TRANSACTIONS was not answered"

    async def reach(self) -> End:
        """Look until it is quiet, or until too little time is left."""
        patient_until_s = trio.current_time() + self._command.patience_s
        with trio.move_on_at(trio.current_effective_deadline() - LAST_TRY_S):
            while True:
                others = await self._others()
                if not others and await self._commits_are_over():
                    asked_at_s = self._errand.clock()
                    others = await self._others()
                    if not others:
                        self._errand.report(self._quiet(asked_at_s))
                        return End(Outcome.DONE)
                if others and trio.current_time() >= patient_until_s:
                    await self._end([each.id for each in others if each.id not in self._asked])
                await trio.sleep(LOOK_PAUSE_S)
        detail = f"not quiet: {self._waits_for}{self._refused}; ended by force: {len(self._ended)}"
        return End(Outcome.REFUSED, detail)

    async def _others(self) -> list[OpenTransaction]:
        """Look who else is there. Whoever was ended can commit nothing more, listed or not (transcripts Q22)."""
        listed = await read_transactions(self._connection)
        others = [each for each in listed if each.foreign and each.id not in self._ended]
        if others:
            self._waits_for = f"{len(others)} transaction{'s are' if len(others) > 1 else ' is'} still open"
        return others

    async def _commits_are_over(self) -> bool:
        """Wait until no commit is under way; False if the storage is not to be had."""
        self._waits_for = "a commit is still under way"
        try:
            seen = await read_triggers(self._connection, self._errand.instance.member.name, self._errand.clock)
        except QueryRefusedError as refusal:
            self._refused = f" (the server said {refusal.message!r})"
            return False
        self._errand.report(seen)
        return True

    async def _end(self, ids: list[str]) -> None:
        """End them; each is asked for once: whoever cannot be ended is committing or gone already."""
        if not ids:
            return
        self._asked.update(ids)
        statement = "TERMINATE TRANSACTIONS " + ", ".join(string_literal(each) for each in ids)
        try:
            answer = await self._errand.change(self._connection, statement)
        except QueryRefusedError as refusal:
            self._errand.sent_s = None
            self._refused = f" (the server said {refusal.message!r})"
            return
        self._ended.update(str(row.get("transaction_id")) for row in answer.rows if row.get("killed") is True)

    def _quiet(self, asked_at_s: float) -> QuietSeen:
        return QuietSeen(
            at_s=asked_at_s,
            instance=self._errand.instance.member.name,
            run=self._command.run,
            generation=self._command.generation,
            ended=len(self._ended),
        )
