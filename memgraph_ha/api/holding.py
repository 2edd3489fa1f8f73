"""Every hold that is present, and since when: what the rules say now, and what they said before."""

from typing import Final

from memgraph_ha.api.control import HoldSince
from memgraph_ha.core.decide import explain
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.view import View

_REPORTING: Final = "Y"
"""The letter of the rules that only say what is waited for: they hold beside whatever else is decided."""

_OF_A_SERVING_MAIN: Final = frozenset(
    {Hold.LOOKING, Hold.BACKING_OFF, Hold.UNPROTECTED, Hold.CATCHING_UP, Hold.REPLICA_MISSING, Hold.STALE_ROW}
)
"""What a lesser rule says of a MAIN that serves, and what is not so while an earlier rule seeks another MAIN."""


class HoldLog:
    """Remembers when each hold began. A process that starts again begins to count anew."""

    def __init__(self) -> None:
        self._since: dict[Hold, float] = {}

    def present(self, view: View) -> tuple[HoldSince, ...]:
        """File one look.

        Args:
            view: What is known now.

        Returns:
            The hold of the decision first, if it has one; then those of the later rules that only report, each once.
            The other later rules are written to come after those before them: what one of them would wait for is not
            waited for while an earlier one acts.
        """
        found: dict[Hold, HoldSince] = {}
        matched = [(line.rule, line.answer) for line in explain(view) if isinstance(line.answer, Decision)]
        for index, (rule, answer) in enumerate(matched):
            hold = answer.hold
            if hold is None or (index and not _reported(view, rule, hold)):
                continue
            since = self._since.get(hold, view.wall_s)
            found.setdefault(hold, HoldSince(hold=hold, rule=rule, reason=answer.reason, since=since))
        self._since = {hold: present.since for hold, present in found.items()}
        return tuple(found.values())


def _reported(view: View, rule: str, hold: Hold) -> bool:
    return rule.startswith(_REPORTING) and (view.unserved is None or hold not in _OF_A_SERVING_MAIN)
