"""One request about one object, as the record, the lease, the Events and the labels send it."""

from typing import Final

from kubernetes.client import ApiClient

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.raw import MERGE, Raw, request_json

_VERBS: Final = {"GET": "get", "POST": "create", "PATCH": "patch"}
"""The words that a Role has for them."""


async def ask(
    client: KubeClient, method: str, path: str, *, what: str, timeout_s: float, body: Raw | None = None
) -> Raw:
    """Send a request, and read its answer.

    A patch is a merge patch: its fields take the place of those that are there, null removes one, and a
    ``metadata.resourceVersion`` or ``metadata.uid`` in it is what must be there, else 409.

    Args:
        client: Of the object's namespace.
        method: ``GET``, ``POST`` (with the path of the kind) or ``PATCH``.
        path: Of the object.
        what: The object, for errors: the resource as a Role names it, and its name.
        timeout_s: How long it may take, seconds.
        body: What is sent, if anything.

    Raises:
        ApiError: See `KubeClient.call`.
    """
    content_type = MERGE if method == "PATCH" else "application/json"

    def work(api: ApiClient) -> Raw:
        found = request_json(api, method, path, body=body, content_type=content_type)
        meta = found.get("metadata")
        if not isinstance(meta, dict) or not all(meta.get(field) for field in ("name", "uid", "resourceVersion")):
            raise ValueError(f"an answer that is no object of the API; it has the fields {', '.join(sorted(found))}")
        return found

    return await client.call(work, what=f"{_VERBS[method]} {what}", timeout_s=timeout_s)
