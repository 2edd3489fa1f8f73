"""The preStop hook: a long poll that ends when an instance may stop (inventory 1.10)."""

import http
from typing import Final

import trio
from starlette.responses import Response

from memgraph_ha.api.control import NoAnswer, NotLeading
from memgraph_ha.api.endpoints import Call, Refused
from memgraph_ha.api.verbs import elsewhere, no_answer
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.requests import Ask

_PAUSE_S: Final = 0.5
"""Before an instance that may not stop yet is asked for again."""

_BY: Final = "preStop hook"


async def prestop(call: Call) -> Response:
    """Answer when the instance may stop: its duties are handed over, or it had none.

    The predecessor's hook gives up at the first answer that is not 200, and then the pod is killed all the same, so
    a refusal that may pass is waited out. Cancelling withdraws the request.

    Raises:
        Refused: 404 no such instance, 503 another controller leads or none is known yet, 504 not in time.
    """
    control = call.control
    name = call.request.path_params["pod_name"]
    known = control.now().instances
    if not known:
        raise Refused(http.HTTPStatus.SERVICE_UNAVAILABLE, "the instances are not known yet; try again in a second")
    if name not in known:
        text = f"there is no instance of that name; they are {', '.join(known)}"
        raise Refused(http.HTTPStatus.NOT_FOUND, text)
    why = "no answer"
    ends_s = trio.current_time() + call.hook_wait_s
    with trio.move_on_at(ends_s):
        while True:
            wait_s = max(0.0, ends_s - trio.current_time())
            try:
                ended = await control.ask(Ask.STOP, InstanceName(name), by=_BY, reason="it is stopping", wait_s=wait_s)
            except NotLeading as error:
                if error.leader is not None and error.leader != control.now().identity:
                    raise elsewhere(error) from None
                why = str(error)
            except NoAnswer:
                break
            else:
                if ended.ok:
                    return Response(status_code=http.HTTPStatus.OK)
                why = ended.text
            await trio.sleep(_PAUSE_S)
    raise no_answer(f"the stop of {name} ({why})", call.hook_wait_s)
