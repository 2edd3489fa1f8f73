"""The form of every operator command's help."""

from typing import Any

from memgraph_ha.helping import ExampledCommand
from memgraph_ha.operate.exits import MEANINGS


class OperatorCommand(ExampledCommand):
    """An operator's command.

    Args:
        answers: The name of what ``--json`` prints, among `memgraph_ha.api.schemas`; empty: it prints no JSON.
        others: What `ExampledCommand` takes.
    """

    meanings = MEANINGS

    def __init__(self, *others: Any, answers: str = "Answer", **named: Any) -> None:
        super().__init__(*others, **named)
        self.answers = answers
