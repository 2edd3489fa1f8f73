"""What `relay.py` measures with: the upstream, and the loads that are put on each way to it.

Loads come in two kinds: of bytes that are not Bolt, which the gateway passes on unread, and of Bolt queries, whose
framing it follows (decision 0005). HAProxy knows no difference.
"""

import multiprocessing
import os
import select
import socket
import tempfile
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final

from attrs import frozen

HOST: Final = "127.0.0.1"
CONNECTIONS: Final = 32
IDLE: Final = 1000
CONNECTORS: Final = 4
UNIT: Final = 1 << 20
"""Bytes of one message of a stream."""

_CHUNK: Final = 1 << 16
_BOLT: Final = bytes.fromhex("6060b017")
GREETING: Final = _BOLT + bytes.fromhex("00000405000004040000030400000000")
RAW_SINK: Final = b"S"
BOLT_SINK: Final = _BOLT + b"sink" * 4
SINKS: Final = (RAW_SINK, BOLT_SINK)
RAW: Final = b"m" * 100


def _framed(body: bytes) -> bytes:
    return len(body).to_bytes(2, "big") + body + b"\0\0"


_TEXT: Final = b"CREATE (n:Item {id: $id, at: $at, of: $of})"
_RUN: Final = b"\xb3\x10\xd0" + bytes([len(_TEXT)]) + _TEXT + b"\xa3\x82id\x01\x82at\x02\x82of\x03\xa0"
QUERY: Final = _framed(_RUN) + _framed(b"\xb1\x3f\xa1\x81n\xc9\x03\xe8")
"""A RUN and its PULL, as drivers send them: in one piece."""

fork: Final = multiprocessing.get_context("fork")


@frozen
class Side:
    """One way to the upstream: straight, or through a proxy process."""

    name: str
    port: int
    pid: int


class Upstream:
    """Echoes, or swallows what follows a first sink mark and says so at the end."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._poller = select.epoll()
        self._poller.register(listener.fileno(), select.EPOLLIN)
        self._buffer = bytearray(1 << 20)
        self._connections: dict[int, socket.socket] = {}
        self._sinks: set[int] = set()

    def run(self) -> None:
        """Serve until killed."""
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
            if self._buffer[:count] in SINKS:
                self._sinks.add(fd)
            else:
                sock.send(memoryview(self._buffer)[:count])
        elif not count:
            del self._connections[fd]
            with sock:
                if fd in self._sinks:
                    self._sinks.discard(fd)
                    sock.send(b"done")


def connect(side: Side, *, bolt: bool = False) -> socket.socket:
    """A connection that has, if it is a Bolt one, its handshake behind it."""
    sock = socket.create_connection((HOST, side.port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if bolt:
        sock.send(GREETING)
        sock.recv(len(GREETING), socket.MSG_WAITALL)
    return sock


def _tasks(pid: int) -> list[int]:
    return [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir()]


def cpu_s(pid: int) -> float:
    """Processor time that a process's threads have used, as the scheduler counts it, in nanoseconds."""
    return sum(int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0]) for task in _tasks(pid)) / 1e9


def pin(pid: int, cores: set[int]) -> None:
    """Let a process and all its threads run on these cores only."""
    for task in _tasks(pid):
        os.sched_setaffinity(task, cores)


def _stream(*, bolt: bool) -> bytes:
    """One message of `UNIT` bytes: a RUN with a large parameter, in chunks; or as many bytes that mean nothing."""
    if not bolt:
        return os.urandom(UNIT)
    chunks = UNIT // _CHUNK
    body = _RUN + os.urandom(UNIT - 2 * chunks - 2 - len(_RUN))
    size = _CHUNK - 2
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts) + b"\0\0"


def bulk(side: Side, scale: float, *, bolt: bool = False) -> dict[str, float]:
    """One stream, one way: GB/s, also per CPU second of the proxy."""
    total = int(1024 * scale) * UNIT
    with tempfile.TemporaryFile() as source, connect(side) as sock:
        source.write(_stream(bolt=bolt) * 8)
        source.flush()
        sock.sendall(BOLT_SINK if bolt else RAW_SINK)
        time.sleep(0.05)  # the mark travels alone
        begin, used = time.perf_counter(), cpu_s(side.pid)
        left = total
        while left:
            at = (total - left) % (8 * UNIT)
            left -= os.sendfile(sock.fileno(), source.fileno(), at, min(left, 8 * UNIT - at))
        sock.shutdown(socket.SHUT_WR)
        if sock.recv(4) != b"done":
            raise RuntimeError(f"{side.name} lost the end of the stream")
        took, used = time.perf_counter() - begin, cpu_s(side.pid) - used
        return {"bulk": total / took / 1e9, "bulk_cpu": total / max(used, 1e-6) / 1e9}


def latency(side: Side, scale: float, *, bolt: bool = False) -> dict[str, float]:
    """One connection, one message at a time: microseconds there and back."""
    took = []
    message = QUERY if bolt else RAW
    with connect(side, bolt=bolt) as sock:
        end = time.perf_counter() + scale
        while (begin := time.perf_counter()) < end:
            sock.send(message)
            sock.recv(len(message))
            took.append(time.perf_counter() - begin)
    took = sorted(took[len(took) // 20 :])
    return {"p50": took[len(took) // 2] * 1e6, "p99": took[len(took) * 99 // 100] * 1e6}


def messages(side: Side, scale: float, *, bolt: bool = False) -> dict[str, float]:
    """Many connections, one message at a time on each: messages relayed, also per CPU second of the proxy."""
    message = QUERY if bolt else RAW
    with ExitStack() as stack:
        poller = stack.enter_context(select.epoll())
        calls = {}
        for _ in range(CONNECTIONS):
            sock = stack.enter_context(connect(side, bolt=bolt))
            calls[sock.fileno()] = (sock.recv, sock.send)
            poller.register(sock.fileno(), select.EPOLLIN)
            sock.send(message)
        count, begin, used = 0, time.perf_counter(), cpu_s(side.pid)
        while time.perf_counter() - begin < scale:
            for fd, _ in poller.poll():
                receive, send = calls[fd]
                receive(len(message))
                send(message)
                count += 2  # there and back
        used = cpu_s(side.pid) - used
        return {"messages": count / (time.perf_counter() - begin), "messages_cpu": count / max(used, 1e-6)}


def _connect_often(side: Side, duration_s: float, results: "multiprocessing.Queue[int]") -> None:
    count, end = 0, time.perf_counter() + duration_s
    while time.perf_counter() < end:
        with connect(side) as sock:
            sock.send(b"x")
            sock.recv(1)
        count += 1
    results.put(count)


def connects(side: Side, scale: float) -> dict[str, float]:
    """Connect, one byte there and back, close: connections per second."""
    results: multiprocessing.Queue[int] = fork.Queue()
    used = cpu_s(side.pid)
    workers = [fork.Process(target=_connect_often, args=(side, scale, results), daemon=True) for _ in range(CONNECTORS)]
    for worker in workers:
        worker.start()
    count = sum(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    used = cpu_s(side.pid) - used
    return {"connects": count / scale, "connects_cpu": count / max(used, 1e-6)}


def idle(side: Side) -> float:
    """Growth of the proxy's resident memory by idle connections: KiB for each."""

    def resident() -> float:
        fields = Path(f"/proc/{side.pid}/statm").read_text(encoding="ascii").split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1024

    with ExitStack() as stack:
        before = resident()
        for _ in range(IDLE):
            sock = stack.enter_context(connect(side, bolt=True))
            sock.send(QUERY)
            sock.recv(len(QUERY))
        return (resident() - before) / IDLE
