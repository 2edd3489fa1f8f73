"""Every named scenario."""

from typing import Final

from tests.sim.faults import SCENARIOS, Scenario
from tests.sim.hands import HANDS
from tests.sim.notes import NOTES
from tests.sim.orders import LIFE
from tests.sim.repairs import REPAIRS

CATALOGUE: Final[dict[str, Scenario]] = SCENARIOS | LIFE | HANDS | REPAIRS | NOTES
