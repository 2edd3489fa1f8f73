"""The read-only gateway: who is served by whom, who is refused, and what is cut when."""

import contextlib
from collections.abc import AsyncIterator

import pytest
import trio

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.permit import Permit, ReadPermit, Route
from memgraph_ha.proxy import Gateways, RoGateway, RwGateway
from memgraph_ha.proxy.counters import Refusal
from tests.proxy.harness import (
    HOST,
    Clock,
    Entrance,
    Facts,
    Gate,
    ask,
    boottime,
    echo,
    main_server,
    permit,
    was_reset,
)

pytestmark = pytest.mark.trio


def reader(name: str, port: int, *, new: bool = True, valid_for_s: float = 60.0, run: str = "run") -> ReadPermit:
    """Leave to read from a server on loopback."""
    return ReadPermit(
        permit=Permit(
            instance=InstanceName(name),
            address=Address(f"{HOST}:{port}"),
            run=RunId(run),
            incarnation=Incarnation("process"),
            generation=1,
            valid_until_s=boottime() + valid_for_s,
        ),
        takes_new=new,
    )


def reads(*permits: ReadPermit, to: Permit | None = None) -> Route:
    """A route for readers."""
    return Route(permit=to, hold=True, why="a test", reads=permits)


class Readers(Entrance):
    """A serving read-only gateway."""

    def __init__(self, gateway: RoGateway) -> None:
        super().__init__(gateway.counters, gateway.bind()[1])
        self.gateway = gateway

    def read(self, *permits: ReadPermit) -> None:
        """Let clients read there."""
        self.gateway.apply(reads(*permits))

    async def served_by(self, *names: str) -> dict[str, int]:
        """Connect a client, and return how many each of these serves now; all are named by what they send first."""
        stream = await self.connect()
        await ask(stream, b"hello")
        to = self.counters.relayed_to_now
        return {name: to.get(InstanceName(name), 0) for name in names}


@contextlib.asynccontextmanager
async def readers(clock: Clock | None = None, *, max_connections: int = 100) -> AsyncIterator[Readers]:
    """A read-only gateway on an ephemeral port."""
    served = RoGateway((HOST, 0), max_connections=max_connections, connect_timeout_s=0.3, clock=clock or boottime)
    facts = Facts()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.serve, facts)
        gate = Readers(served)
        try:
            yield gate
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await gate.close()
    assert not facts.seen


async def test_clients_go_where_the_fewest_are() -> None:
    """Ties go to the first; one that leaves makes room where it was."""
    async with main_server(echo) as one, main_server(echo) as two, readers() as gate:
        gate.read(reader("one", one.port), reader("two", two.port))
        assert await gate.served_by("one", "two") == {"one": 1, "two": 0}
        assert await gate.served_by("one", "two") == {"one": 1, "two": 1}
        assert await gate.served_by("one", "two") == {"one": 2, "two": 1}
        assert await gate.served_by("one", "two") == {"one": 2, "two": 2}
        await gate.clients[1].aclose()
        await gate.until(lambda counters: counters.active_now == 3)
        assert await gate.served_by("one", "two") == {"one": 2, "two": 2}


async def test_a_burst_is_spread_evenly() -> None:
    """Clients that are only being dialled count as well."""
    async with main_server(echo, backlog=0) as hole, main_server(echo) as two, readers() as gate:
        fillers = await hole.stuff()
        gate.read(reader("hole", hole.port), reader("two", two.port))
        for _ in range(4):
            await gate.connect()
        await gate.until(lambda counters: counters.dialling_now == counters.active_now == 2)
        for filler in fillers:
            await trio.aclose_forcefully(filler)


async def test_one_that_takes_no_new_clients_keeps_those_it_has() -> None:
    """A replica that lags serves on, but new clients go elsewhere, however many are there."""
    async with main_server(echo) as one, main_server(echo) as two, readers() as gate:
        gate.read(reader("one", one.port), reader("two", two.port))
        await gate.served_by()
        gate.read(reader("one", one.port, new=False), reader("two", two.port))
        for count in range(1, 4):
            assert await gate.served_by("one", "two") == {"one": 1, "two": count}
        assert await ask(gate.clients[0], b"kept") == b"kept"


async def test_with_nobody_to_read_from_clients_are_refused_at_once() -> None:
    """Reads do not wait: neither before the first route nor when the last reader went, nor if none takes new ones."""
    async with main_server(echo) as one, readers() as gate:
        assert await gate.refuses()
        gate.read(reader("one", one.port))
        assert await gate.served_by("one") == {"one": 1}
        gate.read(reader("one", one.port, new=False))
        assert await gate.refuses()
        assert await ask(gate.clients[0], b"kept") == b"kept"
        gate.read()
        assert await was_reset(gate.clients[0])
        assert await gate.refuses()
        assert gate.counters.refused[Refusal.SHUT] == 3
        assert gate.counters.held == 0


async def test_a_reader_that_is_gone_from_the_route_is_cut_and_the_others_stay() -> None:
    """Not a byte passes to or from it after `apply`; connections elsewhere do not notice."""
    async with main_server() as one, main_server(echo) as two, readers() as gate:
        gate.read(reader("one", one.port), reader("two", two.port))
        lost = await gate.connect()
        await lost.send_all(b"x")
        server = await one.client()
        assert await gate.served_by("one", "two") == {"one": 1, "two": 1}
        gate.read(reader("two", two.port, valid_for_s=90))
        assert await was_reset(lost)
        assert await was_reset(server)
        assert await ask(gate.clients[1], b"kept") == b"kept"
        assert gate.counters.cut == 1


async def test_another_run_of_the_same_instance_is_another_reader() -> None:
    """A restarted replica's old connections do not pass for new ones."""
    async with main_server(echo) as one, readers() as gate:
        gate.read(reader("one", one.port))
        await gate.served_by("one")
        gate.read(reader("one", one.port, run="next"))
        assert await was_reset(gate.clients[0])
        assert await gate.served_by("one") == {"one": 1}


async def test_each_permit_ends_in_its_own_time() -> None:
    """The clock alone cuts what has lapsed, and leaves the others."""
    clock = Clock()
    async with main_server(echo) as one, main_server(echo) as two, readers(clock) as gate:
        gate.read(reader("one", one.port, valid_for_s=60), reader("two", two.port, valid_for_s=7200))
        await gate.served_by()
        await gate.served_by()
        clock.ahead_s = 3600
        assert await was_reset(gate.clients[0])
        assert await ask(gate.clients[1], b"kept") == b"kept"
        assert await gate.served_by("one", "two") == {"one": 0, "two": 2}


async def test_no_answer_passes_after_the_time_ran_out_between_read_and_write() -> None:
    """The gate is asked after each read: an answer read in time and not yet written is lost, as it must be."""
    clock = Clock()
    async with main_server() as one, readers(clock) as gate:
        gate.read(reader("one", one.port))
        client = await gate.connect()
        await client.send_all(b"question")
        server = await one.client()
        await server.receive_some()
        clock.when = lambda: True
        await server.send_all(b"answer")
        assert await was_reset(client)
        assert gate.counters.bytes_to_clients == 0


async def test_a_replica_that_refuses_is_passed_over() -> None:
    """The next one serves; the client notices nothing but a little time."""
    async with main_server(echo) as gone, main_server(echo) as two, readers() as gate:
        gone.stop_accepting()
        gate.read(reader("gone", gone.port), reader("two", two.port))
        assert await gate.served_by("gone", "two") == {"gone": 0, "two": 1}
        assert gate.counters.dial_failures == 1


async def test_a_replica_that_does_not_answer_is_passed_over() -> None:
    """A black hole costs ``connect_timeout_s``."""
    async with main_server(echo, backlog=0) as hole, main_server(echo) as two, readers() as gate:
        fillers = await hole.stuff()
        gate.read(reader("hole", hole.port), reader("two", two.port))
        assert await gate.served_by("hole", "two") == {"hole": 0, "two": 1}
        assert gate.counters.dial_failures == 1
        for filler in fillers:
            await trio.aclose_forcefully(filler)


async def test_a_client_that_nobody_can_serve_is_refused() -> None:
    """Each replica is tried once for it, then it is told."""
    async with main_server() as one, main_server() as two, readers() as gate:
        one.stop_accepting()
        two.stop_accepting()
        gate.read(reader("one", one.port), reader("two", two.port))
        assert await gate.refuses()
        assert gate.counters.refused[Refusal.UNREACHABLE] == 1
        assert gate.counters.dial_failures == 2


async def test_a_client_dialled_under_a_permit_that_goes_finds_another() -> None:
    """Nothing of it was read yet, so it is not lost with the attempt."""
    async with main_server(echo, backlog=0) as hole, main_server(echo) as two, readers() as gate:
        fillers = await hole.stuff()
        gate.read(reader("hole", hole.port))
        client = await gate.connect()
        await gate.until(lambda counters: counters.dialling_now == 1)
        gate.read(reader("two", two.port))
        assert await ask(client, b"served") == b"served"
        for filler in fillers:
            await trio.aclose_forcefully(filler)


async def test_too_many_readers_are_refused() -> None:
    """``max_connections`` counts all replicas together."""
    async with main_server(echo) as one, readers(max_connections=2) as gate:
        gate.read(reader("one", one.port))
        await gate.served_by()
        await gate.served_by()
        assert await gate.refuses()
        assert gate.counters.refused[Refusal.LIMIT] == 1


async def test_a_name_is_resolved_and_a_wrong_address_is_named() -> None:
    """Permits may name hosts; what is no address is an error, and does not keep the others from being used."""
    async with main_server(echo) as one, readers() as gate:
        named = reader("one", one.port)
        host = ReadPermit(permit=_at(named.permit, f"localhost:{one.port}"), takes_new=True)
        wrong = ReadPermit(permit=_at(named.permit, "nowhere"), takes_new=True)
        with pytest.raises(ValueError, match="'nowhere' is not host:port"):
            gate.read(wrong, host)
        served = 0
        with trio.fail_after(5):
            while not served:  # refused until the name is resolved, which nothing outside is told of
                with contextlib.suppress(trio.BrokenResourceError, OSError):
                    served = (await gate.served_by("one"))["one"]
        assert served == 1


def _at(permit: Permit, address: str) -> Permit:
    return Permit(
        instance=permit.instance,
        address=Address(address),
        run=permit.run,
        incarnation=permit.incarnation,
        generation=permit.generation,
        valid_until_s=permit.valid_until_s,
    )


@contextlib.asynccontextmanager
async def both() -> AsyncIterator[tuple[Gateways, Gate, Readers]]:
    """Both gateways as one, and each of them."""
    gateways = Gateways(
        writer_gateway(), RoGateway((HOST, 0), max_connections=100, connect_timeout_s=1, clock=boottime)
    )
    assert gateways.ro is not None
    facts = Facts()
    async with trio.open_nursery() as nursery:
        await nursery.start(gateways.serve, facts)
        rw, ro = Gate(gateways.rw, facts, gateways.rw.bind()[1]), Readers(gateways.ro)
        try:
            yield gateways, rw, ro
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await rw.close()
                await ro.close()


def writer_gateway() -> RwGateway:
    """A read/write gateway on an ephemeral port."""
    return RwGateway(
        (HOST, 0),
        hold_max_s=30,
        hold_max_connections=100,
        max_connections=100,
        connect_timeout_s=1,
        clock=boottime,
    )


async def test_readers_of_a_replica_are_cut_before_it_becomes_main(monkeypatch: pytest.MonkeyPatch) -> None:
    """One route takes its readers away, then gives it to writers; both have happened when it has been applied."""
    async with main_server(echo) as one, main_server(echo) as two, both() as (gateways, rw, ro):
        gateways.apply(reads(reader("two", two.port), to=permit(one.port)))
        await ro.served_by()
        writer = await rw.connect()
        assert await ask(writer, b"written") == b"written"
        left: list[int] = []
        apply = gateways.rw.apply

        def noticing(route: Route) -> None:
            left.append(ro.counters.active_now)
            apply(route)

        monkeypatch.setattr(gateways.rw, "apply", noticing)
        gateways.apply(reads(reader("one", one.port), to=permit(two.port, generation=2)))
        assert left == [0]
        assert await was_reset(ro.clients[0])
        assert await was_reset(writer)
        assert await ask(await rw.connect(), b"two") == b"two"
        assert await ro.served_by("one", "two") == {"one": 1, "two": 0}
        assert (rw.counters.name, ro.counters.name) == ("rw", "ro")


async def test_a_quiet_moment_and_its_cut_leave_readers_alone() -> None:
    """Readers' connections are opaque to a gateway that holds nothing."""
    async with main_server(echo) as one, main_server(echo) as two, both() as (gateways, rw, ro):
        gateways.apply(reads(reader("two", two.port), to=permit(one.port)))
        await ro.served_by()
        quiet = Route(permit=rw.facts.permits[-1], hold=True, why="", quiet=True, reads=(reader("two", two.port),))
        gateways.apply(quiet)
        gateways.cut_open()
        assert await ask(ro.clients[0], b"read") == b"read"


async def test_a_drain_of_both_accepts_nobody_and_keeps_readers_until_the_end() -> None:
    """Readers go on while writers finish."""
    async with main_server(echo) as one, main_server(echo) as two, both() as (gateways, rw, ro):
        gateways.apply(reads(reader("two", two.port), to=permit(one.port)))
        await ro.served_by()
        with trio.fail_after(5):
            await gateways.drain(60)
        for port in (rw.port, ro.port):
            with trio.socket.socket() as late, pytest.raises(ConnectionRefusedError):
                await late.connect((HOST, port))
        assert await ask(ro.clients[0], b"read") == b"read"


async def test_a_busy_port_gives_the_other_back() -> None:
    """Either both ports are ours, or none."""
    async with main_server() as busy:
        rw = writer_gateway()
        gateways = Gateways(rw, RoGateway((HOST, busy.port), max_connections=1, connect_timeout_s=1, clock=boottime))
        _, port = rw.bind()
        with pytest.raises(OSError, match="in use"):
            gateways.bind()
        with trio.socket.socket() as late, pytest.raises(ConnectionRefusedError):
            await late.connect((HOST, port))
        gateways.close()


@pytest.mark.parametrize("wrong", ["max_connections", "connect_timeout_s"])
async def test_a_wrong_number_is_named(wrong: str) -> None:
    """The message names the field and the value."""
    numbers: dict[str, float] = {"max_connections": 1, "connect_timeout_s": 1, wrong: 0}
    with pytest.raises(ValueError, match=f"{wrong}: 0 is too small"):
        RoGateway(
            (HOST, 0),
            max_connections=int(numbers["max_connections"]),
            connect_timeout_s=numbers["connect_timeout_s"],
            clock=boottime,
        )
