"""What a metric is, and how the table of them becomes an exposition."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from attrs import field, frozen
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from memgraph_ha.api.accounting import Accounting, Histogram
from memgraph_ha.api.control import Control, Snapshot
from memgraph_ha.api.standing import Standing, standing_of
from memgraph_ha.core.observed import Seen

COUNTER: Final = "counter"
GAUGE: Final = "gauge"
HISTOGRAM: Final = "histogram"


@frozen(kw_only=True)
class Scrape:
    """What one scrape computes from.

    Attributes:
        snapshot: How things stand.
        accounting: What was counted.
        standings: Every instance, and how it stands.
    """

    snapshot: Snapshot
    accounting: Accounting
    standings: tuple[tuple[Seen, Standing], ...]


def scrape(control: Control) -> Scrape:
    """Look once."""
    snapshot = control.now()
    view = snapshot.view
    standings = () if view is None else tuple((seen, standing_of(view, seen)) for seen in view.observed.seen)
    return Scrape(snapshot=snapshot, accounting=control.accounting, standings=standings)


Sample = tuple[tuple[str, ...], float]
"""Values of the labels, and the value."""


@frozen(kw_only=True)
class Metric:
    """One metric.

    Attributes:
        name: Its name in the exposition; a counter's ends in ``_total``.
        kind: ``counter``, ``gauge`` or ``histogram``.
        labels: Names of its labels.
        help: What it says, one sentence, true.
        values: Its samples; empty while it is not known (an absent series, never a made-up 0).
        buckets: A histogram's, instead of ``values``.
        since: The version that had it first; ``predecessor`` for what the Go controller had.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    values: Callable[[Scrape], Iterable[Sample]] = field(default=lambda _scrape: ())
    buckets: Callable[[Scrape], Iterable[tuple[tuple[str, ...], Histogram]]] = field(default=lambda _scrape: ())
    since: str = "0.1.0"

    def family(self, found: Scrape) -> Family:
        """Compute its samples."""
        if self.kind == HISTOGRAM:
            histogram = HistogramMetricFamily(self.name, self.help, labels=self.labels)
            for labels, values in self.buckets(found):
                histogram.add_metric(labels, list(_cumulated(values)), values.total)
            return histogram
        kind = CounterMetricFamily if self.kind == COUNTER else GaugeMetricFamily
        family = kind(self.name, self.help, labels=self.labels)
        for labels, value in self.values(found):
            family.add_metric(labels, value)
        return family


def _cumulated(values: Histogram) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, values.bounds), "+Inf"), values.counts, strict=True):
        total += count
        yield bound, float(total)


def one(value: Callable[[Scrape], float | bool | None]) -> Callable[[Scrape], Iterable[Sample]]:
    """Make the samples of a metric without labels; None: it is not known."""

    def values(found: Scrape) -> Iterator[Sample]:
        computed = value(found)
        if computed is not None:
            yield (), float(computed)

    return values


def counted(pick: Callable[[Scrape], Mapping[str, float]]) -> Callable[[Scrape], Iterable[Sample]]:
    """Make the samples of a metric with one label from a mapping."""
    return lambda found: (((name,), float(value)) for name, value in pick(found).items())


class ControlCollector(Collector):
    """Computes every metric of a table when it is scraped.

    Args:
        control: The controller.
        table: The metrics.
    """

    def __init__(self, control: Control, table: tuple[Metric, ...]) -> None:
        self._control, self._table = control, table

    def collect(self) -> Iterator[Family]:
        """Give every metric, from one look at the controller."""
        found = scrape(self._control)
        for metric in self._table:
            yield metric.family(found)

    def describe(self) -> Iterator[Family]:
        """Name every metric, so that two of one name are refused at the start."""
        for metric in self._table:
            kind = {COUNTER: CounterMetricFamily, GAUGE: GaugeMetricFamily, HISTOGRAM: HistogramMetricFamily}
            yield kind[metric.kind](metric.name, metric.help, labels=metric.labels)


def registry_of(control: Control, table: tuple[Metric, ...]) -> CollectorRegistry:
    """Make a registry of its own (nothing global): the table, and the process's memory, descriptors and collector."""
    registry = CollectorRegistry()
    registry.register(ControlCollector(control, table))
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
