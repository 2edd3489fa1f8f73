"""What people and hooks may ask for. A request is a fact: it waits here until it is answered or nobody waits for it.

Nothing of a request is remembered by a process: what must survive a change of leader (a switchover under way, a
pause, a rebuild that a human ordered) is written into the record by the rule that takes it up.
"""

import enum

from attrs import frozen

from memgraph_ha.core.names import InstanceName


class Ask(enum.Enum):
    """Everything that can be asked for; the value is the verb of the command line."""

    SWITCHOVER = "switchover"
    FAILOVER = "failover"
    ADOPT = "adopt"
    PAUSE = "pause"
    RESUME = "resume"
    RESTART = "restart"
    REINIT = "reinit"
    STOP = "stop"


@frozen(kw_only=True)
class Request:
    """One request.

    Attributes:
        id: Tells it from every other.
        ask: What is asked for.
        instance: Of whom; None where the verb needs none, or leaves the choice to us (switchover).
        by: Who asks, for the history: a user, a hook, a pod that is being deleted.
        reason: Why, in their words; may be empty.
        asked_s: When, on the caller's monotonic clock.
        until_s: Nobody waits for an answer after that, on the caller's monotonic clock.
    """

    id: str
    ask: Ask
    instance: InstanceName | None
    by: str
    reason: str
    asked_s: float
    until_s: float


@frozen(kw_only=True)
class Answer:
    """The end of a request.

    Attributes:
        request_id: Whose.
        ok: Whether what was asked for is now so.
        text: One sentence: what was done, or why not and what would help.
    """

    request_id: str
    ok: bool
    text: str
