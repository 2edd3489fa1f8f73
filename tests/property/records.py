"""Arbitrary records, and the small pools of names and times that all strategies draw from."""

from typing import Final

from hypothesis import strategies as st

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RowName, RunId, Token
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Pause, Record, Standby, Switchover
from memgraph_ha.core.topology import Trigger
from tests.core.views import DATA, NOW, WALL, replication_of

NAMES: Final = tuple(InstanceName(f"m{n}") for n in range(4))
names = st.sampled_from(NAMES)
runs = st.builds(lambda name, life: RunId(f"run-{name}-{life}"), names, st.integers(1, 2))
incarnations = st.builds(lambda name, life: Incarnation(f"pid-{name}-{life}"), names, st.integers(1, 2))
replications = st.sampled_from([*map(replication_of, NAMES), Address("10.9.9.9:10000")])
row_names = st.builds(RowName, st.sampled_from(["m1_7", "m0_8", "m1_1", "m0_2", "m2", "m3", "by-hand", "m1", ""]))
data_sets = st.sampled_from([DATA, DATA, DATA, "data-set-2"])
clusters = st.sampled_from(["cluster-1", "cluster-1", "cluster-1", "cluster-2"])
generations = st.integers(1, 5)
tokens = st.builds(Token, st.sampled_from(["t1", "t2"]))
times = st.one_of(
    st.floats(NOW - 2, NOW, allow_nan=False),
    st.sampled_from([NOW - 600, NOW - 10, NOW - 1, NOW, NOW + 5, NOW + 60, 0.0, -1e9, 1e9]),
)
texts = st.sampled_from(["", "it says no", "Error: 3"])


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A record as `parse_record` returns it: what it would refuse is not drawn."""
    main = draw(st.sampled_from(NAMES[:3]))
    row_seq = draw(st.sampled_from([0, 2, 7, 8]))
    standby_of = draw(st.none() | st.sampled_from([name for name in NAMES if name != main]))
    opened = standby_of is not None or draw(st.booleans())
    standby = standby_of and Standby(instance=standby_of, run=draw(runs), row=RowName(f"{standby_of}_{row_seq}"))
    generation = draw(generations)
    rebuild = draw(st.frozensets(names, max_size=2))
    return Record(
        cluster=draw(clusters),
        generation=generation,
        main=main,
        main_run=draw(st.none() | runs),
        opened=opened,
        standby=standby or None,
        fallback=None if opened else draw(st.none() | fallbacks),
        unprotected=standby_of is None and draw(st.booleans()),
        row_seq=row_seq,
        rebuild=rebuild,
        database_uuid=draw(data_sets),
        level=tuple(sorted(draw(st.dictionaries(names, st.integers(0, 5), max_size=3)).items())),
        history=draw(st.lists(changes(generation), max_size=6).map(tuple)),
        switchover=draw(st.none() | st.none() | switchovers.filter(lambda move: move.target != main)),
        paused=draw(st.none() | st.none() | pauses),
        reinit=frozenset(draw(st.sets(st.sampled_from(sorted(rebuild)))) if rebuild else ()),
        triggers=tuple(sorted(draw(st.frozensets(st.sampled_from(TRIGGERS), max_size=2)))),
    )


TRIGGERS: Final = (
    Trigger(name="audit", event="() CREATE", phase="AFTER COMMIT", statement="CREATE (:Log)"),
    Trigger(name="stamp", event="", phase="BEFORE COMMIT", statement="MATCH (n) SET n.t = 1"),
)
switchovers = st.builds(Switchover, target=names, by=st.just("alice"), reason=texts)
pauses = st.builds(Pause, by=st.just("bob"), reason=texts, at=st.sampled_from([WALL, 0.0]))


fallbacks = st.builds(Fallback, instance=names, run=st.none() | runs)


def changes(most: int) -> st.SearchStrategy[Change]:
    """A line of history, of no later generation than that."""
    return st.builds(
        Change,
        generation=st.integers(1, most),
        main=names,
        previous=st.none() | names,
        kind=st.sampled_from(ChangeKind),
        standby=st.none() | names,
        rule=st.just("L20"),
        reason=st.just("before"),
        at=st.sampled_from([WALL, WALL - 100, WALL - 700, WALL + 5000, 0.0, -5.0]),
        by=st.sampled_from(["", "alice"]),
    )
