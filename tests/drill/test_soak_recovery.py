"""When a cluster counts as whole, by its controller's own words."""

import pytest
from attrs import evolve

from memgraph_ha.drill.soak.recovery import lacks
from memgraph_ha.operate.documents import Cluster, Gate, Held, Instance, Paused, Switching

WHOLE = Cluster(
    rw=Gate(open=True),
    generation=3,
    main="memgraph-0",
    standby="memgraph-1",
    instances=tuple(Instance(name=f"memgraph-{number}", healthy=True) for number in range(3)),
)


def test_a_whole_cluster_lacks_nothing() -> None:
    """Read/write open, the standby named, everybody healthy, nothing held."""
    assert lacks(WHOLE) is None


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (None, "no controller answers"),
        (evolve(WHOLE, holds=(Held(name="NoSafeCandidate", reason="MAIN is lost"),)), "NoSafeCandidate (MAIN is lost)"),
        (evolve(WHOLE, rw=Gate(open=False, why="the lease ends")), "the lease ends"),
        (evolve(WHOLE, standby=None), "no standby of memgraph-0"),
        (evolve(WHOLE, paused=Paused(by="me")), "paused"),
        (evolve(WHOLE, switchover=Switching(target="memgraph-1")), "switchover"),
        (
            evolve(WHOLE, instances=(Instance(name="memgraph-0", state="does not answer"),)),
            "memgraph-0 does not answer",
        ),
    ],
)
def test_what_is_lacking_is_named(seen: Cluster | None, said: str) -> None:
    """Each lack in words, for the complaint if it lasts."""
    assert said in str(lacks(seen))
