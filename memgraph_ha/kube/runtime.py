"""`memgraph-ha run` itself: the daemon on Kubernetes until it is told to end."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Final

import structlog
import trio

from memgraph_ha import __version__
from memgraph_ha.adapters.kubernetes.errors import KubeConfigError
from memgraph_ha.kube.assembly import assemble, make_gateways
from memgraph_ha.kube.cluster import open_cluster
from memgraph_ha.kube.given import unknown_names
from memgraph_ha.kube.options import STDOUT, RunOptions
from memgraph_ha.kube.output import Log, logging_as
from memgraph_ha.runtime.process import SWITCH_INTERVAL_S, Told, end_when_told, ending_signals, what_broke
from memgraph_ha.runtime.tracing import recording, streaming
from memgraph_ha.runtime.usage import UsageError
from memgraph_ha.trace.recorder import Recorder
from memgraph_ha.trace.schema import Source

LINGER_S: Final = 3.0
"""How long who led stays after the hand-over, with its ports closed.

The Services lead to it until its successor has the label and every node has heard of that (kube-proxy looks once a
second). Who connects meanwhile is refused at once and tries again, while a pod that is gone answers nothing, and the
stock driver waits 30 s for it.
"""

_log = structlog.get_logger("memgraph_ha.kube")


async def run_kube(options: RunOptions) -> int:
    """Run a controller until SIGTERM or ctrl-c: then its clients' transactions end, and it hands over.

    Args:
        options: What it was told.

    Returns:
        The exit code: 0; 70 after a bug of ours.

    Raises:
        UsageError: It cannot start as told.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    told = Told()
    with logging_as(options.log) as log, trio.open_signal_receiver(*ending_signals()) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(end_when_told, signals, told)
            with _recorder(options) as recorder:
                code = await _run(options, log, told, recorder)
            nursery.cancel_scope.cancel()
    return code


async def _run(options: RunOptions, log: Log, told: Told, recorder: Recorder) -> int:
    await _check_ports(options)
    _say_start(options)
    try:
        cluster = open_cluster(options)
    except KubeConfigError as error:
        raise UsageError(str(error)) from None
    parts = assemble(options, cluster, log, recorder)
    served = False

    async def drain() -> None:
        nonlocal served
        served = parts.serving
        await parts.drain()

    told.before = drain
    try:
        with told.scope:
            await parts.run()
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator reads one sentence
        return _crash(error)
    if served:
        _log.info("handed over", refuses_s=LINGER_S)
        await trio.sleep(LINGER_S)
    _log.info("ended", why="told to")
    return os.EX_OK


def _recorder(options: RunOptions) -> contextlib.AbstractContextManager[Recorder]:
    if options.trace == STDOUT:
        return streaming(1, Source.DAEMON)
    return recording(options.trace, options.trace_mib, Source.DAEMON)


async def _check_ports(options: RunOptions) -> None:
    """Find out at the start whether the ports can be had: later one that cannot would be found by clients.

    Raises:
        UsageError: One is busy, or may not be used.
    """
    with _port_errors(f"HTTP_PORT {options.http_port}"):
        for listener in await trio.open_tcp_listeners(options.http_port, host=options.http_host):
            await listener.aclose()
    if options.observe_only:
        return
    told = options.gateways
    where = " and ".join(f"{host}:{port}" for host, port in filter(None, (told.rw, told.ro)))
    with _port_errors(f"the gateways' {where}"):
        gateways = make_gateways(options)
        gateways.bind()
        gateways.close()


@contextlib.contextmanager
def _port_errors(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror or error}; give another, or end what has it") from None


def _say_start(options: RunOptions) -> None:
    _log.info(
        "started",
        version=__version__,
        pod=options.pod,
        namespace=options.namespace,
        statefulset=options.statefulset,
        release=options.release,
        observe_only=options.observe_only,
    )
    for warning in options.warnings:
        _log.warning("setting", note=warning)
    for name in unknown_names(os.environ):
        _log.warning("setting", note=f"{name} is not known")


def _crash(error: Exception) -> int:
    """Say what broke: whoever leads next goes on from the record.

    Returns:
        The exit code, `os.EX_SOFTWARE`.
    """
    _log.critical("crashed", exc_info=error)
    _log.critical("this controller broke by a bug of its own and ends", error=what_broke(error))
    return os.EX_SOFTWARE
