"""Rebuilding an instance: its pod is deleted, and the next one puts aside what it stored (see `marker`)."""

import datetime as dt
import secrets
from typing import Final

from attrs import evolve

from memgraph_ha.adapters.kubernetes.client import Clock
from memgraph_ha.adapters.kubernetes.ending import End, Ending, PodEnder
from memgraph_ha.adapters.kubernetes.errors import ApiError, ConflictError
from memgraph_ha.adapters.kubernetes.marker import INIT_CONTAINER, Marker, Markers, MarkerStore
from memgraph_ha.adapters.kubernetes.pods import Pod, uid_in
from memgraph_ha.core.commands import RebuildInstance
from memgraph_ha.core.facts import Outcome

_TRIES: Final = 5
"""Other instances' markers are in the same ConfigMap: a conflict is rarely about ours."""


class Rebuilder:
    """Orders rebuilds; any number of controllers may do so, and any of them may be cut off at any step.

    Args:
        markers: Where the orders are written.
        ender: Ends the pods.
        clock: Seconds on CLOCK_BOOTTIME.
    """

    def __init__(self, markers: MarkerStore, ender: PodEnder, *, clock: Clock) -> None:
        self._markers, self._ender, self._clock = markers, ender, clock

    async def rebuild(self, command: RebuildInstance, *, until_s: float) -> End:
        """Order a rebuild and end the process; the same order again finishes what was begun.

        Args:
            command: Whose, and which process.
            until_s: When that must be over, on the clock.

        Returns:
            ``DONE``: its data is aside, or its pod is dying and the next one moves it before Memgraph starts.
            ``REFUSED``: it is another process by now; nothing is moved. ``UNKNOWN``, ``NOT_SENT``: the API did not
            answer; nothing is moved before it is ordered again, unless it was told that it counts.
        """
        try:
            for _ in range(_TRIES):
                try:
                    return await self._once(command, until_s)
                except ConflictError:
                    continue
        except ApiError as error:
            return End.of(error)
        return End(outcome=Outcome.NOT_SENT, detail=f"ConfigMap {self._markers.name} changes all the time; again later")

    async def _once(self, command: RebuildInstance, until_s: float) -> End:
        """Do every step that is left.

        Raises:
            ConflictError: Somebody else changed the markers meanwhile; look again.
            ApiError: The API did not answer, or said no.
        """
        name, wanted = command.instance, command.incarnation
        # The pod first: if another one runs by now and had data to move, that is in what is read next.
        pod = await self._ender.read(name, until_s=until_s)
        markers = await self._markers.read(timeout_s=until_s - self._clock())
        order, version = markers.orders.get(name), markers.version
        if order is None or order.incarnation != wanted:
            if pod is None or pod.incarnation != wanted:
                present = "nobody" if pod is None or pod.incarnation is None else pod.incarnation
                return End(outcome=Outcome.REFUSED, detail=f"{name} is {present} by now, not {wanted}")
            order = _new_order(command)
            version = await self._put(command, order, version, until_s)
        elif order.consumed_by:
            return End(outcome=Outcome.DONE, detail=f"put aside by pod {order.consumed_by}, order {order.id}")
        elif order.deleted:
            return await self._judge(command, order, pod, markers, until_s)
        if await self._ender.end(name, wanted, until_s=until_s) is Ending.GONE:
            await self._put(command, None, version, until_s)
            return End(outcome=Outcome.REFUSED, detail=f"{name} is not {wanted} any more; nothing is moved")
        await self._put(command, evolve(order, deleted=True), version, until_s)
        return End(outcome=Outcome.DONE, detail=f"its next pod puts its data aside before it starts, order {order.id}")

    async def _judge(
        self, command: RebuildInstance, order: Marker, pod: Pod | None, markers: Markers, until_s: float
    ) -> End:
        """Say what became of an order that counts and was not carried out yet."""
        if pod is None or pod.uid == order.pod_uid or pod.incarnation is None:
            return End(outcome=Outcome.DONE, detail=f"its next pod puts its data aside, order {order.id}")
        await self._put(command, None, markers.version, until_s)
        return End(
            outcome=Outcome.REFUSED,
            detail=f"pod {pod.uid} of {command.instance} started without moving anything; see the log of its init "
            f"container {INIT_CONTAINER}; order {order.id} is withdrawn",
        )

    async def _put(self, command: RebuildInstance, order: Marker | None, version: str | None, until_s: float) -> str:
        return await self._markers.put(command.instance, order, version=version, timeout_s=until_s - self._clock())


def _new_order(command: RebuildInstance) -> Marker:
    return Marker(
        id=secrets.token_hex(4),
        pod_uid=uid_in(command.incarnation),
        incarnation=command.incarnation,
        generation=command.generation,
        at=dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
    )
