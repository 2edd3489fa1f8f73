"""MAIN's disk is full, and only that one; in name spaces of its own."""

from pathlib import Path

import pytest

from tests.e2e import own_namespaces

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(own_namespaces.why_not() is not None, reason=str(own_namespaces.why_not())),
]

CASES = Path(__file__).with_name("main_disk_cases.py")


def test_the_disk_of_main_alone_is_full() -> None:
    """The case of that name in main_disk_cases.py passes."""
    own_namespaces.run_tests(f"{CASES}::test_the_disk_of_main_alone_is_full")
