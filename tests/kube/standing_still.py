"""Daemons that stand still for a while."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tools.kube.daemons import Daemons


@contextmanager
def standing_still(daemons: Daemons, name: str) -> Iterator[None]:
    """Let a daemon stand still while the block runs: its connections stay open, and nothing is answered."""
    found = daemons.running(name)
    assert found is not None, f"{name} does not run"
    os.kill(found.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(found.pid, signal.SIGCONT)
