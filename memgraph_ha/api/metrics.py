"""The one table of metrics: the exposition and docs/reference/metrics.md are both made from it.

What is not known is absent, never a made-up 0.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from memgraph_ha import __version__
from memgraph_ha.api.cluster import routes_of
from memgraph_ha.api.metric import COUNTER, GAUGE, HISTOGRAM, Metric, Sample, Scrape, counted, one
from memgraph_ha.api.metrics_gateway import GATEWAY_METRICS
from memgraph_ha.api.metrics_predecessor import PREDECESSOR_METRICS
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.topology import Role

# --- the cluster --------------------------------------------------------------------------------------


def _record(found: Scrape) -> Record | None:
    return None if found.snapshot.view is None else found.snapshot.view.record


def _of_record(value: Callable[[Record], float | bool]) -> Callable[[Scrape], Iterable[Sample]]:
    def pick(found: Scrape) -> float | bool | None:
        record = _record(found)
        return None if record is None else value(record)

    return one(pick)


def _roles(found: Scrape) -> Iterator[Sample]:
    for seen, _ in found.standings:
        for role in Role:
            known = seen.role is not None and seen.member.incarnation is not None
            yield (seen.member.name, role.value), float(known and seen.role is not None and seen.role.role is role)


def _lags(found: Scrape) -> Iterator[Sample]:
    for seen, standing in found.standings:
        if standing.row is not None and standing.row.behind is not None:
            mode = "" if standing.row.mode is None else standing.row.mode.value
            yield (seen.member.name, mode), float(max(0, -standing.row.behind))


def _rows(found: Scrape) -> Iterator[Sample]:
    for seen, standing in found.standings:
        if standing.row is not None:
            yield (seen.member.name, standing.row.status.value), 1.0


def _answer_ages(found: Scrape) -> Iterator[Sample]:
    view = found.snapshot.view
    for seen, _ in found.standings:
        if view is not None and seen.role is not None:
            yield (seen.member.name,), max(0.0, view.now_s - seen.role.at_s) + found.snapshot.last_tick_age_s


_CLUSTER: Final = (
    Metric(
        name="memgraph_ha_build_info",
        kind=GAUGE,
        labels=("version",),
        help="Always 1; the label is the controller's version.",
        values=lambda _found: (((__version__,), 1.0),),
    ),
    Metric(
        name="memgraph_ha_generation",
        kind=GAUGE,
        help="Number of the reign in the record; absent without a usable record.",
        values=_of_record(lambda record: record.generation),
    ),
    Metric(
        name="memgraph_ha_reigns_total",
        kind=COUNTER,
        labels=("kind",),
        help="Reigns that began while this process watched, by kind.",
        values=counted(lambda found: {kind.value: found.accounting.reigns[kind] for kind in ChangeKind}),
    ),
    Metric(
        name="memgraph_ha_standby_named",
        kind=GAUGE,
        help="1 if a standby is proven to hold every acknowledged write, else 0.",
        values=_of_record(lambda record: record.standby is not None),
    ),
    Metric(
        name="memgraph_ha_unprotected",
        kind=GAUGE,
        help="1 if MAIN may acknowledge writes with no standby, else 0.",
        values=_of_record(lambda record: record.unprotected),
    ),
    Metric(
        name="memgraph_ha_paused",
        kind=GAUGE,
        help="1 if an operator paused the cluster, else 0.",
        values=_of_record(lambda record: record.paused is not None),
    ),
    Metric(
        name="memgraph_ha_switching_over",
        kind=GAUGE,
        help="1 while a planned switchover is under way, else 0.",
        values=_of_record(lambda record: record.switchover is not None),
    ),
    Metric(
        name="memgraph_ha_instance_healthy",
        kind=GAUGE,
        labels=("instance",),
        help="1 if it answers, and is MAIN or a REPLICA whose row takes commits, else 0.",
        values=counted(lambda found: {seen.member.name: standing.healthy for seen, standing in found.standings}),
    ),
    Metric(
        name="memgraph_ha_instance_role",
        kind=GAUGE,
        labels=("instance", "role"),
        help="1 for the role that it answered last, 0 for the other and for a process that is gone.",
        values=_roles,
    ),
    Metric(
        name="memgraph_ha_instance_answer_age_seconds",
        kind=GAUGE,
        labels=("instance",),
        help="How old its last answer is; absent before the first.",
        values=_answer_ages,
    ),
    Metric(
        name="memgraph_ha_replica_lag",
        kind=GAUGE,
        labels=("instance", "mode"),
        help="How far it is behind MAIN, in Memgraph timestamps; absent while MAIN does not say.",
        values=_lags,
    ),
    Metric(
        name="memgraph_ha_replica_row",
        kind=GAUGE,
        labels=("instance", "status"),
        help="1 for the status of MAIN's row to it (`ready`, `replicating`, `recovery`, `invalid`, `diverged`, `{}`).",
        values=_rows,
    ),
)


# --- the controller -----------------------------------------------------------------------------------


def _holds(found: Scrape) -> dict[str, float]:
    present = {each.hold for each in found.snapshot.holds}
    return {hold.word: float(hold in present) for hold in Hold}


def _hold_ages(found: Scrape) -> dict[str, float]:
    return {each.hold.word: max(0.0, found.snapshot.now - each.since) for each in found.snapshot.holds}


_CONTROLLER: Final = (
    Metric(
        name="memgraph_ha_hold_active",
        kind=GAUGE,
        labels=("hold",),
        help="1 for every hold that is present, 0 for all others (docs/reference/holds.md).",
        values=counted(_holds),
    ),
    Metric(
        name="memgraph_ha_hold_age_seconds",
        kind=GAUGE,
        labels=("hold",),
        help="For how long a hold has been present; absent if it is not.",
        values=counted(_hold_ages),
    ),
    Metric(
        name="memgraph_ha_rw_open",
        kind=GAUGE,
        help="1 if this controller relays read/write, else 0.",
        values=one(lambda found: routes_of(found.snapshot).rw_open),
    ),
    Metric(
        name="memgraph_ha_rw_quiet",
        kind=GAUGE,
        help="1 in a quiet moment: no new transaction passes.",
        values=one(lambda found: routes_of(found.snapshot).quiet),
    ),
    Metric(
        name="memgraph_ha_rw_shut_seconds_total",
        kind=COUNTER,
        help="Seconds for which this controller led and read/write was shut.",
        values=one(lambda found: found.accounting.shut_s),
    ),
    Metric(
        name="memgraph_ha_rw_shut_duration_seconds",
        kind=HISTOGRAM,
        help="For how long read/write was shut, each time; counted when it opens again under the same leader.",
        buckets=lambda found: (((), found.accounting.pauses),),
    ),
    Metric(
        name="memgraph_ha_ro_targets",
        kind=GAUGE,
        help="Instances that this controller relays reads to.",
        values=one(lambda found: len(routes_of(found.snapshot).ro_targets)),
    ),
    Metric(
        name="memgraph_ha_lease_left_seconds",
        kind=GAUGE,
        help="What is left of our lease by our own clock; 0 if we do not lead.",
        values=one(lambda found: found.snapshot.lease_left_s),
    ),
    Metric(
        name="memgraph_ha_loop_age_seconds",
        kind=GAUGE,
        help="How long ago the loop turned last; infinite before the first turn.",
        values=one(lambda found: found.snapshot.last_tick_age_s),
    ),
    Metric(
        name="memgraph_ha_decisions_total",
        kind=COUNTER,
        labels=("rule", "name"),
        help="Turns by the rule that decided (docs/reference/rules.md).",
        values=lambda found: ((labels, float(count)) for labels, count in found.accounting.decisions.items()),
    ),
    Metric(
        name="memgraph_ha_commands_total",
        kind=COUNTER,
        labels=("command", "outcome"),
        help="Commands that ended: `done`, `refused`, `unknown` or `not_sent` (docs/reference/commands.md).",
        values=lambda found: ((labels, float(count)) for labels, count in found.accounting.commands.items()),
    ),
    Metric(
        name="memgraph_ha_command_duration_seconds",
        kind=HISTOGRAM,
        labels=("command",),
        help="How long commands took, whatever their end.",
        buckets=lambda found: (((kind,), times) for kind, times in found.accounting.command_times.items()),
    ),
    Metric(
        name="memgraph_ha_api_requests_total",
        kind=COUNTER,
        labels=("method", "path", "status"),
        help="HTTP requests answered, by template of the path; `(other)` is any unknown path or method.",
        values=lambda found: (
            ((method, path, str(status)), float(count))
            for (method, path, status), count in found.accounting.requests.items()
        ),
    ),
)

METRICS: Final[tuple[Metric, ...]] = (*PREDECESSOR_METRICS, *_CLUSTER, *_CONTROLLER, *GATEWAY_METRICS)
"""Every metric of the controller, in the order of the reference."""
