"""A controller of your own in the simulated cluster: what the promises find in one line of good intentions.

Run it with `python examples/own_decision.py`. Two rule tables play the same crash of MAIN: ours with one rule more,
that keeps the hands off during a maintenance window; and one in which a replica is promoted as soon as it is reachable.
"""

from memgraph_ha.core import RULES, Decision, Hold, Rule, Unmet, View, decide
from memgraph_ha.core.commands import Promote
from memgraph_ha.core.topology import Role
from memgraph_ha.testing import before_ours, own_rule, parse, survives

CRASH = """
schema = 1
id = "crash"
[[fault]]
do = "keep-down"
on = "m0"
[[fault]]
at = "+10s"
do = "check"
that = "main == m1 and serves"
"""

WINDOW_S = (1e9 + 3600, 1e9 + 7200)
"""Seconds since 1970; the simulated clusters begin at 1e9."""


def hold_in_the_window(view: View) -> Decision | Unmet:
    """Do nothing while people are at work on the machines."""
    begins_s, ends_s = WINDOW_S
    if not begins_s <= view.wall_s < ends_s:
        return Unmet("the window is open")
    return Decision(reason="people are at work", hold=Hold.PAUSED, wake_at_s=view.now_s + 1)


def promote_whoever_answers(view: View) -> Decision:
    """Decide as ours do, but with no record, no proof and no fence in the way of a quick failover."""
    ours = decide(view, RULES)
    for seen in view.observed.seen:
        role, record = seen.role, view.record
        if view.loss is not None and record is not None and role is not None and role.role is Role.REPLICA:
            promote = Promote(instance=seen.member.name, run=role.run, generation=record.generation)
            return Decision(reason="quick!", commands=(promote,), wake_at_s=view.now_s + 0.1)
    return ours


def main() -> None:
    """Play both."""
    crash = parse(CRASH, "crash")
    tables = {
        "one rule more": before_ours(Rule("X10", hold_in_the_window)),
        "whoever answers": own_rule(promote_whoever_answers),
    }
    for name, rules in tables.items():
        for found in survives(crash, rules).values():
            print(f"{name}: {str(found).splitlines()[0] if isinstance(found, Exception) else 'every promise was kept'}")


if __name__ == "__main__":
    main()
