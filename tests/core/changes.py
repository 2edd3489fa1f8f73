"""What can happen to a scene, in words: each function makes, or is, a change (see `views.Scene.but`)."""

from attrs import evolve

from memgraph_ha.core.commands import (
    Command,
    CommitNoop,
    Demote,
    DropReplica,
    Promote,
    RegisterReplica,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import CommandEnded, Miss, NoopSeen, Outcome, ProbeMissed
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName, RowName
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.record import Change, ChangeKind
from memgraph_ha.core.topology import Mode, Role, Row, RowStatus
from tests.core.views import (
    DATA,
    M0,
    M1,
    M2,
    NOW,
    TOKEN,
    WALL,
    Place,
    Scene,
    SceneChange,
    async_row,
    incarnation_of,
    replication_of,
    run_of,
    strict_row,
)

# --- general ------------------------------------------------------------------------------------------


def place(name: InstanceName, **changes: object) -> SceneChange:
    """Change what has been seen of one instance."""

    def change(scene: Scene) -> Scene:
        places = tuple(_evolved(old, changes) if old.name == name else old for old in scene.places)
        return evolve(scene, places=places)

    return change


def _evolved(old: Place, changes: dict[str, object]) -> Place:
    return evolve(old, **changes)  # type: ignore[arg-type]  # names and values are those of Place, or attrs complains


def recorded(**changes: object) -> SceneChange:
    """Change fields of the record."""
    return lambda scene: evolve(scene, record=evolve(scene.recorded, **changes))  # type: ignore[arg-type]  # as above


def policy(**changes: object) -> SceneChange:
    """Change fields of the policy."""
    return lambda scene: evolve(scene, policy=evolve(scene.policy, **changes))  # type: ignore[arg-type]  # as above


def scene(**changes: object) -> SceneChange:
    """Change fields of the scene itself."""
    return lambda old: evolve(old, **changes)  # type: ignore[arg-type]  # as above


def lease(**changes: object) -> SceneChange:
    """Change fields of the lease that we hold."""

    def change(old: Scene) -> Scene:
        assert old.lease is not None
        return evolve(old, lease=evolve(old.lease, **changes))  # type: ignore[arg-type]  # as above

    return change


def last_noop(**changes: object) -> SceneChange:
    """Change the last no-op commit."""

    def change(old: Scene) -> Scene:
        return evolve(old, noops=(*old.noops[:-1], evolve(old.noops[-1], **changes)))  # type: ignore[arg-type]  # as above

    return change


def only_noop(**changes: object) -> SceneChange:
    """Only the last no-op commit was seen, with changes: an older one may then be older than it was."""
    return lambda old: evolve(old, noops=old.noops[-1:]).but(last_noop(**changes))


def one_more_noop(seen: NoopSeen) -> SceneChange:
    """Another no-op commit ended."""
    return lambda old: evolve(old, noops=(*old.noops, seen))


def no_noop(old: Scene) -> Scene:
    """No no-op commit was seen."""
    return evolve(old, noops=())


required = policy(data_durability=DataDurability.REQUIRED)


# --- our own standing ---------------------------------------------------------------------------------


def gate_shut(ago_s: float = 0.3) -> SceneChange:
    """Our gateway has relayed nothing since then."""
    return scene(gate=None, gate_s=NOW - ago_s)


new_term = lease(since_s=NOW - 0.05)
"""Our term of leadership began after the facts of the base scene were asked."""


# --- probes -------------------------------------------------------------------------------------------


def misses(
    name: InstanceName, kind: Miss, times: int, every_s: float, *, last_s: float = NOW, excused: bool = False
) -> SceneChange:
    """Probes of an instance failed: so many, so far apart, the last asked then."""

    def change(old: Scene) -> Scene:
        found = tuple(
            ProbeMissed(
                at_s=last_s - (times - 1 - n) * every_s,
                asked_at_s=last_s - (times - 1 - n) * every_s,
                instance=name,
                miss=kind,
                excused=excused,
            )
            for n in range(times)
        )
        return place(name, misses=(*old.place(name).misses, *found))(old)

    return change


def missed_before(name: InstanceName) -> SceneChange:
    """It missed a probe a moment before it answered."""
    missed = ProbeMissed(at_s=NOW - 0.1, asked_at_s=NOW - 0.2, instance=name, miss=Miss.TIMED_OUT)
    return place(name, missed_before=(missed,))


def refuses(name: InstanceName) -> SceneChange:
    """It refuses connections: twice, 60 ms apart, since 60 ms ago."""
    return misses(name, Miss.REFUSED, 2, 0.06)


def frozen(name: InstanceName, for_s: float = 3.5) -> SceneChange:
    """It answers nothing: five probes timed out over that time; its last answer is older."""

    def change(old: Scene) -> Scene:
        silent = misses(name, Miss.TIMED_OUT, 5, for_s / 4, last_s=NOW - 0.05)
        before = {"asked_s": NOW - for_s - 0.2}
        return old.but(place(name, **before), silent)

    return change


def gone(name: InstanceName) -> SceneChange:
    """The platform has no process for it, a probe since then was refused, and nothing is known of its life."""

    def change(old: Scene) -> Scene:
        bare = old.but(place(name, incarnation=None, run=None, misses=(), rows=None))
        return bare.but(misses(name, Miss.REFUSED, 1, 0.0))

    return change


def unheard(name: InstanceName) -> SceneChange:
    """It has a new process that has not answered yet."""
    return place(name, incarnation=incarnation_of(name, 2), run=None, misses=(), rows=None)


def restarted(name: InstanceName, role: Role = Role.REPLICA, life: int = 2) -> SceneChange:
    """It answers in another run, with its data, without rows."""
    return place(name, incarnation=incarnation_of(name, life), run=run_of(name, life), role=role, misses=(), rows=None)


def wiped(name: InstanceName, role: Role = Role.REPLICA) -> SceneChange:
    """It answers in another run with an empty data set of its own."""
    return lambda old: old.but(restarted(name, role), place(name, uuid=f"fresh-{name}", empty=True))


def is_main(name: InstanceName) -> SceneChange:
    """It answers as MAIN, in the same run."""
    return place(name, role=Role.MAIN)


def is_replica(name: InstanceName) -> SceneChange:
    """It answers as REPLICA, in the same run."""
    return place(name, role=Role.REPLICA, rows=None)


def other_data(name: InstanceName) -> SceneChange:
    """It holds another data set."""
    return place(name, uuid="another-data-set")


def data_unknown(name: InstanceName) -> SceneChange:
    """Its data set was not seen in its present run."""
    return place(name, uuid=None)


def stale(name: InstanceName, asked_s: float = NOW - 0.5) -> SceneChange:
    """Its last answers are older than the cut of the gateways."""
    return place(name, asked_s=asked_s, data_asked_s=asked_s)


# --- rows ---------------------------------------------------------------------------------------------


def rows(*found: Row) -> SceneChange:
    """MAIN shows these rows."""

    def change(old: Scene) -> Scene:
        return place(old.recorded.main, rows=found)(old)

    return change


def rows_unknown(old: Scene) -> Scene:
    """MAIN's rows are not known."""
    return place(old.recorded.main, rows=None)(old)


def standby_row(status: RowStatus, bad_for_s: float | None = None) -> SceneChange:
    """MAIN shows the standby's row in that status, beside the ASYNC one."""

    def change(old: Scene) -> Scene:
        main = old.recorded.main
        other = M1 if main == M0 else M0
        found = (strict_row(old.recorded.standby_row(other), other, status), async_row())
        since_s = None if bad_for_s is None else NOW - bad_for_s
        return place(main, rows=found, rows_bad_s=since_s)(old)

    return change


# --- the record ---------------------------------------------------------------------------------------

unnamed = recorded(standby=None)
unprotected = recorded(standby=None, unprotected=True)


def unnamed_for(seconds: float) -> SceneChange:
    """The reign has been open, protected and without a named standby for so long."""
    return lambda old: old.but(unnamed, scene(record_since_s=NOW - seconds))


def reigns(kind: ChangeKind, count: int, ago_s: float = 100.0) -> SceneChange:
    """So many more reigns of MAIN began so long ago, and the present one is the last of them."""

    def change(old: Scene) -> Scene:
        record = old.recorded
        for _ in range(count):
            generation = record.generation + 1
            one = Change(
                generation=generation,
                main=record.main,
                previous=record.main,
                kind=kind,
                standby=None,
                rule="L20",
                reason="before",
                at=WALL - ago_s,
            )
            record = evolve(record, generation=generation).with_change(one)
        return evolve(old, record=record)

    return change


# --- tries --------------------------------------------------------------------------------------------


def tried(
    command: Command,
    outcome: Outcome = Outcome.REFUSED,
    *,
    ago_s: float = 0.05,
    error: ErrorClass | None = None,
    detail: str = "it says no",
) -> SceneChange:
    """That command ended so long ago."""
    ended = CommandEnded(at_s=NOW - ago_s, command=command, outcome=outcome, error=error, detail=detail)
    return lambda old: evolve(old, ended=(*old.ended, ended))


def a_noop(old: Scene) -> CommitNoop:
    """A no-op for the present reign."""
    record, main = old.recorded, old.place(old.recorded.main)
    return CommitNoop(
        instance=main.name,
        run=main.run or run_of(main.name),
        generation=record.generation,
        standby=None,
        row=None,
        database_uuid=DATA,
    )


def a_registration(old: Scene, replica: InstanceName) -> RegisterReplica:
    """A registration in the present reign."""
    record, main = old.recorded, old.place(old.recorded.main)
    strict = replica != M2
    return RegisterReplica(
        instance=main.name,
        run=main.run or run_of(main.name),
        generation=record.generation,
        row=record.standby_row(replica) if strict else RowName(replica),
        replica=replica,
        replica_run=run_of(replica),
        address=replication_of(replica),
        mode=Mode.STRICT_SYNC if strict else Mode.ASYNC,
        database_uuid=DATA,
    )


def a_stop(old: Scene, name: InstanceName) -> StopInstance:
    """A stop of that instance's present process."""
    incarnation = old.place(name).incarnation or incarnation_of(name)
    return StopInstance(instance=name, incarnation=incarnation, generation=old.recorded.generation)


def a_promotion(old: Scene, name: InstanceName) -> Promote:
    """A promotion in the present reign."""
    return Promote(instance=name, run=old.place(name).run or run_of(name), generation=old.recorded.generation)


def a_demotion(old: Scene, name: InstanceName) -> Demote:
    """A demotion in the present reign."""
    run = old.place(name).run or run_of(name)
    return Demote(instance=name, run=run, generation=old.recorded.generation, port=10000 + int(name[1:]))


def a_drop(old: Scene, row: Row) -> DropReplica:
    """A drop of that row."""
    record, main = old.recorded, old.place(old.recorded.main)
    return DropReplica(
        instance=main.name,
        run=main.run or run_of(main.name),
        generation=record.generation,
        row=row.name,
        address=row.address,
        statuses=frozenset({row.status}),
    )


def a_write(old: Scene) -> WriteRecord:
    """A write of the record as it is."""
    return WriteRecord(expected=TOKEN, record=old.recorded)


def just_failed(kind: type[Command], name: InstanceName = M2) -> SceneChange:
    """A command of that kind on that instance was refused a moment ago, so its pause is not over."""

    def change(old: Scene) -> Scene:
        made: Command
        if kind is CommitNoop:
            made = a_noop(old)
        elif kind is RegisterReplica:
            made = a_registration(old, name)
        elif kind is StopInstance:
            made = a_stop(old, name)
        elif kind is Promote:
            made = a_promotion(old, name)
        elif kind is Demote:
            made = a_demotion(old, name)
        elif kind is DropReplica:
            made = a_drop(old, async_row())
        else:
            made = a_write(old)
        return tried(made)(old)

    return change
