"""Neighbours in RULES that can both match: a view of each pair, what must happen in it, and why.

Generic searches in `test_order.py` find such pairs by themselves and fail if one is not listed here.
"""

from typing import Final

from memgraph_ha.core.commands import (
    CommitNoop,
    Demote,
    DropReplica,
    RegisterReplica,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import Miss, RecordTrouble
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.core.topology import Role, RowStatus
from tests.core.changes import (
    frozen as is_frozen,
)
from tests.core.changes import (
    gone,
    is_main,
    just_failed,
    last_noop,
    lease,
    misses,
    new_term,
    place,
    recorded,
    refuses,
    reigns,
    restarted,
    rows,
    scene,
    stale,
    standby_row,
    unheard,
    unnamed,
    unnamed_for,
    unprotected,
)
from tests.core.overlap import Overlap
from tests.core.overlaps_life import LIFE
from tests.core.scenes import ADOPTABLE, ALONE, BEGUN, DURABLE, EMPTY, LOST
from tests.core.views import HEALTHY, M0, M1, M2, NOW, Scene, async_row, strict_row

_STALE_ROW = strict_row("m0_2", M0, RowStatus.INVALID)

OVERLAPS: Final = (
    *LIFE,
    Overlap(
        first="N10",
        second="N20",
        scene=HEALTHY.but(lease(leading=False)),
        hold=Hold.NOT_LEADING,
        why="who does not lead has no lease that could end: an operator must not read that it leads",
    ),
    Overlap(
        first="N20",
        second="N25",
        scene=HEALTHY.but(lease(clean=False, since_s=NOW - 3, until_s=NOW + 5)),
        hold=Hold.LEASE_ENDING,
        why="a lease that is about to be lost need not be waited out",
    ),
    Overlap(
        first="N25",
        second="N30",
        scene=HEALTHY.but(lease(clean=False, since_s=NOW - 3), scene(gap_at_s=NOW - 0.1)),
        hold=Hold.UNCLEAN_LEASE,
        why="the longer wait is the one to be told: an older permit lives on after the round of probes",
    ),
    Overlap(
        first="N30",
        second="R10",
        scene=HEALTHY.but(scene(gap_at_s=NOW - 0.1, record=None, token=None, trouble=RecordTrouble.INVALID)),
        hold=Hold.TILT,
        why="what was read before our process stood still is not judged",
    ),
    Overlap(
        first="R10",
        second="R20",
        scene=HEALTHY.but(scene(record=None, token=None, trouble=RecordTrouble.INVALID, places=())),
        hold=Hold.RECORD_INVALID,
        why="a corrupt record needs a human now, and is told first; members come by themselves",
    ),
    Overlap(
        first="R20",
        second="R30",
        scene=HEALTHY.but(scene(places=()), recorded(cluster="cluster-2")),
        hold=Hold.LOOKING,
        why="a platform that has not listed anybody cannot say which cluster it is",
    ),
    Overlap(
        first="R30",
        second="R40",
        scene=HEALTHY.but(recorded(cluster="cluster-2"), lease(floor_generation=9)),
        hold=Hold.RECORD_FOREIGN,
        why="another cluster's generations say nothing about ours: restoring `the newest` would be wrong advice",
    ),
    Overlap(
        first="R40",
        second="B10",
        scene=EMPTY.but(lease(floor_generation=3)),
        hold=Hold.RECORD_REGRESSED,
        why="a record that vanished is not a new cluster",
    ),
    Overlap(
        first="B20",
        second="B30",
        scene=ADOPTABLE,
        does=(WriteRecord,),
        why="one choice is not ambiguous",
    ),
    Overlap(
        first="U10",
        second="L10",
        scene=HEALTHY.but(restarted(M0), stale(M0), restarted(M1), scene(gate=None, gate_s=NOW - 0.3)),
        does=(WriteRecord,),
        why="a doubtful name is taken away before anybody is looked at again: the next leader must not find it",
    ),
    Overlap(
        first="L10",
        second="L15",
        scene=LOST.but(stale(M1), reigns(ChangeKind.FAILOVER, 5)),
        hold=Hold.LOOKING,
        why="whether MAIN is lost for good is only known after the look",
    ),
    Overlap(
        first="L15",
        second="L20",
        scene=HEALTHY.but(restarted(M0), unprotected, scene(gate=None), reigns(ChangeKind.FAILOVER, 5)),
        hold=Hold.FLAPPING,
        why="a pair that fails again and again is not worn down by endless promotions",
    ),
    Overlap(
        first="L15",
        second="L30",
        scene=LOST.but(reigns(ChangeKind.FAILOVER, 5)),
        hold=Hold.FLAPPING,
        why="nor by endless failovers",
    ),
    Overlap(
        first="O10",
        second="S10",
        scene=BEGUN.but(scene(places=HEALTHY.places), is_main(M0)),
        does=(StopInstance,),
        why="a MAIN beside a promotion is killed (0 of 120 lost a write), not asked to step down (transcripts Q7, Q9)",
    ),
    Overlap(
        first="S10",
        second="L90",
        scene=HEALTHY.but(restarted(M0, Role.MAIN), unprotected, scene(gate=None)),
        does=(Demote,),
        why="a MAIN that came back as MAIN is a candidate once it is demoted: waiting would be for ever",
    ),
    Overlap(
        first="L90",
        second="W10",
        scene=HEALTHY.but(gone(M0), gone(M1), unnamed, scene(gate=None)),
        hold=Hold.NO_SAFE_CANDIDATE,
        why="a MAIN that is known to be lost is not merely unheard: what each lacks must be said",
    ),
    Overlap(
        first="W10",
        second="O20",
        scene=BEGUN.but(unheard(M0)),
        hold=Hold.LOOKING,
        why="nobody is promoted beside a process that may be MAIN",
    ),
    Overlap(
        first="O40",
        second="O50",
        scene=DURABLE,
        does=(RegisterReplica,),
        why="the ASYNC replica is fenced before the first write that an old MAIN's feed could contradict",
    ),
    Overlap(
        first="F10",
        second="D10",
        scene=HEALTHY.but(unnamed_for(6), standby_row(RowStatus.INVALID), is_frozen(M1, for_s=3.0)),
        does=(StopInstance,),
        why="ending the stall lets every command after it through, also the row's drop",
    ),
    Overlap(
        first="H05",
        second="H10",
        scene=HEALTHY.but(
            unprotected, gone(M1), rows(strict_row(status=RowStatus.HALF), strict_row("m1_2"), async_row())
        ),
        does=(WriteRecord,),
        why="the number rises before any row of the standby is dropped",
    ),
    Overlap(
        first="H10",
        second="A10",
        scene=ALONE.but(rows(async_row("by-hand", M1, RowStatus.HALF))),
        does=(DropReplica,),
        why="rows that must go are dropped before new ones come: their names and addresses are in the way",
    ),
    Overlap(
        first="P10",
        second="A30",
        scene=HEALTHY.but(last_noop(asked_at_s=NOW - 1.1), rows(strict_row(ts=50))),
        does=(CommitNoop,),
        why="what failover relies on is proven before reads are repaired",
    ),
    Overlap(
        first="A30",
        second="K10",
        scene=HEALTHY.but(rows(strict_row()), recorded(level=((M0, 4), (M1, 1), (M2, 1)))),
        does=(RegisterReplica,),
        why="a note for later does not hold up a repair",
    ),
    Overlap(
        first="K10",
        second="Y10",
        scene=HEALTHY.but(recorded(level=((M0, 4), (M1, 4), (M2, 1))), new_term, just_failed(CommitNoop)),
        does=(WriteRecord,),
        why="something can be done, so nothing is waited for",
    ),
    Overlap(
        first="Y10",
        second="Y20",
        scene=HEALTHY.but(unprotected, new_term, just_failed(CommitNoop)),
        hold=Hold.BACKING_OFF,
        why="a shut gateway must be told before a missing standby",
    ),
    Overlap(
        first="Y20",
        second="Y30",
        scene=HEALTHY.but(unprotected, gone(M1), gone(M2), rows()),
        hold=Hold.UNPROTECTED,
        why="acknowledged writes with one copy must be told before stale reads",
    ),
    Overlap(
        first="Y30",
        second="Z99",
        scene=HEALTHY.but(gone(M2), rows(strict_row())),
        hold=Hold.REPLICA_MISSING,
        why="a cluster that lacks a replica is not steady",
    ),
)

FIRES: Final[dict[str, Scene]] = {
    "N20": HEALTHY.but(lease(until_s=NOW + 3)),
    "N30": HEALTHY.but(refuses(M0), scene(gap_at_s=NOW - 0.1)),
    "L40": BEGUN.but(gone(M1), restarted(M0)),
    "D10": HEALTHY.but(unnamed_for(6), gone(M1), rows(async_row())),
    "D20": HEALTHY.but(unprotected, gone(M1), standby_row(RowStatus.INVALID, bad_for_s=9)),
    "B30": ADOPTABLE.but(is_main(M1)),
    "W10": BEGUN.but(unheard(M1)),
    "Y10": HEALTHY.but(new_term, just_failed(CommitNoop)),
    "Y30": HEALTHY.but(gone(M2), rows(strict_row())),
    "silent": HEALTHY.but(misses(M2, Miss.TIMED_OUT, 3, 0.5), place(M2, rows=None)),
    "stale row": ALONE.but(rows(_STALE_ROW)),
}
"""Scenes for rules that no overlap and no single change of a step isolates."""
