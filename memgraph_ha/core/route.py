"""What the gateways may do: a pure function of the view, evaluated on every tick by every controller."""

from memgraph_ha.core.permit import Route
from memgraph_ha.core.quiet import wants_quiet
from memgraph_ha.core.reads import read_permits
from memgraph_ha.core.view import View


def route(view: View) -> Route:
    """Say to whom the gateways of this process may relay now.

    A leader that has a usable record holds new connections while it cannot serve; everybody else refuses them.

    Args:
        view: What is known.

    Returns:
        A route; its permit is None unless every condition of design 6 and 7 holds.
    """
    reads, why_reads = read_permits(view)
    permit = view.permit()
    if permit is None:
        why = view.unserved or "MAIN's process is not known"
        hold = view.lease is not None and view.record is not None
        return Route(permit=None, hold=hold, why=why, reads=reads, why_reads=why_reads)
    quiet = wants_quiet(view)
    why = f"{permit.instance} is MAIN in reign {permit.generation}"
    return Route(
        permit=permit,
        hold=True,
        why=why if quiet is None else f"{why}; new transactions are held: {quiet}",
        quiet=quiet is not None,
        reads=reads,
        why_reads=why_reads,
    )
