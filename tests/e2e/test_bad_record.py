"""A record that cannot be relied on: held by name, never overwritten; the right one put back, service goes on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.e2e.cluster import Cluster, Ledger, writing

pytestmark = [pytest.mark.trio, pytest.mark.slow]

Spoil = Callable[[bytes], bytes]


def _changed(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Make a change to the record inside its file, as a person with an editor would."""

    def spoil(content: bytes) -> bytes:
        whole = json.loads(content)
        change(whole["record"])
        return json.dumps(whole).encode()

    return spoil


BAD: dict[str, list[tuple[str, Spoil]]] = {
    "RecordInvalid": [
        ("garbage", lambda _: b"\x00\xff not json"),
        ("empty", lambda _: b""),
        ("cut short", lambda content: content[: len(content) // 2]),
        ("a negative generation", _changed(lambda record: record.update(generation=-1))),
        ("no main", _changed(lambda record: record.pop("main"))),
    ],
    "RecordSchema": [("a newer schema", _changed(lambda record: record.update(schema=2)))],
    "RecordForeign": [("another cluster's", _changed(lambda record: record.update(cluster="another")))],
}


def _put(path: Path, content: bytes | None) -> None:
    """Replace the file as a whole, or remove it."""
    if content is None:
        path.unlink()
        return
    fresh = path.with_name("fresh")
    fresh.write_bytes(content)
    fresh.replace(path)


async def _held(cluster: Cluster, content: bytes | None, hold: str) -> str:
    """Put that in the record's place: it is held by that name, read/write is shut, and nobody touches the file."""
    path = cluster.data / "record.json"
    mark = cluster.mark()
    _put(path, content)
    said = await cluster.until_event(since=mark, event="decision", hold=hold)
    await cluster.until_event(since=mark, event="route", open=False)
    held = cluster.mark()
    await trio.sleep(1.5)  # long enough for the record to be read again, and for anybody to act on it
    assert (path.read_bytes() if path.exists() else None) == content
    assert not cluster.events(since=held, event="command")
    return str(said["reason"])


async def _restored(cluster: Cluster, content: bytes, ledger: Ledger) -> None:
    mark = cluster.mark()
    _put(cluster.data / "record.json", content)
    await cluster.until_event(since=mark, event="route", open=True)
    await ledger.more()


@pytest.mark.timeout(300)
async def test_spoilt_records(cluster: Cluster) -> None:
    """Corrupt, foreign, of a newer schema or gone: MAIN lives on, nobody is promoted, and nothing is lost."""
    path = cluster.data / "record.json"
    async with writing(cluster) as ledger:
        before = await cluster.record()
        for hold, cases in BAD.items():
            for name, spoil in cases:
                good = path.read_bytes()
                ledger.fault()
                reason = await _held(cluster, spoil(good), hold)
                assert reason, name
                await _restored(cluster, good, ledger)
        good = path.read_bytes()
        ledger.fault()
        assert "there is no record" in await _held(cluster, None, "RecordRegressed")
        await _restored(cluster, good, ledger)
        after = await cluster.protected()
    assert (after.generation, after.main) == (before.generation, before.main)


async def test_a_record_restored_from_before_a_failover(cluster: Cluster) -> None:
    """An old backup names the old MAIN: the real one is not demoted because of it."""
    path = cluster.data / "record.json"
    async with writing(cluster) as ledger:
        before = await cluster.record()
        old = path.read_bytes()
        ledger.fault()
        await cluster.kill(before.main)
        reigning = await cluster.protected(above=before.generation)
        good = path.read_bytes()
        ledger.fault()
        reason = await _held(cluster, old, "RecordRegressed")
        assert f"generation {reigning.generation}" in reason
        await _restored(cluster, good, ledger)
        after = await cluster.protected()
    assert (after.generation, after.main) == (reigning.generation, reigning.main)


async def test_a_start_on_a_corrupt_record(cluster: Cluster) -> None:
    """It waits by name, ends in order when told to, and overwrites nothing; with the right record all is well."""
    path = cluster.data / "record.json"
    async with writing(cluster) as ledger:
        before = await cluster.record()
        good = path.read_bytes()
        ledger.fault()
        assert await cluster.local.stop() == ()
        good = path.read_bytes()
        path.write_bytes(b"{}")
        mark = cluster.mark()
        await cluster.start()
        hold = await cluster.until_event(since=mark, event="decision", hold="RecordInvalid")
        assert str(path) in str(hold["reason"])
        assert await cluster.end_controller() == 0
        assert path.read_bytes() == b"{}"
        path.write_bytes(good)
        await cluster.start()
        after = await cluster.protected(above=before.generation)
        await ledger.more()
    assert after.main == before.main
