"""The questions that the transcripts answer, and the marker by which a test says which of them it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

_Test = TypeVar("_Test", bound=Callable[..., object])

QUESTIONS: Final[Mapping[str, str]] = {
    "Q1": "Boot as REPLICA by `--init-file`",
    "Q2": "Users",
    "Q3": "Durability of the epoch",
    "Q4": "Hung STRICT_SYNC replica",
    "Q5": "DROP during `recovery`",
    "Q6": "Demotion with dead, hung or fenced replicas",
    "Q7": "Role and registration commands under write load",
    "Q8": "Switchover by hand",
    "Q9": "Failover by hand",
    "Q10": "Wiped MAIN",
    "Q11": "Wiping only `wal/` and `snapshots/` of a replica",
    "Q12": "ASYNC to STRICT_SYNC under write load",
    "Q13": "`database_uuid` in SHOW STORAGE INFO",
    "Q14": "Latencies on a MAIN",
    "Q15": "The neo4j driver and a frozen server",
    "Q16": "`run_id`: one value per process",
    "Q17": "Lost Finalize: an acknowledged write that the standby lacks",
    "Q18": "What proves that the standby has everything",
    "Q19": "`--storage-wal-file-flush-every-n-tx=1` on both",
    "Q20": "Promoting the standby during the old MAIN's boot push",
    "Q21": "Triggers and storage mode",
    "Q22": "TERMINATE TRANSACTIONS of an idle client",
    "S:codes": "Summary: errors carry no useful code",
    "S:register": "Summary: the numbers of REGISTER REPLICA",
    "S:half": "Summary: a failed REGISTER leaves the entry registered",
    "S:drop": "Summary: DROP REPLICA",
    "S:status": "Summary: status words, SHOW REPLICAS",
    "S:staleness": "Summary: time until SHOW REPLICAS tells",
    "S:writes": "Summary: writes with a bad replica",
    "S:hang": "Summary: reads hang while a commit hangs",
    "S:early": "Summary: REGISTER returns before the replica has caught up",
    "S:promotion": "Summary: promotion",
    "S:demotion": "Summary: demotion",
    "S:rejoin": "Summary: rejoin of an old MAIN, divergence",
    "S:diverged": "Summary: `diverged` is hardly ever shown",
    "S:two-mains": "Summary: one replica, two MAINs",
    "S:unrelated": "Summary: the official build only (unrelated data, ROUTE)",
    "S:restart": "Summary: restart",
    "S:mixing": "Summary: SYNC mixed with STRICT_SYNC",
    "S:names": "Summary: names and addresses",
    "S:bolt": "Summary: Bolt",
    "S:latency": "Summary: latencies",
    "R:a": "Raw recording a: fresh instance",
    "R:g": "Raw recording g: what a REPLICA refuses and answers",
    "R:n": "Raw recording n: sessions and transactions that are open at a role change",
}
"""Every question of the transcripts, every paragraph of their summary, and the raw recordings beside them."""

UNHELD: Final[Mapping[str, str]] = {
    "Q14": "a measurement of one machine; what waits behind what is held under Q4",
    "Q19": "a measurement of throughput; the flag's effect on durability needs a power cut",
    "S:latency": "a measurement of one machine",
}
"""Questions that no test holds, each with the reason."""


def holds(*questions: str) -> Callable[[_Test], _Test]:
    """Mark a test as holding what the transcripts answer to some questions.

    `scripts/conformance_table.py` makes the table of `docs/reference/conformance.md` from these marks.

    Args:
        questions: Keys of `QUESTIONS`, at least one.

    Raises:
        ValueError: A key is unknown, or none is given.
    """
    unknown = [each for each in questions if each not in QUESTIONS]
    if unknown or not questions:
        raise ValueError(f"holds{questions}: give keys of QUESTIONS; unknown: {unknown}")
    return lambda test: test
