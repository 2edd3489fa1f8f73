"""Rules B: a cluster without a record."""

from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.record import Change, ChangeKind, Record
from memgraph_ha.core.rules.standing import LONG_S, SHORT_S
from memgraph_ha.core.topology import Role
from memgraph_ha.core.view import View


def begin_empty_cluster(view: View) -> Decision | Unmet:
    """Begin the first reign of a cluster that holds nothing.

    When: there is no record, and every member of the cluster answers, is empty, and there are at least two.
    Then: create the record (create-only) for whom an earlier controller left marked as MAIN, else for the first
        eligible instance.
    Protects: NO_ACKED_LOSS (nothing can be lost where nothing is), BOOTSTRAP (creation is create-only).
    After: R40 (a record that vanished is not a new cluster).
    Source: design 6 (Bootstrap); scenarios G4.
    """
    unknown = _unknown(view)
    if unknown is not None:
        return Unmet("every member is known", unknown)
    full = [seen.member.name for seen in view.observed.seen if seen.storage is not None and not seen.storage.empty]
    if full:
        return Unmet("every member is empty", full)
    name = _marked(view) or view.pair[0]
    first = view.observed.of(name)
    if first is None or name not in view.pair:
        return Unmet("whom it begins with may be MAIN", name)
    return _begin(view, first, ChangeKind.BOOTSTRAP, "B10", "all instances are empty")


def adopt_the_only_data(view: View) -> Decision | Unmet:
    """Begin the first reign of a cluster whose facts leave one choice.

    When: there is no record, every member answers, and either exactly one of the pair holds data and nobody else
        does, or one of the pair is MAIN, all others are REPLICA, and everyone who holds data holds the same set; and
        no earlier controller left another one marked as MAIN.
    Then: create the record for it, with no standby.
    Protects: NO_ACKED_LOSS (who holds data is never made a copy of who does not).
    After: B10.
    Source: design 6 (Bootstrap); scenarios G5, G6, G7.
    """
    unknown = _unknown(view)
    if unknown is not None:
        return Unmet("every member is known", unknown)
    everyone = [seen for seen in view.observed.seen if seen.storage is not None and seen.role is not None]
    full = [seen for seen in everyone if seen.storage is not None and not seen.storage.empty]
    mains = [seen for seen in everyone if seen.role is not None and seen.role.role is Role.MAIN]
    if len(full) == 1 and _may_be(view, full[0]):
        return _begin(view, full[0], ChangeKind.ADOPT, "B20", f"only {full[0].member.name} holds data")
    data_sets = {seen.storage.uuid for seen in full if seen.storage is not None}
    if len(mains) == 1 and len(data_sets) == 1 and mains[0] in full and _may_be(view, mains[0]):
        reason = f"{mains[0].member.name} is the only MAIN, and there is one data set"
        return _begin(view, mains[0], ChangeKind.ADOPT, "B20", reason)
    return Unmet("the facts leave one choice", _evidence(view))


def hold_ambiguous_bootstrap(view: View) -> Decision | Unmet:
    """Wait for a human where the facts allow more than one MAIN, or somebody cannot be asked.

    When: there is no record, and neither B10 nor B20 applies.
    Then: nothing, with what every instance said.
    Protects: NO_ACKED_LOSS, BOOTSTRAP.
    After: B20.
    Source: design 6 (Bootstrap); scenarios G3, G5, G7.
    """
    if view.record is not None:
        return Unmet("there is no record", "there is one")
    return Decision(
        hold=Hold.AMBIGUOUS_BOOTSTRAP,
        reason=f"no record, and no single choice: {_evidence(view)}",
        look=tuple(member.name for member in view.members),
        wake_at_s=view.now_s + SHORT_S,
    )


def _unknown(view: View) -> str | None:
    """Why a cluster cannot begin yet; None if everything about everyone is known."""
    if view.record is not None:
        return "there is a record"
    if len(view.members) < 2:  # noqa: PLR2004 - a pair is two
        return f"{len(view.members)} member, at least two are needed"
    for seen in view.observed.seen:
        if not view.answered_within(seen, LONG_S) or seen.role is None:
            return f"{seen.member.name} does not answer"
        if seen.storage is None or seen.storage.run != seen.role.run:
            return f"the data set of {seen.member.name} is not known"
    return None


def _marked(view: View) -> InstanceName | None:
    """Whom an earlier controller left marked as MAIN."""
    return None if view.observed.record is None else view.observed.record.marked


def _may_be(view: View, seen: Seen) -> bool:
    """Whether it may be MAIN, and nobody else was left marked as it."""
    name = seen.member.name
    return name in view.pair and _marked(view) in (None, name)


def _evidence(view: View) -> str:
    marked, said = _marked(view), [_describe(seen) for seen in view.observed.seen]
    return "; ".join(said if marked is None else [*said, f"{marked} was left marked as MAIN"])


def _describe(seen: Seen) -> str:
    if seen.role is None and seen.member.incarnation is None:
        return f"{seen.member.name}: no process"
    if seen.miss is not None and (seen.role is None or seen.miss.asked_at_s > seen.role.asked_at_s):
        return f"{seen.member.name}: {seen.miss.miss.value}"
    if seen.role is None:
        return f"{seen.member.name}: no answer yet"
    storage = seen.storage
    data = "data unknown" if storage is None else "empty" if storage.empty else f"data set {storage.uuid}"
    return f"{seen.member.name}: {seen.role.role.name}, {data}"


def first_record(view: View, chosen: Seen, change: Change) -> WriteRecord:
    """The command that creates the record of a cluster which has none (create-only).

    Whoever holds another data set is marked for a rebuild, which only a human can order then: it has no level.

    Args:
        view: What is known.
        chosen: Whose reign it is.
        change: The first line of history.
    """
    name, members = chosen.member.name, view.observed.members
    others = {
        seen.member.name
        for seen in view.observed.seen
        if seen.storage is not None and chosen.storage is not None and not seen.storage.empty
        if seen.storage.uuid != chosen.storage.uuid
    }
    record = Record(
        cluster="" if members is None else members.cluster,
        generation=change.generation,
        main=name,
        main_run=None,
        opened=False,
        standby=None,
        fallback=None,
        unprotected=False,
        row_seq=0,
        rebuild=frozenset(others),
        database_uuid="" if chosen.storage is None else chosen.storage.uuid,
        level=((name, change.generation),),
        history=(change,),
    )
    return WriteRecord(expected=None, record=record)


def _begin(view: View, chosen: Seen, kind: ChangeKind, rule: str, reason: str) -> Decision:
    change = Change(
        generation=1,
        main=chosen.member.name,
        previous=None,
        kind=kind,
        standby=None,
        rule=rule,
        reason=reason,
        at=view.wall_s,
    )
    return Decision(
        reason=f"begin reign 1 of {chosen.member.name}: {reason}",
        commands=(first_record(view, chosen, change),),
        wake_at_s=view.now_s + SHORT_S,
    )
