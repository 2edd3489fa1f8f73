"""A replication port is cut while everything else goes on; each case in name spaces of its own."""

from pathlib import Path

import pytest

from tests.e2e import own_namespaces

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(own_namespaces.why_not() is not None, reason=str(own_namespaces.why_not())),
]

CASES = Path(__file__).with_name("cut_cases.py")


@pytest.mark.parametrize("case", ["test_preferred", "test_required", "test_async_replica"])
def test_cut(case: str) -> None:
    """The case of that name in cut_cases.py passes."""
    own_namespaces.run_tests(f"{CASES}::{case}")
