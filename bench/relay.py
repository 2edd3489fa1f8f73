"""The gateway's relay against HAProxy, in the same run, on this machine: ``python bench/relay.py [--quick]``.

Upstream, load and proxies are processes of their own. HAProxy (Debian package ``haproxy``) runs in TCP mode on one
thread, because the gateway's relay is one thread. In each of many short rounds the sides take turns at each load, now
in one order, now in the other; a ratio is the median of the rounds' ratios, so that what else the machine does falls
on both. What the figures mean, and why some are not met: ``docs/explanation/relay-speed.md``.
Bounded in time: about a minute and a half, ``--quick`` less than twenty seconds.
"""

import argparse
import functools
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

import trio
from attrs import frozen
from relay_load import (
    CONNECTIONS,
    HOST,
    IDLE,
    Side,
    Upstream,
    bulk,
    connects,
    fork,
    idle,
    latency,
    messages,
    pin,
)

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.permit import Permit, Route
from memgraph_ha.proxy import RwGateway

BUSY: Final = 0.5
HAPROXY_CONFIG: Final = """
global
  maxconn 4000
  nbthread 1
defaults
  mode tcp
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  {options}
listen relay
  bind {host}:{port}
  server main {host}:{upstream}
"""
SPLICE: Final = "option splice-request\n  option splice-response"

# -- the proxies --------------------------------------------------------------------------------------------------


async def _serve_gateway(upstream: int) -> None:
    clock = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)
    gateway = RwGateway(
        (HOST, 0),
        hold_max_s=30,
        hold_max_connections=1000,
        max_connections=5000,
        connect_timeout_s=2,
        clock=clock,
    )
    permit = Permit(
        instance=InstanceName("main"),
        address=Address(f"{HOST}:{upstream}"),
        run=RunId("run"),
        incarnation=Incarnation("process"),
        generation=1,
        valid_until_s=clock() + 3600,
    )
    gateway.apply(Route(permit=permit, hold=True, why="a measurement"))
    print(gateway.bind()[1], flush=True)
    await gateway.serve(lambda _fact: None)


@contextmanager
def _process(argv: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _start_gateway(stack: ExitStack, upstream: int) -> Side:
    process = stack.enter_context(_process([sys.executable, __file__, "--serve", str(upstream)]))
    if process.stdout is None:
        raise RuntimeError("no pipe from the gateway")
    return Side("gateway", int(process.stdout.readline()), process.pid)


def _start_haproxy(stack: ExitStack, executable: str, upstream: int, *, splice: bool) -> Side:
    with socket.create_server((HOST, 0)) as free:
        port = free.getsockname()[1]
    config = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "haproxy.cfg"
    options = SPLICE if splice else ""
    config.write_text(HAPROXY_CONFIG.format(host=HOST, port=port, upstream=upstream, options=options), encoding="ascii")
    process = stack.enter_context(_process([executable, "-db", "-q", "-f", str(config)]))
    deadline = time.monotonic() + 5
    while True:
        with suppress(ConnectionRefusedError):
            socket.create_connection((HOST, port)).close()
            return Side("HAProxy, splicing" if splice else "HAProxy", port, process.pid)
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"{executable} does not start with {config.read_text(encoding='ascii')}")
        time.sleep(0.02)


# -- the table ----------------------------------------------------------------------------------------------------

Figures = dict[str, dict[str, list[float]]]
"""By side and key, a figure per round."""


@frozen(kw_only=True)
class Row:
    """A line of the table; ``least`` and ``most`` bound the ratio to HAProxy, ``limit`` our own figure."""

    what: str
    key: str
    form: str = "{:,.0f}"
    least: float | None = None
    most: float | None = None
    limit: float | None = None

    def verdict(self, ours: float, ratio: float | None) -> tuple[str, str]:
        """The target in words, and whether it was met."""
        if self.limit is not None:
            return f"< {self.limit:g}", "yes" if ours < self.limit else "NO"
        bound = self.least if self.least is not None else self.most
        if bound is None:
            return "", ""
        target = f">= {bound:g} x" if self.least is not None else f"<= {bound:g} x"
        if ratio is None:
            return target, "?"
        return target, "yes" if (ratio >= bound if self.least is not None else ratio <= bound) else "NO"


ROWS: Final = (
    Row(what="bulk, GB/s", key="bulk", form="{:.2f}", least=1.0),
    Row(what="bulk, GB per CPU second", key="bulk_cpu", form="{:.2f}"),
    Row(what="bulk of Bolt requests, GB/s", key="bolt_bulk", form="{:.2f}", least=1.0),
    Row(what="bulk of Bolt requests, GB per CPU second", key="bolt_bulk_cpu", form="{:.2f}"),
    Row(what="round trip p50, us", key="p50", form="{:.1f}", most=1.0),
    Row(what="round trip p50, all on one core, us", key="one_p50", form="{:.1f}", most=1.0),
    Row(what="Bolt round trip p50, all on one core, us", key="bolt_one_p50", form="{:.1f}", most=1.0),
    Row(what=f"messages, {CONNECTIONS} connections, per CPU second", key="messages_cpu", least=0.8),
    Row(what=f"Bolt messages, {CONNECTIONS} connections, per CPU s", key="bolt_messages_cpu", least=0.8),
    Row(what=f"messages, {CONNECTIONS} connections, per second", key="messages"),
    Row(what="connects per second", key="connects", least=0.5),
    Row(what="connects per CPU second", key="connects_cpu"),
    Row(what=f"KiB per connection, {IDLE} idle", key="idle", form="{:.1f}", limit=20.0),
)


def _loads(scale: float) -> dict[str, Callable[[Side], dict[str, float]]]:
    """What is measured on the cores as they come, by the prefix of its keys; a load's keys are its own."""
    return {
        "bulk": lambda side: bulk(side, scale),
        "bolt bulk": lambda side: bulk(side, scale, bolt=True),
        "latency": lambda side: latency(side, scale),
        "messages": lambda side: messages(side, scale),
        "bolt messages": lambda side: messages(side, scale, bolt=True),
        "connects": lambda side: connects(side, 1.5 * scale),
        "one latency": lambda side: latency(side, scale / 2),
        "bolt one latency": lambda side: latency(side, scale / 2, bolt=True),
    }


@contextmanager
def _on_one_core(pids: list[int]) -> Iterator[None]:
    """All of them, and this process, on one core: no waking of another, which is most of a round trip otherwise."""
    cores = os.sched_getaffinity(0)
    pids = [*pids, os.getpid()]
    for pid in pids:
        pin(pid, {min(cores)})
    try:
        yield
    finally:
        for pid in pids:
            pin(pid, cores)


def measure(sides: list[Side], splicing: Side | None, *, rounds: int, scale: float) -> Figures:
    """Run everything ``rounds`` times, the sides taking turns."""
    figures: Figures = {side.name: {} for side in sides}
    for side in sides[1:]:
        figures[side.name]["idle"] = [idle(side)]
    for turn in range(rounds):
        for name, load in _loads(scale).items():
            prefix = name.rpartition(" ")[0].replace(" ", "_")
            crowd = [*sides, splicing] if splicing is not None and _is_bulk(name) else sides
            with ExitStack() as stack:
                if "one" in name.split():
                    stack.enter_context(_on_one_core([side.pid for side in sides]))
                for side in crowd if turn % 2 == 0 else reversed(crowd):
                    for key, value in load(side).items():
                        whole = f"{prefix}_{key}" if prefix else key
                        figures.setdefault(side.name, {}).setdefault(whole, []).append(value)
    return figures


def _is_bulk(name: str) -> bool:
    """Whether HAProxy's splicing matters to it."""
    return name.endswith("bulk")


def _best(plain: dict[str, list[float]], splicing: dict[str, list[float]]) -> dict[str, list[float]]:
    """HAProxy's figures; of a stream, those of whichever of its two ways is the faster here."""
    best = dict(plain)
    for key in ("bulk", "bolt_bulk"):
        if statistics.median(splicing.get(key, [0])) > statistics.median(plain.get(key, [0])):
            best |= {whole: splicing[whole] for whole in (key, f"{key}_cpu")}
            print(f"HAProxy's figures for {key} are with splicing, its better ones here.")
    return best


def show(figures: Figures) -> None:
    """Print the table."""
    theirs = _best(figures.get("HAProxy", {}), figures.get("HAProxy, splicing", {}))
    line = "{:<46} {:>9} {:>9} {:>9} {:>6} {:>9} {:>4}"
    print(line.format("what", "direct", "ours", "HAProxy", "ratio", "target", "met"))
    for row in ROWS:
        mine, other = figures["gateway"][row.key], theirs.get(row.key)
        columns = (figures["direct"].get(row.key), mine, other)
        cells = [row.form.format(statistics.median(values)) if values else "-" for values in columns]
        ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True)) if other else None
        target, met = row.verdict(statistics.median(mine), ratio)
        print(line.format(row.what, *cells, "-" if ratio is None else f"{ratio:.2f}", target, met))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--serve", type=int, metavar="PORT", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        trio.run(_serve_gateway, options.serve)
        return
    begin, busy = time.monotonic(), os.getloadavg()[0]
    if busy > BUSY:
        print(f"The load average is {busy:.1f}: other work takes part in what follows, in the p99 most of all.")
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((HOST, 0), backlog=4096))
        listener.setblocking(False)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        upstream = fork.Process(target=Upstream(listener).run, daemon=True)
        upstream.start()
        stack.callback(upstream.kill)
        port = listener.getsockname()[1]
        sides = [Side("direct", port, upstream.pid or 0), _start_gateway(stack, port)]
        splicing: Side | None = None
        executable = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
        if executable is None:
            print("HAProxy is not here (apt-get install haproxy): its column stays empty.")
        else:
            sides.append(_start_haproxy(stack, executable, port, splice=False))
            splicing = _start_haproxy(stack, executable, port, splice=True)
        rounds, scale = (1, 0.4) if options.quick else (9, 0.25)
        show(measure(sides, splicing, rounds=rounds, scale=scale))
    print(f"{time.monotonic() - begin:.0f} s on {os.cpu_count()} cores, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
