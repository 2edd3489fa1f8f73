"""`MemgraphDatabase`: the instances over Bolt, as the daemon's `Database` port wants them."""

import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, assert_never

import trio
from attrs import define

from memgraph_ha.adapters.accounts import Accounts
from memgraph_ha.adapters.memgraph.commands import change_role, drop, register
from memgraph_ha.adapters.memgraph.connection import ConnectionLostError, QueryRefusedError
from memgraph_ha.adapters.memgraph.errand import End, Errand
from memgraph_ha.adapters.memgraph.instance import Instance
from memgraph_ha.adapters.memgraph.noop import NoopCommit
from memgraph_ha.adapters.memgraph.probe import Prober
from memgraph_ha.adapters.memgraph.quiet import quiesce
from memgraph_ha.adapters.memgraph.reading import Clock
from memgraph_ha.adapters.memgraph.restore import restore_triggers, restore_users
from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.commands import (
    CommitNoop,
    Demote,
    DropReplica,
    InstanceCommand,
    Promote,
    Quiesce,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
)
from memgraph_ha.core.facts import CommandEnded, Outcome
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Member

PROMOTE_S: Final = 1.5
"""A promotion takes 0.2 to 0.34 s (transcripts Q8, Q9, over 178 of them); one that has not been answered by then will
not be soon, and clients wait: the probes that follow tell whether the instance froze."""


@define(eq=False)
class _Followed:
    """One followed instance and the task that probes it, if `watch` runs."""

    instance: Instance
    probing: trio.CancelScope | None = None
    prober: Prober | None = None


class MemgraphDatabase:
    """Probes instances and runs commands on them; implements `memgraph_ha.adapters.ports.Database`.

    Args:
        policy: ``probe_*``, ``refused_*`` and ``command_deadline_s``.
        auth: User and password for every instance; None for those of ``accounts``, or for none. Never logged,
            never part of a fact. An instance without users takes any (transcripts Q2).
        accounts: What `RestoreUsers` creates; None if there are no users to restore.
        clock: Seconds of CLOCK_BOOTTIME, for the times of facts.
        draw: A number from [0, 1): spreads the retries of busy commands.

    Resource handling: up to three connections per instance, kept; one worker thread for each call that is under
    way. What is unfollowed, and everything when `watch` is cancelled, is closed; no call outlives its deadline by
    more than the time its thread needs to notice that its socket was shut.

    Error handling: nothing that a server or the network does raises: it becomes a fact. Busy locks are retried
    within ``policy.command_deadline_s``, every 20 to 60 ms; nothing else is.

    Raises:
        ValueError: ``auth`` and ``accounts`` disagree: after the accounts were restored we could not log in.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        auth: tuple[str, str] | None,
        clock: Clock,
        accounts: Accounts | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        if accounts is not None and auth is not None and auth != accounts.auth:
            raise ValueError(
                f"auth (user {auth[0]!r}) is not [controller] of the accounts (user {accounts.controller.user!r}):"
                " give the same user and password, or auth=None to log in as [controller]"
            )
        self._policy = policy
        self._accounts = accounts
        self._auth = accounts.auth if accounts is not None else auth
        self._clock = clock
        self._draw = draw
        self._followed: dict[InstanceName, _Followed] = {}
        self._probing: tuple[trio.Nursery, Report] | None = None

    async def watch(self, report: Report) -> None:
        """Probe every followed instance, each on tasks of its own, for ever; when cancelled, none is followed.

        Args:
            report: Where facts go.
        """
        try:
            async with trio.open_nursery() as nursery:
                self._probing = (nursery, report)
                for followed in self._followed.values():
                    self._start(followed)
                await trio.sleep_forever()
        finally:
            self._probing = None
            self.follow(())

    def follow(self, members: tuple[Member, ...]) -> None:
        """Probe exactly these from now on; a changed member is a new one, and its connections are dropped.

        Args:
            members: All instances of the cluster.
        """
        old, self._followed = self._followed, {}
        for member in members:
            kept = old.pop(member.name, None)
            if kept is not None and kept.instance.member == member:
                self._followed[member.name] = kept
                continue
            if kept is not None:
                self._stop(kept)
            instance = Instance(member, policy=self._policy, auth=self._auth, clock=self._clock)
            self._followed[member.name] = _Followed(instance)
            self._start(self._followed[member.name])
        for gone in old.values():
            self._stop(gone)

    def look(self, names: Iterable[InstanceName]) -> None:
        """Probe these at once, everything that a probe can tell; unknown names are ignored.

        A look that comes while a probe is under way makes another one start right after it.

        Args:
            names: Whom.
        """
        for name in names:
            followed = self._followed.get(name)
            if followed is not None and followed.prober is not None:
                followed.prober.look()

    def _start(self, followed: _Followed) -> None:
        if self._probing is not None:
            nursery, report = self._probing
            followed.probing = trio.CancelScope()
            followed.prober = Prober(followed.instance, policy=self._policy, clock=self._clock, report=report)
            nursery.start_soon(_run_within, followed.probing, followed.prober)

    def _stop(self, followed: _Followed) -> None:
        if followed.probing is not None:
            followed.probing.cancel()
        followed.instance.close()

    async def execute(self, command: InstanceCommand, report: Report) -> CommandEnded:
        """Check the command's guard and run it on one connection, read back, report.

        Args:
            command: What to do, and what is expected of the instance.
            report: Where facts go: what the guard and the reading back saw, and `NoopSeen`.

        Returns:
            By ``policy.command_deadline_s`` at the latest, a promotion by `PROMOTE_S`: ``DONE``; ``REFUSED`` if the
            guard did not hold (nothing was sent) or the server said no; ``NOT_SENT`` if the instance could not be
            asked; ``UNKNOWN`` if it was sent and the answer is missing.
        """
        followed = self._followed.get(command.instance)
        if followed is None:
            return self._ended(command, End(Outcome.NOT_SENT, f"{command.instance} is not followed"))
        errand = Errand(instance=followed.instance, clock=self._clock, report=report, draw=self._draw)
        if isinstance(command, CommitNoop):
            return await self._commit_noop(errand, command)
        limit_s = PROMOTE_S if isinstance(command, Promote) else self._policy.command_deadline_s
        end = await self._bounded(errand, lambda: self._perform(errand, command), limit_s)
        return self._ended(command, end)

    async def _perform(
        self,
        errand: Errand,
        command: Promote | Demote | RegisterReplica | DropReplica | Quiesce | RestoreUsers | RestoreTriggers,
    ) -> End:
        match command:
            case Promote() | Demote():
                return await change_role(errand, command)
            case RegisterReplica():
                replica = self._followed.get(command.replica)
                if replica is None:
                    return End(Outcome.NOT_SENT, f"{command.replica} is not followed")
                return await register(errand, command, replica.instance)
            case DropReplica():
                return await drop(errand, command)
            case Quiesce():
                return await quiesce(errand, command)
            case RestoreUsers():
                return await restore_users(errand, command, self._accounts)
            case RestoreTriggers():
                return await restore_triggers(errand, command)
            case _:  # pragma: no cover - the type checker proves that nothing is left
                assert_never(command)

    async def _commit_noop(self, errand: Errand, command: CommitNoop) -> CommandEnded:
        standby = None
        if command.standby is not None:
            standby = self._followed.get(command.standby)
            if standby is None:
                return self._ended(command, End(Outcome.NOT_SENT, f"{command.standby} is not followed"))
        noop = NoopCommit(errand, command, None if standby is None else standby.instance)
        end = await self._bounded(errand, noop.perform, self._policy.command_deadline_s)
        fact = noop.fact(end)
        if fact is not None:
            errand.report(fact)
        return self._ended(command, end)

    async def _bounded(self, errand: Errand, work: Callable[[], Awaitable[End]], limit_s: float) -> End:
        """Do it by the deadline; whatever goes wrong becomes an end."""
        within_s = min(limit_s, self._policy.command_deadline_s)
        try:
            with trio.fail_after(within_s):
                return await work()
        except trio.TooSlowError:
            return errand.end_without_answer(f"no answer within {within_s:g} s")
        except ConnectionLostError as error:
            return errand.end_without_answer(str(error))
        except QueryRefusedError as error:
            return errand.end_without_answer(error.message)

    def _ended(self, command: InstanceCommand, end: End) -> CommandEnded:
        return CommandEnded(
            at_s=self._clock(), command=command, outcome=end.outcome, error=end.error, detail=end.detail
        )


async def _run_within(scope: trio.CancelScope, prober: Prober) -> None:
    with scope:
        await prober.run()
