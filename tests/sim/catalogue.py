"""Every named scenario."""

from typing import Final

from tests.sim.faults import SCENARIOS, Scenario
from tests.sim.hands import HANDS
from tests.sim.notes import NOTES
from tests.sim.orders import LIFE
from tests.sim.repairs import REPAIRS

CATALOGUE: Final[dict[str, Scenario]] = SCENARIOS | LIFE | HANDS | REPAIRS | NOTES

LONG: Final = frozenset(
    {
        "A3 MAIN hangs shortly",
        "C2 MAIN and standby cut off",
        "C2 switchover, required",
        "C4 restarts by order",
        "D1 leader dies in a switchover",
        "P2 paused, the leader changes",
        "F2 old MAIN diverged, never rebuilt by itself",
        "F2 old MAIN diverged, required",
        "F2 rebuilt in vain",
        "F4 standby given up, required",
        "B6 forced failover",
        "B6 MAIN is empty",
        "B7 standby far behind",
        "B7 standby of another cluster",
        "B7 recovery does not end, cut off",
        "J5 adopted by order",
        "J5 break-glass",
        "J5 break-glass, the old MAIN hangs",
        "J5 break-glass, then a reboot",
        "H2 analytical mode, writes go on",
        "H2 import into a new cluster",
        "H2 import while the log reaches back",
        "H6 a stray took a write",
        "G6 adopted without a record",
        "G8 MAIN rolled back, standby down",
        "Q1 a quiet moment in vain",
    }
)
"""Those that take long and share every rule with a shorter one: they run in the slow tier only."""
