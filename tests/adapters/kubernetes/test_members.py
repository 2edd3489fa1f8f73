"""Who is a member, and at which address."""

import errno
import socket

from attrs import evolve

from memgraph_ha.adapters.kubernetes.members import NOWHERE, Listing, Ports, make_listing
from memgraph_ha.adapters.kubernetes.pods import Pod, StatefulSet
from memgraph_ha.core.names import Incarnation
from memgraph_ha.core.topology import Member

SET = StatefulSet(name="db", uid="set", first=0, replicas=3, selector="", containers=(), init_containers=())


def pod(number: int, *, ip: str = "", life: str | None = "a", owner: str = "set", grace_s: int | None = None) -> Pod:
    """Make a pod."""
    uid = f"uid-{number}"
    return Pod(
        name=f"db-{number}",
        uid=uid,
        version="1",
        owner=owner,
        ip=ip or f"10.0.0.{number}",
        incarnation=None if life is None else Incarnation(f"{uid}/{life}"),
        grace_s=grace_s,
    )


def listing(*pods: Pod, wanted: StatefulSet = SET, before: Listing | None = None) -> Listing:
    """Make a listing of these."""
    return make_listing(wanted, pods, Ports(), before=before or Listing())


def one(found: Listing, name: str) -> Member:
    """Find a member."""
    return next(each for each in found.members if each.name == name)


def test_members_are_in_ordinal_order_whatever_the_order_of_pods() -> None:
    """Ten comes after nine."""
    many = evolve(SET, replicas=12)
    found = listing(*(pod(number) for number in reversed(range(12))), wanted=many)
    assert [each.name for each in found.members] == [f"db-{number}" for number in range(12)]
    assert one(found, "db-11").bolt == "10.0.0.11:7687"
    assert one(found, "db-11").replication == "10.0.0.11:10000"


def test_a_pod_that_is_not_there_is_a_member_without_a_process() -> None:
    """It is looked for nowhere, and MAIN's row to its last address stays its own."""
    before = listing(pod(0), pod(1), pod(2))
    found = listing(pod(0), pod(2), before=before)
    gone = one(found, "db-1")
    assert gone.incarnation is None
    assert gone.bolt == "255.255.255.255:7687"
    assert gone.replication == "10.0.0.1:10000"


def test_who_was_never_seen_has_no_address_at_all() -> None:
    """After a restart of the controller nothing is made up."""
    assert one(listing(pod(0)), "db-2").replication == "255.255.255.255:10000"


def test_nowhere_is_found_out_at_once_and_without_a_packet() -> None:
    """The kernel itself refuses a connection to it, whatever the network."""
    with socket.socket() as sock:
        sock.settimeout(5)
        assert sock.connect_ex((NOWHERE, 7687)) == errno.ENETUNREACH


def test_an_address_that_another_pod_has_now_is_not_the_old_ones_any_more() -> None:
    """A reused address would make MAIN's row to the one count for the other (scenario H5)."""
    before = listing(pod(0), pod(1), pod(2))
    found = listing(pod(0), pod(2, ip="10.0.0.1"), before=before)
    assert one(found, "db-2").replication == "10.0.0.1:10000"
    assert one(found, "db-1").replication == "255.255.255.255:10000"


def test_a_dead_pod_has_no_claim_to_an_address_that_a_living_one_has() -> None:
    """The API shows the address of a pod that failed long after the network has given it away."""
    found = listing(pod(0, ip="10.0.0.9", life=None), pod(1, ip="10.0.0.9"), pod(2))
    assert one(found, "db-1").bolt == "10.0.0.9:7687"
    assert one(found, "db-0").bolt == "255.255.255.255:7687"
    assert one(found, "db-0").replication == "255.255.255.255:10000"


def test_a_pod_of_somebody_else_is_nobody() -> None:
    """Neither one without an owner, nor one of another StatefulSet, nor of an earlier one of the same name."""
    found = listing(pod(0), pod(1, owner=""), pod(2, owner="earlier"))
    assert one(found, "db-1").incarnation is None
    assert one(found, "db-2").incarnation is None


def test_a_pod_that_counted_before_counts_on_while_it_is_there() -> None:
    """A StatefulSet that is made anew around its living pods takes a moment to own them."""
    before = listing(pod(0), pod(1), pod(2))
    anew = evolve(SET, uid="set anew")
    between = listing(pod(0, owner=""), pod(1), evolve(pod(2, owner=""), uid="another"), wanted=anew, before=before)
    assert [each.incarnation is None for each in between.members] == [False, False, True]
    after = listing(pod(0, owner="set anew"), wanted=anew, before=between)
    assert [each.incarnation is None for each in after.members] == [False, True, True]


def test_a_pod_without_an_address_runs_nothing_yet() -> None:
    """Nobody can speak to it."""
    bare = evolve(pod(1), ip="")
    assert one(listing(pod(0), bare), "db-1").incarnation is None


def test_a_pod_beyond_the_wanted_ones_is_a_member_while_it_runs() -> None:
    """A MAIN that is scaled away is to hand over first; once it has ended, it is forgotten."""
    two = evolve(SET, replicas=1)
    leaving = pod(2, grace_s=30)
    assert [each.name for each in listing(pod(0), leaving, wanted=two).members] == ["db-0", "db-2"]
    assert [each.name for each in listing(pod(0), pod(2, life=None), wanted=two).members] == ["db-0"]


def test_who_is_asked_to_end_is_leaving_while_its_process_runs() -> None:
    """A deletion says so, until there is nothing left to end."""
    found = listing(pod(0, grace_s=30), pod(1, grace_s=1, life=None), pod(2))
    assert [each.name for each in found.leaving] == ["db-0"]


def test_an_ipv6_address_is_written_in_brackets() -> None:
    """Else its port could not be told."""
    assert one(listing(pod(0, ip="fd00::7")), "db-0").bolt == "[fd00::7]:7687"
