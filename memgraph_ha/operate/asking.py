"""Asking for a change and waiting for its outcome, with progress; an unknown outcome is looked for in the facts."""

import time
from collections.abc import Callable, Mapping
from typing import Final

import trio
from attrs import field, frozen
from rich.console import RenderableType
from rich.status import Status
from rich.text import Text

from memgraph_ha.operate.documents import Cluster, Outcome, structured
from memgraph_ha.operate.exits import Exit, OperateError
from memgraph_ha.operate.paint import QUIET, span
from memgraph_ha.operate.session import Session, read_cluster

POLL_S: Final = 0.2
"""Pause between two looks at how far it is."""

TOLD_AFTER_S: Final = 2.0
"""A wait of so long is told even where nothing can be drawn."""

TOLD_AGAIN_S: Final = 10.0


@frozen(kw_only=True)
class Wish:
    """Something to ask for.

    Attributes:
        verb: Its path, e.g. ``switchover``.
        body: What is asked for, without ``wait_s`` and ``dry_run``.
        what: It in words, e.g. ``switchover to memgraph-1``.
        wait_s: How long to wait for the outcome.
        done: Says from a later picture whether it has happened; None: pictures do not show that.
        taken: Says from a later picture whether it is under way, so that nobody needs to wait; None: wait.
    """

    verb: str
    body: Mapping[str, object] = field(hash=False)
    what: str
    wait_s: float
    done: Callable[[Cluster], bool] | None = None
    taken: Callable[[Cluster], bool] | None = None


async def rehearse(session: Session, wish: Wish) -> dict[str, object]:
    """Ask what would be done, changing nothing.

    Returns:
        The API's answer; ``ok`` false: it would be refused.

    Raises:
        OperateError: No usable answer.
    """
    async with session.client() as client:
        return await client.change("POST", wish.verb, {**wish.body, "dry_run": True}, wait_s=0)


async def rehearse_only(session: Session, wish: Wish) -> Exit:
    """Do what ``--dry-run`` says: print what would be done, or why it would be refused."""
    raw = await rehearse(session, wish)
    outcome = structured(Outcome, raw)
    session.output.document(raw)
    session.output.show(Text(outcome.text))
    return Exit.OK if outcome.ok else Exit.UNWELL


async def ask(session: Session, wish: Wish) -> Exit:
    """Ask for it, show how far it is, and print the outcome.

    Raises:
        OperateError: It was refused, nobody answered, or the outcome is unknown.
    """
    asked_s = time.monotonic()
    raw = await _asked(session, wish, asked_s)
    if raw is None:
        session.output.show(Text(f"{wish.what} is under way; `memgraph-ha status --watch` shows how far it is"))
        session.output.document({"ok": True, "text": f"{wish.what} is under way"})
        return Exit.OK
    outcome = structured(Outcome, raw)
    if not outcome.ok:
        raise OperateError(Exit.UNWELL, outcome.text, raw)
    session.output.document(raw)
    took = Text(f"  ({span(time.monotonic() - asked_s)})", QUIET)
    session.output.show(Text(f"{wish.what}: ").append(outcome.text).append(took))
    return Exit.OK


async def _asked(session: Session, wish: Wish, asked_s: float) -> dict[str, object] | None:
    """Ask, and watch meanwhile. None: it is under way, and nobody wants to wait for more."""
    answers: list[dict[str, object]] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_watch, session, wish, asked_s, nursery.cancel_scope)
        try:
            async with session.client() as client:
                answers.append(
                    await client.change("POST", wish.verb, {**wish.body, "wait_s": wish.wait_s}, wait_s=wish.wait_s)
                )
        except OperateError as error:
            if error.code is not Exit.UNKNOWN or wish.done is None:
                raise
            answers.append(await _look_for(session, wish, asked_s, error))
        nursery.cancel_scope.cancel()
    return answers[0] if answers else None


async def _look_for(session: Session, wish: Wish, asked_s: float, unknown: OperateError) -> dict[str, object]:
    """Look in the facts for what nobody could answer, until the time is over.

    Raises:
        OperateError: `unknown`, if the time is over.
    """
    while wish.done is not None:
        picture = await _glance(session)
        if picture is not None and wish.done(picture):
            return {"ok": True, "text": "it happened, though the answer was lost"}
        if time.monotonic() - asked_s >= wish.wait_s:
            break
        await trio.sleep(POLL_S)
    raise unknown


async def _glance(session: Session) -> Cluster | None:
    """Look at the cluster; None if nobody shows it now."""
    try:
        async with session.client() as client:
            return await read_cluster(client)
    except OperateError:
        return None


async def _watch(session: Session, wish: Wish, asked_s: float, scope: trio.CancelScope) -> None:
    """Show how far it is; end the scope when nobody needs to wait any more."""
    progress = _Progress(session, wish.what, asked_s)
    with progress:
        while True:
            await trio.sleep(POLL_S)
            picture = await _glance(session)
            progress.show(picture)
            if wish.taken is not None and picture is not None and wish.taken(picture):
                scope.cancel()


class _Progress:
    """A line that says what is being waited for: alive on a terminal, now and then elsewhere.

    Args:
        session: Where to print; it goes to standard error.
        what: What was asked for.
        asked_s: When, monotonic seconds.
    """

    def __init__(self, session: Session, what: str, asked_s: float) -> None:
        self._output = session.output
        self._what = what
        self._asked_s = asked_s
        self._told_s = TOLD_AFTER_S
        console = session.output.side
        self._status = Status(self._line(None), console=console) if session.output.side_redraws else None

    def __enter__(self) -> None:
        """Begin to show it."""
        if self._status is not None:
            self._status.start()

    def __exit__(self, *_error: object) -> None:
        """Take it away."""
        if self._status is not None:
            self._status.stop()

    def show(self, picture: Cluster | None) -> None:
        """Show what the cluster does now."""
        if self._status is not None:
            self._status.update(self._line(picture))
        elif (waited_s := time.monotonic() - self._asked_s) >= self._told_s:
            self._told_s = waited_s + TOLD_AGAIN_S
            self._output.aside(self._line(picture))

    def _line(self, picture: Cluster | None) -> RenderableType:
        waited = span(time.monotonic() - self._asked_s)
        if picture is None or picture.decision is None:
            return Text(f"{self._what}: {waited}")
        last = f"{picture.decision.rule} {picture.decision.reason}".strip()
        return Text(f"{self._what}: {waited}").append(f"  {last}", QUIET)


async def show_main(session: Session) -> None:
    """Say who is MAIN now, in one line, for people."""
    if session.output.as_json:
        return
    picture = await _glance(session)
    if picture is None or picture.main is None:
        return
    standby = f"standby {picture.standby}" if picture.standby else "no standby yet"
    writes = "writes are open" if picture.rw.open else f"writes are shut: {picture.rw.why}"
    session.output.show(Text(f"{picture.main} is MAIN (reign {picture.generation}), {standby}; {writes}"))


async def look(session: Session) -> Cluster:
    """Look at the cluster before something is asked of it.

    Raises:
        OperateError: Nobody shows it.
    """
    async with session.client() as client:
        return await read_cluster(client)
