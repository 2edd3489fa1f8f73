"""What the record and the lease make of answers that a real API server cannot be brought to give at will."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import trio

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiError, ApiUnavailableError
from memgraph_ha.adapters.kubernetes.lease import KubeLease
from memgraph_ha.adapters.kubernetes.record import ConfigMapRecordStore
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import CommandEnded, LeaseSeen, Outcome, RecordSeen, RecordTrouble
from memgraph_ha.core.names import Token
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.record_json import dump_record
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.testing.contract import Sink
from memgraph_ha.testing.record_store import FULL
from tests.adapters.kubernetes.scripted_api import ScriptedApi, hang_up, send, silence, status

pytestmark = pytest.mark.trio

Answer = Callable[..., None]
TAKEN = status(409, "Conflict", "the object has been modified")
ABSENT = status(404, "NotFound", "not found")


def record_at(version: str) -> Answer:
    """Make an answer that is the ConfigMap with a record, in that version."""
    meta = {"name": "r-state", "uid": "u", "resourceVersion": version}
    return send(200, json.dumps({"metadata": meta, "data": {"record.json": dump_record(FULL)}}).encode())


async def write(api: ScriptedApi, expected: str | None) -> tuple[CommandEnded, RecordSeen]:
    """Write over a version, and give how it ended and what was read back."""
    client = KubeClient(api.configuration, namespace="n", clock=boottime)
    store = ConfigMapRecordStore(client, name="r-state", statefulset="r", labels={}, clock=boottime, deadline_s=3)
    sink, token = Sink(), None if expected is None else Token(expected)
    ended = await store.write(WriteRecord(expected=token, record=FULL), sink)
    client.close()
    [seen] = sink.of(RecordSeen)
    return ended, seen


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (record_at("8"), Outcome.DONE),
        (TAKEN, Outcome.REFUSED),
        (ABSENT, Outcome.REFUSED),
        (status(403, "Forbidden"), Outcome.REFUSED),
        (status(422, "Invalid", "field is immutable"), Outcome.REFUSED),
        (status(429, "TooManyRequests", "slow down", "Retry-After: 60"), Outcome.NOT_SENT),
        (status(500, "InternalError", "etcdserver: request timed out"), Outcome.UNKNOWN),
        (status(504, "Timeout"), Outcome.UNKNOWN),
        (send(502, b"bad gateway"), Outcome.UNKNOWN),
        (send(404, b"404 page not found"), Outcome.UNKNOWN),
        (silence, Outcome.UNKNOWN),
        (hang_up, Outcome.UNKNOWN),
    ],
)
async def test_how_a_write_ends(answer: Answer, outcome: Outcome) -> None:
    """Only the API server's own word is a refusal; whatever may have been done is unknown; both are read back."""
    with ScriptedApi([answer, record_at("8")]).serving() as api:
        ended, seen = await write(api, "7")
        assert (ended.outcome, seen.record, seen.token) == (outcome, FULL, "8")
        assert [request.method for request in api.requests] == ["PATCH", "GET"]


@pytest.mark.parametrize(
    ("answers", "outcome", "methods"),
    [
        ([ABSENT, record_at("8")], Outcome.DONE, ["GET", "POST", "GET"]),
        ([ABSENT, status(409, "AlreadyExists"), record_at("8")], Outcome.REFUSED, ["GET", "POST", "GET"]),
        ([record_at("8")], Outcome.REFUSED, ["GET", "GET"]),
        ([hang_up, record_at("8")], Outcome.NOT_SENT, ["GET", "GET"]),  # nothing was written: only looked at
        ([ABSENT, hang_up, record_at("8")], Outcome.UNKNOWN, ["GET", "POST", "GET"]),
    ],
)
async def test_how_a_creation_ends(answers: list[Answer], outcome: Outcome, methods: list[str]) -> None:
    """The first record is created where there is none, and never written over anything."""
    with ScriptedApi(answers).serving() as api:
        ended, seen = await write(api, None)
        assert (ended.outcome, seen.record) == (outcome, FULL)
        assert [request.method for request in api.requests] == methods


async def test_a_doubtful_version_is_not_reported_before_it_is_settled() -> None:
    """While it cannot be made sure that a lost write stays lost, the read says that it told nothing."""
    answers: list[Answer] = [
        hang_up,
        record_at("7"),
        status(500, "InternalError"),
        record_at("7"),
        record_at("9"),
        record_at("9"),
    ]
    with ScriptedApi(answers).serving() as api:
        client = KubeClient(api.configuration, namespace="n", clock=boottime)
        store = ConfigMapRecordStore(client, name="r-state", statefulset="r", labels={}, clock=boottime, deadline_s=3)
        sink = Sink()
        ended = await store.write(WriteRecord(expected=Token("7"), record=FULL), sink)
        [seen] = sink.of(RecordSeen)
        assert (ended.outcome, seen.trouble) == (Outcome.UNKNOWN, RecordTrouble.UNANSWERED)
        assert [(await store.read()).token for _ in range(2)] == ["9", "9"]
        methods = [request.method for request in api.requests]
        assert methods == ["PATCH", "GET", "PATCH", "GET", "PATCH", "GET"]
        assert json.loads(api.requests[4].body)["metadata"]["resourceVersion"] == "7"
        assert "data" not in json.loads(api.requests[4].body)
        client.close()


async def campaign(answers: list[Answer], ever: Callable[..., Any], for_s: float) -> tuple[Sink, ScriptedApi]:
    """Campaign against these answers for a while."""
    policy = Policy(lease_duration_s=4, lease_renew_s=0.2, command_deadline_s=1)
    api, told = ScriptedApi(answers), Sink()
    with api.serving():
        client = KubeClient(api.configuration, namespace="n", clock=boottime)
        lease = KubeLease(client, name="l", holder="p", policy=policy, clock=boottime, ever=ever, labels={})
        with trio.move_on_after(for_s):
            await lease.campaign(told)
        client.close()
    return told, api


async def never(*, timeout_s: float) -> bool:
    """Know that there never was a leader."""
    assert timeout_s > 0
    return False


async def nobody_knows(*, timeout_s: float) -> bool:
    """Fail to find out whether there ever was a leader."""
    assert timeout_s > 0
    raise ApiUnavailableError("the record cannot be read")


@pytest.mark.parametrize(
    ("answers", "ever"),
    [
        ([ABSENT], nobody_knows),
        ([status(500, "InternalError")], never),
        ([status(403, "Forbidden")], never),
        ([send(404, b"404 page not found")], never),
        ([silence], never),
        ([ABSENT, TAKEN, ABSENT, TAKEN, ABSENT, status(500, "InternalError"), silence], never),
    ],
)
async def test_who_cannot_be_sure_does_not_lead(answers: list[Answer], ever: Callable[..., Any]) -> None:
    """No error, no refusal and no silence is ever taken for the lease."""
    told, _api = await campaign(list(answers), ever, 1.5)
    assert told.of(LeaseSeen)
    assert not any(seen.leading for seen in told.of(LeaseSeen))


async def test_nothing_is_created_where_that_is_not_known() -> None:
    """A lease is not even asked for while nobody can tell whether an older permit may live."""
    _told, api = await campaign([ABSENT], nobody_knows, 1)
    assert {request.method for request in api.requests} == {"GET"}
    assert issubclass(ApiUnavailableError, ApiError)
