"""Kubernetes Events on the StatefulSet: what was decided and why, for `kubectl describe` and whatever collects them."""

import secrets
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog
import trio
from attrs import frozen, mutable

from memgraph_ha.adapters.kubernetes.asking import ask
from memgraph_ha.adapters.kubernetes.client import Clock, KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiError, ApiUnavailableError, NotFoundError
from memgraph_ha.adapters.kubernetes.happenings import Bucket, Happening, Reporter
from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.adapters.kubernetes.times import micro_time
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.view import View

CONTROLLER: Final = "memgraph-ha"

MOST_WAITING: Final = 100
"""So many Events wait while the API is away or too many came at once; the oldest are forgotten first."""

_MOST_KNOWN: Final = 200
"""Of so many Events that were written it is remembered under which name."""

_TIMEOUT_S: Final = 5.0

_AWAY_S: Final = 5.0
"""How long to wait after the API could not be reached."""

_UID_S: Final = 60.0
"""How long the StatefulSet is taken for the same one."""

_log = structlog.get_logger()


@mutable
class _Waiting:
    """An Event that is to be written: how often it happened since it was written last, and when."""

    count: int
    first_s: float
    last_s: float


@frozen
class _Written:
    """An Event that was written: its name, and how often it says that it happened."""

    name: str
    count: int


class EventWriter:
    """Writes Events about one StatefulSet; a watcher of the daemon that never blocks it.

    Only the leader's decisions are told. The same Event again becomes one with a count; at most `happenings.BURST`
    are written at once and one more every `happenings.REFILL_S`.

    Error handling: Events are for people and never worth a failure. While the API is away they wait; any other error
    is logged once and the Event forgotten.

    Args:
        client: Of the namespace that the StatefulSet is in.
        statefulset: Its name.
        reporter: The name of this controller's pod.
        clock: Seconds on CLOCK_BOOTTIME.
        wall: Seconds since 1970.
    """

    def __init__(
        self, client: KubeClient, *, statefulset: str, reporter: str, clock: Clock, wall: Callable[[], float]
    ) -> None:
        self._client = client
        self._path = f"/apis/events.k8s.io/v1/namespaces/{client.namespace}/events"
        self._statefulset = statefulset
        self._pod = reporter
        self._clock = clock
        self._wall = wall
        self._uid, self._uid_until_s = "", clock()
        self._reporter = Reporter()
        self._bucket = Bucket(clock)
        self._waiting: OrderedDict[Happening, _Waiting] = OrderedDict()
        self._written: OrderedDict[Happening, _Written] = OrderedDict()
        self._more = trio.Event()
        self._said = ""

    def __call__(self, view: View, decision: Decision) -> None:
        """Take note of a tick; returns at once."""
        happening = self._reporter.tell(view, decision)
        if happening is None:
            return
        now_s, waiting = self._wall(), self._waiting.get(happening)
        if waiting is None:
            self._waiting[happening] = _Waiting(count=1, first_s=now_s, last_s=now_s)
        else:
            waiting.count, waiting.last_s = waiting.count + 1, now_s
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popitem(last=False)
        self._more.set()

    async def run(self) -> None:
        """Write what waits, for ever."""
        while True:
            if not self._waiting:
                self._more = trio.Event()
                await self._more.wait()
            pause_s = self._bucket.wait_s()
            if pause_s:
                await trio.sleep(pause_s)
                continue
            happening, waiting = self._waiting.popitem(last=False)
            try:
                await self._write(happening, waiting)
                self._say("")
            except ApiUnavailableError as error:
                self._say(str(error))
                self._put_back(happening, waiting)
                await trio.sleep(_AWAY_S)
            except ApiError as error:
                self._say(str(error))

    def _put_back(self, happening: Happening, waiting: _Waiting) -> None:
        """Let it wait on, together with what happened meanwhile."""
        since = self._waiting.pop(happening, None)
        if since is not None:
            waiting = _Waiting(count=waiting.count + since.count, first_s=waiting.first_s, last_s=since.last_s)
        self._waiting[happening] = waiting
        self._waiting.move_to_end(happening, last=False)

    async def _write(self, happening: Happening, waiting: _Waiting) -> None:
        written = self._written.pop(happening, None)
        if written is not None:
            try:
                self._written[happening] = await self._count_up(written, waiting)
            except NotFoundError:  # the API server forgets Events after an hour
                written = None
        if written is None:
            self._written[happening] = await self._create(happening, waiting)
        while len(self._written) > _MOST_KNOWN:
            self._written.popitem(last=False)

    async def _create(self, happening: Happening, waiting: _Waiting) -> _Written:
        namespace, name = self._client.namespace, f"{self._statefulset}.{secrets.token_hex(8)}"
        body: dict[str, object] = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "eventTime": micro_time(waiting.first_s),
            "reportingController": CONTROLLER,
            "reportingInstance": self._pod,
            "action": happening.reason,
            "reason": happening.reason,
            "note": happening.note,
            "type": "Warning" if happening.warning else "Normal",
            "regarding": {
                "apiVersion": "apps/v1",
                "kind": "StatefulSet",
                "name": self._statefulset,
                "namespace": namespace,
                "uid": await self._find_uid(),
            },
        }
        if waiting.count > 1:
            body["series"] = _series(waiting.count, waiting.last_s)
        await self._ask("POST", self._path, name, body)
        return _Written(name, waiting.count)

    async def _count_up(self, written: _Written, waiting: _Waiting) -> _Written:
        count = written.count + waiting.count
        body = {"series": _series(count, waiting.last_s)}
        await self._ask("PATCH", f"{self._path}/{written.name}", written.name, body)
        return _Written(written.name, count)

    async def _find_uid(self) -> str:
        """Read which StatefulSet it is now: `kubectl describe` shows only what names its UID."""
        now_s = self._clock()
        if now_s >= self._uid_until_s:
            path = f"/apis/apps/v1/namespaces/{self._client.namespace}/statefulsets/{self._statefulset}"
            what = f'statefulsets "{self._statefulset}"'
            found = await ask(self._client, "GET", path, what=what, timeout_s=_TIMEOUT_S)
            self._uid, self._uid_until_s = str(found["metadata"]["uid"]), now_s + _UID_S
        return self._uid

    async def _ask(self, method: str, path: str, name: str, body: Raw) -> None:
        what = f'events.events.k8s.io "{name}"'
        await ask(self._client, method, path, what=what, timeout_s=_TIMEOUT_S, body=body)

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._said:
            _log.warning("event.trouble", error=trouble)
        self._said = trouble


def _series(count: int, last_s: float) -> dict[str, object]:
    """How often it happened, and when last: the API knows a series only from the second time on."""
    return {"count": count, "lastObservedTime": micro_time(last_s)}
