"""The lease of `memgraph-ha run`: which controller of a release leads, by a Lease object of that release."""

import time
from collections.abc import Awaitable, Mapping
from typing import Final, Protocol

from memgraph_ha.adapters.kubernetes.asking import ask
from memgraph_ha.adapters.kubernetes.client import Clock, KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiError, ConflictError, NotFoundError
from memgraph_ha.adapters.kubernetes.lease_object import read_lease, write_lease
from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.adapters.lease_campaign import Campaign, LeaseTroubleError
from memgraph_ha.adapters.lease_failsafe import Failsafe
from memgraph_ha.adapters.lease_note import LeaseNote, Sight
from memgraph_ha.core.policy import Policy

_LOOK_S: Final = 0.25
"""Pause between two looks at somebody else's lease: bounds how long a release goes unnoticed. One small read each."""

_RETRY_S: Final = 0.3
"""Least time between the starts of two renewals, where the first one failed."""

_TRIES: Final = 4
"""A connection that died without a word is found out by a time-out: so many of them fit into one lease."""


class Ever(Protocol):
    """Asks whether anybody can ever have led, see `ConfigMapRecordStore.ever`."""

    def __call__(self, *, timeout_s: float) -> Awaitable[bool]:
        """Ask; raises `ApiError` if that cannot be found out."""
        ...


class KubeLease(Campaign):
    """Implements `Lease` on one Lease object, for any number of controllers.

    Error handling: as `Campaign`.

    Args:
        client: Of the namespace that the Lease is in.
        name: Of the Lease: one for each release.
        holder: The name of this controller's pod.
        policy: ``lease_duration_s``, ``lease_renew_s``, ``command_deadline_s``.
        clock: Seconds on CLOCK_BOOTTIME.
        ever: Asked where there is no Lease: if there never was a leader, its absence is no sign of trouble.
        labels: That the Lease shall have, for people and their tools.
        floor: The highest generation known so far.
        failsafe: What may prolong a term while the API is away; by default nothing.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        name: str,
        holder: str,
        policy: Policy,
        clock: Clock,
        ever: Ever,
        labels: Mapping[str, str],
        floor: int = 0,
        failsafe: Failsafe | None = None,
    ) -> None:
        longest_s = policy.lease_duration_s / _TRIES
        super().__init__(
            _LeaseObject(client, name=name, labels=labels, clock=clock, ever=ever, longest_s=longest_s),
            holder=holder,
            policy=policy,
            clock=clock,
            floor=floor,
            look_s=_LOOK_S,
            retry_s=_RETRY_S,
            failsafe=failsafe,
        )


class _LeaseObject:
    """Implements `LeaseBox`: quorum reads, and patches that name the version they are for."""

    def __init__(
        self, client: KubeClient, *, name: str, labels: Mapping[str, str], clock: Clock, ever: Ever, longest_s: float
    ) -> None:
        self._client = client
        self._name = name
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{client.namespace}/leases/{name}"
        self._labels = dict(labels)
        self._clock = clock
        self._ever = ever
        self._longest_s = longest_s

    @property
    def where(self) -> str:
        return f"lease {self._client.namespace}/{self._name}"

    async def look(self, *, timeout_s: float) -> Sight:
        until_s = self._clock() + min(timeout_s, self._longest_s)
        try:
            return read_lease(await self._ask("GET", self._path, until_s - self._clock()))
        except NotFoundError:
            return await self._absent(until_s)
        except ApiError as error:
            raise LeaseTroubleError(str(error)) from error

    async def swap(self, note: LeaseNote, sight: Sight, *, until_s: float) -> bool:
        timeout_s = min(until_s - self._clock(), self._longest_s)
        body = write_lease(note, sight, name=self._name, labels=self._labels, wall_s=time.time())
        try:
            if sight.token is None:
                await self._ask("POST", self._path.rpartition("/")[0], timeout_s, body)
            else:
                await self._ask("PATCH", self._path, timeout_s, body)
        except (ConflictError, NotFoundError):
            return False
        except ApiError as error:
            raise LeaseTroubleError(str(error)) from error
        return True

    async def _absent(self, until_s: float) -> Sight:
        try:
            ever = await self._ever(timeout_s=until_s - self._clock())
        except ApiError as error:
            raise LeaseTroubleError(str(error)) from error
        return Sight(token=None, note=None, ever=ever)

    async def _ask(self, method: str, path: str, timeout_s: float, body: Raw | None = None) -> Raw:
        return await ask(self._client, method, path, what=f'leases "{self._name}"', timeout_s=timeout_s, body=body)
