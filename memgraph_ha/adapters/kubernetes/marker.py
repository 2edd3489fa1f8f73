"""The markers by which a rebuild is ordered: one ConfigMap, one key per instance, written by compare-and-set only.

The leader orders, the init container of the next pod moves the data and says so; neither trusts the other to live.

1. The leader writes the marker: whose data (the pod's UID), for which reign. It means nothing yet.
2. The leader deletes that pod, with its UID as precondition.
3. The leader sets ``deleted``. From here on the marker counts: that pod is dying and cannot be saved by anybody.
4. The init container of the pod that comes next in its place moves the data aside, and sets ``consumed_by``.

Cut off between any two steps, either nothing is moved, and the rebuild is ordered again for the process that is there
then; or the pod is dying, and its successor moves the data. A marker that is not ``deleted``, or whose pod was not the
last that started on the volume, moves nothing, however long it lies around.
"""

import json
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.json_fields import FieldError, Fields, read_object
from memgraph_ha.adapters.kubernetes.asking import ask
from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import ConflictError, NotFoundError
from memgraph_ha.adapters.kubernetes.pods import version_of
from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.core.names import Incarnation, InstanceName

INIT_CONTAINER: Final = "set-aside"
"""Name of the init container that reads the markers; without it nobody would move anything."""


@frozen(kw_only=True)
class Marker:
    """The order to put aside what an instance stored.

    Attributes:
        id: Names this order, and the directory that the data goes to; hexadecimal.
        pod_uid: The pod whose data it is.
        incarnation: The process in it that was judged.
        generation: The reign that it is for.
        at: When it was ordered, UTC; for people.
        deleted: Whether the API has accepted the deletion of that pod.
        consumed_by: UID of the pod whose init container has moved the data; empty while none has.
    """

    id: str
    pod_uid: str
    incarnation: Incarnation
    generation: int
    at: str
    deleted: bool = False
    consumed_by: str = ""

    def to_text(self) -> str:
        """Write it as the ConfigMap keeps it."""
        return json.dumps(
            {
                "id": self.id,
                "pod_uid": self.pod_uid,
                "incarnation": self.incarnation,
                "generation": self.generation,
                "at": self.at,
                "deleted": self.deleted,
                "consumed_by": self.consumed_by or None,
            }
        )


@frozen(kw_only=True)
class Markers:
    """All markers of a release, as they were read.

    Attributes:
        version: Of the ConfigMap, for compare-and-set; None if there is none.
        orders: By instance. One that makes no sense is not among them: nobody obeys it, and the next order replaces it.
        strange: Why such ones make no sense, in words.
    """

    version: str | None
    orders: Mapping[str, Marker]
    strange: tuple[str, ...] = ()


class MarkerStore:
    """The ConfigMap with the markers.

    Error handling: every method raises subclasses of `ApiError` only.

    Args:
        client: For the API.
        name: Of the ConfigMap, ``<release>-rebuild``.
        labels: What it is labelled with when it is created.
    """

    def __init__(self, client: KubeClient, *, name: str, labels: Mapping[str, str]) -> None:
        self._client = client
        self._labels = dict(labels)
        self.name = name

    async def read(self, *, timeout_s: float) -> Markers:
        """Read all markers, with a read that no cache answers.

        Args:
            timeout_s: How long it may take, seconds.

        Raises:
            ApiError: They cannot be read.
        """
        try:
            found = await ask(self._client, "GET", f"{self._path}/{self.name}", what=self._what, timeout_s=timeout_s)
        except NotFoundError:
            return Markers(version=None, orders={})
        data: Mapping[str, str] = found.get("data") or {}
        orders, strange = dict[str, Marker](), list[str]()
        for name, text in data.items():
            try:
                orders[name] = _parse(text, f"ConfigMap {self.name}: {name}")
            except FieldError as error:
                strange.append(str(error))
        return Markers(version=version_of(found), orders=orders, strange=tuple(strange))

    async def put(self, instance: InstanceName, marker: Marker | None, *, version: str | None, timeout_s: float) -> str:
        """Write one marker, or remove it, if the ConfigMap is still that version; the others stay as they are.

        Args:
            instance: Whose.
            marker: The new one; None: none.
            version: The version that must be there; None: there must be no ConfigMap, and it is created.
            timeout_s: How long it may take, seconds.

        Returns:
            The version that is there now.

        Raises:
            ConflictError: Another version was there; nothing was changed.
            ApiError: It was not, or perhaps not, written.
        """
        data = {str(instance): None if marker is None else marker.to_text()}
        if version is None:
            method, path = "POST", self._path
            body: Raw = {"metadata": {"name": self.name, "labels": self._labels}, "data": data}
        else:
            method, path = "PATCH", f"{self._path}/{self.name}"
            body = {"metadata": {"resourceVersion": version}, "data": data}
        try:
            written = await ask(self._client, method, path, what=self._what, timeout_s=timeout_s, body=body)
        except NotFoundError as error:
            raise ConflictError(f"{error}; it was there a moment ago") from error
        return version_of(written)

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self._client.namespace}/configmaps"

    @property
    def _what(self) -> str:
        return f'configmaps "{self.name}"'


def _parse(text: str, where: str) -> Marker:
    fields: Fields = read_object(text.encode(), where)
    consumed = fields.raw.get("consumed_by") is not None
    order = fields.text("id")
    if not order.isalnum():  # it becomes part of a directory's name
        raise fields.wrong("id", "letters and digits")
    return Marker(
        id=order,
        pod_uid=fields.text("pod_uid"),
        incarnation=Incarnation(fields.text("incarnation")),
        generation=fields.integer("generation", 0),
        at=fields.text("at"),
        deleted=fields.flag("deleted"),
        consumed_by=fields.text("consumed_by") if consumed else "",
    )
