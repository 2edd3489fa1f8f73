"""Arbitrary facts, records, policies and views: valid types, wild values, any order.

Names, runs and addresses come from small pools, so that facts meet each other; times lie around `NOW`. Wild views
are made of nothing but chance and rarely get far; near views begin with a step of a failover (`tests/core/scenes.py`),
change it, and add chance to it.
"""

from functools import reduce

from hypothesis import strategies as st

from memgraph_ha.core.commands import (
    Command,
    CommitNoop,
    Demote,
    DropReplica,
    Promote,
    Quiesce,
    RebuildInstance,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import (
    CommandEnded,
    Fact,
    GapSeen,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    NoopSeen,
    Outcome,
    PortSeen,
    ProbeMissed,
    QuietSeen,
    RecordSeen,
    RecordTrouble,
    RequestEnded,
    RequestSeen,
    RoleSeen,
    RowsSeen,
    SentinelBroke,
    ServerSeen,
    StorageSeen,
    TriggersSeen,
)
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import Address, InstanceName
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.policy import AutoReinit, DataDurability, Policy, Triggers, Users
from memgraph_ha.core.record import Standby
from memgraph_ha.core.requests import Ask, Request
from memgraph_ha.core.topology import Member, Mode, Role, Row, RowStatus, StorageMode
from memgraph_ha.core.view import View
from tests.core.corpus import BASES, CHANGES, applied
from tests.core.occasions import OCCASIONS
from tests.core.views import NOW, WALL, Scene, replication_of
from tests.property.records import (
    NAMES,
    TRIGGERS,
    clusters,
    data_sets,
    generations,
    incarnations,
    names,
    records,
    replications,
    row_names,
    runs,
    texts,
    times,
    tokens,
)

__all__ = ["facts", "names", "near_scenes", "observations", "records", "views", "wild_views"]

policies = st.one_of(
    st.just(Policy()),
    st.builds(
        Policy,
        eligible=st.sampled_from([(), ("m0", "m1"), ("m1", "m0"), ("m0", "m2"), ("m2", "m3"), ("m8", "m9")]).map(
            lambda pair: tuple(InstanceName(name) for name in pair)
        ),
        data_durability=st.sampled_from(DataDurability),
        refused_count=st.integers(1, 3),
        refused_gap_s=st.sampled_from([0.0, 0.05]),
        frozen_count=st.integers(1, 4),
        frozen_standby_s=st.sampled_from([0.5, 3.0]),
        standby_grace_s=st.sampled_from([0.1, 5.0]),
        main_restart_limit=st.integers(0, 3),
        failover_limit=st.integers(1, 5),
        proof_interval_s=st.sampled_from([0.1, 1.0, 60.0]),
        restart_frozen_main_s=st.sampled_from([1.0, 60.0]),
        drain_s=st.sampled_from([0.0, 2.0]),
        quiesce_max_s=st.sampled_from([0.05, 0.5]),
        catch_up_max_s=st.sampled_from([0.1, 2.0]),
        read_max_behind=st.sampled_from([0, 1000]),
        auto_reinit=st.sampled_from(AutoReinit),
        users=st.sampled_from(Users),
        triggers=st.sampled_from(Triggers),
    ),
)

rows = st.builds(
    Row,
    name=row_names,
    address=replications,
    mode=st.none() | st.sampled_from(Mode),
    status=st.sampled_from(RowStatus),
    ts=st.none() | st.integers(0, 2),
    behind=st.none() | st.integers(-5, 5),
)


@st.composite
def member_lists(draw: st.DrawFn) -> MembersSeen:
    """A platform's list: one to four places in order, or none."""
    members = tuple(
        Member(
            name=name,
            bolt=Address(f"{name}:7687"),
            replication=replication_of(name),
            incarnation=draw(st.none() | incarnations),
        )
        for name in NAMES[: draw(st.integers(0, 4))]
    )
    return MembersSeen(at_s=draw(times), cluster=draw(clusters), members=members)


witnesses = st.builds(Standby, instance=names, run=runs, row=row_names)
permits = st.builds(
    Permit,
    instance=names,
    address=replications,
    run=runs,
    incarnation=incarnations,
    generation=st.integers(1, 5),
    valid_until_s=times,
)
triggers = st.frozensets(st.sampled_from(TRIGGERS)).map(lambda chosen: tuple(sorted(chosen)))
_on = {"instance": names, "run": runs, "generation": generations}

commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(WriteRecord, expected=st.none() | tokens, record=records()),
    st.builds(StopInstance, instance=names, incarnation=incarnations, generation=generations),
    st.builds(Promote, **_on),
    st.builds(Demote, **_on, port=st.just(10000)),
    st.builds(CommitNoop, **_on, standby=st.none() | names, row=st.none() | row_names, database_uuid=data_sets),
    st.builds(
        RegisterReplica,
        **_on,
        row=row_names,
        replica=names,
        replica_run=runs,
        address=replications,
        mode=st.sampled_from(Mode),
        database_uuid=data_sets,
    ),
    st.builds(
        DropReplica,
        **_on,
        row=row_names,
        address=replications,
        statuses=st.frozensets(st.sampled_from(RowStatus)),
    ),
    st.builds(Quiesce, **_on, patience_s=st.sampled_from([0.5, 2.0])),
    st.builds(RestoreUsers, **_on),
    st.builds(RestoreTriggers, **_on, triggers=triggers),
    st.builds(RebuildInstance, instance=names, incarnation=incarnations, generation=generations),
)


@st.composite
def record_readings(draw: st.DrawFn) -> RecordSeen:
    """A record with its token, none at all, or trouble."""
    kind = draw(st.sampled_from(["record", "record", "record", "none", "trouble"]))
    trouble = draw(st.sampled_from(RecordTrouble)) if kind == "trouble" else None
    record = draw(records()) if kind == "record" else None
    token = draw(tokens) if record is not None else None
    return RecordSeen(at_s=draw(times), record=record, token=token, trouble=trouble, detail=draw(texts))


_timed = {"at_s": times, "asked_at_s": times}

about_instances: st.SearchStrategy[Fact] = st.one_of(
    st.builds(RoleSeen, **_timed, instance=names, run=runs, role=st.sampled_from(Role)),
    st.builds(
        ProbeMissed,
        **_timed,
        instance=names,
        miss=st.sampled_from(Miss),
        excused=st.booleans(),
        detail=texts,
    ),
    st.builds(RowsSeen, **_timed, instance=names, run=runs, rows=st.lists(rows, max_size=4).map(tuple)),
    st.builds(
        StorageSeen,
        **_timed,
        instance=names,
        run=runs,
        uuid=data_sets,
        empty=st.booleans(),
        mode=st.sampled_from(StorageMode),
        objects=st.sampled_from([0, 10, 10**7]),
    ),
    st.builds(
        ServerSeen,
        at_s=times,
        instance=names,
        run=runs,
        version=st.sampled_from(["3.6.1", "", "x"]),
        wal=st.booleans(),
        flush_every=st.sampled_from([1, 100_000]),
        init_file=st.sampled_from(["", "/init"]),
    ),
    st.builds(TriggersSeen, **_timed, instance=names, run=runs, triggers=triggers),
    st.builds(PortSeen, **_timed, instance=names, open=st.booleans()),
    st.builds(SentinelBroke, at_s=times, instance=names, run=runs),
)

request_ids = st.sampled_from(["a", "b", "c"])
requests = st.builds(
    Request,
    id=request_ids,
    ask=st.sampled_from(Ask),
    instance=st.none() | names | names,
    by=st.just("alice"),
    reason=texts,
    asked_s=times,
    until_s=times,
)

about_us: st.SearchStrategy[Fact] = st.one_of(
    st.builds(
        LeaseSeen,
        at_s=times,
        leading=st.sampled_from([True, True, True, False]),
        until_s=st.sampled_from([NOW + 9, NOW + 9, NOW + 5, NOW + 0.5, NOW]),
        since_s=times,
        clean=st.sampled_from([True, True, False]),
        floor_generation=st.sampled_from([0, 0, 0, 3, 9]),
    ),
    st.builds(GateSeen, at_s=times, permit=st.none() | permits, quiet=st.booleans()),
    st.builds(QuietSeen, at_s=times, instance=names, run=runs, generation=generations, ended=st.integers(0, 2)),
    st.builds(RequestSeen, at_s=times, request=requests),
    st.builds(RequestEnded, at_s=times, request_id=request_ids),
    st.builds(GapSeen, at_s=times, gap_s=st.floats(0, 100)),
    st.builds(
        NoopSeen,
        **_timed,
        instance=names,
        run=runs,
        generation=generations,
        outcome=st.sampled_from(Outcome),
        witness=st.none() | witnesses,
        row_ts=st.none() | st.integers(0, 2),
        error=st.none() | st.sampled_from([ErrorClass.DISK, ErrorClass.ABORTED]),
        detail=texts,
    ),
    st.builds(
        CommandEnded,
        at_s=times,
        command=commands,
        outcome=st.sampled_from(Outcome),
        error=st.none() | st.sampled_from(ErrorClass),
        detail=texts,
    ),
    record_readings(),
)

facts: st.SearchStrategy[Fact] = st.one_of(about_instances, about_us, member_lists())
"""Any fact."""


@st.composite
def observations(draw: st.DrawFn) -> Observed:
    """Facts in any order; mostly there are members, a lease and a record among the first."""
    found: list[Fact] = []
    if draw(st.integers(0, 9)):
        found.append(draw(member_lists()))
        found.append(LeaseSeen(at_s=0.0, leading=True, until_s=NOW + 9, since_s=NOW - 5))
        found.append(draw(record_readings()))
    found += draw(st.lists(facts, max_size=25))
    return reduce(observe, found, Observed())


@st.composite
def wild_views(draw: st.DrawFn) -> View:
    """A view made by chance alone."""
    return View(
        observed=draw(observations()),
        policy=draw(policies),
        now_s=draw(st.sampled_from([NOW, NOW + 0.5, NOW + 30])),
        wall_s=draw(st.sampled_from([WALL, 0.0, -1.0, 1e12])),
    )


@st.composite
def near_scenes(draw: st.DrawFn) -> tuple[Scene, tuple[Fact, ...]]:
    """A step of a failover with up to four changes, and a few more facts by chance."""
    base = draw(st.sampled_from([*BASES.values(), *OCCASIONS.values()]))
    names_of_changes = draw(st.lists(st.sampled_from(list(CHANGES)), max_size=4, unique=True))
    changed = applied(base, *names_of_changes) or base
    more = draw(st.lists(st.one_of(about_instances, about_us), max_size=3))
    return changed, tuple(more)


@st.composite
def near_views(draw: st.DrawFn) -> View:
    """A view a few facts away from a step of a failover."""
    changed, more = draw(near_scenes())
    chosen = changed.policy if draw(st.booleans()) else draw(policies)
    return View(
        observed=reduce(observe, more, changed.observed),
        policy=chosen,
        now_s=NOW + draw(st.sampled_from([0.0, 0.0, 0.0, 0.3, 2.0, 6.0])),
        wall_s=WALL,
    )


def views() -> st.SearchStrategy[View]:
    """Any view at all, mostly one from which something follows."""
    return st.one_of(near_views(), near_views(), wild_views())
