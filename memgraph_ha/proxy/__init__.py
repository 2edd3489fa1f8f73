"""The gateways: a permit decides where bytes may go, a relay moves them.

``gateway`` is the face that the daemon sees, on trio. Behind it one thread runs ``engine``, an epoll loop of its
own: ``lobby`` (clients that wait or are being dialled), ``sentinel`` (our own connection to MAIN) and ``relay``
(the two-way copy). Why a thread and not trio tasks: docs/decisions/0002-relay.md.
"""

from memgraph_ha.proxy.counters import Counters
from memgraph_ha.proxy.gateway import RwGateway

__all__ = ["Counters", "RwGateway"]
