"""The first state: a healthy cluster, m0 MAIN, m1 its proven standby, m2 ASYNC, one controller leading."""

from __future__ import annotations

from memgraph_ha.core.names import RunId
from memgraph_ha.core.record import Change, ChangeKind, Record, Standby
from memgraph_ha.sim.search.ground import settled
from memgraph_ha.sim.search.mind import Mind, tidy_record
from memgraph_ha.sim.search.state import IDLE, LEADS, READY, Controller, Instance, Row, State
from memgraph_ha.sim.search.words import CLUSTER, DATA, GENERATION, LONG_AGO, NAMES, ROW, row_name, run_of


def healthy(mind: Mind, faults: int) -> State:
    """The state in which every search begins.

    Args:
        mind: The production core.
        faults: How many may happen.
    """
    rows = (
        Row(to=1, strict=True, number=0, status=READY, moved=True),
        Row(2, strict=False, number=0, status=READY, moved=False),
    )
    leader = Controller(mode=LEADS, mind=mind.lead(clean=True, floor=GENERATION), gate=None, flight=None, unreached=0)
    other = Controller(mode=IDLE, mind=mind.empty, gate=None, flight=None, unreached=0)
    return settled(
        State(
            instances=(
                Instance(up=True, main=True, log=(), fresh=False, follows=-1, rows=rows),
                Instance(up=True, main=False, log=(), fresh=False, follows=0, rows=()),
                Instance(up=True, main=False, log=(), fresh=False, follows=0, rows=()),
            ),
            cuts=0,
            record=mind.records.of(_record()),
            older=-1,
            floor=GENERATION,
            free=False,
            stolen=False,
            controllers=(leader, other),
            late=(),
            write=None,
            acked=0,
            frail=0,
            overtaken=False,
            budget=faults,
        ),
    )


def _record() -> Record:
    began = Change(
        generation=GENERATION,
        main=NAMES[0],
        previous=NAMES[1],
        kind=ChangeKind.FAILOVER,
        standby=None,
        rule="",
        reason="",
        at=LONG_AGO,
    )
    return tidy_record(
        Record(
            cluster=CLUSTER,
            generation=GENERATION,
            main=NAMES[0],
            main_run=RunId(run_of(0)),
            opened=True,
            standby=Standby(instance=NAMES[1], run=run_of(1), row=row_name(1, strict=True)),
            fallback=None,
            unprotected=False,
            row_seq=ROW,
            rebuild=frozenset(),
            database_uuid=DATA,
            level=tuple((name, GENERATION) for name in NAMES),
            history=(began,),
        )
    )
