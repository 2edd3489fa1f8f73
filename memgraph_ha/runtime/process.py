"""What every process that runs the daemon does alike: how it is told to end, and what it says when it breaks."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import trio
from attrs import define, field

from memgraph_ha.runtime.usage import leaves

SWITCH_INTERVAL_S: Final = 0.0005
"""How soon the relay's thread gets the interpreter from the controller's: with Python's 5 ms a busy tick would cost
every relayed message as much (measured: half the messages a second)."""

_SHOWN: Final = 300


def ending_signals() -> list[signal.Signals]:
    """List what ends us: not a hang-up that whoever started us has switched off (``nohup``)."""
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hang_up]


@define
class Told:
    """What happens when we are told to end.

    Attributes:
        scope: Cancelled then.
        before: Done first.
    """

    scope: trio.CancelScope = field(factory=trio.CancelScope)
    before: Callable[[], Awaitable[None]] | None = None


async def end_when_told(signals: AsyncIterator[int], told: Told) -> None:
    """Begin the end at the first signal; a further one must not cut it off, or things would be left half done."""
    async for _signal in signals:
        if told.before is not None and not told.scope.cancel_called:
            await told.before()
        told.scope.cancel()


def what_broke(error: BaseException) -> str:
    """Say in one line what ended a controller by a bug of its own."""
    return "; ".join(f"{type(each).__name__}: {each}"[:_SHOWN] for each in leaves(error))
