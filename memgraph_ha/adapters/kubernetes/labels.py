"""Labels on pods: which role each instance has, and which controller leads.

``memgraph-ha/role`` is for people and for selectors of their own. ``memgraph-ha/leader`` is what the gateways'
Services select: they follow the lease within one patch, without waiting for a probe of the kubelet.
"""

from typing import Final

import structlog
import trio

from memgraph_ha.adapters.kubernetes.asking import ask
from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiError, NotFoundError
from memgraph_ha.adapters.kubernetes.raw import request_json
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.topology import Role
from memgraph_ha.core.view import View

ROLE: Final = "memgraph-ha/role"

LEADER: Final = "memgraph-ha/leader"

_TIMEOUT_S: Final = 3.0

_RETRY_S: Final = 0.5
"""Pause after a label could not be set."""

_CHECK_S: Final = 30.0
"""How often the leader looks whether anybody else still carries its label: a patch may be very late."""

_log = structlog.get_logger()


def roles_of(view: View) -> dict[InstanceName, tuple[str, str | None]]:
    """Say which role each pod's label should name.

    Args:
        view: Of the leader.

    Returns:
        By instance: the UID of the pod that it is about, empty if nobody knows; and ``main`` (it answers as MAIN and
        the record says so), ``standby`` (the record names it), ``replica`` (it answers as REPLICA), or None.
    """
    record, roles = view.record, dict[InstanceName, tuple[str, str | None]]()
    for seen in view.observed.seen:
        name, role = seen.member.name, None if seen.role is None or view.given_up(seen) else seen.role.role
        label: str | None = None
        if record is not None and name == record.main:
            label = "main" if role is Role.MAIN else "replica" if role is Role.REPLICA else None
        elif role is Role.REPLICA:
            named = record is not None and record.standby is not None and record.standby.instance == name
            label = "standby" if named else "replica"
        incarnation = seen.member.incarnation
        roles[name] = ("" if incarnation is None else incarnation.partition("/")[0], label)
    return roles


class RoleLabels:
    """Keeps the label `ROLE` on the instances' pods; a watcher of the daemon that never blocks it.

    Error handling: a label is never worth a failure: it is tried again every 0.5 s until it holds or its pod is gone;
    trouble is logged when it changes. A follower sets none.

    Args:
        client: Of the namespace that the pods are in.
    """

    def __init__(self, client: KubeClient) -> None:
        self._client = client
        self._wanted: dict[InstanceName, tuple[str, str | None]] = {}
        self._set: dict[InstanceName, tuple[str, str | None]] = {}
        self._changed = trio.Event()
        self._trouble = _Trouble()

    def __call__(self, view: View, _decision: Decision) -> None:
        """Take note of a tick; returns at once."""
        if view.lease is None:
            self._wanted, self._set = {}, {}  # another one sets them now, and we know no longer what they say
            return
        self._wanted = roles_of(view)
        if any(self._set.get(name) != wanted for name, wanted in self._wanted.items()):
            self._changed.set()

    async def run(self) -> None:
        """Set what changed, for ever."""
        while True:
            await self._changed.wait()
            self._changed = trio.Event()
            done = True
            for name, wanted in list(self._wanted.items()):
                if self._set.get(name) != wanted and self._wanted.get(name) == wanted:
                    done &= await self._put(name, wanted)
            if not done:
                await trio.sleep(_RETRY_S)
                self._changed.set()

    async def _put(self, name: InstanceName, wanted: tuple[str, str | None]) -> bool:
        self._set.pop(name, None)  # what it says while a patch is on its way, nobody knows: the wish may change back
        try:
            await patch_label(self._client, name, ROLE, wanted[1], uid=wanted[0])
        except NotFoundError:
            pass  # it is gone: the next view says so
        except ApiError as error:
            # Also a conflict. It means that another pod has the name by now, and then the wish changes; or that the
            # API server gave up against the kubelet's own writes, and then it is tried again.
            self._trouble.say(str(error))
            return False
        else:
            self._trouble.say("")
        self._set[name] = wanted
        return True


class LeaderLabel:
    """Keeps the label `LEADER` on the pod of the controller that leads; a watcher of the daemon that never blocks it.

    Once a controller leads, it takes the label off every other one's pod, and then labels its own: who led before may
    be frozen, and whom a Service led there in between would hang, while a Service that leads nowhere refuses at once.
    A controller that does not lead, or not any more, takes it off itself, also when it starts or ends.

    Error handling: as `RoleLabels`.

    Args:
        client: Of the namespace that the controllers are in.
        pod: The name of this controller's pod.
        selector: Of the pods of all controllers of this release.
    """

    def __init__(self, client: KubeClient, *, pod: str, selector: str) -> None:
        self._client = client
        self._pod = pod
        self._selector = selector
        self._leading = False
        self._changed = trio.Event()
        self._trouble = _Trouble()

    def __call__(self, view: View, _decision: Decision) -> None:
        """Take note of a tick; returns at once."""
        leading = view.lease is not None
        if leading != self._leading:
            self._leading = leading
            self._changed.set()

    async def run(self) -> None:
        """Keep the label where it belongs, for ever; when it ends, this pod does not carry it."""
        try:
            while True:
                self._changed = trio.Event()
                done = await self._put(leading=self._leading)
                rest_s = _CHECK_S if done else _RETRY_S
                with trio.move_on_after(rest_s):
                    await self._changed.wait()
        finally:
            with trio.CancelScope(shield=True), trio.move_on_after(1):
                await self._put(leading=False)

    async def _put(self, *, leading: bool) -> bool:
        trouble = ""
        if leading:
            try:
                for other in await self._others():
                    await self._take_off(other)
            except ApiError as error:
                trouble = str(error)
        try:  # whatever became of the others' labels: clients must be led here
            await patch_label(self._client, self._pod, LEADER, "true" if leading else None)
        except ApiError as error:
            trouble = str(error)
        self._trouble.say(trouble)
        return not trouble

    async def _others(self) -> list[str]:
        path, selector = f"/api/v1/namespaces/{self._client.namespace}/pods", f"{self._selector},{LEADER}"
        found = await self._client.call(
            lambda api: request_json(api, "GET", path, query={"labelSelector": selector}),
            what=f'list pods "{selector}"',
            timeout_s=_TIMEOUT_S,
        )
        names = [str(pod["metadata"]["name"]) for pod in found["items"]]
        return [name for name in names if name != self._pod]

    async def _take_off(self, pod: str) -> None:
        try:
            await patch_label(self._client, pod, LEADER, None)
        except NotFoundError:
            return
        _log.info("leader.label", taken_off=pod)


class _Trouble:
    """Logs trouble once, not at every try."""

    def __init__(self) -> None:
        self._said = ""

    def say(self, trouble: str) -> None:
        if trouble and trouble != self._said:
            _log.warning("label.trouble", error=trouble)
        self._said = trouble


async def patch_label(client: KubeClient, pod: str, key: str, value: str | None, *, uid: str = "") -> None:
    """Set one label of a pod, or take it off.

    Args:
        client: Of the pod's namespace.
        pod: Its name.
        key: Of the label.
        value: Of the label; None takes it off.
        uid: Which pod of that name; empty for whichever has it.

    Raises:
        ConflictError: Another pod has the name by now.
        ApiError: It could not be done.
    """
    meta: dict[str, object] = {"labels": {key: value}}
    if uid:
        meta["uid"] = uid
    path = f"/api/v1/namespaces/{client.namespace}/pods/{pod}"
    await ask(client, "PATCH", path, what=f'pods "{pod}"', timeout_s=_TIMEOUT_S, body={"metadata": meta})
