"""What all tests share: the Hypothesis profiles, and the order in which files are handed to parallel workers."""

import os
import signal
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Started in the background of a script: the programs under test would inherit that, and no ctrl-c would reach them.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile(
    "dev",
    deadline=None,  # two busy cores: the time of one example says nothing
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "ci",
    parent=settings.get_profile("dev"),
    derandomize=True,  # the same examples on every run: red means that the change is red
    max_examples=200,
    print_blob=True,
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

LONGEST: Final = (
    "tests/sim/test_shipped_one.py",
    "tests/sim/test_shipped_two.py",
    "tests/e2e/test_operator.py",
)
"""The files that take a minute or more: begun last, one of them would keep a single worker busy at the end."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the longest files where files are handed to several workers; alone, tests keep their order."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: item.nodeid.partition("::")[0] not in LONGEST)
