"""A copy of some objects of the API, kept up to date by list and watch.

Each turn lists the objects and then watches from that list on for `WATCH_S`; then the next turn begins. So nothing
that a stream may have missed stays missed for longer, whatever the reason: a version that was compacted away (410), a
stream that was closed, or one that went silent because its connection is half open or the server stands still.
While the API cannot be asked the copy stays as it was; nothing in it is ever taken for gone without a word of the API.
Source: https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes.
"""

import json
import random
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

import structlog
import trio
from attrs import define, frozen
from kubernetes.client import ApiClient

from memgraph_ha.adapters.kubernetes.client import Clock, KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiError, ApiUnavailableError, GoneError, ThrottledError
from memgraph_ha.adapters.kubernetes.pods import name_of, version_of
from memgraph_ha.adapters.kubernetes.raw import Raw, error_of, lines_of, request, request_json

WATCH_S: Final = 20
"""How long the server keeps one stream open. A list of a few pods that often is no load to speak of."""

SILENCE_S: Final = 5.0
"""A stream that is silent for so much longer is dead: a living server would have closed it by then."""

LIST_S: Final = 5.0
"""How long a list may take."""

STALE_S: Final = 30.0
"""A list that is older than what was seen is refused for so long: a server that lags behind catches up meanwhile.
One that stays older was restored from a copy, and is what there is from then on."""

_FIRST_PAUSE_S: Final = 0.2
_LONGEST_PAUSE_S: Final = 5.0

_log = structlog.get_logger()


class StaleListError(ApiError):
    """The list is older than what was seen before."""


@frozen(kw_only=True)
class Selection:
    """Which objects are copied.

    Attributes:
        what: For messages, e.g. ``pods of statefulset "r"``.
        path: Of the list.
        query: What selects some of it.
    """

    what: str
    path: str
    query: Mapping[str, str]

    @classmethod
    def pods(cls, namespace: str, selector: str, what: str) -> "Selection":
        """Select pods by their labels.

        Args:
            namespace: Where.
            selector: As a query wants it.
            what: See the attribute.
        """
        return cls(what=what, path=f"/api/v1/namespaces/{namespace}/pods", query={"labelSelector": selector})

    @classmethod
    def statefulset(cls, namespace: str, name: str) -> "Selection":
        """Select one StatefulSet by its name: a Role that allows only this one name suffices.

        Args:
            namespace: Where.
            name: Its name.
        """
        path = f"/apis/apps/v1/namespaces/{namespace}/statefulsets"
        return cls(what=f'statefulset "{name}"', path=path, query={"fieldSelector": f"metadata.name={name}"})


@define
class Versions:
    """Judges whether a list goes back in time.

    A ``resourceVersion`` is a number that grows with every change in the whole store; where it is none, nothing can
    be said (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions).
    """

    _newest: int = 0
    _refused_since_s: float | None = None

    def note(self, version: str) -> None:
        """Take note of a version that was seen in a stream or an accepted list.

        Args:
            version: A ``resourceVersion``.
        """
        if version.isascii() and version.isdigit():
            self._newest = max(self._newest, int(version))

    def accept(self, version: str, now_s: float) -> bool:
        """Say whether a list of that version may be believed, and take note of it if so.

        Args:
            version: The list's ``resourceVersion``.
            now_s: When it came.
        """
        if not (version.isascii() and version.isdigit()) or int(version) >= self._newest:
            self._refused_since_s = None
            self.note(version)
            return True
        if self._refused_since_s is None:
            self._refused_since_s = now_s
        if now_s - self._refused_since_s < STALE_S:
            return False
        self._newest, self._refused_since_s = int(version), None
        return True


Changed = Callable[[list[Raw]], None]
"""Called with every object there is, after each change and after each list; returns at once."""


class Mirror:
    """A copy of some objects of the API.

    Error handling: `run` raises nothing and never ends; trouble is logged when it changes, and tried again after a
    pause of 0.2 to 5 s, or after the one that the server asks for. Resource handling: one thread and one connection
    while `run` runs.

    Args:
        client: For the API.
        selection: Which objects.
        changed: Where the copy goes.
        clock: Seconds on CLOCK_BOOTTIME.
        watch_s: How long the server keeps one stream open, whole seconds.
        draw: A number from [0, 1): spreads the tries of several controllers.
    """

    def __init__(
        self,
        client: KubeClient,
        selection: Selection,
        changed: Changed,
        *,
        clock: Clock,
        watch_s: int = WATCH_S,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._client, self._selection, self._changed, self._clock = client, selection, changed, clock
        self._watch_s = watch_s
        self._draw = draw
        self._versions = Versions()
        self._objects: dict[str, Raw] = {}
        self._turn = 0
        self._said = ""

    async def run(self) -> NoReturn:
        """Keep the copy up to date, for ever."""
        failures = 0
        while True:
            began_s = self._clock()
            try:
                await self._follow(await self._list())
            except GoneError as error:
                _log.info("watch.gap", what=self._selection.what, why=str(error))
                failures += 1
            except ApiError as error:
                failures += 1
                self._complain(error, failures)
                if isinstance(error, ThrottledError):
                    await trio.sleep(error.retry_after_s)
            else:
                # A stream that is closed as soon as it was opened must not become a storm of lists.
                failures = 0 if self._clock() - began_s >= 1.0 else failures + 1
            if failures:
                await trio.sleep(self._pause_s(failures))

    def _pause_s(self, failures: int) -> float:
        longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures - 1, 30))
        return longest_s * (0.5 + 0.5 * self._draw())

    async def _list(self) -> str:
        """Copy everything there is, by a read that no lagging cache answers; give the version of the list."""

        def work(api: ApiClient) -> Raw:
            return request_json(api, "GET", self._selection.path, query=self._selection.query)

        what = f"list {self._selection.what}"
        listed = await self._client.call(work, what=what, timeout_s=LIST_S)
        version, items = version_of(listed), listed.get("items")
        if not version or not isinstance(items, list):
            # From something in front of the API server: taken for a list it would say that everybody is gone.
            raise ApiUnavailableError(f"{what}: the answer is no list; its fields are {', '.join(sorted(listed))}")
        if not self._versions.accept(version, self._clock()):
            raise StaleListError(f"{what}: the answer ({version}) is older than what was seen; it is asked again")
        self._objects = {name_of(each): each for each in items}
        if self._said:
            _log.info("watch.restored", what=self._selection.what)
            self._said = ""
        self._publish()
        return version

    async def _follow(self, version: str) -> None:
        """Take over every change after a version, until the server ends the stream."""
        turn, silence_s = self._turn, self._watch_s + SILENCE_S
        query = {
            **self._selection.query,
            "watch": "true",
            "resourceVersion": version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": self._watch_s,
        }

        def work(api: ApiClient) -> None:
            response = request(api, "GET", self._selection.path, query=query, silence_s=silence_s)
            try:
                for line in lines_of(response):
                    trio.from_thread.run_sync(self._take, turn, json.loads(line))
            finally:
                response.close()

        try:
            await self._client.call(work, what=f"watch {self._selection.what}", timeout_s=silence_s + LIST_S)
        finally:
            self._turn += 1  # a thread that was left behind has nothing more to say

    def _take(self, turn: int, event: Raw) -> None:
        """File one event of a stream; events of one that was given up are dropped."""
        if turn != self._turn:
            return
        kind, raw = event.get("type"), event.get("object")
        if kind == "ERROR" or not isinstance(raw, dict):
            code = raw.get("code") if isinstance(raw, dict) else None
            raise error_of(code, json.dumps(raw), {})
        self._versions.note(version_of(raw))
        name = name_of(raw)
        if kind == "DELETED":
            self._objects.pop(name, None)
        elif kind in ("ADDED", "MODIFIED"):
            self._objects[name] = raw
        else:  # a bookmark says only up to where the stream has come
            return
        self._publish()

    def _publish(self) -> None:
        self._changed(list(self._objects.values()))

    def _complain(self, error: ApiError, failures: int) -> None:
        """Log an error when it is another one, and again from time to time."""
        if str(error) != self._said or failures % 20 == 0:
            self._said = str(error)
            _log.warning("watch.failed", what=self._selection.what, why=self._said, hint="what was seen last stands")
