"""Any two parts of a cluster lose each other, in either direction; each case in name spaces of its own."""

from pathlib import Path

import pytest

from tests.e2e import own_namespaces

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(own_namespaces.why_not() is not None, reason=str(own_namespaces.why_not())),
]

CASES = Path(__file__).with_name("partition_cases.py")

PAIRS = (
    "test_main_and_standby",
    "test_controller_and_main",
    pytest.param("test_main_and_async_replica", marks=pytest.mark.matrix),
    pytest.param("test_controller_and_standby", marks=pytest.mark.matrix),
    pytest.param("test_controller_and_async_replica", marks=pytest.mark.matrix),
)

WAYS = ("refused", "swallowed", "unanswered")


@pytest.mark.parametrize("pair", PAIRS)
def test_partition(pair: str) -> None:
    """The cases of that name in partition_cases.py pass: refused, swallowed, unanswered."""
    own_namespaces.run_tests_at_once(*(f"{CASES}::{pair}[{how}]" for how in WAYS))


def test_main_lost_while_the_async_replica_is_cut_off() -> None:
    """The case of that name in partition_cases.py passes."""
    own_namespaces.run_tests(f"{CASES}::test_main_lost_while_the_async_replica_is_cut_off")
