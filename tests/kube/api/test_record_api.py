"""The record in a ConfigMap of a real API server."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve
from kubernetes.client import CoreV1Api

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.record import ConfigMapRecordStore
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import CommandEnded, Outcome, RecordSeen, RecordTrouble
from memgraph_ha.core.names import InstanceName, Token
from memgraph_ha.core.record import Record
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.testing.contract import Sink
from memgraph_ha.testing.record_store import check_record_store
from tests.adapters.first_record import first_record
from tests.kube.api.asking import client_for
from tests.kube.api.pod_world import namespace_of_its_own
from tests.kube.api.wire import Wire
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]

NAME = "r-state"
STATEFULSET = "r"
LABELS = {"app.kubernetes.io/instance": "r"}
R0, R1 = InstanceName("r-0"), InstanceName("r-1")


def store_of(client: KubeClient, deadline_s: float = 5.0) -> ConfigMapRecordStore:
    """Make the store of one controller."""
    return ConfigMapRecordStore(
        client, name=NAME, statefulset=STATEFULSET, labels=LABELS, clock=boottime, deadline_s=deadline_s
    )


async def write(
    store: ConfigMapRecordStore, record: Record, expected: Token | None = None
) -> tuple[CommandEnded, RecordSeen]:
    """Write, and give how it ended and what was read back."""
    sink = Sink()
    ended = await store.write(WriteRecord(expected=expected, record=record), sink)
    [seen] = sink.of(RecordSeen)
    return ended, seen


async def core(client: KubeClient, work: Callable[[CoreV1Api], Any]) -> Any:
    """Do one call of the core API, as anybody else."""
    return await client.call(lambda api: work(CoreV1Api(api)), what="test", timeout_s=10)


async def put_by_hand(client: KubeClient, data: dict[str, str | None], **meta: Any) -> None:
    """Change the ConfigMap as a human does."""
    body = {"data": data, "metadata": meta}
    await core(client, lambda api: api.patch_namespaced_config_map(NAME, client.namespace, body))


async def leave_as_predecessor(client: KubeClient, index: str) -> None:
    """Make the ConfigMap that the predecessor leaves: one number, owned by its Deployment."""
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "old", "uid": "11111111-1", "controller": True}
    meta = {"name": NAME, "ownerReferences": [owner], "annotations": {"kept": "yes"}}
    body: Any = {"metadata": meta, "data": {"targetMainIndex": index, "other": "kept"}}
    await core(client, lambda api: api.create_namespaced_config_map(client.namespace, body))


async def test_the_contract_is_kept(kube_api: ApiServer) -> None:
    """The store keeps the contract of `RecordStore`, with every client a controller of its own."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        await check_record_store(lambda: store_of(client_for(kube_api)(client.namespace)))


async def test_the_predecessors_choice_is_taken_over(kube_api: ApiServer) -> None:
    """Its number is no record; ours is written beside it if both agree, keeps what others wrote, and has no owner."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        store = store_of(client)
        await leave_as_predecessor(client, "1")
        seen = await store.read()
        assert (seen.record, seen.token, seen.trouble) == (None, None, None)
        assert seen.marked == R1
        assert "r-1 is MAIN" in seen.detail
        ended, seen = await write(store, first_record(R0))
        assert (ended.outcome, seen.record) == (Outcome.REFUSED, None)
        assert "memgraph-ha adopt" in ended.detail
        ended, seen = await write(store, first_record(R1))
        assert (ended.outcome, seen.record) == (Outcome.DONE, first_record(R1))
        there = await core(client, lambda api: api.read_namespaced_config_map(NAME, client.namespace))
        assert there.metadata.owner_references is None
        assert there.metadata.annotations["kept"] == "yes"
        assert there.metadata.labels == LABELS
        assert (there.data["targetMainIndex"], there.data["other"]) == ("1", "kept")
        ended, seen = await write(store, first_record(R0, generation=2), seen.token)
        assert ended.outcome is Outcome.DONE
        there = await core(client, lambda api: api.read_namespaced_config_map(NAME, client.namespace))
        assert there.data["targetMainIndex"] == "0"


async def test_a_human_outvotes_the_predecessor(kube_api: ApiServer) -> None:
    """Who orders a reign by name has looked: the record is written, and the number follows it."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        await leave_as_predecessor(client, "1")
        ended, seen = await write(store_of(client), first_record(R0, by="anna"))
        assert (ended.outcome, seen.trouble) == (Outcome.DONE, None)


async def test_what_is_changed_by_hand_is_refused_by_name(kube_api: ApiServer) -> None:
    """A number that disagrees, a record that is garbage or gone: trouble that names the key, and no write over it."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        store = store_of(client)
        _ended, first = await write(store, first_record(R0))
        for data, text in (
            ({"targetMainIndex": "1"}, "targetMainIndex says 1"),
            ({"targetMainIndex": "0", "record.json": "{"}, "record.json: the record is not JSON"),
            ({"targetMainIndex": None, "record.json": None}, "holds neither"),
        ):
            await put_by_hand(client, dict(data))
            seen = await store.read()
            assert seen.trouble is RecordTrouble.INVALID
            assert text in seen.detail
        for expected in (None, first.token):
            ended, _seen = await write(store, first_record(R1), expected)
            assert ended.outcome is Outcome.REFUSED
            assert NAME in ended.detail


async def test_a_deleted_record_is_none_and_stays_so(kube_api: ApiServer) -> None:
    """A ConfigMap that is gone is no record; what was decided on it is refused, also once there is another."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        store = store_of(client)
        _ended, first = await write(store, first_record(R0))
        assert await store.ever(timeout_s=5)
        await core(client, lambda api: api.delete_namespaced_config_map(NAME, client.namespace))
        assert not await store.ever(timeout_s=5)
        ended, seen = await write(store, first_record(R0, generation=2), first.token)
        assert (ended.outcome, seen.record, seen.trouble) == (Outcome.REFUSED, None, None)
        _ended, second = await write(store, first_record(R0))
        assert second.record is not None
        ended, _seen = await write(store, first_record(R0, generation=2), first.token)
        assert ended.outcome is Outcome.REFUSED


async def test_a_lost_answer_is_unknown_and_then_read_back(kube_api: ApiServer) -> None:
    """A write that was done, but whose answer was lost, ends as unknown within its share, and is seen at once."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        with Wire(Path(kube_api.kubeconfig)).relaying() as wire:
            store = store_of(wire.client(client.namespace), deadline_s=2)
            _ended, first = await write(store, first_record(R0))
            wire.deafen_next = True
            began_s = boottime()
            ended, seen = await write(store, first_record(R1, generation=2), first.token)
            assert boottime() - began_s < 2
            assert (ended.outcome, seen.record) == (Outcome.UNKNOWN, first_record(R1, generation=2))
            assert seen.token != first.token


async def test_a_late_write_never_lands(kube_api: ApiServer) -> None:
    """A write that is still on its way when it is given up cannot come true after the record was read again."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        with Wire(Path(kube_api.kubeconfig)).relaying() as wire:
            store = store_of(wire.client(client.namespace), deadline_s=2)
            _ended, first = await write(store, first_record(R0))
            wire.hold_next = True
            ended, seen = await write(store, first_record(R1, generation=2), first.token)
            assert (ended.outcome, seen.record) == (Outcome.UNKNOWN, first_record(R0))
            assert seen.token != first.token
            assert wire.holding == 1
            wire.deliver()
            await trio.sleep(0.5)
            again = await store.read()
            assert (again.record, again.token) == (seen.record, seen.token)


async def test_a_frozen_api_ends_every_call_in_time(kube_api_alone: ApiServer) -> None:
    """While the API server stands still a write is unknown, a read unanswered, both in time; then all is as before."""
    async with namespace_of_its_own(client_for(kube_api_alone)) as client:
        store = store_of(client, deadline_s=2)
        _ended, first = await write(store, first_record(R0))
        with kube_api_alone.frozen():
            began_s = boottime()
            ended, seen = await write(store, first_record(R1, generation=2), first.token)
            assert boottime() - began_s < 2.5
            assert (ended.outcome, seen.trouble) == (Outcome.UNKNOWN, RecordTrouble.UNANSWERED)
            began_s = boottime()
            assert (await store.read()).trouble is RecordTrouble.UNANSWERED
            assert boottime() - began_s < 2.5
        seen = await store_of(client).read()
        assert seen.record in (first_record(R0), first_record(R1, generation=2))  # it had the request: either is right
        ended, seen = await write(store, first_record(R0, generation=3), (await store.read()).token)
        assert (ended.outcome, seen.record) == (Outcome.DONE, first_record(R0, generation=3))


async def test_an_api_that_is_gone_changes_nothing(kube_api_alone: ApiServer) -> None:
    """Where nobody listens a write was surely not sent, and both ends come at once."""
    async with namespace_of_its_own(client_for(kube_api_alone)) as client:
        store = store_of(client, deadline_s=3)
        _ended, first = await write(store, first_record(R0))
        os.kill(kube_api_alone.apiserver_pid, signal.SIGKILL)
        await trio.sleep(0.3)
        began_s = boottime()
        ended, seen = await write(store, first_record(R1, generation=2), first.token)
        assert boottime() - began_s < 2
        assert (ended.outcome, seen.trouble) == (Outcome.NOT_SENT, RecordTrouble.UNANSWERED)


async def test_a_restored_etcd_is_noticed(kube_api_alone: ApiServer, tmp_path: Path) -> None:
    """A record that goes back in time is refused by who knows better, until somebody says that it is right."""
    etcd = Path(kube_api_alone.kubeconfig).parent / "etcd"
    async with namespace_of_its_own(client_for(kube_api_alone)) as client:
        store = store_of(client)
        _ended, first = await write(store, first_record(R0))

        def stop() -> None:
            os.kill(kube_api_alone.apiserver_pid, signal.SIGKILL)
            os.kill(kube_api_alone.etcd_pid, signal.SIGTERM)

        def put_back() -> None:
            shutil.rmtree(etcd)
            shutil.copytree(tmp_path / "copy", etcd)

        async def restart(before: Callable[[], object]) -> None:
            await trio.to_thread.run_sync(stop)
            await trio.sleep(2)
            before()
            await trio.to_thread.run_sync(kube_api_alone.start)

        await restart(lambda: shutil.copytree(etcd, tmp_path / "copy"))
        ended, second = await write(store, first_record(R1, generation=2), first.token)
        assert ended.outcome is Outcome.DONE
        await restart(put_back)
        for _ in range(2):
            seen = await store.read()
            assert (seen.record, seen.trouble) == (None, RecordTrouble.UNREADABLE)
            assert f"version {first.token} is older than {second.token}" in seen.detail
        assert (await store_of(client).read()).record == first_record(R0)  # who knows nothing newer cannot tell
        await put_by_hand(client, {}, annotations={"looked": "yes"})
        seen = await store.read()
        assert (seen.record, seen.trouble) == (first_record(R0), None)
        ended, _seen = await write(store, first_record(R1, generation=2), seen.token)
        assert ended.outcome is Outcome.DONE


async def test_a_record_that_is_too_big_is_refused(kube_api: ApiServer) -> None:
    """What etcd would not take is refused by name, and nothing is changed."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        store = store_of(client)
        _ended, first = await write(store, first_record(R0))
        ended, seen = await write(store, evolve(first_record(R0), database_uuid="d" * 4_000_000), first.token)
        assert (ended.outcome, seen.record) == (Outcome.REFUSED, first_record(R0))
