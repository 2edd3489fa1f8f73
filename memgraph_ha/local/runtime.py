"""`memgraph-ha local` itself: the daemon on files, processes and one gateway, until it is told to end."""

import contextlib
import errno
import functools
import os
import shutil
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Final

import structlog
import trio
from attrs import frozen
from rich.console import Console

from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.adapters.files_lease import FileLease
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.adapters.process import ProcessPlatform
from memgraph_ha.adapters.process_argv import LOOPBACK
from memgraph_ha.adapters.process_events import RestartPolicy
from memgraph_ha.adapters.process_members import MembersError
from memgraph_ha.adapters.process_os import ProcessIdentity
from memgraph_ha.adapters.process_start import StartError
from memgraph_ha.adapters.process_stop import living_in, stop_everything
from memgraph_ha.core import Decision, Policy, View
from memgraph_ha.daemon import Daemon, World
from memgraph_ha.local.cluster import check_port_free, find_cluster, open_cluster, policy_of
from memgraph_ha.local.eviction import evict_from_ports
from memgraph_ha.local.gateway import LeaderGateway
from memgraph_ha.local.leading import Leading, WatchedLease
from memgraph_ha.local.options import LocalOptions, UsageError, leaves
from memgraph_ha.local.screen import LiveScreen, PlainScreen, Screen
from memgraph_ha.logs import log_to
from memgraph_ha.proxy.gateway import RwGateway

GRACE_S: Final = 10.0
"""How long instances have to write their snapshots and go."""

RESET_AFTER_S: Final = 5.0
"""An instance that lived so long is no crash loop: it is started again at once."""

SWITCH_INTERVAL_S: Final = 0.0005
"""How soon the relay's thread gets the interpreter from the controller's: with Python's 5 ms a busy tick would cost
every relayed message as much (measured: half the messages a second)."""

CONNECT_TIMEOUT_S: Final = 2.0
MAX_CONNECTIONS: Final = 4000


_NO_PORT: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)
"""What binding a gateway's port answers if it cannot be had; any other trouble with the system is a bug of ours."""

_SHOWN: Final = 300

_log = structlog.get_logger()


class PortTakenError(UsageError):
    """A cluster that ran lost the gateway's port to a stranger."""


@frozen(kw_only=True)
class Parts:
    """One controller of one data directory, put together but not running."""

    datadir: DataDir
    platform: ProcessPlatform
    daemon: Daemon


def boottime() -> float:
    """Seconds on CLOCK_BOOTTIME, which goes on while the machine is suspended (design 7)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def assemble(datadir: DataDir, policy: Policy, watcher: Callable[[View, Decision], None]) -> Parts:
    """Put a controller together.

    Args:
        datadir: The cluster.
        policy: The operator's choices.
        watcher: Told of every tick.
    """
    leading = Leading()

    def make_gateway() -> RwGateway:
        return RwGateway(
            (LOOPBACK, datadir.config.rw_port),
            hold_max_s=policy.hold_max_s,
            hold_max_connections=policy.hold_max_connections,
            max_connections=MAX_CONNECTIONS,
            connect_timeout_s=CONNECT_TIMEOUT_S,
            clock=boottime,
        )

    platform = ProcessPlatform(datadir, clock=boottime, restart=RestartPolicy(reset_after_s=RESET_AFTER_S))
    world = World(
        record=FileRecordStore(datadir.record, boottime, deadline_s=policy.command_deadline_s),
        lease=WatchedLease(
            FileLease(datadir.lease, holder=f"pid {os.getpid()}", policy=policy, clock=boottime), leading
        ),
        platform=platform,
        database=MemgraphDatabase(policy, auth=None, clock=boottime),
        gateway=LeaderGateway(make_gateway, leading, functools.partial(evict_from_ports, datadir)),
    )
    daemon = Daemon(policy, world, clock=boottime, wall=time.time, watcher=watcher)
    return Parts(datadir=datadir, platform=platform, daemon=daemon)


async def run_local(options: LocalOptions, console: Console) -> int:
    """Run a cluster until ctrl-c, SIGTERM, or the end of the terminal (unless ``nohup`` says to outlive it).

    The last controller of a data directory ends the instances with itself; one that leaves others behind hands over
    and leaves them running.

    Args:
        options: What was asked for.
        console: Where to show it.

    Returns:
        The exit code: 0; 1 if something would not end; 70 after a bug of ours, which leaves the instances running.

    Raises:
        UsageError: The cluster cannot be started as asked, or its port was taken; nothing is left running.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    fresh = _is_fresh(options.data)
    try:
        datadir = open_cluster(options)
    except UsageError:
        if fresh:
            with contextlib.suppress(OSError):
                options.data.rmdir()  # only if it is empty
        raise
    told = trio.CancelScope()
    with trio.open_signal_receiver(*_ending_signals()) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when_told, signals, told)
            code = await _run(datadir, options, console, told, fresh=fresh)
            nursery.cancel_scope.cancel()
    return code


def _ending_signals() -> list[signal.Signals]:
    """List what ends us: not a hang-up that whoever started us has switched off (``nohup``)."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


async def _cancel_when_told(signals: AsyncIterator[int], told: trio.CancelScope) -> None:
    """Begin the end at the first signal; a further one must not cut it off, or instances would be left running."""
    async for _signal in signals:
        told.cancel()


async def _run(
    datadir: DataDir, options: LocalOptions, console: Console, told: trio.CancelScope, *, fresh: bool
) -> int:
    with log_to(datadir.path / "controller.log", echo=options.verbose):
        screen = _screen(console, datadir)
        parts = assemble(datadir, policy_of(datadir, options.policy), screen.show)
        try:
            with _enlisted(datadir), told:
                await _start(parts, console, options.instances, fresh=fresh)
                await _serve(parts)
        except PortTakenError:
            screen.close()
            await _leave(parts, console)
            raise
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator reads one sentence
            screen.close()
            return _crash(datadir, error)
        finally:
            screen.close()
        return await _leave(parts, console)


def _is_fresh(path: Path) -> bool:
    """Whether nothing is lost if everything there is removed again."""
    try:
        return not path.exists() or not any(path.iterdir())
    except OSError:
        return False


async def _start(parts: Parts, console: Console, instances: int | None, *, fresh: bool) -> None:
    """Start the instances, unless another controller looks after them.

    Args:
        parts: The controller.
        console: Where to say that it waits for another.
        instances: How many there shall be; None: as many as there are.
        fresh: The directory held nothing when we came: a start that fails leaves nothing in the way of a second try.

    Raises:
        UsageError: They cannot be started; none that was started here is left running.
    """
    datadir = parts.datadir
    others = _others(datadir)
    if others:
        pids = ", ".join(str(other.pid) for other in others)
        count = len(datadir.config.instances)
        if instances not in (None, count):
            api = f"PUT http://{LOOPBACK}:{datadir.config.http_port}/api/v1/instances"
            there = f"have it changed there ({api}), or " if datadir.config.http_port else ""
            raise UsageError(
                f"--instances {instances}: the controller with pid {pids} runs this cluster with {count}; "
                f"{there}end that first"
            )
        console.print(f"another controller (pid {pids}) runs on {datadir.path}; this one takes over when it ends")
        return
    try:
        check_port_free(datadir.config.rw_port)
        if instances is not None:
            await parts.platform.change_members(instances)
        await parts.platform.start_all()
    except MembersError as error:
        way_out = "leave the option out, or give another --data directory"
        raise UsageError(f"--instances {instances}: {error}; {way_out}") from None
    except (StartError, DataDirError, UsageError) as error:
        # Whoever came at the same time may be at home there by now, and a reign may hold acknowledged writes.
        if fresh and not _others(datadir) and not datadir.record.exists():
            shutil.rmtree(datadir.path, ignore_errors=True)
        logs = [str(log) for log in error.logs if log.exists()] if isinstance(error, StartError) else []
        see = f"; see {' and '.join(logs)}" if logs else ""
        raise UsageError(f"{error}{see}") from None


async def _serve(parts: Parts) -> None:
    """Run the daemon, for ever.

    Raises:
        PortTakenError: The gateway's port was taken by a stranger.
    """
    trouble: list[BaseException] = []
    try:
        await parts.daemon.run()
    except* OSError as errors:
        trouble = leaves(errors)
        if not all(isinstance(each, OSError) and each.errno in _NO_PORT for each in trouble):
            raise
    if trouble:
        try:
            check_port_free(parts.datadir.config.rw_port)  # names who has it
        except UsageError as error:
            raise PortTakenError(str(error)) from None
        raise PortTakenError("; ".join(map(str, trouble)))


def _crash(datadir: DataDir, error: Exception) -> int:
    """Say what broke, and that the instances run on: whoever comes next takes them over as they are.

    Returns:
        The exit code, `os.EX_SOFTWARE`.
    """
    _log.critical("crashed", exc_info=error)
    what = "; ".join(f"{type(each).__name__}: {each}"[:_SHOWN] for each in leaves(error))
    running = [spec.name for spec in datadir.specs() if living_in(spec.place)]
    others = _others(datadir)
    command = f"memgraph-ha local --data {datadir.path}"
    then = f"the controller with pid {others[0].pid}" if others else f"the next `{command}`"
    left = (
        f"{', '.join(running)} run on, on purpose: {then} takes them over, `{command} --stop` ends them"
        if running
        else "no instance is left running"
    )
    with contextlib.suppress(OSError):  # nobody may be left to be told
        print(  # noqa: T201 - that is what standard error is for
            f"memgraph-ha: this controller broke by a bug of its own ({what}); "
            f"the traceback is in {datadir.path / 'controller.log'}; {left}",
            file=sys.stderr,
        )
    return os.EX_SOFTWARE


async def _leave(parts: Parts, console: Console) -> int:
    """End the instances, or leave them to another controller. To be called when we are not enlisted any more.

    Of two that are told to end at the same moment at least one finds the other gone, and ends the instances.
    """
    with trio.CancelScope(shield=True), contextlib.ExitStack() as stack:
        others = _others(parts.datadir)
        if others:
            console.print(f"handed over to the controller with pid {others[0].pid}; the instances go on")
            return 0
        with contextlib.suppress(DataDirError):  # a full disk is no reason to leave them running
            stack.enter_context(parts.datadir.enlisted())  # a new controller waits until we are done
        console.print("stopping the instances ...")
        left = await parts.platform.shut_down(GRACE_S)
    if left:
        console.print(f"still running: {', '.join(left)}; the kernel or another user keeps them", style="red")
        return 1
    console.print("stopped; nothing is left running")
    return 0


def _others(datadir: DataDir) -> list[ProcessIdentity]:
    return [each for each in datadir.controllers() if each.pid != os.getpid()]


async def stop_local(data: Path, console: Console) -> int:
    """End every controller and every instance of a data directory.

    Returns:
        0 if nothing is left running.

    Raises:
        UsageError: There is no cluster.
    """
    datadir = find_cluster(data)
    done = await stop_everything(datadir, grace_s=GRACE_S + 2)
    ended = [f"controller {pid}" for pid in done.controllers] + [f"{name} (pid {pid})" for name, pid in done.instances]
    console.print(f"ended {', '.join(ended)}" if ended else f"nothing was running in {datadir.path}")
    if done.left:
        console.print(f"still running: {', '.join(map(str, done.left))}", style="red")
    return 1 if done.left else 0


def _screen(console: Console, datadir: DataDir) -> Screen:
    config = datadir.config
    where = f"read/write bolt://{LOOPBACK}:{config.rw_port}   data {datadir.path}   ctrl-c stops everything"
    if console.is_terminal:
        return LiveScreen(console, where)
    console.print(where, soft_wrap=True)
    return PlainScreen(lambda line: console.print(line, soft_wrap=True, highlight=False, markup=False))


@contextlib.contextmanager
def _enlisted(datadir: DataDir) -> Iterator[None]:
    try:
        with datadir.enlisted():
            yield
    except DataDirError as error:
        raise UsageError(str(error)) from None
