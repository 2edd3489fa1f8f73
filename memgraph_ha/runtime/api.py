"""Serving the HTTP API beside a controller: no trouble with it costs the cluster its controller."""

from typing import Final

import structlog
import trio

from memgraph_ha.api.control import Control
from memgraph_ha.api.endpoints import LONGEST_WAIT_S, Access
from memgraph_ha.api.server import serve
from memgraph_ha.runtime.usage import leaves

_BIND_RETRY_S: Final = 0.25

_log = structlog.get_logger()


async def serve_steadily(
    control: Control, *, host: str | None, port: int, access: Access, hook_wait_s: float = LONGEST_WAIT_S
) -> None:
    """Serve the HTTP API until cancelled.

    Error handling: a port that cannot be had, or a fault of the server, is logged when it changes and tried again.

    Args:
        control: The controller.
        host: Address to listen on; None for every address.
        port: Likewise.
        access: What callers must know.
        hook_wait_s: How long a preStop hook is kept waiting at most, seconds.
    """
    said = ""
    while True:
        try:
            await serve(control, host=host, port=port, access=access, hook_wait_s=hook_wait_s)
        except* Exception as group:  # noqa: BLE001 - see above
            error = repr(leaves(group)[0])
            if said != error:
                said = error
                _log.warning("the HTTP API is not served", port=port, error=error)
        await trio.sleep(_BIND_RETRY_S)
