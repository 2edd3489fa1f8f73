"""What a row lets us do, and what a member must look like."""

import pytest

from memgraph_ha.core.names import Address, RowName
from memgraph_ha.core.topology import Member, Mode, Row, RowStatus
from tests.core.views import M0, incarnation_of


def row(mode: Mode | None, status: RowStatus) -> Row:
    """A row of that kind."""
    return Row(name=RowName("r"), address=Address("h:1"), mode=mode, status=status)


SETTLED = {RowStatus.READY, RowStatus.INVALID, RowStatus.DIVERGED}


@pytest.mark.parametrize("mode", [*Mode, None])
@pytest.mark.parametrize("status", RowStatus)
def test_which_rows_may_be_dropped(mode: Mode | None, status: RowStatus) -> None:
    """Under commits: half rows, and settled SYNC or STRICT_SYNC ones; when quiet: all but recovery and unknown.

    Transcripts Q4, Q5, Q7: half 30 of 30, STRICT_SYNC/SYNC ready or invalid 30 of 30, recovery 81 of 81 crashes,
    ASYNC under load 35 of 40 crashes, quiet 20 of 20.
    """
    under_load = status is RowStatus.HALF or (status in SETTLED and mode in {Mode.SYNC, Mode.STRICT_SYNC})
    assert row(mode, status).droppable is under_load


@pytest.mark.parametrize("status", RowStatus)
def test_which_rows_take_commits(status: RowStatus) -> None:
    """Under load a row is rarely caught at `ready` (design 4)."""
    assert row(Mode.STRICT_SYNC, status).takes_commits is (status in {RowStatus.READY, RowStatus.REPLICATING})


@pytest.mark.parametrize(
    "wrong", ["", "host", ":1", "host:", "host:x", "host:1x", "host:-1", "host:\N{ARABIC-INDIC DIGIT ONE}"]
)
@pytest.mark.parametrize("field", ["bolt", "replication"])
def test_a_member_has_addresses_with_ports(field: str, wrong: str) -> None:
    """Demotion needs the port: an address without one is refused where it comes in, by name."""
    bolt, replication = (Address(wrong if field == name else "h:1") for name in ("bolt", "replication"))
    with pytest.raises(ValueError, match=rf"^member field {field}: {wrong!r} is not host:port"):
        Member(name=M0, incarnation=incarnation_of(M0), bolt=bolt, replication=replication)


@pytest.mark.parametrize("address", ["h:1", "10.0.0.1:10000", "[::1]:7687", "a.b.svc.cluster.local:7687"])
def test_hosts_may_be_names_and_numbers(address: str) -> None:
    """Also IPv6 in brackets."""
    member = Member(name=M0, bolt=Address(address), replication=Address(address), incarnation=None)
    assert member.bolt == address
