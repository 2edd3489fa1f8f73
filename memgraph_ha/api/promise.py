"""Where other controllers ask for a promise while nobody can reach the lease (docs/decisions/0011)."""

import http

from starlette.responses import Response

from memgraph_ha.api.endpoints import Call, Refused, answer
from memgraph_ha.failsafe.wire import WireError


async def promise(call: Call) -> Response:
    """Answer a question of the leader, at once.

    Raises:
        Refused: 404 this controller has no failsafe, 401 the question is not from a controller of this release.
    """
    if call.promise is None:
        raise Refused(http.HTTPStatus.NOT_FOUND, "this controller has no failsafe; its log says why")
    try:
        return answer(dict(call.promise(call.body)))
    except WireError as error:
        raise Refused(http.HTTPStatus.UNAUTHORIZED, str(error)) from None
