"""`memgraph-ha local` itself: the daemon on files, processes and one gateway, until it is told to end."""

import contextlib
import errno
import functools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import structlog
import trio
from rich.console import Console

from memgraph_ha.adapters.datadir import DataDir, DataDirError
from memgraph_ha.adapters.process_argv import LOOPBACK
from memgraph_ha.adapters.process_members import MembersError
from memgraph_ha.adapters.process_os import ProcessIdentity
from memgraph_ha.adapters.process_start import StartError
from memgraph_ha.adapters.process_stop import living_in, stop_everything
from memgraph_ha.local.assembly import Parts, assemble
from memgraph_ha.local.cluster import check_gateways_free, check_same, find_cluster, open_cluster
from memgraph_ha.local.observing import assemble_observer
from memgraph_ha.local.options import LocalOptions
from memgraph_ha.local.policies import Policies, check_accounts
from memgraph_ha.local.screen import LiveScreen, PlainScreen, Screen
from memgraph_ha.logs import log_to
from memgraph_ha.runtime.observing import Teller
from memgraph_ha.runtime.process import SWITCH_INTERVAL_S, Told, end_when_told, ending_signals, what_broke
from memgraph_ha.runtime.tracing import recording
from memgraph_ha.runtime.usage import UsageError, leaves
from memgraph_ha.trace.recorder import Recorder

GRACE_S: Final = 10.0
"""How long instances have to write their snapshots and go."""

_NO_PORT: Final = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)
"""What binding a gateway's port answers if it cannot be had; any other trouble with the system is a bug of ours."""

_log = structlog.get_logger()


class PortTakenError(UsageError):
    """A cluster that ran lost the gateway's port to a stranger."""


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
    check_accounts(options)
    with recording(options.trace, options.trace_mib) as recorder:
        try:
            datadir = open_cluster(options)
        except UsageError:
            if fresh:
                with contextlib.suppress(OSError):
                    options.data.rmdir()  # only if it is empty
            raise
        told = Told()
        with trio.open_signal_receiver(*ending_signals()) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(end_when_told, signals, told)
                code = await _run(datadir, options, console, told, recorder, fresh=fresh)
                nursery.cancel_scope.cancel()
    return code


async def _run(
    datadir: DataDir, options: LocalOptions, console: Console, told: Told, recorder: Recorder, *, fresh: bool
) -> int:
    with log_to(datadir.path / "controller.log", echo=options.verbose):
        policies = Policies(datadir, options.policy, accounts=options.accounts is not None)
        screen = _screen(console, datadir)
        try:
            parts = assemble(datadir, policies, options.accounts, screen.show, recorder)
        except DataDirError as error:
            screen.close()
            raise UsageError(str(error)) from None
        try:
            with _enlisted(datadir), told.scope:
                told.before = functools.partial(_drain, parts)
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


async def _drain(parts: Parts) -> None:
    """Where another controller waits to take over, let our clients' open transactions end first."""
    if _others(parts.datadir):
        await parts.gateway.drain(parts.policies.in_force.drain_s)


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
        waits = f"another controller (pid {pids}) runs on {datadir.path}; this one takes over when it ends"
        console.print(waits, soft_wrap=True)
        return
    try:
        check_gateways_free(datadir.config)
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
    """Run the controller, for ever.

    Raises:
        PortTakenError: A gateway's port was taken by a stranger.
    """
    trouble: list[BaseException] = []
    try:
        await parts.run()
    except* OSError as errors:
        trouble = leaves(errors)
        if not all(isinstance(each, OSError) and each.errno in _NO_PORT for each in trouble):
            raise
    if trouble:
        try:
            check_gateways_free(parts.datadir.config)  # names who has it
        except UsageError as error:
            raise PortTakenError(str(error)) from None
        raise PortTakenError("; ".join(map(str, trouble)))


def _crash(datadir: DataDir, error: Exception) -> int:
    """Say what broke, and that the instances run on: whoever comes next takes them over as they are.

    Returns:
        The exit code, `os.EX_SOFTWARE`.
    """
    _log.critical("crashed", exc_info=error)
    with contextlib.suppress(DataDirError):
        datadir = datadir.reread()  # the members may have changed since the start
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
            f"memgraph-ha: this controller broke by a bug of its own ({what_broke(error)}); "
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
    where = _where(datadir)
    if console.is_terminal:
        return LiveScreen(console, where)
    console.print(where, soft_wrap=True)
    return PlainScreen(_writer(console))


def _where(datadir: DataDir) -> str:
    """Say where clients, readers and browsers find the cluster."""
    config = datadir.config
    read = f"read-only bolt://{LOOPBACK}:{config.ro_port}" if config.ro_port else ""
    page = f"status http://{LOOPBACK}:{config.http_port}/" if config.http_port else ""
    parts = (f"read/write bolt://{LOOPBACK}:{config.rw_port}", read, page, f"data {datadir.path}")
    return "   ".join((*filter(None, parts), "ctrl-c stops everything"))


def _writer(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(line, soft_wrap=True, highlight=False, markup=False)


async def observe_local(options: LocalOptions, console: Console) -> int:
    """Watch a cluster as its controller would, and say what would be done, until ctrl-c or SIGTERM.

    Args:
        options: What was asked for; it must fit the cluster that is there.
        console: Where to say it.

    Returns:
        0.

    Raises:
        UsageError: There is no such cluster.
    """
    datadir = find_cluster(options.data)
    check_same(options, datadir)
    if options.instances not in (None, len(datadir.config.instances)):
        raise UsageError(f"--instances {options.instances}: who only observes changes nothing; leave it out")
    with (
        log_to(datadir.path / "observer.log", echo=options.verbose),
        recording(options.trace, options.trace_mib) as recorder,
    ):
        policies = Policies(datadir, options.policy, accounts=options.accounts is not None)
        write = _writer(console)
        write(f"observing {datadir.path}: nothing is changed; ctrl-c ends it")
        observer = assemble_observer(datadir, policies.in_force, options.accounts, Teller(write).show, recorder)
        with trio.open_signal_receiver(*ending_signals()) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(observer.run)
                async for _signal in signals:
                    break
                nursery.cancel_scope.cancel()
    return 0


@contextlib.contextmanager
def _enlisted(datadir: DataDir) -> Iterator[None]:
    try:
        with datadir.enlisted():
            yield
    except DataDirError as error:
        raise UsageError(str(error)) from None
