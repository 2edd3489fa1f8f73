"""`memgraph-ha status`: the picture once, or drawn again and again."""

import signal
import time
from typing import Final

import click
import trio
from rich.console import Group, RenderableType
from rich.live import Live
from rich.styled import Styled
from rich.text import Text

from memgraph_ha.operate.documents import Cluster, structured
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.helping import OperatorCommand
from memgraph_ha.operate.paint import BAD, QUIET, moment, span
from memgraph_ha.operate.paint_status import one_line, status_picture
from memgraph_ha.operate.session import Session, asks_cluster

REDRAW_S: Final = 0.5
"""Pause between two looks of ``--watch``."""


@click.command(
    cls=OperatorCommand,
    answers="Cluster",
    short_help="Show who is MAIN, what waits, and why.",
    examples=(
        "memgraph-ha status",
        "memgraph-ha status --watch",
        "memgraph-ha status --json | jq -r .main",
        "until memgraph-ha status >/dev/null; do sleep 1; done",
    ),
)
@click.option("-w", "--watch", is_flag=True, help="Look again every half second, until ctrl-c.")
@asks_cluster
async def status(session: Session, *, watch: bool) -> Exit:
    """Show the cluster: who is MAIN, who could follow, whether writes and reads are open, and what waits and why.

    Ends with 0 if clients can write and nothing is held, else with 1.
    """
    if watch:
        return await _watch(session)
    async with session.client() as client:
        raw = await client.read("cluster")
    cluster = structured(Cluster, raw)
    session.output.document(raw)
    session.output.show(*status_picture(cluster, width=session.output.console.width, pages=session.pages))
    return code_of(cluster)


def code_of(cluster: Cluster) -> Exit:
    """Say how ``status`` ends: a controller that does not lead cannot know whether clients can write."""
    if cluster.led_elsewhere:
        return Exit.UNREACHABLE
    return Exit.OK if cluster.healthy else Exit.UNWELL


async def _watch(session: Session) -> Exit:
    """Watch until a signal ends it; then the exit code is that of the last look."""
    watcher = _Watcher(session)
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watcher.run, nursery.cancel_scope)
            async for _ in signals:
                nursery.cancel_scope.cancel()
    return watcher.finish()


class _Watcher:
    """Looks twice a second, and goes on through a restart of the controller.

    Args:
        session: Whom to ask and where to print.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._output = session.output
        self._last: Cluster | None = None
        self._answered_s = time.monotonic()
        self._trouble: OperateError | None = None
        self._told = self._pages = ""
        console = self._output.console
        self._live = Live(console=console, screen=True, auto_refresh=False) if self._output.redraws else None

    async def run(self, scope: trio.CancelScope) -> None:
        """Look and draw until cancelled; cancel the scope when nobody reads any more."""
        if self._live is not None:
            self._live.start()
        try:
            while self._output.read:
                await self._look()
                self._draw()
                await trio.sleep(REDRAW_S)
            scope.cancel()
        finally:
            if self._live is not None:
                self._live.stop()

    def finish(self) -> Exit:
        """Leave the last picture on the terminal."""
        if self._live is not None:
            self._output.show(*self._picture())
        if self._trouble is not None:
            return self._trouble.code
        return Exit.OK if self._last is None else code_of(self._last)

    async def _look(self) -> None:
        try:
            async with self._session.client() as client:  # found anew: it may have come back at another port
                raw = await client.read("cluster")
            self._last, self._pages = structured(Cluster, raw), self._session.pages
        except OperateError as error:
            if error.code is Exit.USAGE:
                raise
            self._trouble = error
        else:
            self._trouble = None
            self._answered_s = time.monotonic()
            self._output.document(raw, on_one_line=True)

    def _draw(self) -> None:
        if self._live is not None:
            self._live.update(Group(*self._picture()), refresh=True)
            return
        line = f"{self._trouble}" if self._trouble is not None or self._last is None else one_line(self._last)
        if line != self._told and not self._output.as_json:
            self._told = line
            self._output.show(Text(f"{moment(time.time())} {line}"))

    def _picture(self) -> list[RenderableType]:
        if self._trouble is None:
            head = Text(moment(time.time()), QUIET)
        else:
            silent_s = time.monotonic() - self._answered_s
            head = Text(f"No answer for {span(silent_s)}: {self._trouble}", BAD)
        if self._last is None:
            return [head]
        drawn = status_picture(self._last, width=self._output.console.width, pages=self._pages)
        return [head, Text(), *(drawn if self._trouble is None else (Styled(part, QUIET) for part in drawn))]
