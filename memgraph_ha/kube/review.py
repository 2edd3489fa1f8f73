"""Whether the bearer of a Kubernetes token may change the cluster: asked of the API server, remembered briefly.

Who may ``patch`` the StatefulSet could restart every instance anyway, so that is what a caller must be allowed. A
token alone would prove nothing: every pod of the cluster has one.
(https://kubernetes.io/docs/reference/access-authn-authz/webhook/ and .../authorization/: TokenReview tells who it is,
SubjectAccessReview what they may.)
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

import structlog
from kubernetes.client import (
    ApiClient,
    AuthenticationV1Api,
    AuthorizationV1Api,
    V1ResourceAttributes,
    V1SubjectAccessReview,
    V1SubjectAccessReviewSpec,
    V1TokenReview,
    V1TokenReviewSpec,
)

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiError

REMEMBERED_S: Final = 10.0
"""An answer is good for so long: as long as the API server itself may be behind with a change of a role."""

_MOST_REMEMBERED: Final = 256
_LONGEST_TOKEN: Final = 16 * 1024
_ASK_S: Final = 3.0

_log = structlog.get_logger("memgraph_ha.kube")


class TokenReviews:
    """Implements `Review` by the API server.

    Error handling: an API server that does not answer within 3 s, or that we may not ask, is a "no" that says so.

    Args:
        client: The API; we need ``create`` on tokenreviews and subjectaccessreviews.
        statefulset: Whom the caller must be allowed to patch.
        clock: Seconds that only grow.
    """

    def __init__(self, client: KubeClient, *, statefulset: str, clock: Callable[[], float]) -> None:
        self._client, self._statefulset, self._clock = client, statefulset, clock
        self._known: OrderedDict[bytes, tuple[str | None, float]] = OrderedDict()

    async def __call__(self, token: str) -> str | None:
        """Judge a token.

        Returns:
            None if its bearer may; else why not, one sentence without the token.
        """
        if len(token) > _LONGEST_TOKEN:
            return "it is too long to be one"
        key = hashlib.sha256(token.encode("latin-1", errors="replace")).digest()
        known = self._known.get(key)
        if known is not None and self._clock() - known[1] < REMEMBERED_S:
            return known[0]
        asked_s = self._clock()
        try:
            verdict = await self._client.call(
                lambda api: self._judge(api, token), what="create tokenreviews, subjectaccessreviews", timeout_s=_ASK_S
            )
        except ApiError as error:
            _log.warning("a Kubernetes token could not be judged", error=str(error))
            return "the API server could not be asked; the log of this controller says why"
        self._known[key] = (verdict, asked_s)
        self._known.move_to_end(key)
        while len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        return verdict

    def _judge(self, api: ApiClient, token: str) -> str | None:
        """Ask the API server; on a worker thread."""
        asked = V1TokenReview(spec=V1TokenReviewSpec(token=token))
        status = AuthenticationV1Api(api).create_token_review(asked).status
        if status is None or not status.authenticated or status.user is None:
            return "the API server does not know it, or it has expired"
        user = status.user
        attributes = V1ResourceAttributes(
            group="apps",
            resource="statefulsets",
            verb="patch",
            name=self._statefulset,
            namespace=self._client.namespace,
        )
        spec = V1SubjectAccessReviewSpec(
            user=user.username, groups=user.groups, uid=user.uid, extra=user.extra, resource_attributes=attributes
        )
        found = AuthorizationV1Api(api).create_subject_access_review(V1SubjectAccessReview(spec=spec)).status
        if found is not None and found.allowed:
            return None
        return f"{user.username} may not patch statefulsets/{self._statefulset} in namespace {self._client.namespace}"
