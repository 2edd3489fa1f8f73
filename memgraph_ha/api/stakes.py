"""What a verb puts at stake, for its dry run: judged from one view, one sentence for who is about to confirm."""

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.view import View


def stake_of(view: View | None, ask: Ask, instance: InstanceName | None) -> str:
    """Say what a verb puts at stake; empty if nothing is worth a word.

    A forced failover is not here: the controller itself weighs that (`Control.at_stake`).

    Args:
        view: What is known; None before the first look.
        ask: The verb.
        instance: Of whom.
    """
    if ask is Ask.PAUSE:
        return "nothing now; but nobody takes over while it lasts"
    if view is None or instance is None:
        return ""
    if ask is Ask.ADOPT:
        return _adopting(view, instance)
    if ask is Ask.REINIT:
        return f"what only {instance} holds ({_holding(view, instance)}); its old files are moved aside, not deleted"
    if ask is Ask.RESTART:
        return _restarting(view, instance)
    return ""


def _holding(view: View, instance: InstanceName) -> str:
    seen = view.observed.of(instance)
    storage = None if seen is None else seen.storage
    if seen is None or storage is None or seen.role is None or storage.run != seen.role.run:
        return "its data is not known now"
    return "it is empty" if storage.empty else f"{storage.objects} objects of data set {storage.uuid}"


def _adopting(view: View, instance: InstanceName) -> str:
    """Whoever holds something else, or cannot be asked, may hold what the adopted one lacks."""
    others = [seen.member.name for seen in view.observed.seen if seen.member.name != instance and _may_differ(seen)]
    adopted = f"{instance} ({_holding(view, instance)})"
    if not others:
        return f"nothing: all others are empty; adopted is {adopted}"
    told = ", ".join(f"{name} ({_holding(view, name)})" for name in others)
    return f"what only the others hold, and is given up: {told}; adopted is {adopted}"


def _may_differ(seen: Seen) -> bool:
    known = seen.storage is not None and seen.role is not None and seen.storage.run == seen.role.run
    return not (known and seen.storage is not None and seen.storage.empty)


def _restarting(view: View, instance: InstanceName) -> str:
    record = view.record
    if record is None or record.main != instance:
        return "no data; clients that read from it connect again"
    if record.standby is not None:
        return "no data; its standby takes over first, so writing clients wait for a moment and connect again"
    return "no data; but no standby is named, so writes wait until it is back"
