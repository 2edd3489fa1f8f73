"""The policies that the search knows by name: every switch that changes what the rules do in the small world."""

from __future__ import annotations

from typing import Final

from memgraph_ha.core.policy import AutoReinit, DataDurability, Policy, Users

POLICIES: Final[dict[str, Policy]] = {
    "default": Policy(),
    "required": Policy(data_durability=DataDurability.REQUIRED),
    "never-reinit": Policy(auto_reinit=AutoReinit.NEVER),
    "required-never-reinit": Policy(data_durability=DataDurability.REQUIRED, auto_reinit=AutoReinit.NEVER),
    "restore-users": Policy(users=Users.RESTORE),
}
"""By name."""
