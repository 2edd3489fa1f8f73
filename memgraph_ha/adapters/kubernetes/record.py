"""The record in a ConfigMap: read by quorum reads, written by compare-and-set on ``resourceVersion`` (design 4).

A read without ``resourceVersion`` is answered from etcd by a quorum, so it cannot be stale; a write that names a
``resourceVersion`` is done only if that is still the newest, else 409
(https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions).
"""

from collections.abc import Mapping
from typing import Final

import structlog
from attrs import frozen

from memgraph_ha.adapters.kubernetes.asking import ask
from memgraph_ha.adapters.kubernetes.client import Clock, KubeClient
from memgraph_ha.adapters.kubernetes.errors import (
    ApiError,
    ApiUnavailableError,
    ConflictError,
    NotFoundError,
)
from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.adapters.kubernetes.record_object import (
    RecordObject,
    contradiction,
    new_object,
    new_version,
    read_object,
    same_again,
)
from memgraph_ha.adapters.kubernetes.record_versions import Versions
from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.facts import CommandEnded, Outcome, RecordSeen, RecordTrouble
from memgraph_ha.core.names import InstanceName, Token

_WRITE_SHARE: Final = 0.6
"""Part of a write's deadline after which its answer is not waited for any more; the rest is for reading back."""

_log = structlog.get_logger()


@frozen(kw_only=True)
class _Ending:
    """How an attempt to write ended, without its time."""

    outcome: Outcome
    detail: str = ""


class ConfigMapRecordStore:
    """Implements `RecordStore` on one ConfigMap, for any number of controllers.

    A write whose answer was lost may still be on its way to the server. So before the version that it expects is
    reported again, this store makes a new version of the same record: from then on the late write can only conflict.

    A read that goes back behind a version of the same object that this process has seen, with another content, is
    refused (``UNREADABLE``): etcd was restored from a copy. That ends when anybody writes the ConfigMap again,
    be it an annotation: whoever does so says that what stands there is right. Or when this process ends, since
    only it knows better; then the lease's floor and the facts still speak against a record of an earlier reign.

    Error handling: nothing is raised; what goes wrong is in the facts. Nothing is retried.

    Args:
        client: Of the namespace that the ConfigMap is in.
        name: Of the ConfigMap.
        statefulset: Whose pods the instances are: the predecessor knows them by their ordinals.
        labels: That it shall have, for people and their tools.
        clock: Seconds on CLOCK_BOOTTIME.
        deadline_s: Longest time for a read or a write, policy ``command_deadline_s``.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        name: str,
        statefulset: str,
        labels: Mapping[str, str],
        clock: Clock,
        deadline_s: float = 5.0,
    ) -> None:
        self._client = client
        self._name = name
        self._statefulset = statefulset
        self._path = f"/api/v1/namespaces/{client.namespace}/configmaps/{name}"
        self._labels = dict(labels)
        self._clock = clock
        self._deadline_s = deadline_s
        self._versions = Versions()
        self._doubted: str | None = None

    async def read(self) -> RecordSeen:
        """Read the record; trouble is in the fact.

        ``UNANSWERED``: the API did not answer, or does not let us read. ``INVALID``: there is something, but no record
        of ours. ``NEWER_SCHEMA``: another version wrote it. ``UNREADABLE``: it is older than what was read before.
        """
        return await self._look(self._clock() + self._deadline_s)

    async def write(self, command: WriteRecord, report: Report) -> CommandEnded:
        """Compare-and-set, then read back and report what is there now.

        ``REFUSED``: another version was there, the API server or the Role refuses it, or the predecessor's choice of
        MAIN speaks against it; ``NOT_SENT``: the API could not be reached; in both nothing was changed. ``UNKNOWN``:
        no answer in time.
        """
        until_s = self._clock() + self._deadline_s
        ending = await self._put(command, until_s - self._deadline_s * (1 - _WRITE_SHARE))
        report(await self._look(until_s))
        return CommandEnded(at_s=self._clock(), command=command, outcome=ending.outcome, detail=ending.detail)

    async def ever(self, *, timeout_s: float) -> bool:
        """Whether there is a ConfigMap, whatever it says: without one there never was a permit for anybody.

        Args:
            timeout_s: For how long it may take, seconds.

        Raises:
            ApiError: That could not be found out.
        """
        try:
            await self._get(self._clock() + timeout_s)
        except NotFoundError:
            return False
        return True

    async def _look(self, until_s: float) -> RecordSeen:
        # Stamped with when it was asked for: this process may have stood still since, and the record moved on.
        asked_s, known, doubted = self._clock(), self._versions.newest, self._doubted
        try:
            there = await self._get(until_s)
            if self._doubted == there.version:
                there = await self._settle(there, until_s)
        except NotFoundError:
            return RecordSeen(at_s=asked_s, record=None, token=None)
        except ApiError as error:
            return _trouble(asked_s, RecordTrouble.UNANSWERED, str(error))
        if self._doubted == doubted:  # else a write came to be in doubt after this read was asked for
            self._doubted = None
        regression = self._versions.judge(there, known)
        if regression is not None:
            return _trouble(asked_s, RecordTrouble.UNREADABLE, f"configmap {self._name}: {regression}")
        if there.trouble is not None:
            return _trouble(asked_s, there.trouble, there.detail, Token(there.version))
        if there.record is None:
            marked = InstanceName(f"{self._statefulset}-{there.index}")
            detail = f"the predecessor says that {marked} is MAIN"
            return RecordSeen(at_s=asked_s, record=None, token=None, detail=detail, marked=marked)
        return RecordSeen(at_s=asked_s, record=there.record, token=Token(there.version))

    async def _settle(self, there: RecordObject, until_s: float) -> RecordObject:
        """Make sure that a write whose answer was lost, and which is not there, never will be."""
        settled = read_object(await self._patch(same_again(there.version), there.version, until_s))
        _log.info("record.settled", name=self._name, why="a write was not answered", version=settled.version)
        return settled

    async def _put(self, command: WriteRecord, until_s: float) -> _Ending:
        try:
            if command.expected is not None:
                body = new_version(command.record, self._labels, command.expected)
                await self._patch(body, command.expected, until_s)
                return _Ending(outcome=Outcome.DONE)
            return await self._create(command, until_s)
        except ConflictError:
            return self._refused("holds another version than the one expected")
        except NotFoundError as error:
            return self._refused(f"is not there any more: {error}")
        except ApiUnavailableError as error:
            if not error.sent:
                return _Ending(outcome=Outcome.NOT_SENT, detail=str(error))
            return _Ending(outcome=Outcome.UNKNOWN, detail=str(error))
        except ApiError as error:
            return self._refused(f"was not changed: {error}")

    async def _create(self, command: WriteRecord, until_s: float) -> _Ending:
        """Create the ConfigMap, or write the first record beside what the predecessor left."""
        try:
            there = await self._get(until_s)
        except NotFoundError:
            body = new_object(command.record, self._labels, self._name)
            await self._ask("POST", self._path.rpartition("/")[0], until_s, body)
            return _Ending(outcome=Outcome.DONE)
        except ApiUnavailableError as error:
            return _Ending(outcome=Outcome.NOT_SENT, detail=str(error))
        if not there.migrating:
            return self._refused("exists already")
        against = contradiction(there, command.record)
        if against is not None:
            return _Ending(outcome=Outcome.REFUSED, detail=against)
        body = new_version(command.record, self._labels, there.version)
        await self._patch(body, there.version, until_s)
        _log.info("record.migrated", name=self._name, index=there.index, main=command.record.main)
        return _Ending(outcome=Outcome.DONE)

    def _refused(self, why: str) -> _Ending:
        return _Ending(outcome=Outcome.REFUSED, detail=f"configmap {self._name} {why}")

    async def _get(self, until_s: float) -> RecordObject:
        return read_object(await self._ask("GET", self._path, until_s))

    async def _patch(self, body: Raw, over: str, until_s: float) -> Raw:
        try:
            return await self._ask("PATCH", self._path, until_s, body)
        except ApiUnavailableError as error:
            if error.sent:
                self._doubted = over
            raise

    async def _ask(self, method: str, path: str, until_s: float, body: Raw | None = None) -> Raw:
        left_s = until_s - self._clock()
        return await ask(self._client, method, path, what=f'configmaps "{self._name}"', timeout_s=left_s, body=body)


def _trouble(asked_s: float, trouble: RecordTrouble, detail: str, token: Token | None = None) -> RecordSeen:
    return RecordSeen(at_s=asked_s, record=None, token=token, trouble=trouble, detail=detail)
