"""The disk is full, and free again; each case in name spaces of its own."""

from pathlib import Path

import pytest

from tests.e2e import own_namespaces

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(own_namespaces.why_not() is not None, reason=str(own_namespaces.why_not())),
]

CASES = Path(__file__).with_name("full_disk_cases.py")


@pytest.mark.parametrize("case", ["test_full_disk[data]", "test_full_disk[everything]", "test_end_on_a_full_disk"])
def test_case(case: str) -> None:
    """The case of that name in full_disk_cases.py passes."""
    own_namespaces.run_tests(f"{CASES}::{case}")
