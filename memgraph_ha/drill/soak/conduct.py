"""Conducting a soak from the first process to the last: start, write, break, wait or help, read back, stop, look."""

import math
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio
from attrs import evolve, frozen

from memgraph_ha.drill.conduct import FIRST_WRITE_MAX_S, LEVEL_MAX_S, Interrupted
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.ledger import Findings, WriterLog, check
from memgraph_ha.drill.soak.crew import Crew, quiet_driver
from memgraph_ha.drill.soak.plan import Step, draw
from memgraph_ha.drill.soak.recovery import MOST_HELP, Help, NotWholeError, help_out, until_whole
from memgraph_ha.drill.soak.results import Felt, SoakResult, costs_of, pause_of
from memgraph_ha.drill.soak.rig import Rig
from memgraph_ha.drill.soak.screen import Screen
from memgraph_ha.drill.soak.strikes import Moment, strike
from memgraph_ha.drill.waiting import read_back, until_acknowledged
from memgraph_ha.local.options import find_binary

PATIENCE_S: Final = 90.0
"""How long the cluster may take to be whole again by itself: longer than any policy that it waits for."""

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@frozen(kw_only=True)
class SoakPlan:
    """What a soak is to do.

    Attributes:
        faults: How many.
        seed: What they are drawn from.
        isolated: Whether we are in name spaces of our own.
        minutes: After so long no further fault begins.
        memgraph: The binary; None for the bundled fake.
        keep: Whether the evidence is kept though nothing is wrong.
        patience_s: How long the cluster may take to be whole again by itself.
    """

    faults: int
    seed: int
    isolated: bool
    minutes: float = math.inf
    memgraph: Path | None = None
    keep: bool = False
    patience_s: float = PATIENCE_S


async def conduct_soak(plan: SoakPlan, screen: Screen) -> SoakResult:
    """Do a whole soak. SIGINT, SIGTERM and SIGHUP end it in order: nothing is left running.

    Resource handling: makes a directory below the system's place for temporary files, and removes it unless
    something is wrong. Installs signal handlers meanwhile, so it must run in the main thread.

    Raises:
        Interrupted: By a signal.
        UsageError: The binary cannot be used; nothing was started.
    """
    binary = find_binary(plan.memgraph)
    root = Path(tempfile.mkdtemp(prefix="memgraph-ha-soak-"))
    soak = _Soak(plan, screen, Rig(root=root, binary=binary, isolated=plan.isolated))
    caught: list[int] = []
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            work = trio.CancelScope()

            async def end_on_signal() -> None:
                async for signum in signals:
                    caught.append(signum)
                    screen.stage("interrupted: stopping everything")
                    work.cancel()

            nursery.start_soon(end_on_signal)
            nursery.start_soon(screen.tick)
            with work, quiet_driver():
                await soak.run()
            nursery.cancel_scope.cancel()
    result = soak.result(str(binary))
    keep = plan.keep or bool(result.left if caught else not result.passed)
    if not keep:
        shutil.rmtree(root, ignore_errors=True)
    if caught:
        raise Interrupted(caught[0], result.left, root if keep else None)
    return evolve(result, kept=root if keep else None)


class _Soak:
    """One soak under way, and what it has found so far."""

    def __init__(self, plan: SoakPlan, screen: Screen, rig: Rig) -> None:
        self._plan, self._screen, self._rig = plan, screen, rig
        self._steps = draw(plan.seed, plan.faults, isolated=plan.isolated)
        self._crew: Crew | None = None
        self._begun_s = self._ended_s = time.monotonic()
        self._stopped_s = 0.0
        self._felt: list[Felt] = []
        self._findings: Findings | None = None
        self._level = self._out_of_time = False
        self._trouble: str | None = None
        self._left: list[str] = []

    async def run(self) -> None:
        """Do everything; trouble ends the faults early, but not the reading back and never the stopping."""
        try:
            try:
                await self._break_things()
            except DrillError as error:
                self._trouble = str(error)
            except Exception as error:  # noqa: BLE001 - a defect of ours must not cost the ledger of half an hour
                self._trouble = f"the soak itself failed\n{''.join(traceback.format_exception(error))}"
            await self._stop_writers()
            await self._read_back()
        finally:
            # Whatever happened, also a cancellation: nothing of ours may stay. Each step has its own deadline.
            with trio.CancelScope(shield=True):
                await self._stop_writers()
                self._screen.stage("stopping the cluster")
                try:
                    self._left.extend(await self._rig.stop())
                except DrillError as error:
                    self._left.append(str(error))
                self._ended_s = time.monotonic()

    async def _break_things(self) -> None:
        screen, plan = self._screen, self._plan
        screen.stage("starting the cluster")
        await self._rig.start()
        await until_whole(self._rig, within_s=plan.patience_s)
        crew = self._crew = Crew(self._rig.controller.gateway)
        screen.count_with(crew.acknowledged)
        crew.start()
        await self._until_acknowledged(0.0)
        screen.said(f"whole after {time.monotonic() - self._begun_s:.1f} s; {len(crew.logs)} writers write")
        for step in self._steps:
            if time.monotonic() - self._begun_s > plan.minutes * 60:
                self._out_of_time = True
                return
            screen.stage(f"fault {step.number}/{plan.faults}: {step}: settling")
            await trio.sleep(step.settle_s)
            await self._do(step)

    async def _do(self, step: Step) -> None:
        """Do one fault, and have the cluster whole again.

        Raises:
            DrillError: It is not, for no reason that has a name; or it cannot be done.
        """
        self._screen.stage(f"fault {step.number}/{self._plan.faults}: {step}")
        moment, helped, missed = Moment(), list[Help](), None
        whole_s = math.inf
        mark = self._rig.log_mark()
        try:
            missed = await self._strike(step, moment)
            self._screen.stage(f"fault {step.number}/{self._plan.faults}: {step}: until whole again")
            helped.extend(await self._recover())
            await self._until_acknowledged(time.monotonic())
            whole_s = time.monotonic()
        except DrillError as error:
            moment.notes.append(str(error))
            raise DrillError(f"the soak was ended by fault {step.number}") from error
        finally:
            felt = Felt(
                step=step,
                sent_s=moment.sent_s or time.monotonic(),
                seen_s=moment.seen_s or time.monotonic(),
                whole_s=whole_s,
                helped=tuple(helped),
                notes=tuple(moment.notes),
                missed=missed,
            )
            self._felt.append(felt)
            self._screen.fault(felt, self._plan.faults, pause_of(felt, self._logs, time.monotonic()))
            if felt.helped or felt.notes:
                self._keep_log(step, mark)

    async def _strike(self, step: Step, moment: Moment) -> str | None:
        """Do both of two faults, or the one; says why the second could not be done."""
        second = step.second
        if second is None:
            await strike(self._rig, step.blow, moment)
            return None
        missed: str | None = None
        trouble: list[DrillError] = []
        begun = trio.Event()

        async def do_first() -> None:
            begun.set()
            try:
                await strike(self._rig, step.blow, moment)
            except DrillError as error:
                trouble.append(error)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(do_first)
            await begun.wait()
            await trio.sleep(step.second_after_s)
            try:
                await strike(self._rig, second, Moment())
            except DrillError as error:
                missed = str(error)  # the first has hit it already, and it is not back yet
        if trouble:
            raise trouble[0]
        # Of two at once each is in the other's way: what was refused then is the cluster's good right.
        moment.notes.clear()
        return missed

    async def _recover(self) -> Sequence[Help]:
        """Wait until the cluster is whole; where it waits for a human by name, be that human.

        Raises:
            DrillError: It is not whole, and nobody says what would help.
        """
        helped: list[Help] = []
        while True:
            try:
                await until_whole(self._rig, within_s=self._plan.patience_s)
            except NotWholeError as trouble:
                if len(helped) == MOST_HELP:
                    raise
                helped.append(await help_out(self._rig, trouble))
            else:
                return helped

    async def _until_acknowledged(self, begun_from_s: float) -> None:
        controller = self._rig.controller
        await until_acknowledged(controller, lambda: self._logs, begun_from_s=begun_from_s, within_s=FIRST_WRITE_MAX_S)

    def _keep_log(self, step: Step, mark: int) -> None:
        """Keep what the controllers logged during a fault that did not end by itself."""
        file = self._rig.root / f"fault-{step.number:03}.log"
        file.write_text("\n".join((str(step), *self._rig.log_since(mark))) + "\n", encoding="utf-8")

    async def _stop_writers(self) -> None:
        if self._crew is not None and not self._stopped_s:
            self._screen.stage("until the writers have ended")
            self._stopped_s = time.monotonic()
            stuck = await trio.to_thread.run_sync(self._crew.stop)
            self._left.extend(f"thread {name} did not end" for name in stuck)

    async def _read_back(self) -> None:
        if self._crew is None:
            return
        self._screen.stage("reading back from every instance")
        try:
            readings, self._level = await read_back(self._rig.controller, within_s=LEVEL_MAX_S)
        except DrillError as error:
            self._trouble = f"{self._trouble}\n{error}" if self._trouble else str(error)
            return
        self._findings = check(self._logs, readings, [felt.sent_s for felt in self._felt])

    @property
    def _logs(self) -> list[WriterLog]:
        return [] if self._crew is None else list(self._crew.logs)

    def result(self, binary: str) -> SoakResult:
        """Sum up."""
        return SoakResult(
            binary=binary,
            seed=self._plan.seed,
            isolated=self._plan.isolated,
            duration_s=self._ended_s - self._begun_s,
            wanted=self._plan.faults,
            out_of_time=self._out_of_time,
            felt=tuple(self._felt),
            costs=costs_of(self._felt, self._logs, self._findings, self._stopped_s),
            findings=self._findings,
            level=self._level,
            trouble=self._trouble,
            left=tuple(self._left),
            kept=None,
        )
