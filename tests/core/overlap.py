"""One line of the table of rules that can both match."""

from attrs import frozen

from memgraph_ha.core.commands import Command
from memgraph_ha.core.holds import Hold
from tests.core.views import Scene


@frozen(kw_only=True)
class Overlap:
    """Two neighbours that both match in a view.

    Attributes:
        does: The kinds of the commands that must be sent.
        hold: The hold that must be named.
        why: Why the first must win.
        equal: Whether the second would ask for the same, so that only the reason differs.
    """

    first: str
    second: str
    scene: Scene
    does: tuple[type[Command], ...] = ()
    hold: Hold | None = None
    why: str
    equal: bool = False
