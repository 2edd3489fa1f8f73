"""The neighbours among the rules of a cluster's whole life that can both match: orders, moves, rebuilds, reports."""

from typing import Final

from memgraph_ha.core.commands import (
    CommitNoop,
    Demote,
    DropReplica,
    RebuildInstance,
    RegisterReplica,
    RestoreUsers,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import RowStatus
from tests.core.changes import (
    frozen as is_frozen,
)
from tests.core.changes import (
    gone,
    is_main,
    just_failed,
    lease,
    misses,
    new_term,
    place,
    recorded,
    reigns,
    restarted,
    rows,
    scene,
    stale,
    standby_row,
    unnamed,
    unprotected,
)
from tests.core.occasions import (
    DEMOTED,
    FORCED,
    FOREIGN_ROW,
    FROZEN,
    FULL,
    GIVEN_UP,
    MOVING,
    NO_TRIGGERS,
    OCCASIONS,
    ROLLED_BACK,
)
from tests.core.orders import (
    AUDIT,
    STAMP,
    asks,
    given_up,
    paused,
    refused_as_diverged,
    replaced,
    restore_users,
)
from tests.core.overlap import Overlap
from tests.core.scenes import ALONE, DURABLE, LOST
from tests.core.views import HEALTHY, M0, M1, M2, NOW, async_row, strict_row

_M7 = recorded(rebuild=frozenset({InstanceName("m7")}))
_LOW_LEVEL = recorded(level=((M0, 4), (M1, 4)))

LIFE: Final = (
    Overlap(
        first="R30",
        second="C20",
        scene=HEALTHY.but(recorded(cluster="cluster-2"), lease(floor_generation=9), asks(Ask.ADOPT, M0)),
        hold=Hold.RECORD_FOREIGN,
        why="an order given to this cluster must not rewrite the record of another",
    ),
    Overlap(
        first="C20",
        second="R40",
        scene=HEALTHY.but(lease(floor_generation=9), asks(Ask.ADOPT, M0)),
        does=(WriteRecord,),
        why="a human's word is what ends the hold",
    ),
    Overlap(
        first="C15",
        second="U10",
        scene=HEALTHY.but(paused, asks(Ask.RESUME), gone(M1)),
        does=(WriteRecord,),
        why="the order takes one tick, and the doubtful name is taken away in the next: nothing uses it before",
    ),
    Overlap(
        first="U10",
        second="C30",
        scene=LOST.but(gone(M0), restarted(M1), asks(Ask.FAILOVER, M1)),
        does=(WriteRecord,),
        why="the history of a forced reign must not say that a doubtful standby was passed over",
    ),
    Overlap(
        first="C30",
        second="C40",
        scene=FORCED.but(asks(Ask.RESTART, M2)),
        does=(WriteRecord,),
        why="writes come back before a replica is restarted",
    ),
    Overlap(
        first="C40",
        second="C50",
        scene=HEALTHY.but(asks(Ask.RESTART, M2), asks(Ask.REINIT, M2)),
        does=(StopInstance,),
        why="the restart is done by the time that the rebuild begins: the other way round it would hit the emptied one",
    ),
    Overlap(
        first="C50",
        second="M10",
        scene=HEALTHY.but(asks(Ask.REINIT, M1), asks(Ask.SWITCHOVER, M1)),
        does=(WriteRecord,),
        why="who is given up must not become MAIN",
    ),
    Overlap(
        first="M20",
        second="M30",
        scene=MOVING.but(scene(record_since_s=NOW - 9)),
        does=(WriteRecord,),
        why="clients wait for a bounded time",
    ),
    Overlap(
        first="M30",
        second="C90",
        scene=DEMOTED.but(paused),
        does=(WriteRecord,),
        why="a MAIN that was demoted for a switchover leaves the cluster without one: the move is brought to its end",
    ),
    Overlap(
        first="C90",
        second="L10",
        scene=LOST.but(paused, stale(M1)),
        hold=Hold.PAUSED,
        why="who paused must read that this is why nobody takes over",
    ),
    Overlap(
        first="L12",
        second="L15",
        scene=OCCASIONS["L12"].but(reigns(ChangeKind.FAILOVER, 5)),
        does=(WriteRecord,),
        why="what a human promoted does not flap, and takes writes already",
    ),
    Overlap(
        first="S10",
        second="L80",
        scene=FULL.but(is_main(M2), place(M2, uuid="b")),
        does=(WriteRecord, Demote),
        why="a second writer is worse than a full disk",
    ),
    Overlap(
        first="L85",
        second="L90",
        scene=FROZEN,
        does=(StopInstance,),
        why="nothing waits for a human that a restart can do",
    ),
    Overlap(
        first="O40",
        second="O42",
        scene=DURABLE.but(restore_users),
        does=(RegisterReplica,),
        why="the fence comes first: an old MAIN may feed the replica meanwhile, and a REGISTER forgets the accounts",
    ),
    Overlap(
        first="O42",
        second="O44",
        scene=NO_TRIGGERS.but(restore_users),
        does=(RestoreUsers,),
        why="who has created accounts can no longer be locked out by a trigger that fails",
    ),
    Overlap(
        first="W20",
        second="W30",
        scene=ROLLED_BACK.but(replaced),
        hold=Hold.DATA_SET_REPLACED,
        why="which data set counts must be said before what another one lacks",
    ),
    Overlap(
        first="W30",
        second="F10",
        scene=ROLLED_BACK.but(rows(strict_row(status=RowStatus.INVALID)), is_frozen(M1, for_s=3.0)),
        hold=Hold.MAIN_LOST_DATA,
        why="the only copy of acknowledged writes is not touched, not even restarted",
    ),
    Overlap(
        first="D15",
        second="D20",
        scene=HEALTHY.but(
            unprotected,
            place(
                M0,
                rows=(strict_row(status=RowStatus.INVALID), strict_row("m1_6", status=RowStatus.RECOVERY), async_row()),
                rows_bad_s=NOW - 9,
            ),
        ),
        does=(StopInstance,),
        why="the older row aborts every write too, and cannot be dropped while its process lives",
    ),
    Overlap(
        first="D20",
        second="H03",
        scene=HEALTHY.but(unprotected, given_up(M1), standby_row(RowStatus.INVALID, bad_for_s=9)),
        does=(WriteRecord,),
        equal=True,
        why="either gives the row up; what it did to writes is the better reason",
    ),
    Overlap(
        first="H03",
        second="H05",
        scene=HEALTHY.but(unnamed, scene(record_since_s=NOW - 1), given_up(M1), standby_row(RowStatus.HALF)),
        does=(WriteRecord,),
        why="a reign whose standby is emptied goes on alone: the record must say so at once",
    ),
    Overlap(
        first="H10",
        second="C95",
        scene=HEALTHY.but(
            paused, unprotected, gone(M1), rows(async_row(), strict_row("m1_2", status=RowStatus.INVALID))
        ),
        does=(DropReplica,),
        why="a dead standby's row aborts every write, and nobody paused the cluster for that",
    ),
    Overlap(
        first="H20",
        second="A10",
        scene=ALONE.but(rows(async_row(), async_row("by-hand"))),
        hold=Hold.STALE_ROW,
        why="in the quiet moment that the drop needs, the standby is attached without holding anybody's write",
    ),
    Overlap(
        first="A30",
        second="E10",
        scene=HEALTHY.but(unprotected, rows(), refused_as_diverged(M1)),
        does=(RegisterReplica,),
        why="who can be attached is attached before another one is given up",
    ),
    Overlap(
        first="E10",
        second="E20",
        scene=GIVEN_UP.but(unprotected, rows(), refused_as_diverged(M1)),
        does=(WriteRecord,),
        why="who must be rebuilt is known before the first is emptied: the standby comes first",
    ),
    Overlap(
        first="E20",
        second="F20",
        scene=GIVEN_UP.but(place(M2, port_open=False)),
        does=(RebuildInstance,),
        why="a rebuild restarts it anyway",
    ),
    Overlap(
        first="F20",
        second="K10",
        scene=OCCASIONS["F20"].but(recorded(level=((M0, 4), (M1, 1), (M2, 1)))),
        does=(StopInstance,),
        why="a note for later does not hold up a repair",
    ),
    Overlap(
        first="K10",
        second="K20",
        scene=HEALTHY.but(_LOW_LEVEL, place(M0, triggers=(AUDIT,))),
        does=(WriteRecord,),
        why="what a rebuild relies on is noted before what a promotion restores",
    ),
    Overlap(
        first="K20",
        second="K30",
        scene=HEALTHY.but(_M7, place(M0, triggers=(AUDIT,))),
        does=(WriteRecord,),
        why="triggers can be lost at any moment; who left has time",
    ),
    Overlap(
        first="K30",
        second="Y05",
        scene=HEALTHY.but(_M7, misses(M2, Miss.UNAUTHORISED, 1, 0.1)),
        does=(WriteRecord,),
        why="something can be done, so nothing is waited for",
    ),
    Overlap(
        first="Y05",
        second="Y10",
        scene=HEALTHY.but(new_term, just_failed(CommitNoop), misses(M2, Miss.UNAUTHORISED, 1, 0.1)),
        hold=Hold.UNAUTHORISED,
        why="a wrong password is the likeliest cause of whatever else fails, and only a human can mend it",
    ),
    Overlap(
        first="Y30",
        second="Y35",
        scene=OCCASIONS["Y35"].but(
            place(
                M0,
                rows=(
                    strict_row(),
                    async_row(status=RowStatus.INVALID),
                    async_row("m2_by_hand", status=RowStatus.INVALID),
                ),
                rows_bad_s=NOW - 5,
            )
        ),
        hold=Hold.REPLICA_MISSING,
        why="who lacks a replica must read so; its stale row is a part of that",
    ),
    Overlap(
        first="Y35",
        second="Y40",
        scene=OCCASIONS["Y35"].but(recorded(triggers=(AUDIT,)), place(M0, triggers=())),
        hold=Hold.STALE_ROW,
        why="a row can abort writes; a trigger that is missing waits for a human anyway",
    ),
    Overlap(
        first="Y40",
        second="Y50",
        scene=HEALTHY.but(
            recorded(triggers=(AUDIT, STAMP)),
            place(M0, triggers=(STAMP,)),
            rows(strict_row(), async_row(), FOREIGN_ROW),
        ),
        hold=Hold.TRIGGERS_MISSING,
        why="what writes lack comes before what others read",
    ),
    Overlap(
        first="Y50",
        second="Y60",
        scene=HEALTHY.but(rows(strict_row(), async_row(), FOREIGN_ROW), place(M2, version="3.5.0")),
        hold=Hold.FOREIGN_ROW,
        why="a foreign row can abort every write now; a version has been what it is for long",
    ),
    Overlap(
        first="Y60",
        second="Y70",
        scene=HEALTHY.but(place(M2, version="3.5.0", init_file="")),
        hold=Hold.UNSUPPORTED,
        why="a version that calls healthy replicas diverged matters more than a moment after a crash",
    ),
    Overlap(
        first="Y70",
        second="Z99",
        scene=HEALTHY.but(place(M2, init_file="")),
        hold=Hold.INIT_FILE_MISSING,
        why="a cluster that can come back with two writable instances is not steady",
    ),
)
