"""What each kind of fault does to a cluster, and when it is undone: a strike ends when nothing hinders it any more."""

import contextlib
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import trio
from attrs import define, field

from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.soak.isolation import cut, fill, heal
from memgraph_ha.drill.soak.plan import Blow, Kind, Port, Whom
from memgraph_ha.drill.soak.rig import Controller, Rig, Roles, until_stopped
from memgraph_ha.drill.soak.storm import Storm

END_MAX_S: Final = 15.0
"""How long a process may take to end; an orderly end writes a snapshot."""

FOLLOWS_MAX_S: Final = 20.0
"""How long a second controller may take to wait for the lease."""

_REFILL_S: Final = 0.25
_LOOK_S: Final = 0.05


@define
class Moment:
    """When a fault happened, on CLOCK_MONOTONIC, and what there is to say of it.

    Attributes:
        sent_s: Right before it began; 0 before.
        seen_s: When it was in effect: nothing that begins later owes anything to the time before; 0 before.
        notes: What did not go as it should, in sentences.
    """

    sent_s: float = 0.0
    seen_s: float = 0.0
    notes: list[str] = field(factory=list)

    def begins(self) -> None:
        """It begins now."""
        self.sent_s = self.sent_s or time.monotonic()

    def works(self) -> None:
        """It is in effect now."""
        self.seen_s = self.seen_s or time.monotonic()


async def strike(rig: Rig, blow: Blow, moment: Moment) -> None:
    """Do one thing to the cluster, and wait until it is undone.

    Args:
        rig: The cluster.
        blow: What.
        moment: Told when it happens, and what did not go as it should.

    Raises:
        DrillError: There is nobody to do it to, or a process does not obey.
    """
    roles = await rig.roles()
    await _STRIKES[blow.kind](rig, blow, roles, moment)
    moment.works()


async def _kill(rig: Rig, blow: Blow, roles: Roles, moment: Moment) -> None:
    if blow.whom is not Whom.CONTROLLER:
        await _kill_instances(rig, roles.of(blow.whom), moment)
        return
    moment.begins()
    await rig.controller.end(signal.SIGKILL)
    moment.works()
    await trio.sleep(blow.for_s)
    await rig.start_controller()


async def _kill_pair(rig: Rig, _blow: Blow, roles: Roles, moment: Moment) -> None:
    await _kill_instances(rig, (roles.main, roles.standby), moment)


async def _kill_main(rig: Rig, _blow: Blow, roles: Roles, moment: Moment) -> None:
    await _kill_instances(rig, (roles.main,), moment)


async def _kill_instances(rig: Rig, names: Sequence[InstanceName], moment: Moment) -> None:
    await _signal_and_reap(rig, names, signal.SIGKILL, moment)


async def _signal_and_reap(rig: Rig, names: Sequence[InstanceName], signum: signal.Signals, moment: Moment) -> None:
    with contextlib.ExitStack() as stack:
        handles = [handle for name in names for handle in stack.enter_context(rig.held(name))]
        moment.begins()
        for handle in handles:
            handle.send(signum)
        with trio.move_on_after(END_MAX_S) as scope:
            for handle in handles:
                await handle.wait_ended()
    if scope.cancelled_caught:
        raise DrillError(f"{' and '.join(names)} did not end within {END_MAX_S:g} s of {signum.name}")
    moment.works()


async def _freeze(rig: Rig, blow: Blow, roles: Roles, moment: Moment) -> None:
    if blow.whom is Whom.CONTROLLER:
        await _freeze_controller(rig.controller, blow.for_s, moment)
        return
    (name,) = roles.of(blow.whom)
    with rig.held(name) as handles:
        moment.begins()
        for handle in handles:
            handle.send(signal.SIGSTOP)
        for handle in handles:
            await until_stopped(handle.identity.pid)
        moment.works()
        await trio.sleep(blow.for_s)


async def _freeze_controller(controller: Controller, for_s: float, moment: Moment) -> None:
    moment.begins()
    try:
        await controller.freeze()
        moment.works()
        await trio.sleep(for_s)
    finally:
        controller.thaw()


async def _wipe(rig: Rig, blow: Blow, roles: Roles, moment: Moment) -> None:
    (name,) = roles.of(blow.whom)
    with rig.kept_down(name):
        await _kill_instances(rig, (name,), moment)
        await trio.to_thread.run_sync(shutil.rmtree, rig.spec(name).data)


async def _restart(rig: Rig, blow: Blow, roles: Roles, moment: Moment) -> None:
    (name,) = roles.of(blow.whom)
    await _ask(rig, moment, "restart", instance=name)


async def _switchover(rig: Rig, _blow: Blow, _roles: Roles, moment: Moment) -> None:
    await _ask(rig, moment, "switchover")


async def _ask(rig: Rig, moment: Moment, verb: str, **body: object) -> None:
    moment.begins()
    moment.works()
    refused = await rig.ask(verb, **body)
    if refused is not None:
        moment.notes.append(f"{verb} was not done: {refused}")


async def _paused(rig: Rig, blow: Blow, roles: Roles, moment: Moment) -> None:
    moment.begins()
    refused = await rig.ask("pause")
    if refused is not None:
        moment.notes.append(f"pause was not done: {refused}")
    await _kill_instances(rig, roles.of(blow.whom), moment)
    await trio.sleep(blow.for_s)
    refused = await rig.ask("resume")
    if refused is not None:
        moment.notes.append(f"resume was not done: {refused}")


async def _announced(rig: Rig, blow: Blow, roles: Roles, moment: Moment) -> None:
    (name,) = roles.of(blow.whom)
    moment.begins()
    refused = await rig.announce_stop(name)
    if refused is not None:
        moment.notes.append(f"the stop of {name} was not granted: {refused}")
    await _signal_and_reap(rig, (name,), signal.SIGTERM, moment)


async def _cut(rig: Rig, blow: Blow, roles: Roles, moment: Moment) -> None:
    (name,) = roles.of(blow.whom)
    ports = rig.spec(name).ports
    port = ports.bolt if blow.port is Port.BOLT else ports.replication
    moment.begins()
    await cut(port, blow.way)
    try:
        moment.works()
        await trio.sleep(blow.for_s)
    finally:
        with trio.CancelScope(shield=True):
            await heal(port, blow.way)


async def _storm(rig: Rig, _blow: Blow, roles: Roles, moment: Moment) -> None:
    _, _, port = rig.controller.gateway.partition(":")
    storm, trouble = Storm(int(port)), list[DrillError]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(storm.run)
        try:
            await _kill_main_under(storm, rig, roles.main, moment)
        except DrillError as error:  # raised below: a nursery would wrap it
            trouble.append(error)
        nursery.cancel_scope.cancel()
    if trouble:
        raise trouble[0]


async def _kill_main_under(storm: Storm, rig: Rig, main: InstanceName, moment: Moment) -> None:
    if await storm.until_all() is None:
        moment.notes.append(f"{storm.connected} of {storm.clients} clients could connect")
    await _kill_instances(rig, (main,), moment)
    with trio.move_on_after(END_MAX_S):
        while storm.connected == storm.clients:  # noqa: ASYNC110 - until the first of them has noticed
            await trio.sleep(_LOOK_S)
    if await storm.until_all() is None:
        moment.notes.append(f"{storm.connected} of {storm.clients} clients came back")


async def _full_disk(rig: Rig, blow: Blow, roles: Roles, moment: Moment) -> None:
    fillers = [rig.spec(name).place / "filler" for name in roles.of(blow.whom)]
    moment.begins()
    try:
        with trio.move_on_after(blow.for_s):
            while True:
                for filler in fillers:
                    await trio.to_thread.run_sync(fill, filler)
                moment.works()
                await trio.sleep(_REFILL_S)
    finally:
        for filler in fillers:
            filler.unlink(missing_ok=True)


async def _lease(rig: Rig, blow: Blow, _roles: Roles, moment: Moment) -> None:
    first, mark = rig.controller, rig.log_mark()

    def is_logged(word: str) -> bool:
        return any(f'"{word}"' in line for line in rig.log_since(mark))

    def has_given_up() -> bool:
        # It is ended by its successor if it keeps a port for too long.
        return first.process.poll() is not None or is_logged("lease.lost")

    second = await rig.start_controller()
    await _until(rig, lambda: is_logged(Hold.NOT_LEADING.word), "the second controller did not wait for the lease")
    await _freeze_controller(first, blow.for_s, moment)
    await _until(rig, lambda: is_logged("lease.gained"), "nobody took over from the frozen controller")
    await _until(rig, has_given_up, "the controller that was frozen did not see that it was replaced")
    await first.end(signal.SIGTERM)
    second.check()


async def _until(rig: Rig, happened: Callable[[], bool], otherwise: str) -> None:
    with trio.move_on_after(FOLLOWS_MAX_S):
        while not happened():  # noqa: ASYNC110 - another process does it
            await trio.sleep(_LOOK_S)
        return
    raise DrillError(f"{otherwise} within {FOLLOWS_MAX_S:g} s\n{rig.controller.tail()}")


_STRIKES: Final[Mapping[Kind, Callable[[Rig, Blow, Roles, Moment], Awaitable[None]]]] = {
    Kind.KILL: _kill,
    Kind.FREEZE: _freeze,
    Kind.KILL_PAIR: _kill_pair,
    Kind.IN_REIGN: _kill_main,
    Kind.WIPE: _wipe,
    Kind.RESTART: _restart,
    Kind.SWITCHOVER: _switchover,
    Kind.PAUSED: _paused,
    Kind.ANNOUNCED: _announced,
    Kind.CUT: _cut,
    Kind.STORM: _storm,
    Kind.FULL_DISK: _full_disk,
    Kind.LEASE: _lease,
}
