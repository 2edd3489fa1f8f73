"""The gateway's relay against HAProxy, in the same run, on this machine: ``python bench/relay.py [--quick]``.

Upstream, load and proxies are processes of their own. HAProxy (Debian package ``haproxy``) runs in TCP mode on one
thread, because the gateway's relay is one thread. Rounds alternate between the two, and the median round counts.
Upstream and load compete with the proxy for the same cores, so the figures per CPU second are the steadier ones.
Bounded in time: less than a minute, ``--quick`` less than twenty seconds.
"""

import argparse
import functools
import multiprocessing
import os
import select
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

import trio
from attrs import frozen

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.permit import Permit, Route
from memgraph_ha.proxy import RwGateway

HOST = "127.0.0.1"
MESSAGE = b"m" * 100
SINK = b"S"
CONNECTIONS = 32
IDLE = 1000
CONNECTORS = 4
BUSY = 0.5
HAPROXY_CONFIG = """
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
SPLICE = "option splice-request\n  option splice-response"

_fork = multiprocessing.get_context("fork")


@frozen
class Side:
    """One way to the upstream: straight, or through a proxy process."""

    name: str
    port: int
    pid: int


# -- upstream: echoes, or swallows what follows a first ``S`` and says so at the end ------------------------------


class _Upstream:
    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._poller = select.epoll()
        self._poller.register(listener.fileno(), select.EPOLLIN)
        self._buffer = bytearray(1 << 20)
        self._connections: dict[int, socket.socket] = {}
        self._sinks: set[int] = set()

    def run(self) -> None:
        while True:
            for fd, _ in self._poller.poll():
                if fd == self._listener.fileno():
                    self._accept()
                else:
                    with suppress(OSError):
                        self._serve(fd, self._connections[fd])

    def _accept(self) -> None:
        with suppress(BlockingIOError):
            for _ in range(64):
                sock, _ = self._listener.accept()
                sock.setblocking(False)
                self._connections[sock.fileno()] = sock
                self._poller.register(sock.fileno(), select.EPOLLIN)

    def _serve(self, fd: int, sock: socket.socket) -> None:
        try:
            # MSG_TRUNC lets the kernel throw the bytes away without copying them.
            count = sock.recv_into(self._buffer, 0, socket.MSG_TRUNC if fd in self._sinks else 0)
        except ConnectionResetError:
            count = 0
        if count and fd not in self._sinks:
            if self._buffer[:count] == SINK:
                self._sinks.add(fd)
            else:
                sock.send(memoryview(self._buffer)[:count])
        elif not count:
            del self._connections[fd]
            with sock:
                if fd in self._sinks:
                    self._sinks.discard(fd)
                    sock.send(b"done")


# -- load ---------------------------------------------------------------------------------------------------------


def _connect(side: Side) -> socket.socket:
    sock = socket.create_connection((HOST, side.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def cpu_s(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bulk(side: Side, scale: float) -> dict[str, float]:
    """One stream, one way: GB/s, also per CPU second of the proxy."""
    total = int((1 << 30) * scale)
    with tempfile.TemporaryFile() as source, _connect(side) as sock:
        source.write(os.urandom(1 << 20) * 8)
        source.flush()
        sock.sendall(SINK)
        time.sleep(0.05)  # the mark travels alone
        begin, used = time.perf_counter(), cpu_s(side.pid)
        left = total
        while left:
            left -= os.sendfile(sock.fileno(), source.fileno(), 0, min(left, 8 << 20))
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(4) != b"done":
            raise RuntimeError(f"{side.name} lost the end of the stream")
        took, used = time.perf_counter() - begin, cpu_s(side.pid) - used
        return {"bulk": total / took / 1e9, "bulk_cpu": total / max(used, 0.01) / 1e9}


def latency(side: Side, scale: float) -> dict[str, float]:
    """One connection, one message at a time: microseconds there and back."""
    took = []
    with _connect(side) as sock:
        end = time.perf_counter() + scale
        while (begin := time.perf_counter()) < end:
            sock.send(MESSAGE)
            sock.recv(len(MESSAGE))
            took.append(time.perf_counter() - begin)
    took = sorted(took[len(took) // 20 :])
    return {"p50": took[len(took) // 2] * 1e6, "p99": took[len(took) * 99 // 100] * 1e6}


def messages(side: Side, scale: float) -> dict[str, float]:
    """Many connections, one message at a time on each: messages relayed, also per CPU second of the proxy."""
    with ExitStack() as stack:
        poller = stack.enter_context(select.epoll())
        calls = {}
        for _ in range(CONNECTIONS):
            sock = stack.enter_context(_connect(side))
            calls[sock.fileno()] = (sock.recv, sock.send)
            poller.register(sock.fileno(), select.EPOLLIN)
            sock.send(MESSAGE)
        count, begin, used = 0, time.perf_counter(), cpu_s(side.pid)
        while time.perf_counter() - begin < 1.5 * scale:
            for fd, _ in poller.poll():
                receive, send = calls[fd]
                receive(len(MESSAGE))
                send(MESSAGE)
                count += 2  # there and back
        used = cpu_s(side.pid) - used
        return {"messages": count / (time.perf_counter() - begin), "messages_cpu": count / max(used, 0.01)}


def _connect_often(side: Side, duration_s: float, results: "multiprocessing.Queue[int]") -> None:
    count, end = 0, time.perf_counter() + duration_s
    while time.perf_counter() < end:
        with _connect(side) as sock:
            sock.send(b"x")
            sock.recv(1)
        count += 1
    results.put(count)


def connects(side: Side, scale: float) -> dict[str, float]:
    """Connect, one byte there and back, close: connections per second."""
    results: multiprocessing.Queue[int] = _fork.Queue()
    used = cpu_s(side.pid)
    workers = [
        _fork.Process(target=_connect_often, args=(side, 1.5 * scale, results), daemon=True) for _ in range(CONNECTORS)
    ]
    for worker in workers:
        worker.start()
    count = sum(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    used = cpu_s(side.pid) - used
    return {"connects": count / (1.5 * scale), "connects_cpu": count / max(used, 0.01)}


def idle(side: Side, _scale: float) -> dict[str, float]:
    """Growth of the proxy's resident memory by idle connections: KiB for each."""

    def resident() -> float:
        fields = Path(f"/proc/{side.pid}/statm").read_text(encoding="ascii").split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1024

    with ExitStack() as stack:
        before = resident()
        for _ in range(IDLE):
            sock = stack.enter_context(_connect(side))
            sock.send(b"x")
            sock.recv(1)
        return {"idle": (resident() - before) / IDLE}


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


@frozen(kw_only=True)
class Row:
    """A line of the table; ``least`` and ``most`` bound the ratio to HAProxy, ``limit`` our own figure."""

    what: str
    key: str
    form: str = "{:,.0f}"
    least: float | None = None
    most: float | None = None
    limit: float | None = None

    def verdict(self, ours: float, theirs: float | None) -> tuple[str, str]:
        """The target in words, and whether it was met."""
        if self.limit is not None:
            return f"< {self.limit:g}", "yes" if ours < self.limit else "NO"
        if self.least is not None:
            return f">= {self.least:g} x", "?" if theirs is None else "yes" if ours >= self.least * theirs else "NO"
        if self.most is not None:
            return f"<= {self.most:g} x", "?" if theirs is None else "yes" if ours <= self.most * theirs else "NO"
        return "", ""


ROWS = (
    Row(what="bulk, one way, GB/s", key="bulk", form="{:.2f}", least=1.0),
    Row(what="bulk, GB per CPU second", key="bulk_cpu", form="{:.2f}"),
    Row(what="round trip p50, us", key="p50", form="{:.1f}", most=1.0),
    Row(what="round trip p99, us", key="p99", form="{:.1f}", most=1.0),
    Row(what=f"messages on {CONNECTIONS} connections per CPU second", key="messages_cpu", least=0.8),
    Row(what=f"messages on {CONNECTIONS} connections per second", key="messages"),
    Row(what="connects per second", key="connects", least=0.5),
    Row(what="connects per CPU second", key="connects_cpu"),
    Row(what=f"KiB per connection, {IDLE} idle", key="idle", form="{:.1f}", limit=20.0),
)

Figures = dict[str, dict[str, float]]


def measure(sides: list[Side], splicing: Side | None, *, rounds: int, scale: float) -> Figures:
    """Run everything, the sides taking turns; the median of the rounds."""
    runs: dict[str, dict[str, list[float]]] = {}

    def note(side: Side, load: Callable[[Side, float], dict[str, float]]) -> None:
        for key, value in load(side, scale).items():
            runs.setdefault(side.name, {}).setdefault(key, []).append(value)

    for side in sides[1:]:
        note(side, idle)
    for load in (bulk, latency, messages, connects):
        for _ in range(rounds):
            for side in sides:
                note(side, load)
            if splicing is not None and load is bulk:
                note(splicing, load)
    return {name: {key: statistics.median(values) for key, values in by.items()} for name, by in runs.items()}


def show(figures: Figures) -> None:
    """Print the table."""
    ours, theirs = figures["gateway"], figures.get("HAProxy", {})
    splicing = figures.get("HAProxy, splicing", {})
    if splicing.get("bulk", 0) > theirs.get("bulk", 0):
        print("HAProxy's bulk figure is with splicing, its better one here.")
        theirs = theirs | splicing
    line = "{:<46} {:>9} {:>9} {:>9} {:>7} {:>9} {:>5}"
    print(line.format("what", "direct", "ours", "HAProxy", "ratio", "target", "met"))
    for row in ROWS:
        straight, mine, other = figures["direct"].get(row.key), ours[row.key], theirs.get(row.key)
        target, met = row.verdict(mine, other)
        cells = [row.form.format(value) if value is not None else "-" for value in (straight, mine, other)]
        ratio = f"{mine / other:.2f}" if other else "-"
        print(line.format(row.what, *cells, ratio, target, met))


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
        upstream = _fork.Process(target=_Upstream(listener).run, daemon=True)
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
        rounds, scale = (1, 0.5) if options.quick else (3, 0.8)
        show(measure(sides, splicing, rounds=rounds, scale=scale))
    print(f"{time.monotonic() - begin:.0f} s on {os.cpu_count()} cores, Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
