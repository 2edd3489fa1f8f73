"""Probing one instance, for ever: liveness, details and the replication port, each on a task of its own."""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from attrs import evolve

from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.adapters.memgraph.instance import Instance, PatientLine
from memgraph_ha.adapters.memgraph.reading import Clock, read_role, read_rows, read_triggers
from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.facts import Miss, PortSeen, ProbeMissed, RoleSeen
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Role

DETAILS_INTERVAL_S: Final = 1.0
DETAILS_TIMEOUT_S: Final = 2.0
"""SHOW STORAGE INFO waits behind long reads (631 ms at most in transcripts Q14) and behind a stalled commit."""

TRIGGERS_INTERVAL_S: Final = 5.0
"""SHOW TRIGGERS costs MAIN a timestamp, after which a lone commit no longer looks like one (`row_ts` of the no-op;
semantics 1): asked as often as the no-op is repeated, each proof would leave its row looking moved, for ever. So it
is asked much more rarely than ``proof_interval_s`` (1 s), at once of a new MAIN, and before each quiet moment."""

PORT_INTERVAL_S: Final = 1.0
PORT_TIMEOUT_S: Final = 1.0


class Bell:
    """Wakes one task; a ring while the task is busy wakes it as soon as it waits."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        """Wake the task."""
        self._rung.set()

    def answer(self) -> None:
        """Begin a round: rings up to now are heard."""
        self._rung = trio.Event()

    async def wait(self, at_most_s: float) -> None:
        """Wait for a ring, but not longer than that."""
        with trio.move_on_after(max(0.0, at_most_s)):
            await self._rung.wait()


class Prober:
    """The probes of one instance in one incarnation.

    Liveness is SHOW REPLICATION ROLE on a kept connection: a stalled commit does not delay it, as it would delay
    ``RETURN 1`` (transcripts Q4). Of a MAIN it also reads SHOW REPLICAS, and every `TRIGGERS_INTERVAL_S` its
    triggers. Only liveness reports `ProbeMissed`.

    Args:
        instance: Whom.
        policy: ``probe_interval_s``, ``probe_timeout_s``, ``refused_count``, ``refused_gap_s``.
        clock: For the facts' times.
        report: Where facts go.
    """

    def __init__(self, instance: Instance, *, policy: Policy, clock: Clock, report: Report) -> None:
        self._instance = instance
        self._policy = policy
        self._clock = clock
        self._report = report
        self._live, self._details, self._port = Bell(), Bell(), Bell()
        self._role: RoleSeen | None = None  # the last answer, if the last probe was answered
        self._refused = 0
        self._refused_since_s = 0.0
        self._triggers_due_s = float("-inf")

    def look(self) -> None:
        """Make every task start its next round now, or right after the one that is under way."""
        for bell in (self._live, self._details, self._port):
            bell.ring()

    async def run(self) -> None:
        """Probe until cancelled."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch_life, nursery)
            nursery.start_soon(self._repeat, self._details, DETAILS_INTERVAL_S, self._look_at_details)
            nursery.start_soon(self._repeat, self._port, PORT_INTERVAL_S, self._look_at_port)

    async def _repeat(self, bell: Bell, interval_s: float, look: Callable[[], Awaitable[None]]) -> None:
        while True:
            bell.answer()
            await look()
            await bell.wait(interval_s)

    # --- liveness --------------------------------------------------------------------------------------------

    async def _watch_life(self, nursery: trio.Nursery) -> None:
        line = PatientLine(lambda: self._instance.dial(self._policy.probe_timeout_s), nursery)
        try:
            while True:
                await self._instance.role_commands.over()
                self._live.answer()
                began_s = trio.current_time()
                pause_s = await self._probe(line)
                if pause_s is None:  # no answer came in time: keep the rhythm, or a frozen MAIN costs more time
                    pause_s = self._policy.probe_interval_s - (trio.current_time() - began_s)
                async with trio.open_nursery() as rest:
                    rest.start_soon(self._ring_when_ended, line, began_s + self._policy.refused_gap_s)
                    await self._live.wait(pause_s)
                    rest.cancel_scope.cancel()
        finally:
            line.drop()

    async def _ring_when_ended(self, line: PatientLine, not_before_s: float) -> None:
        """A killed process's kernel ends our idle connection at once: no need to wait for the next probe."""
        await line.ended()
        await trio.sleep_until(not_before_s)
        self._live.ring()

    async def _probe(self, line: PatientLine) -> float | None:
        """Probe once and report. Returns the pause until the next, None if this one timed out."""
        asked_at_s = self._clock()
        try:
            with trio.fail_after(self._policy.probe_timeout_s):
                connection = await line.connection()
                seen = await read_role(connection, self._instance.member.name, self._clock)
        except trio.TooSlowError:
            return self._missed(asked_at_s, Miss.TIMED_OUT, f"no answer within {self._policy.probe_timeout_s:g} s")
        except ConnectionLostError as error:
            line.drop()
            return self._missed(asked_at_s, error.miss, error.detail)
        except QueryRefusedError as error:
            return self._missed(asked_at_s, Miss.UNREADABLE, error.message)
        self._answered(evolve(seen, asked_at_s=asked_at_s))
        if seen.role is Role.MAIN and not self._instance.role_commands.in_flight:
            return await self._look_at_rows(line, connection)
        return self._policy.probe_interval_s

    def _answered(self, seen: RoleSeen) -> None:
        before, self._role, self._refused = self._role, seen, 0
        self._instance.role_commands.answered()
        self._report(seen)
        if before is None or (before.run, before.role) != (seen.run, seen.role):
            self._triggers_due_s = float("-inf")
            self._details.ring()
            self._port.ring()

    def _missed(self, asked_at_s: float, miss: Miss, detail: str) -> float | None:
        self._role = None
        excused = miss is Miss.TIMED_OUT and self._instance.role_commands.excuses(asked_at_s)
        self._report(
            ProbeMissed(
                at_s=self._clock(),
                asked_at_s=asked_at_s,
                instance=self._instance.member.name,
                miss=miss,
                excused=excused,
                detail=detail,
            )
        )
        if miss is not Miss.REFUSED:
            self._refused = 0
            return None if miss is Miss.TIMED_OUT else self._policy.probe_interval_s
        self._refused += 1
        if self._refused == 1:
            self._refused_since_s = asked_at_s
        return self._pause_after_refusal_s(asked_at_s)

    def _pause_after_refusal_s(self, asked_at_s: float) -> float:
        """Refusals follow each other quickly until they are a verdict (`refused_count`, `refused_gap_s`)."""
        policy = self._policy
        enough = self._refused >= policy.refused_count and asked_at_s - self._refused_since_s >= policy.refused_gap_s
        return policy.probe_interval_s if enough else min(policy.refused_gap_s, policy.probe_interval_s)

    async def _look_at_rows(self, line: PatientLine, connection: BoltConnection) -> float:
        """Report a MAIN's rows. Failing that is no miss: MAIN has just answered. Returns the pause, seconds."""
        try:
            with trio.fail_after(self._policy.probe_timeout_s):
                self._report(await read_rows(connection, self._instance.member.name, self._clock))
        except trio.TooSlowError:
            pass
        except ConnectionLostError:
            line.drop()
            return min(self._policy.refused_gap_s, self._policy.probe_interval_s)
        except QueryRefusedError:
            pass  # it is MAIN no more, which the next probe will say
        return self._policy.probe_interval_s

    # --- what may take longer --------------------------------------------------------------------------------

    async def _look_at_details(self) -> None:
        """Report `ServerSeen` and `StorageSeen` of an instance that answers; of others nothing is asked.

        Of a MAIN also `TriggersSeen`, last, because that question waits behind a stalled commit.
        """
        if self._role is None:
            return
        await self._instance.role_commands.over()
        with trio.move_on_after(DETAILS_TIMEOUT_S), contextlib.suppress(ConnectionLostError, QueryRefusedError):
            async with self._instance.details.talk() as connection:
                storage = await self._instance.storage(connection, routine=True)
                server = await self._instance.server(connection)
                self._report(server)
                self._report(storage)
                if self._triggers_are_due():
                    self._triggers_due_s = self._clock() + TRIGGERS_INTERVAL_S
                    self._report(await read_triggers(connection, self._instance.member.name, self._clock))

    def _triggers_are_due(self) -> bool:
        return self._role is not None and self._role.role is Role.MAIN and self._clock() >= self._triggers_due_s

    async def _look_at_port(self) -> None:
        """Report whether a REPLICA's replication port takes connections; no byte is sent."""
        if self._role is None or self._role.role is not Role.REPLICA:
            return
        host, _, port = self._instance.member.replication.rpartition(":")
        asked_at_s, is_open = self._clock(), False
        with trio.move_on_after(PORT_TIMEOUT_S):
            with contextlib.suppress(OSError):
                stream = await trio.open_tcp_stream(host.strip("[]"), int(port))
                is_open = True
                await trio.aclose_forcefully(stream)
        self._report(
            PortSeen(at_s=self._clock(), asked_at_s=asked_at_s, instance=self._instance.member.name, open=is_open)
        )
