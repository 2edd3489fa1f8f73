"""What humans and hooks ask for, quiet moments, planned moves and rebuilds, in words: changes of a scene."""

from collections.abc import Callable
from typing import Final

from attrs import evolve

from memgraph_ha.core.commands import Command, Quiesce, RebuildInstance, RestoreTriggers, RestoreUsers
from memgraph_ha.core.facts import CommandEnded, NoopSeen, Outcome, QuietSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.policy import Triggers, Users
from memgraph_ha.core.record import Change, ChangeKind, Pause, Switchover
from memgraph_ha.core.requests import Ask, Request
from memgraph_ha.core.topology import StorageMode, Trigger
from tests.core.changes import (
    a_noop,
    a_registration,
    one_more_noop,
    place,
    policy,
    recorded,
    scene,
    tried,
)
from tests.core.views import (
    M1,
    NOW,
    STANDBY,
    WALL,
    Scene,
    SceneChange,
    incarnation_of,
    noop,
    run_of,
)

# --- requests -----------------------------------------------------------------------------------------


def request(
    ask: Ask,
    instance: InstanceName | None = None,
    *,
    ago_s: float = 1.0,
    wait_s: float = 30.0,
    reason: str = "",
) -> Request:
    """Somebody asks for that."""
    asked_s = NOW - ago_s
    return Request(
        id=f"{ask.value} {instance} {ago_s:g}",
        ask=ask,
        instance=instance,
        by="alice",
        reason=reason,
        asked_s=asked_s,
        until_s=asked_s + wait_s,
    )


def asks(ask: Ask, instance: InstanceName | None = None, *, ago_s: float = 1.0, reason: str = "") -> SceneChange:
    """Somebody asks for that, and waits for the answer."""
    made = request(ask, instance, ago_s=ago_s, reason=reason)
    return lambda old: evolve(old, requests=(*old.requests, made))


def will_stop(name: InstanceName, ago_s: float = 10.0) -> SceneChange:
    """It was announced that its process will be stopped, and nobody waits for the answer any more."""
    made = request(Ask.STOP, name, ago_s=ago_s, wait_s=200.0)
    return lambda old: evolve(old, requests=(*old.requests, made), answered=old.answered | {made.id})


PAUSE: Final = Pause(by="bob", reason="maintenance", at=WALL - 60)
paused = recorded(paused=PAUSE)


# --- quiet moments and planned moves ------------------------------------------------------------------


def held(ago_s: float = 0.2, until_s: float | None = None) -> SceneChange:
    """Our gateway has let no new transaction pass for so long."""
    return scene(quiet_s=NOW - ago_s, quiet_until_s=until_s)


def found_quiet(ago_s: float = 0.1, *, run: RunId | None = None, generation: int | None = None) -> SceneChange:
    """MAIN had no transaction so long ago."""

    def change(old: Scene) -> Scene:
        main = old.recorded.main
        seen = QuietSeen(
            at_s=NOW - ago_s,
            instance=main,
            run=run or old.place(main).run or run_of(main),
            generation=old.recorded.generation if generation is None else generation,
        )
        return evolve(old, quiets=(*old.quiets, seen))

    return change


def moving(target: InstanceName = M1, reason: str = "") -> SceneChange:
    """The record orders a switchover, for a moment."""
    move = Switchover(target=target, by="alice", reason=reason)
    return lambda old: old.but(recorded(switchover=move), scene(record_since_s=NOW - 0.3))


def gave_up(ago_s: float = 1.0) -> SceneChange:
    """A switchover was given up so long ago."""

    def change(old: Scene) -> Scene:
        before = evolve(old.recorded, switchover=Switchover(target=M1, by="alice", reason=""))
        return evolve(old, record_before=before, record_since_s=NOW - ago_s)

    return change


proven_in_quiet = one_more_noop(noop(witness=STANDBY, asked_s=NOW - 0.05))
"""The standby was proven after MAIN was found quiet."""


# --- data that cannot be used -------------------------------------------------------------------------


def refused_as_diverged(name: InstanceName, ago_s: float = 2.0) -> SceneChange:
    """MAIN answered the last REGISTER of its present run with `Error: 3`, in this reign."""

    def change(old: Scene) -> Scene:
        run = old.place(name).run or run_of(name)
        command = evolve(a_registration(old, name), replica_run=run)
        text = f"Couldn't register replica {name}. Error: 3"
        return old.but(tried(command, ago_s=ago_s, error=ErrorClass.DIVERGED, detail=text))

    return change


def rebuilding(name: InstanceName, life: int = 1, ago_s: float = 0.5) -> SceneChange:
    """The data of that process of it was moved aside so long ago."""
    return lambda old: old.but(tried(a_rebuild(old, name, life), Outcome.DONE, ago_s=ago_s, detail=""))


def given_up(*names: InstanceName, reinit: bool = False) -> SceneChange:
    """The record gives up what these hold; a human did if `reinit`."""
    return recorded(rebuild=frozenset(names), reinit=frozenset(names if reinit else ()))


def replaced(old: Scene) -> Scene:
    """Somebody ran RECOVER SNAPSHOT on MAIN, which holds another data set now."""
    return place(old.recorded.main, uuid="snapshot-data-set")(old)


def analytical(old: Scene) -> Scene:
    """MAIN is in the mode that replicates nothing."""
    return place(old.recorded.main, storage_mode=StorageMode.ANALYTICAL)(old)


def repromoted(old: Scene) -> Scene:
    """The present reign is the next one of a MAIN that came back, whose replicas were level in the one before."""
    return later_reigns(1, ChangeKind.REPROMOTE)(old)


def later_reigns(count: int, kind: ChangeKind = ChangeKind.FALLBACK) -> SceneChange:
    """So many more reigns of the same MAIN have begun, and are served."""

    def change(old: Scene) -> Scene:
        record = old.recorded
        for _ in range(count):
            last = record.history[-1]
            record = evolve(record, generation=record.generation + 1)
            record = record.with_change(
                Change(
                    generation=record.generation,
                    main=record.main,
                    previous=record.main,
                    kind=kind,
                    standby=M1,
                    rule="L20",
                    reason="it restarted",
                    at=last.at + 1000,
                )
            )
        noops = tuple(evolve(seen, generation=record.generation) for seen in old.noops)
        gate = None if old.gate is None else evolve(old.gate, generation=record.generation)
        return evolve(old, record=record, noops=noops, gate=gate)

    return change


def full_disk(failures: int = 2, ago_s: float = 20.0) -> SceneChange:
    """So many no-op commits in a row failed on MAIN's disk, the last so long ago."""

    def change(old: Scene) -> Scene:
        for n in range(failures):
            at_s = NOW - ago_s - (failures - 1 - n)
            detail = "No space left on device"
            seen = NoopSeen(
                at_s=at_s,
                asked_at_s=at_s - 0.01,
                instance=old.recorded.main,
                run=old.place(old.recorded.main).run or run_of(old.recorded.main),
                generation=old.recorded.generation,
                outcome=Outcome.UNKNOWN,
                error=ErrorClass.DISK,
                detail=detail,
            )
            ended = CommandEnded(
                at_s=at_s, command=a_noop(old), outcome=Outcome.UNKNOWN, error=ErrorClass.DISK, detail=detail
            )
            old = evolve(old, noops=(*old.noops, seen), ended=(*old.ended, ended))
        return old

    return change


# --- accounts and triggers ----------------------------------------------------------------------------

restore_users = policy(users=Users.RESTORE)
restore_triggers = policy(triggers=Triggers.RESTORE)
AUDIT: Final = Trigger(name="audit", event="() CREATE", phase="AFTER COMMIT", statement="CREATE (:Log)")
STAMP: Final = Trigger(name="stamp", event="", phase="BEFORE COMMIT", statement="MATCH (n) SET n.t = 1")


# --- commands -----------------------------------------------------------------------------------------


def a_rebuild(old: Scene, name: InstanceName, life: int = 1) -> RebuildInstance:
    """A rebuild of that life of it."""
    return RebuildInstance(instance=name, incarnation=incarnation_of(name, life), generation=old.recorded.generation)


def a_quiesce(old: Scene) -> Quiesce:
    """A wait for MAIN's transactions."""
    main = old.recorded.main
    run = old.place(main).run or run_of(main)
    return Quiesce(instance=main, run=run, generation=old.recorded.generation, patience_s=0.5)


def accounts_command(old: Scene) -> RestoreUsers:
    """The creation of accounts on MAIN."""
    main = old.recorded.main
    return RestoreUsers(instance=main, run=old.place(main).run or run_of(main), generation=old.recorded.generation)


def triggers_command(old: Scene) -> RestoreTriggers:
    """The creation of triggers on MAIN."""
    record = old.recorded
    run = old.place(record.main).run or run_of(record.main)
    return RestoreTriggers(instance=record.main, run=run, generation=record.generation, triggers=record.triggers)


def ended(kind: type[Command], outcome: Outcome = Outcome.REFUSED, *, ago_s: float = 0.05) -> SceneChange:
    """One of the commands of this module ended so on MAIN."""
    makers: dict[type[Command], Callable[[Scene], Command]] = {
        Quiesce: a_quiesce,
        RestoreUsers: accounts_command,
        RestoreTriggers: triggers_command,
    }
    return lambda old: old.but(tried(makers[kind](old), outcome, ago_s=ago_s))
