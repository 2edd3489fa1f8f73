"""The gateways: a permit decides where bytes may go, a relay moves them.

``gateway`` (to MAIN) and ``read_gateway`` (to replicas) are the faces that the daemon sees, on trio. Behind each one
thread runs a ``loop`` of its own on epoll, ``engine`` or ``readers``: ``lobby`` (clients that wait or are being
dialled), ``sentinel`` (our own connection to MAIN), and for each client a ``link``: the two-way ``relay``, and on the
way to MAIN the ``dialogue``, which knows where transactions begin. Why a thread and not trio tasks, and why it looks
at Bolt at all: docs/decisions/0002-relay.md and 0005-bolt-framing-in-the-relay.md.
"""

from memgraph_ha.proxy.certificate import Certificate
from memgraph_ha.proxy.counters import Counters
from memgraph_ha.proxy.gateway import RwGateway
from memgraph_ha.proxy.options import Options
from memgraph_ha.proxy.read_gateway import Gateways, RoGateway

__all__ = ["Certificate", "Counters", "Gateways", "Options", "RoGateway", "RwGateway"]
