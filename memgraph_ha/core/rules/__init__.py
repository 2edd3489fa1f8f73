"""The theory of operation, as one ordered tuple: the first rule that matches decides, one per tick.

Safety first, then getting writes back, then repair, then what to say. Each rule is a small pure function of the
view that returns a `Decision`, or `Unmet`: the first guard that stopped it and what it saw. Ids are never reused.
The letters: N may we act, R can the record be relied on, B a cluster without one, C what humans order, U the
standby's name, M the planned move, L MAIN's loss, O opening a reign, S strays, W waiting for MAIN, F frozen or deaf
ones, D durability, H rows, A attaching, P proof, E rebuilding, K notes, Y what is waited for, Z steady.
"""

from collections.abc import Callable
from typing import Final

from attrs import frozen

from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.rules import (
    attach,
    bootstrap,
    loss,
    moving,
    opening,
    orders,
    rebuild,
    reporting,
    restoring,
    rows,
    standing,
    stranded,
    waiting,
)
from memgraph_ha.core.view import View


@frozen
class Rule:
    """A rule: its id, and the function that is its text, its guards and its action."""

    id: str
    decide: Callable[[View], Decision | Unmet]

    @property
    def urgent(self) -> bool:
        """Whether it may cut off a later rule's command: safety and getting writes back, never repair."""
        return self.id[0] in "NRBUMLOS" or self.id in ("C20", "C30")

    @property
    def name(self) -> str:
        """The function's name, as events and docs show it."""
        return str(getattr(self.decide, "__name__", ""))


RULES: Final[tuple[Rule, ...]] = (
    Rule("N10", standing.hold_without_lease),
    Rule("N20", standing.hold_as_lease_ends),
    Rule("N25", standing.hold_after_unclean_lease),
    Rule("N30", standing.hold_in_tilt),
    Rule("R10", standing.hold_without_readable_record),
    Rule("R20", standing.hold_until_members_are_known),
    Rule("R30", standing.hold_on_foreign_record),
    Rule("C20", orders.adopt_by_order),
    Rule("R40", standing.hold_on_regressed_record),
    Rule("B10", bootstrap.begin_empty_cluster),
    Rule("B20", bootstrap.adopt_the_only_data),
    Rule("B30", bootstrap.hold_ambiguous_bootstrap),
    Rule("C10", orders.pause_by_order),
    Rule("C15", orders.resume_by_order),
    Rule("U10", loss.unname_standby),
    Rule("C30", orders.force_failover),
    Rule("C40", orders.restart_by_order),
    Rule("C50", orders.reinit_by_order),
    Rule("M10", moving.note_switchover),
    Rule("M20", moving.give_up_switchover),
    Rule("M30", moving.switch_over),
    Rule("C90", orders.hold_paused_failover),
    Rule("L10", loss.look_before_choosing),
    Rule("L12", loss.adopt_promoted_standby),
    Rule("L15", loss.hold_flapping),
    Rule("L20", loss.repromote_main),
    Rule("L30", loss.fail_over_to_standby),
    Rule("L40", loss.fall_back),
    Rule("O10", opening.stop_other_mains),
    Rule("S10", opening.demote_stray_main),
    Rule("L80", stranded.retry_unwritable_main),
    Rule("L85", stranded.restart_frozen_main),
    Rule("L90", stranded.hold_without_candidate),
    Rule("W10", opening.hold_until_pair_was_asked),
    Rule("O20", opening.promote_main),
    Rule("O30", opening.commit_first),
    Rule("O40", opening.fence_async_replicas),
    Rule("O42", restoring.restore_users),
    Rule("O44", restoring.restore_triggers),
    Rule("O50", opening.open_reign),
    Rule("W20", waiting.hold_on_replaced_data),
    Rule("W30", waiting.hold_on_lost_data),
    Rule("F10", rows.restart_frozen_standby),
    Rule("D10", rows.declare_unprotected),
    Rule("D15", rows.stop_endless_catch_up),
    Rule("D20", rows.renumber_blocking_row),
    Rule("H03", rows.renumber_rebuilt_row),
    Rule("H05", rows.renumber_half_row),
    Rule("H10", rows.drop_stale_row),
    Rule("C95", orders.hold_paused_repair),
    Rule("H20", rows.drop_in_quiet),
    Rule("A10", attach.attach_standby),
    Rule("A15", attach.name_standby),
    Rule("A20", attach.prove_standby),
    Rule("P10", attach.repeat_proof),
    Rule("A30", attach.attach_async),
    Rule("E10", rebuild.mark_diverged),
    Rule("E20", rebuild.rebuild_instance),
    Rule("F20", rows.restart_deaf_replica),
    Rule("K10", attach.note_levels),
    Rule("K20", attach.note_triggers),
    Rule("K30", attach.forget_members),
    Rule("Y05", reporting.hold_unauthorised),
    Rule("Y10", waiting.hold_without_service),
    Rule("Y20", waiting.hold_unprotected),
    Rule("Y30", waiting.hold_without_replica),
    Rule("Y35", reporting.hold_with_stale_row),
    Rule("Y40", reporting.hold_without_triggers),
    Rule("Y50", reporting.hold_on_foreign_row),
    Rule("Y60", reporting.hold_unsupported),
    Rule("Y70", reporting.hold_without_init_file),
    Rule("Z99", reporting.steady),
)
