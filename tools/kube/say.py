"""How the tool tells people what it does: one line a step on standard error, so that `up` can print for a shell."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from tools.kube.errors import ClusterError

_POLL_S: Final = 0.1


def say(text: str) -> None:
    """Print one line of progress."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what begins, and how long it took."""
    begun_s = time.monotonic()
    say(f"{text} ...")
    yield
    say(f"{text}: done in {time.monotonic() - begun_s:.1f} s")


def wait_until(question: Callable[[], bool], *, timeout_s: float, what: str, hint: Callable[[], str]) -> None:
    """Ask again and again until the answer is yes.

    Args:
        question: What is asked; it must answer in a bounded time.
        timeout_s: Longest time to wait, seconds.
        what: What is waited for, for the message.
        hint: Told when it did not happen: where to look; it may raise its own `ClusterError` at any time.

    Raises:
        ClusterError: The time passed.
    """
    end_s = time.monotonic() + timeout_s
    while not question():
        if time.monotonic() >= end_s:
            raise ClusterError(f"{what} did not happen within {timeout_s:g} s; {hint()}")
        time.sleep(_POLL_S)
