"""What a test says it holds, and what the whole table is made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from tests.conformance.observed_questions import QUESTIONS
from tests.conformance.observed_recordings import RECORDINGS
from tests.conformance.seen import Seen

_Test = TypeVar("_Test", bound=Callable[..., object])

SECTIONS: Final[Mapping[str, str]] = {
    "Q1": "Q1. Boot as REPLICA by `--init-file`",
    "Q2": "Q2. Users",
    "Q3": "Q3. Durability of the epoch",
    "Q4": "Q4. Hung STRICT_SYNC replica",
    "Q5": "Q5. DROP during `recovery`",
    "Q6": "Q6. Demotion with dead, hung or fenced replicas",
    "Q7": "Q7. Role and registration commands under write load",
    "Q8": "Q8. Switchover by hand",
    "Q9": "Q9. Failover by hand",
    "Q10": "Q10. Wiped MAIN",
    "Q11": "Q11. Wiping only `wal/` and `snapshots/` of a replica",
    "Q12": "Q12. ASYNC to STRICT_SYNC under write load",
    "Q13": "Q13. `database_uuid` in SHOW STORAGE INFO",
    "Q14": "Q14. Latencies on a MAIN",
    "Q15": "Q15. The neo4j driver and a frozen server",
    "Q16": "Q16. `run_id`: one value per process",
    "Q17": "Q17. Lost Finalize: an acknowledged write that the standby lacks",
    "Q18": "Q18. What proves that the standby has everything",
    "Q19": "Q19. `--storage-wal-file-flush-every-n-tx=1` on both",
    "Q20": "Q20. Promoting the standby during the old MAIN's boot push",
    "Q21": "Q21. Triggers and storage mode",
    "Q22": "Q22. TERMINATE TRANSACTIONS of a client that idles inside BEGIN",
    "S": "The summary",
    "R": "The raw recordings, by their headings",
}
"""Titles by what stands before the dot of an observation's name."""

OBSERVATIONS: Final[Mapping[str, Seen]] = {**QUESTIONS, **RECORDINGS}
"""Everything that was observed, by name, in the order of the transcripts."""


def holds(*observations: str) -> Callable[[_Test], _Test]:
    """Mark a test as holding what was observed of a real Memgraph.

    `scripts/conformance_table.py` makes `docs/reference/conformance.md` from these marks.

    Args:
        observations: Keys of `OBSERVATIONS`, at least one.

    Raises:
        ValueError: A key is unknown, or none is given.
    """
    unknown = [each for each in observations if each not in OBSERVATIONS]
    if unknown or not observations:
        raise ValueError(f"holds{observations}: give keys of OBSERVATIONS; unknown: {unknown}")
    return lambda test: test
