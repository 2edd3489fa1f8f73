"""Our own adapters keep the contracts; adapters with one mistake each are found out by the clause they break."""

import time
from pathlib import Path

import pytest
import trio
import trio.testing

from memgraph_ha.adapters.files import FileRecordStore
from memgraph_ha.adapters.files_lease import FileLease
from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.core.names import Address
from memgraph_ha.core.policy import Policy
from memgraph_ha.proxy.gateway import RwGateway
from memgraph_ha.testing import (
    ContractError,
    check_database,
    check_gateway,
    check_lease,
    check_platform,
    check_record_store,
)
from tests.adapters import local_rig, memgraph_rig
from tests.adapters.memgraph_cluster import Server
from tests.free_port import free_port
from tests.testing.in_memory import (
    DEAD,
    M0,
    TERM_S,
    Board,
    MemoryDatabase,
    MemoryLease,
    MemoryPlatform,
    MemoryStore,
    Shelf,
    member,
)
from tests.testing.plain_gateway import PlainGateway

POLICY = Policy(lease_duration_s=2, lease_renew_s=0.3, command_deadline_s=0.5)

pytestmark = pytest.mark.trio


def now_s() -> float:
    """The clock that the adapters are given."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def the_one(raised: "pytest.ExceptionInfo[BaseException]") -> str:
    """What was said, out of whatever groups nurseries made of it."""
    error = raised.value
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ContractError)
    return str(error)


# --- ours


async def test_the_file_store_keeps_its_contract(tmp_path: Path) -> None:
    """The record of `memgraph-ha local`."""
    await check_record_store(lambda: FileRecordStore(tmp_path / "record.json", now_s))


async def test_the_file_lease_keeps_its_contract(tmp_path: Path) -> None:
    """The lease of `memgraph-ha local`."""
    await check_lease(
        lambda name: FileLease(tmp_path / "lease.json", holder=name, policy=POLICY, clock=now_s),
        clock=now_s,
        duration_s=POLICY.lease_duration_s,
    )


async def test_the_local_platform_keeps_its_contract(tmp_path: Path) -> None:
    """Real processes, two lives of which are ended."""
    datadir = local_rig.make_cluster(tmp_path, local_rig.stand_in(tmp_path))
    async with local_rig.running(datadir) as one:
        await check_platform(one.platform)


async def test_the_memgraph_adapter_keeps_its_contract(tmp_path: Path) -> None:
    """A real server process, promoted and demoted."""
    server = Server("a", tmp_path / "a")
    server.start()
    assert server.process is not None
    try:
        await check_database(
            MemgraphDatabase(Policy(), auth=None, clock=now_s),
            memgraph_rig.member("a", server.bolt, server.replication),
            dead=Address(f"127.0.0.1:{free_port()}"),
        )
    finally:
        server.process.kill()
        server.process.wait()


async def test_the_gateway_keeps_its_contract() -> None:
    """The relay that ships, on real sockets."""
    gateway = RwGateway(
        ("127.0.0.1", 0), hold_max_s=30, hold_max_connections=10, max_connections=10, connect_timeout_s=2, clock=now_s
    )
    bound = gateway.bind()
    await check_gateway(gateway, address=lambda: bound, clock=now_s)


# --- mistakes


async def test_a_store_without_a_mistake_keeps_its_contract() -> None:
    """So that what is found below is the mistake."""
    shelf = Shelf()
    await check_record_store(lambda: MemoryStore(shelf))


@pytest.mark.parametrize(
    ("mistake", "clause"),
    [
        ("cached", "every other reads at once"),
        ("overwrites", "creating never overwrites"),
        ("creates over", "creating never overwrites"),
        ("looks first", "exactly one is done"),
        ("forgets levels", "reports what is there afterwards"),
        ("says nothing", "a write reports what it read back"),
        ("always done", "creating never overwrites"),
        ("version of the text", "A, B, A is not A"),
    ],
)
async def test_a_store_with_a_mistake_is_found_out(mistake: str, clause: str) -> None:
    """Each by the clause that it breaks."""
    shelf = Shelf()
    with pytest.raises(ContractError, match=clause):
        await check_record_store(lambda: MemoryStore(shelf, mistake))


async def test_a_lease_without_a_mistake_keeps_its_contract(autojump_clock: trio.testing.MockClock) -> None:
    """So that what is found below is the mistake."""
    assert autojump_clock.autojump_threshold == 0
    board = Board()
    await check_lease(lambda name: MemoryLease(board, name), clock=trio.current_time, duration_s=TERM_S)


@pytest.mark.parametrize(
    ("mistake", "clause"),
    [
        ("cannot name", "everybody can name the holder"),
        ("everybody leads", "never two hold it"),
        ("too long", "never longer"),
        ("never renews", "a renewal is reported, with its later end"),
        ("new terms", "a renewal begins no new term"),
        ("no floor", "carried by the next renewal"),
        ("floor falls", "the highest generation never falls"),
        ("keeps it", "a lease that was released"),
        ("released in silence", "says that it does not lead any more"),
        ("impatient", "before the term of a silent holder is over"),
        ("never clean", "a released lease is taken cleanly"),
    ],
)
async def test_a_lease_with_a_mistake_is_found_out(
    mistake: str, clause: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Each by the clause that it breaks."""
    assert autojump_clock.autojump_threshold == 0
    board = Board()
    with pytest.raises((ContractError, BaseExceptionGroup)) as raised:
        await check_lease(lambda name: MemoryLease(board, name, mistake), clock=trio.current_time, duration_s=TERM_S)
    assert clause in the_one(raised)


async def test_a_platform_without_a_mistake_keeps_its_contract(autojump_clock: trio.testing.MockClock) -> None:
    """So that what is found below is the mistake."""
    assert autojump_clock.autojump_threshold == 0
    await check_platform(MemoryPlatform())


@pytest.mark.parametrize(
    ("mistake", "clause"),
    [
        ("says nothing", "a watch reports at once"),
        ("two of a name", "names of members differ"),
        ("no name", "the cluster has a name"),
        ("stops anybody", "leaves the present one alone"),
        ("refuses to stop the dead", "stopping a life that is over is done"),
        ("leaves it dead", "reported as another life"),
        ("the same life again", "reported as another life"),
        ("rebuilds anybody", "a rebuild of another life is refused"),
        ("forgets rebuilds", "a rebuild that was done before is done"),
    ],
)
async def test_a_platform_with_a_mistake_is_found_out(
    mistake: str, clause: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Each by the clause that it breaks."""
    assert autojump_clock.autojump_threshold == 0
    with pytest.raises((ContractError, BaseExceptionGroup)) as raised:
        await check_platform(MemoryPlatform(mistake))
    assert clause in the_one(raised)


async def test_a_database_without_a_mistake_keeps_its_contract(autojump_clock: trio.testing.MockClock) -> None:
    """So that what is found below is the mistake."""
    assert autojump_clock.autojump_threshold == 0
    await check_database(MemoryDatabase(), member(M0, 1), dead=DEAD)


@pytest.mark.parametrize(
    ("mistake", "clause"),
    [
        ("never forgets", "who is not followed any more is not probed"),
        ("never ends", "a command ends within"),
        ("checks no guard", "a command for another run is refused"),
        ("is never sure", "a REPLICA in the run that is named can be promoted"),
        ("reads nothing back", "the role is read back"),
        ("waits for the dead", "an address at which nobody listens refuses"),
        ("stamps late", "an answer comes after its question"),
        ("stamps once", "a later answer was asked for later"),
        ("a run a probe", "a process keeps its run"),
    ],
)
async def test_a_database_with_a_mistake_is_found_out(
    mistake: str, clause: str, autojump_clock: trio.testing.MockClock
) -> None:
    """Each by the clause that it breaks."""
    assert autojump_clock.autojump_threshold == 0
    with pytest.raises((ContractError, BaseExceptionGroup)) as raised:
        await check_database(MemoryDatabase(mistake), member(M0, 1), dead=DEAD)
    assert clause in the_one(raised)


async def test_a_gateway_without_a_mistake_keeps_its_contract() -> None:
    """So that what is found below is the mistake."""
    gateway = PlainGateway()
    await check_gateway(gateway, address=lambda: ("127.0.0.1", gateway.port), clock=now_s)


@pytest.mark.parametrize(
    ("mistake", "clause"),
    [
        ("always open", "without a permit nobody is answered"),
        ("says nothing", "the permit that holds is reported"),
        ("changes bytes", "unchanged, to MAIN"),
        ("cuts at a renewal", "a renewed permit cuts nobody"),
        ("keeps connections", "whoever is connected to another MAIN is cut"),
        ("keeps its first MAIN", "to the MAIN that the permit names"),
        ("shuts the door only", "once a narrower route is applied"),
        ("never looks at the clock", "a permit that has lapsed"),
        ("sends away", "a client that is held is neither answered nor sent away"),
    ],
)
async def test_a_gateway_with_a_mistake_is_found_out(mistake: str, clause: str) -> None:
    """Each by the clause that it breaks."""
    gateway = PlainGateway(mistake)
    with pytest.raises((ContractError, BaseExceptionGroup)) as raised:
        await check_gateway(gateway, address=lambda: ("127.0.0.1", gateway.port), clock=now_s)
    assert clause in the_one(raised)
