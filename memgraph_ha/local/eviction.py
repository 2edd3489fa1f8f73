"""Ending a controller that stands still on the gateways' ports after its lease was over.

Who stands still (SIGSTOP, a debugger, a hanging disk) cannot shut its gateway. It relays nothing, for its permit is
over by its own clock, which it looks at after every read; but it keeps the port, and clients would wait in its queue.
"""

import os
import signal
from typing import Final

import structlog
import trio

from memgraph_ha.adapters.datadir import DataDir
from memgraph_ha.adapters.ports_in_use import port_holder
from memgraph_ha.adapters.process_os import ProcessHandle

_END_WITHIN_S: Final = 2.0

_log = structlog.get_logger()


async def evict_from_ports(datadir: DataDir) -> None:
    """End the other controller of this data directory that has a port of the gateways or of the API, if one has.

    Only for who leads. SIGKILL, through a hold on exactly that process. Anybody else who has a port is left alone; so
    is who cannot be seen or may not be ended. Nothing is raised.

    Args:
        datadir: Whose ports.
    """
    ports = [port for _, port in datadir.config.gateways()]
    holders = [await trio.to_thread.run_sync(port_holder, port) for port in ports]
    keeping = {holder.pid for holder in holders if holder is not None} - {os.getpid()}
    for other in datadir.controllers():
        if other.pid not in keeping:
            continue
        handle = ProcessHandle.open(other)
        if handle is None:
            continue
        try:
            _log.warning("ending a controller that does not lead and keeps a port", pid=other.pid)
            handle.send(signal.SIGKILL)
            with trio.move_on_after(_END_WITHIN_S):
                await handle.wait_ended()
        except PermissionError as error:
            _log.warning("it cannot be ended", pid=other.pid, error=str(error))
        finally:
            handle.close()
