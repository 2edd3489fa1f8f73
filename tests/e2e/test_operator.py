"""What an operator does every day, through the command line and the HTTP API of a cluster that runs."""

import contextlib
import json
import re
import signal
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx
import neo4j
import pytest
import trio

from memgraph_ha.adapters.process_stop import living_in
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import DataDurability, parse_policy
from memgraph_ha.core.record import ChangeKind
from tests.e2e.bolt import HANDSHAKE, dial
from tests.e2e.cluster import M0, M1, M2, Cluster, command_line, writing
from tests.e2e.conftest import Making
from tests.e2e.hands import done, operate

pytestmark = pytest.mark.trio

RO_OFFSET, HTTP_OFFSET = 13, 14
"""Where `port_arguments` puts these ports, from the first."""


async def status(cluster: Cluster) -> Any:
    """Give the picture of ``status --json``; its exit code says whether something holds."""
    said = await operate(cluster, "status", "--json")
    assert said.code == (0 if not said.json["holds"] else 1), said
    return said.json


def pid(cluster: Cluster, name: InstanceName) -> int:
    """Give the pid of an instance's present process."""
    with cluster.held(name) as handle:
        return handle.identity.pid


@contextlib.asynccontextmanager
async def browsing(cluster: Cluster) -> AsyncIterator[httpx.AsyncClient]:
    """Speak HTTP to the cluster's controller."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{cluster.base + HTTP_OFFSET}", timeout=10) as client:
        yield client


async def test_switchover_there_and_back_under_managed_transactions(cluster: Cluster) -> None:
    """No write of the stock driver fails and none is lost; then SIGKILL for MAIN is survived with the API on."""
    record = await cluster.record()
    async with writing(cluster, writers=4, stock=True) as ledger:
        for target in (M1, M0):
            said = await done(cluster, "switchover", "--reason", "a test of it", "--by", "tester", "--json")
            assert said.json["ok"]
            record = await cluster.protected()
            assert record.main == target
            await ledger.more()
        assert ledger.failed() == {}
        assert [(each.kind, each.by, each.reason) for each in record.history[-2:]] == [
            (ChangeKind.SWITCHOVER, "tester", "a test of it")
        ] * 2
        ledger.fault()
        await cluster.kill(record.main)
        after = await cluster.protected(above=record.generation)
        await ledger.more()
    assert after.history[-1].kind in (ChangeKind.FAILOVER, ChangeKind.REPROMOTE)
    told = (await done(cluster, "history", "--json")).json["changes"]
    assert [each["kind"] for each in told][-3:] == ["switchover", "switchover", after.history[-1].kind.value]


@pytest.mark.timeout(300)  # half a minute, where the machine has nothing else to do
async def test_each_verb_does_what_it_says(cluster: Cluster) -> None:
    """Of one cluster: what a verb changes is read from the record, the processes and the directory, not from it."""
    await _reinit(cluster)
    await _pause_and_resume(cluster)
    await _restart(cluster)
    await _refusals(cluster)
    await _policy(cluster)
    await _instances(cluster)
    await _looks(cluster)


async def _reinit(cluster: Cluster) -> None:
    old = pid(cluster, M2)
    await done(cluster, "reinit", M2, "--yes")
    aside = cluster.spec(M2).place / "aside"
    await cluster.until_true(aside.exists, "its data is aside")
    await cluster.until(lambda record: not record.rebuild, "it was rebuilt")
    await cluster.protected()
    assert pid(cluster, M2) != old
    (kept,) = aside.iterdir()
    assert {each.name for each in kept.iterdir()} >= {"wal"}


async def _pause_and_resume(cluster: Cluster) -> None:
    await done(cluster, "pause", "--reason", "the disk is swapped", "--by", "tester")
    paused = (await cluster.record()).paused
    assert paused is not None
    assert (paused.by, paused.reason) == ("tester", "the disk is swapped")
    assert "Paused" in [hold["name"] for hold in (await status(cluster))["holds"]]
    await done(cluster, "resume")
    assert (await cluster.record()).paused is None


async def _restart(cluster: Cluster) -> None:
    before = await cluster.protected()
    old = pid(cluster, before.main)
    refused = await operate(cluster, "restart", before.main)
    assert refused.code == 2, "it asks before it restarts MAIN, and nobody was there to answer"
    await done(cluster, "restart", before.main, "--yes")
    after = await cluster.protected(above=before.generation)
    assert after.main != before.main
    assert pid(cluster, before.main) != old


async def _refusals(cluster: Cluster) -> None:
    main = (await cluster.record()).main
    other = M1 if main == M0 else M0
    for arguments, word in (
        (("failover", "--accept-data-loss", other, "--yes"), "is alive"),
        (("adopt", other, "--yes"), "nothing to adopt"),
        (("reinit", main, "--yes"), "is MAIN"),
        (("switchover", "--to", M2), "eligible"),
    ):
        said = await operate(cluster, *arguments)
        assert (said.code, word in said.err) == (1, True), f"{arguments}: {said}"
    assert (await cluster.record()).main == main


async def _policy(cluster: Cluster) -> None:
    file = cluster.root / "wanted.toml"
    file.write_text('data_durability = "required"\nlease_duration_s = 8\n')
    changed = {each["name"]: each for each in (await done(cluster, *_apply(file), "--dry-run")).json["changed"]}
    assert changed["data_durability"]["needs_restart"] is False
    assert changed["lease_duration_s"]["needs_restart"] is True
    assert not (cluster.data / "policy.toml").exists()
    await done(cluster, *_apply(file))
    shown = {each["name"]: each["value"] for each in (await done(cluster, "policy", "show", "--json")).json["fields"]}
    assert (shown["data_durability"], shown["lease_duration_s"], shown["failover_limit"]) == ("required", 8, 1000)
    kept = _kept_policy(cluster)
    assert kept == {"data_durability": "required", "lease_duration_s": 8}, "what was given for one run is not kept"
    assert parse_policy(kept).data_durability is DataDurability.REQUIRED
    file.write_text("lease_duration_s = 3\n")
    assert (await operate(cluster, *_apply(file))).code == 2, "3 s are too short for two renewals"
    assert _kept_policy(cluster) == kept


def _apply(file: Path) -> tuple[str, ...]:
    return "policy", "apply", str(file), "--yes", "--json"


def _kept_policy(cluster: Cluster) -> dict[str, object]:
    lines = (cluster.data / "policy.toml").read_text().splitlines()
    pairs = [line.split(" = ") for line in lines if not line.startswith("#")]
    return {json.loads(name): json.loads(value) for name, value in pairs}


async def _instances(cluster: Cluster) -> None:
    place = cluster.spec(M2).place
    await done(cluster, "instances", "2", "--yes")
    assert not living_in(place)
    assert not place.exists()
    assert next(each.name for each in (cluster.data / "former").iterdir()).startswith(M2)
    assert [each["name"] for each in (await status(cluster))["instances"]] == [M0, M1]
    await done(cluster, "instances", "3")
    await cluster.protected()
    assert len(living_in(place)) == 1


async def _looks(cluster: Cluster) -> None:
    """Everything that only reads, and the cut of every client."""
    await done(cluster, "doctor")
    await done(cluster, "explain", "--json")
    token = (cluster.data / "api-token").read_text().strip()
    report = cluster.root / "report.json"
    await done(cluster, "report", "--output", str(report))
    assert token not in report.read_text()
    async with browsing(cluster) as client:
        page = await client.get("/", headers={"Accept": "text/html"})
        assert page.headers["content-type"].startswith("text/html")
        assert all(name in page.text for name in (M0, M1, M2))
        assert re.search(
            r'^memgraph_ha_instance_healthy\{instance="memgraph-0"\} 1\.0$', await _metrics(client), re.MULTILINE
        )
        assert (await client.get("/readyz")).status_code == 200
        assert (await client.post("/api/v1/pause", json={})).status_code == 401
        stream = await dial(cluster.gateway_port)
        async with stream:
            await stream.send_all(HANDSHAKE)
            assert len(await stream.receive_some(4)) == 4
            reset = await client.post("/api/v1/admin/reset-connections", headers={"Authorization": f"Bearer {token}"})
            assert reset.json()["connections_reset"] >= 1
            with trio.fail_after(5), contextlib.suppress(trio.BrokenResourceError):
                assert await stream.receive_some(1) == b""
    await _reads(cluster)


async def _metrics(client: httpx.AsyncClient) -> str:
    return (await client.get("/metrics")).text


async def _reads(cluster: Cluster) -> None:
    """The read-only port leads to a replica, from which what was written through the other can be read."""

    def read() -> tuple[str, int]:
        with neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{cluster.base}") as driver:
            driver.execute_query("CREATE (:Seen)")
        with (
            neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{cluster.base + RO_OFFSET}") as driver,
            driver.session() as session,
        ):
            role = session.run("SHOW REPLICATION ROLE").single(strict=True)[0]
            return role, session.run("MATCH (n:Seen) RETURN count(n)").single(strict=True)[0]

    async def seen() -> bool:
        role, count = await trio.to_thread.run_sync(read)
        assert role == "replica"
        return count >= 1

    await cluster.until_true(seen, "a replica has the write", within_s=10)


async def test_hand_over_and_observe(running: Making) -> None:
    """A leader told to end lets transactions end, hands clients and API over; an observer beside it changes nothing."""
    async with running("--set=standby_grace_s=30") as cluster:
        observer = await _observe(cluster)
        first = cluster.local
        await cluster.start()
        await cluster.until_true(lambda: len(_controllers(cluster)) == 2, "the second is there")
        before = await cluster.record()
        async with writing(cluster, writers=4, stock=True) as ledger:
            assert await cluster.end_controller(first) == 0
            await ledger.more()
            assert ledger.failed() == {}
            await cluster.until_true(lambda: _leader_is(cluster), "the API moved with the lease")
            assert (await cluster.record()).generation == before.generation
            ledger.fault()
            cluster.freeze_controller(cluster.local)  # else it may be done before the observer looked
            await cluster.kill(before.main)
            would = rf"would: WriteRecord  \(L30 .*MAIN {before.main} is lost"
            await cluster.until_true(lambda: bool(re.search(would, observer[1].read_text())), "it would fail over")
            assert (await cluster.record()).generation == before.generation
            cluster.thaw_controller(cluster.local)
            after = await cluster.protected(above=before.generation)
        now = f"reign {after.generation}: {after.main} is MAIN"
        await cluster.until_true(lambda: now in observer[1].read_text(), "the observer has read the record again")
        told = await _end_observer(observer)
    assert f"reign {before.generation}: {before.main} is MAIN" in told


def _controllers(cluster: Cluster) -> list[Path]:
    return list((cluster.data / "controllers").glob("*.json"))


async def _leader_is(cluster: Cluster) -> bool:
    async with browsing(cluster) as client:
        try:
            found = (await client.get("/api/v1/leadership")).json()
        except httpx.TransportError:
            return False
    return bool(found["i_am_leader"]) and found["my_identity"] == f"pid {cluster.controller_pid()}"


_OBSERVER_OUT: Final = "observer.out"


async def _observe(cluster: Cluster) -> tuple[trio.Process, Path]:
    out = cluster.root / _OBSERVER_OUT
    command = command_line("local", "--data", str(cluster.data), "--observe-only")
    with out.open("wb") as file:
        process = await trio.lowlevel.open_process(command, stdout=file, stderr=subprocess.STDOUT)
    await cluster.until_true(lambda: "is MAIN" in out.read_text(), "it sees the reign")
    return process, out


async def _end_observer(observer: tuple[trio.Process, Path]) -> str:
    process, out = observer
    process.send_signal(signal.SIGTERM)
    with trio.fail_after(10):
        assert await process.wait() == 0
    return out.read_text()
