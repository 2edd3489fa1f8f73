"""Every hand-made scene, and every single change of every step: where the order of the rules is looked at."""

from collections.abc import Callable, Iterator
from typing import Final

from memgraph_ha.core.commands import (
    CommitNoop,
    Demote,
    DropReplica,
    Promote,
    RegisterReplica,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.decide import decide
from memgraph_ha.core.errors import InvariantViolation
from memgraph_ha.core.facts import Miss, Outcome, RecordTrouble
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind, Fallback
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.rules import Rule
from memgraph_ha.core.topology import Role, RowStatus, StorageMode
from memgraph_ha.core.view import View
from tests.core.changes import (
    data_unknown,
    frozen,
    gate_shut,
    gone,
    is_main,
    is_replica,
    just_failed,
    last_noop,
    lease,
    misses,
    new_term,
    no_noop,
    one_more_noop,
    place,
    policy,
    recorded,
    refuses,
    reigns,
    required,
    restarted,
    rows,
    rows_unknown,
    scene,
    stale,
    standby_row,
    unheard,
    unnamed,
    unprotected,
    wiped,
)
from tests.core.occasions import (
    DEMOTED,
    FOREIGN_ROW,
    GIVEN_UP,
    HELD,
    NO_TRIGGERS,
    READY_TO_MOVE,
    ROLLED_BACK,
    WRONG_ROW_QUIET,
)
from tests.core.orders import (
    AUDIT,
    STAMP,
    analytical,
    asks,
    found_quiet,
    full_disk,
    given_up,
    held,
    moving,
    paused,
    rebuilding,
    refused_as_diverged,
    replaced,
    repromoted,
    restore_triggers,
    restore_users,
    will_stop,
)
from tests.core.scenes import (
    ADOPTABLE,
    ALONE,
    ATTACHED,
    BEGUN,
    DURABLE,
    EMPTY,
    FENCED,
    LOST,
    ONLY_DATA,
    PROMOTED,
    PROVEN,
)
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    Scene,
    SceneChange,
    async_row,
    noop,
    run_of,
    strict_row,
)

BASES: Final = {
    "healthy": HEALTHY,
    "lost": LOST,
    "begun": BEGUN,
    "promoted": PROMOTED,
    "durable": DURABLE,
    "fenced": FENCED,
    "alone": ALONE,
    "attached": ATTACHED,
    "proven": PROVEN,
    "empty": EMPTY,
    "adoptable": ADOPTABLE,
    "only data": ONLY_DATA,
    "held": HELD,
    "ready to move": READY_TO_MOVE,
    "demoted": DEMOTED,
    "given up": GIVEN_UP,
    "rolled back": ROLLED_BACK,
    "wrong row": WRONG_ROW_QUIET,
    "no triggers": NO_TRIGGERS,
}
"""The steps of a failover, of a planned move, of repairs, and the clusters without a record."""

_STALE_ROW = strict_row("m1_2", status=RowStatus.INVALID)

_EACH: Final[dict[str, Callable[[InstanceName], SceneChange]]] = {
    "refuses": refuses,
    "is frozen": frozen,
    "is gone": gone,
    "has a new process": unheard,
    "restarted": restarted,
    "restarted as MAIN": lambda name: restarted(name, Role.MAIN),
    "was wiped": wiped,
    "is MAIN": is_main,
    "is REPLICA": is_replica,
    "has unknown data": data_unknown,
    "answered long ago": stale,
    "knows other passwords": lambda name: misses(name, Miss.UNAUTHORISED, 3, 0.2),
    "has its port shut": lambda name: place(name, port_open=False),
    "is analytical": lambda name: place(name, storage_mode=StorageMode.ANALYTICAL),
    "was just stopped in vain": lambda name: just_failed(StopInstance, name),
    "was just demoted in vain": lambda name: just_failed(Demote, name),
    "was just registered in vain": lambda name: just_failed(RegisterReplica, name),
    "does not flush": lambda name: place(name, flush_every=100_000),
    "will be stopped": will_stop,
    "is to be restarted": lambda name: asks(Ask.RESTART, name),
    "is given up by word": lambda name: asks(Ask.REINIT, name),
    "is forced": lambda name: asks(Ask.FAILOVER, name),
    "is adopted": lambda name: asks(Ask.ADOPT, name),
    "was refused as diverged": refused_as_diverged,
    "was rebuilt": rebuilding,
    "is old and deaf": lambda name: place(name, port_open=False, rows=None),
}
"""What can happen to any instance."""

_RECORDED: Final[dict[str, SceneChange]] = {
    "unnamed": unnamed,
    "unnamed for a while": lambda old: old.but(unnamed, scene(record_since_s=NOW - 1)),
    "unprotected": unprotected,
    "not open": recorded(opened=False, standby=None, unprotected=False),
    "the directory counts": recorded(opened=False, standby=None, unprotected=False, main_run=None),
    "m1 is the fallback": recorded(
        opened=False, standby=None, unprotected=False, fallback=Fallback(instance=M1, run=run_of(M1))
    ),
    "m1 must be rebuilt": recorded(rebuild=frozenset({M1})),
    "of another cluster": recorded(cluster="cluster-2"),
    "low levels": recorded(level=((M0, 1),)),
    "five failovers": reigns(ChangeKind.FAILOVER, 5),
    "three re-promotions": reigns(ChangeKind.REPROMOTE, 3),
    "half row": standby_row(RowStatus.HALF),
    "invalid row": standby_row(RowStatus.INVALID),
    "blocking row": standby_row(RowStatus.INVALID, bad_for_s=9),
    "row in recovery": standby_row(RowStatus.RECOVERY),
    "no rows": rows(),
    "rows unknown": rows_unknown,
    "only the ASYNC row": rows(async_row()),
    "only the standby's row": rows(strict_row()),
    "moved row": rows(strict_row(ts=50), async_row()),
    "a stale row too": rows(_STALE_ROW, strict_row("m1_7", status=RowStatus.HALF), async_row()),
    "only a stale row": rows(async_row(), _STALE_ROW),
    "a stale ASYNC row": rows(async_row("m1_1", M1), async_row()),
    "proof a second ago": last_noop(asked_at_s=NOW - 1.1),
    "moved since the proof": lambda old: old.but(last_noop(asked_at_s=NOW - 1.1), rows(strict_row(ts=50))),
    "proof refused": one_more_noop(noop(outcome=Outcome.REFUSED, asked_s=NOW - 0.04)),
    "promotion just failed": just_failed(Promote, M1),
    "commit just failed": just_failed(CommitNoop),
    "drop just failed": lambda old: old.but(just_failed(DropReplica, old.recorded.main)),
    "write just failed": just_failed(WriteRecord),
    "m2 must be rebuilt": given_up(M2),
    "m1 must be rebuilt by word": given_up(M1, reinit=True),
    "moving to m1": moving(),
    "m1 is asked to reign": asks(Ask.SWITCHOVER, M1),
    "MAIN was found quiet": found_quiet(),
    "another data set on MAIN": replaced,
    "analytical mode on MAIN": analytical,
    "a full disk": full_disk(ago_s=0.25),
    "re-promoted": repromoted,
    "paused": paused,
    "m7 must be rebuilt": recorded(rebuild=frozenset({InstanceName("m7")})),
    "the record has triggers": recorded(triggers=(AUDIT,)),
    "MAIN has other triggers": lambda old: old.but(place(old.recorded.main, triggers=(STAMP,))),
    "an endless catch-up": rows(strict_row("m1_6", status=RowStatus.RECOVERY), async_row()),
    "a second ASYNC row": rows(strict_row(), async_row(), async_row("m2_by_hand")),
    "a foreign row": rows(strict_row(), async_row(), FOREIGN_ROW),
}
"""What can happen to a record, its rows and its proof: only with a record."""

_ALWAYS: Final[dict[str, SceneChange]] = {
    "the gateway is shut": gate_shut(),
    "not leading": lease(leading=False),
    "the lease ends": lease(until_s=NOW + 3),
    "an unclean lease": lease(clean=False, since_s=NOW - 3),
    "a new term": new_term,
    "a gap": scene(gap_at_s=NOW - 0.1),
    "the record is corrupt": scene(record=None, token=None, trouble=RecordTrouble.INVALID),
    "the record was not read": scene(record_was_read=False),
    "no members": scene(places=()),
    "a higher floor": lease(floor_generation=9),
    "required": required,
    "no noop": no_noop,
    "another pair": policy(eligible=("m0", "m2")),
    "our gateway holds": held(),
    "somebody pauses": asks(Ask.PAUSE),
    "somebody resumes": asks(Ask.RESUME),
    "accounts are restored": restore_users,
    "triggers are restored": restore_triggers,
    "m2 is old": place(M2, version="3.5.0"),
    "m2 has no init file": place(M2, init_file=""),
    "m0 is not listed": lambda old: scene(places=tuple(p for p in old.places if p.name != M0))(old),
}
"""What can happen to us."""

CHANGES: Final[dict[str, SceneChange]] = {
    **{f"{name} {what}": make(name) for what, make in _EACH.items() for name in (M0, M1, M2)},
    **_RECORDED,
    **_ALWAYS,
}


def applied(base: Scene, *names: str) -> Scene | None:
    """The scene with those changes; None if they make no sense together (no record to change, nobody to hit)."""
    try:
        return base.but(*(CHANGES[name] for name in names))
    except (AssertionError, StopIteration, IndexError):
        return None


def corpus() -> Iterator[tuple[str, Scene]]:
    """Every step, and every single change of it."""
    for base_name, base in BASES.items():
        yield base_name, base
        for name in CHANGES:
            changed = applied(base, name)
            if changed is not None:
                yield f"{base_name}, {name}", changed


def outcome(view: View, rules: tuple[Rule, ...]) -> object:
    """What would be done: commands, hold and route, or that it broke; ids, names and reasons do not count."""
    try:
        decision = decide(view, rules)
    except (InvariantViolation, LookupError) as error:
        return type(error)
    return decision.commands, decision.hold, decision.route
