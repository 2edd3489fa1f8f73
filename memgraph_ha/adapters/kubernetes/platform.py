"""The platform of `memgraph-ha run`: instances as the pods of one StatefulSet, kept alive by Kubernetes."""

import functools
from collections.abc import Callable
from typing import Final

import structlog
import trio

from memgraph_ha.adapters.kubernetes.client import Clock, KubeClient
from memgraph_ha.adapters.kubernetes.ending import End, Ending, PodEnder
from memgraph_ha.adapters.kubernetes.errors import ApiError
from memgraph_ha.adapters.kubernetes.marker import INIT_CONTAINER, MarkerStore
from memgraph_ha.adapters.kubernetes.members import Listing, Ports, make_listing
from memgraph_ha.adapters.kubernetes.pods import Pod, StatefulSet, read_pod, read_statefulset
from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.adapters.kubernetes.rebuild import Rebuilder
from memgraph_ha.adapters.kubernetes.watching import WATCH_S, Mirror, Selection
from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.commands import Command, RebuildInstance, StopInstance
from memgraph_ha.core.facts import CommandEnded, MembersSeen, Outcome, RequestEnded, RequestSeen
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.core.requests import Ask, Request
from memgraph_ha.core.topology import Member

_BY: Final = "deletion of its pod"

_log = structlog.get_logger()


class KubePlatform:
    """Implements `Platform` on a StatefulSet.

    The cluster's id is ``<namespace>/<name of the StatefulSet>``: a record of another one is refused, while one that
    was kept is taken up again when the StatefulSet is made anew around its volumes (uninstalled and installed again,
    restored from a backup, deleted with ``--cascade=orphan`` to change what cannot be changed otherwise).

    Which pods count is decided by the UID of their owner, not by labels, which anybody can give to any pod. The API
    is believed as long as it speaks: while it does not, the members stay as they were seen last.

    Resource handling: two threads with a connection each while `watch` runs. Error handling: nothing is raised; what
    hinders the watch is logged and tried again, what hinders a command is in its end.

    Args:
        client: For the API, in the namespace of the StatefulSet.
        statefulset: Its name.
        markers: Where rebuilds are ordered.
        clock: Seconds on CLOCK_BOOTTIME.
        deadline_s: How long a command may take, policy ``command_deadline_s``.
        container: The name of the container that Memgraph runs in.
        ports: Where instances listen in their pods.
        watch_s: How long one stream of the API is watched, whole seconds.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        statefulset: str,
        markers: MarkerStore,
        clock: Clock,
        deadline_s: float,
        container: str = "memgraph",
        ports: Ports | None = None,
        watch_s: int = WATCH_S,
    ) -> None:
        self._client, self._name, self._clock, self._deadline_s = client, statefulset, clock, deadline_s
        self._container, self._ports = container, ports or Ports()
        self._mirror = functools.partial(Mirror, client, clock=clock, watch_s=watch_s)
        self._ender = PodEnder(client, container=container, clock=clock)
        self._rebuilder = Rebuilder(markers, self._ender, clock=clock)
        self._statefulset: StatefulSet | None = None
        self._pods: tuple[Pod, ...] | None = None
        self._listing = Listing()
        self._told: tuple[Member, ...] | None = None
        self._cluster = f"{client.namespace}/{statefulset}"
        self._asked: dict[str, Request] = {}
        self._stopped: dict[InstanceName, Incarnation] = {}
        self._said = ""

    async def watch(self, report: Report) -> None:
        """Report the members now and after every change, for ever.

        A pod whose deletion somebody asked for is reported as a request to stop its instance, until its process is
        gone: the same as its preStop hook (design 6), for those who have none or whose hook does not reach us.

        Args:
            report: Where facts go.
        """
        self._statefulset = self._pods = self._told = None
        async with trio.open_nursery() as nursery:
            follow = _Follow(nursery, self._mirror)
            selection = Selection.statefulset(self._client.namespace, self._name)

            def statefulset_seen(objects: list[Raw]) -> None:
                self._statefulset_seen(objects, follow, report)

            await self._mirror(selection, statefulset_seen).run()

    async def stop(self, command: StopInstance) -> CommandEnded:
        """Delete the pod of that incarnation, so that the kubelet kills it within 3 s; that is not waited for.

        ``DONE`` once nothing can save that process any more: its pod is deleted, by whomsoever; also if it is gone, or
        replaced. ``UNKNOWN`` if it is asked for again and the kubelet has still not confirmed the end: for ever if its
        node is lost, but the pod is deleted only once. ``REFUSED`` if we may not delete it; ``NOT_SENT`` if the API
        could not be asked.
        """
        until_s = self._clock() + self._deadline_s
        try:
            ending = await self._ender.end(command.instance, command.incarnation, until_s=until_s)
        except ApiError as error:
            return self._ended(command, End.of(error))
        again = self._stopped.get(command.instance) == command.incarnation
        self._stopped[command.instance] = command.incarnation
        if ending is Ending.ASKED_BEFORE and again:
            detail = f"{ending.value}; its node is lost, if this goes on, and it may still run there"
            return self._ended(command, End(outcome=Outcome.UNKNOWN, detail=detail))
        return self._ended(command, End(outcome=Outcome.DONE, detail=ending.value))

    async def rebuild(self, command: RebuildInstance) -> CommandEnded:
        """Order that what an incarnation stored is put aside, and delete its pod; the next pod starts with nothing.

        ``DONE`` once that cannot fail any more but by the next pod's init container, which keeps Memgraph from
        starting until it has moved the data; also if it was done before. ``REFUSED`` if it is another process by now,
        if pods have no such init container, or if we may not; nothing is moved then. ``UNKNOWN`` or ``NOT_SENT`` if
        the API did not answer.
        """
        until_s = self._clock() + self._deadline_s
        statefulset = self._statefulset
        if statefulset is not None and INIT_CONTAINER not in statefulset.init_containers:
            detail = (
                f"pods of StatefulSet {self._name} have no init container {INIT_CONTAINER}: nobody would put their data"
                " aside; install them with the chart memgraph-ha"
            )
            return self._ended(command, End(outcome=Outcome.REFUSED, detail=detail))
        return self._ended(command, await self._rebuilder.rebuild(command, until_s=until_s))

    def _statefulset_seen(self, objects: list[Raw], follow: "_Follow", report: Report) -> None:
        if not objects:
            # Perhaps it is being created anew. Its pods are watched on; they say themselves when they are gone.
            where = f"namespace {self._client.namespace}"
            self._complain(f"there is no StatefulSet {self._name} in {where}; check STATEFULSET_NAME and NAMESPACE")
            return
        new, old = read_statefulset(objects[0]), self._statefulset
        if self._container not in new.containers:
            has = ", ".join(new.containers) or "none"
            self._complain(f"pods of StatefulSet {self._name} have no container {self._container}; they have {has}")
        else:
            self._said = ""
        self._statefulset = new
        if old is None or old.selector != new.selector:
            self._pods = None  # until they were listed, nothing is said: nobody is missing by mistake
            selection = Selection.pods(self._client.namespace, new.selector, f'pods of statefulset "{self._name}"')
            follow.begin(selection, lambda objects: self._pods_seen(objects, report))
        self._publish(report)

    def _pods_seen(self, objects: list[Raw], report: Report) -> None:
        self._pods = tuple(read_pod(each, self._container) for each in objects)
        self._publish(report)

    def _publish(self, report: Report) -> None:
        statefulset, pods = self._statefulset, self._pods
        if statefulset is None or pods is None:
            return
        self._listing = make_listing(statefulset, pods, self._ports, before=self._listing)
        # The time is that of the answer: what was asked of an instance before it may have reached its predecessor.
        seen = MembersSeen(at_s=self._clock(), cluster=self._cluster, members=self._listing.members)
        if self._told != seen.members:
            self._told = seen.members
            report(seen)
        self._tell_leaving(report, seen.at_s)

    def _tell_leaving(self, report: Report, now_s: float) -> None:
        leaving = {pod.uid: pod for pod in self._listing.leaving}
        for uid in [each for each in self._asked if each not in leaving]:
            report(RequestEnded(at_s=now_s, request_id=self._asked.pop(uid).id))
        for uid, pod in leaving.items():
            if uid not in self._asked:
                grace_s = pod.grace_s or 0
                self._asked[uid] = Request(
                    id=f"deletion-of-{uid}",
                    ask=Ask.STOP,
                    instance=InstanceName(pod.name),
                    by=_BY,
                    reason=f"with {grace_s} s of grace",
                    asked_s=now_s,
                    until_s=now_s + grace_s,
                )
                report(RequestSeen(at_s=now_s, request=self._asked[uid]))

    def _complain(self, text: str) -> None:
        if text != self._said:
            self._said = text
            _log.error("platform", why=text)

    def _ended(self, command: Command, end: End) -> CommandEnded:
        return CommandEnded(at_s=self._clock(), command=command, outcome=end.outcome, detail=end.detail)


class _Follow:
    """Watches the pods of the present StatefulSet, and no longer those of the one before it."""

    def __init__(self, nursery: trio.Nursery, make: Callable[[Selection, Callable[[list[Raw]], None]], Mirror]) -> None:
        self._nursery, self._make = nursery, make
        self._scope = trio.CancelScope()

    def begin(self, selection: Selection, changed: Callable[[list[Raw]], None]) -> None:
        """Watch these from now on."""
        self._scope.cancel()
        self._scope = trio.CancelScope()
        self._nursery.start_soon(self._run, self._scope, self._make(selection, changed))

    async def _run(self, scope: trio.CancelScope, mirror: Mirror) -> None:
        with scope:
            await mirror.run()
