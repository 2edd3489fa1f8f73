"""Verbs of controllers, their clocks, the record and the lease."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from memgraph_ha.core.record_json import dump_record
from memgraph_ha.sim.scenario.registry import CONTROLLER, NAME, TIME, Arg, ArgKind, verb
from memgraph_ha.sim.scenario.stage import Stage
from memgraph_ha.sim.world.controller import WIRE_S, Controller

CONTROL: Final = "Controllers"
RECORD: Final = "The record and the lease"


# --- controllers


@verb("crash-controller", CONTROL, {"who": CONTROLLER}, undo="start-controller")
def crash_controller(_stage: Stage, who: Controller) -> None:
    """SIGKILL a controller: every connection through it ends."""
    if who.alive:
        who.crash()


@verb("start-controller", CONTROL, {"who": CONTROLLER})
def start_controller(_stage: Stage, who: Controller) -> None:
    """Start a controller that is not there; it remembers nothing."""
    if not who.alive:
        who.start()


@verb("stop-controller", CONTROL, {"who": CONTROLLER}, undo="start-controller")
def stop_controller(_stage: Stage, who: Controller) -> None:
    """SIGTERM a controller: it shuts its gateways, gives the lease back, and ends."""
    if who.alive:
        who.stop()


@verb("crash-controllers", CONTROL, {}, undo="start-controllers")
def crash_controllers(stage: Stage) -> None:
    """SIGKILL every controller."""
    for controller in stage.controllers:
        if controller.alive:
            controller.crash()


@verb("start-controllers", CONTROL, {})
def start_controllers(stage: Stage) -> None:
    """Start every controller that is not there."""
    for controller in stage.controllers:
        if not controller.alive:
            controller.start()


@verb("pause-controller", CONTROL, {"who": CONTROLLER}, undo="resume-controller")
def pause_controller(_stage: Stage, who: Controller) -> None:
    """SIGSTOP a controller (GC, a machine that migrates): bytes wait in its buffers."""
    who.pause()


@verb("resume-controller", CONTROL, {"who": CONTROLLER})
def resume_controller(stage: Stage, who: Controller) -> None:
    """SIGCONT; ``leader`` and ``other`` mean any that is paused."""
    paused = [controller for controller in stage.controllers if controller.paused]
    for controller in [who] if who.paused else paused:
        controller.resume()


@verb("delay-commands", CONTROL, {"who": CONTROLLER, "least": TIME, "most": TIME}, undo="prompt-commands")
def delay_commands(stage: Stage, who: Controller, least: float, most: float) -> None:
    """What it sends lands so much later, each command by another time."""
    dice = stage.cluster.dice("delay-commands")
    who.late = lambda: least + dice.random() * (most - least)


@verb("prompt-commands", CONTROL, {})
def prompt_commands(stage: Stage) -> None:
    """What any controller sends lands at once again."""
    for controller in stage.controllers:
        controller.late = lambda: WIRE_S


@verb("jump-clock", CONTROL, {"who": CONTROLLER, "by": TIME})
def jump_clock(_stage: Stage, who: Controller, by: float) -> None:
    """Its monotonic clock jumps ahead, as that of a machine that was suspended."""
    who.clock.jump(by)


@verb("run-clock", CONTROL, {"who": CONTROLLER, "rate": Arg(kind=ArgKind.NUMBER)}, undo="true-clocks")
def run_clock(_stage: Stage, who: Controller, rate: float) -> None:
    """Its monotonic clock runs at that rate (0.1 to 10); 1 is true."""
    who.clock.run_at(rate)


@verb("jump-wall-clock", CONTROL, {"who": CONTROLLER, "by": Arg(kind=ArgKind.NUMBER)}, undo="true-clocks")
def jump_wall_clock(_stage: Stage, who: Controller, by: float) -> None:
    """Its wall clock jumps by so many seconds, which may be negative."""
    who.clock.wall_offset_s += by


@verb("true-clocks", CONTROL, {})
def true_clocks(stage: Stage) -> None:
    """Every clock runs as fast as true time, and every wall clock is right."""
    for controller in stage.controllers:
        controller.clock.heal()


# --- the record and the lease


@verb("keep-record", RECORD, {"image": NAME})
def keep_record(stage: Stage, image: str) -> None:
    """Keep a copy of the record as it is now, under a name."""
    if stage.cluster.store.text is not None:
        stage.texts[image] = stage.cluster.store.text


@verb("restore-record", RECORD, {"image": NAME})
def restore_record(stage: Stage, image: str) -> None:
    """Put a kept copy in the place of the record, past everybody's back."""
    if image in stage.texts:
        stage.cluster.store.put(stage.texts[image])


@verb("mend-record", RECORD, {})
def mend_record(stage: Stage) -> None:
    """Put back the newest record that a controller wrote, if something else is there."""
    record = stage.record
    if record is not None and stage.cluster.store.text != dump_record(record):
        stage.cluster.store.put(dump_record(record))


@verb("foreign-record", RECORD, {}, undo="mend-record")
def foreign_record(stage: Stage) -> None:
    """Put another cluster's record there."""
    if stage.record is not None:
        stage.cluster.store.put(dump_record(evolve(stage.record, cluster="other")))


@verb("spoil-record", RECORD, {"text": NAME}, undo="mend-record")
def spoil_record(stage: Stage, text: str) -> None:
    """Put a text there that is no record."""
    stage.cluster.store.put(text)


@verb("delete-record", RECORD, {})
def delete_record(stage: Stage) -> None:
    """Remove the record, as somebody does who deletes the ConfigMap."""
    stage.cluster.store.forget()


@verb("forget-floor", RECORD, {})
def forget_floor(stage: Stage) -> None:
    """The lease does not know the highest generation any more (its object was made anew)."""
    stage.cluster.lease.floor = 0


@verb("delete-lease", RECORD, {})
def delete_lease(stage: Stage) -> None:
    """Remove the lease by hand: nobody holds it, whatever its holder believes."""
    stage.cluster.lease.holder = None


@verb("steal-lease", RECORD, {})
def steal_lease(stage: Stage) -> None:
    """Somebody who is no controller takes the lease, and never renews it."""
    lease = stage.cluster.lease
    lease.take("somebody", 0, lease.key)
