"""Writers that leave the processor to those whom they write to."""

import time
from typing import Final

import neo4j

from memgraph_ha.drill.ledger import Outcome
from memgraph_ha.drill.writers import Writer

_BREATH_S: Final = 0.01
"""Short against every pause that is measured."""


class PacedWriter(Writer):
    """A writer that takes a short breath after each write.

    Four that write as fast as they can take all of a machine with two cores, on which the cluster, the instances and
    the controllers run as well; what would be measured then is who gets the processor.
    """

    def _write_one(self, session: neo4j.Session) -> Outcome:
        outcome = super()._write_one(session)
        time.sleep(_BREATH_S)
        return outcome
