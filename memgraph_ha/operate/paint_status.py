"""The picture that `memgraph-ha status` shows. Pure: a `Cluster` in, something to print out."""

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from memgraph_ha.operate.documents import Cluster, Gate, Held, Instance
from memgraph_ha.operate.paint import BAD, FAIR, GOOD, NOTHING, QUIET, held, moment, pairs, span, table

_SILENT_S = 2.0
"""An instance that has answered nothing for so long is shown as silent."""

_ON_ITS_WAY = ("starting", "not attached", "catching up")
"""States of the API that usually mend themselves within seconds."""

_GAP = 3
"""Blanks between two columns."""


def status_picture(cluster: Cluster, *, width: int, pages: str) -> list[RenderableType]:
    """Draw the whole cluster.

    Args:
        cluster: What the controller said.
        width: How many columns there are; the least important ones are left out if they do not fit.
        pages: Where the runbook's pages are, before a page's name.
    """
    parts: list[RenderableType] = [pairs(*_headlines(cluster)), Text()]
    parts.append(_instances(cluster.instances, width) if cluster.instances else Text("no instance is known", FAIR))
    lacking = [each for each in cluster.instances if each.lacks and (each.in_pair or not cluster.rw.open)]
    if lacking and not cluster.healthy:
        parts += [Text(), Text("What they lack to take over", QUIET)]
        parts.append(pairs(*((each.name, Text(each.lacks or "")) for each in lacking), indent=2))
    for hold in present_holds(cluster):
        parts += [Text(), *held(hold, cluster.at, pages)]
    return parts


def present_holds(cluster: Cluster) -> tuple[Held, ...]:
    """List everything that waits, also what only the last decision names."""
    decided = None if cluster.decision is None else cluster.decision.hold
    if decided is None or any(hold.name == decided.name for hold in cluster.holds):
        return cluster.holds
    return (decided, *cluster.holds)


def one_line(cluster: Cluster) -> str:
    """Say in one line what an operator would act on; it changes only when that does."""
    if cluster.main is None:
        head = "no reign yet"
    else:
        standby = f"standby {cluster.standby}" if cluster.standby else "no standby"
        bare = ", UNPROTECTED" if cluster.unprotected else ""
        head = f"reign {cluster.generation}: {cluster.main} is MAIN, {standby}{bare}"
    writes = "writes open" if cluster.rw.open else "writes shut"
    holds = "".join(f" [{hold.name}]" for hold in present_holds(cluster))
    return f"{head}; {writes}{holds}"


def _headlines(cluster: Cluster) -> list[tuple[str, RenderableType]]:
    lines: list[tuple[str, RenderableType]] = [
        ("cluster", Text(cluster.cluster or NOTHING)),
        ("state", _state(cluster)),
    ]
    if cluster.main is None:
        lines.append(("main", Text("nobody: there was no reign yet", FAIR)))
    else:
        lines.append(("main", Text.assemble((cluster.main, "bold"), (f"  reign {cluster.generation}", QUIET))))
    if cluster.standby is not None:
        lines.append(("standby", Text(cluster.standby).append("  proven to hold every acknowledged write", QUIET)))
    else:
        bare = "nobody: MAIN has the only certain copy (UNPROTECTED)" if cluster.unprotected else "nobody is proven"
        lines.append(("standby", Text(bare, BAD if cluster.unprotected else FAIR)))
    lines.append(("writes", _gate(cluster.rw, (cluster.main or "",) if cluster.rw.open else ())))
    if cluster.ro is not None:
        lines.append(("reads", _gate(cluster.ro, cluster.ro.targets)))
    if cluster.switchover is not None:
        asked = ", ".join(filter(None, (cluster.switchover.by, cluster.switchover.reason)))
        to = f"under way to {cluster.switchover.target}"
        lines.append(("switchover", Text.assemble((to, FAIR), (f"  {asked}" if asked else "", QUIET))))
    if cluster.paused is not None:
        lines.append(("paused", _paused(cluster)))
    if cluster.decision is not None and cluster.decision.rule:
        last = Text(f"{cluster.decision.rule} {cluster.decision.name}".strip())
        lines.append(("decided", last.append(f"  {cluster.decision.reason}", QUIET)))
    if not cluster.leading:
        who = f"; {cluster.leader} does" if cluster.leader else ", and nobody is known to"
        lines.append(("controller", Text(f"the one that answered does not lead{who}", FAIR)))
    if cluster.observe_only:
        lines.append(("controller", Text("--observe-only: it sends no commands, and says what it would do", FAIR)))
    return lines


def _state(cluster: Cluster) -> Text:
    if cluster.healthy:
        return Text("healthy", GOOD)
    if cluster.led_elsewhere:
        return Text(f"not known here: {cluster.leader} leads; ask that one, with --server URL", FAIR)
    holds = present_holds(cluster)
    names = ", ".join(hold.name for hold in holds)
    if not cluster.rw.open:
        return Text(f"not healthy: writes are shut{f' ({names})' if names else ''}", BAD)
    if names:
        return Text(f"writes are open; held: {names}", FAIR)
    if cluster.paused is not None:
        return Text("writes are open; paused", FAIR)
    return Text("writes are open, without a standby", FAIR)


def _paused(cluster: Cluster) -> Text:
    if cluster.paused is None:
        return Text()
    since = "" if cluster.paused.at is None else f" since {moment(cluster.paused.at)}"
    who = f" by {cluster.paused.by}" if cluster.paused.by else ""
    reason = f"  {cluster.paused.reason}" if cluster.paused.reason else ""
    return Text.assemble((f"yes{who}{since}: nobody takes over until `memgraph-ha resume`", FAIR), (reason, QUIET))


def _gate(gate: Gate, targets: tuple[str, ...]) -> Text:
    text = Text.assemble(("open", "green") if gate.open else ("shut", BAD))
    if gate.open and gate.quiet:
        text.append(", quiet: new transactions wait for a moment", FAIR)
    if gate.port is not None:
        text.append(f"  port {gate.port}", QUIET)
    if targets:
        text.append(f"  -> {', '.join(targets)}")
    if gate.why and not gate.open:
        text.append(f"  {gate.why}", QUIET)
    return text


def _instances(instances: tuple[Instance, ...], width: int) -> Table:
    """Draw as many columns as fit; the leftmost two always do, on whatever is called a terminal."""
    columns: dict[str, list[Text]] = {
        "instance": [Text(each.name, "bold" if each.is_main else "") for each in instances],
        "role": [Text(each.role or NOTHING) for each in instances],
        "state": [_instance_state(each) for each in instances],
        "lag": [Text(_lag(each)) for each in instances],
        "objects": [Text(NOTHING if each.objects is None else f"{each.objects:,}") for each in instances],
        "bolt": [Text(each.bolt or NOTHING) for each in instances],
        "version": [Text(each.version or NOTHING) for each in instances],
        "answered": [
            Text(NOTHING if each.answered_s is None else f"{span(each.answered_s)} ago") for each in instances
        ],
    }
    shown = [name for name in columns if name != "state"]
    for name in reversed(shown[2:]):
        if _natural(columns) <= width:
            break
        del columns[name]
    if _natural(columns) > width:
        del columns["role"]
    drawn = table(*columns, right=("objects", "lag"))
    for row in zip(*columns.values(), strict=True):
        drawn.add_row(*row)
    return drawn


def _natural(columns: dict[str, list[Text]]) -> int:
    return sum(max(len(name), *(cell.cell_len for cell in cells)) + _GAP for name, cells in columns.items())


def _instance_state(each: Instance) -> Text:
    """Say in a few words how an instance stands."""
    state = each.state or NOTHING
    if each.silent_s is not None and each.silent_s >= _SILENT_S:
        state += f", silent for {span(each.silent_s)}"
    elif each.row is not None:
        state += f", {each.row.mode or '?'} {each.row.status}"
    if each.healthy:
        return Text(state, GOOD if each.is_main else "green")
    return Text(state, FAIR if each.state in _ON_ITS_WAY else BAD)


def _lag(each: Instance) -> str:
    if each.row is None or each.row.behind is None:
        return NOTHING
    return "level" if each.row.behind >= 0 else f"{-each.row.behind:,} behind"
