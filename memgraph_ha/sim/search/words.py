"""The names of the small world, and what each token in it means.

A state must not grow with its past, so every token that a history could make without end is relative to the present:
a process is named by how many lives ago it was, a generation and a row number by their distance from the record's,
the record's version by whether it is still the newest. Renaming them after each change is what makes the number of
states finite (scenarios 6.4); it is sound because the core only ever compares such tokens.
"""

from typing import Final

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RowName, RunId, Token
from memgraph_ha.core.topology import Member

NAMES: Final = (InstanceName("m0"), InstanceName("m1"), InstanceName("m2"))
"""The pair, and the ASYNC replica."""

PAIR: Final = (0, 1)
EVERYBODY: Final = (0, 1, 2)

CLUSTER: Final = "small"
DATA: Final = "data"
"""The recorded ``database_uuid``."""

NOW: Final = 10_000.0
"""What every controller's clock shows at the end of every step: times are kept as ages (see `clock`)."""

WALL: Final = 1.0e9
LONG_AGO: Final = WALL - 100_000.0
"""When each reign began, by the wall clock: outside of every window, so that no reign is refused for flapping."""

GENERATION: Final = 100
"""The record's generation, always."""

ROW: Final = 50
"""The record's ``row_seq``, always."""

CURRENT: Final = Token("now")
OUTDATED: Final = Token("old")

OLDEST: Final = 2
"""Lives, reigns and rows at least so far back are not told apart: tokens are compared with the present ones, and
hardly ever with each other."""


def run_of(instance: int, ago: int = 0) -> RunId:
    """The run of an instance, ``ago`` lives back."""
    return RunId(f"{NAMES[instance]}~{ago}")


def incarnation_of(instance: int, ago: int = 0) -> Incarnation:
    """The platform's name for that life."""
    return Incarnation(f"{NAMES[instance]}/{ago}")


def address_of(instance: int) -> Address:
    """Where it replicates to."""
    return Address(f"{NAMES[instance]}:10000")


def own_data(instance: int) -> str:
    """The ``database_uuid`` of an instance whose volume is new."""
    return f"own-{NAMES[instance]}"


def row_name(instance: int, *, strict: bool, number: int = 0) -> RowName:
    """The name of a row; ``number`` counts from the record's ``row_seq``."""
    return RowName(f"{NAMES[instance]}_{ROW + number}" if strict else str(NAMES[instance]))


def member_of(instance: int) -> Member:
    """What the platform lists, for the life that is there now or was there last."""
    return Member(
        name=NAMES[instance],
        bolt=Address(f"{NAMES[instance]}:7687"),
        replication=address_of(instance),
        incarnation=incarnation_of(instance),
    )


MEMBERS: Final = tuple(member_of(instance) for instance in EVERYBODY)
INDEX: Final = {name: index for index, name in enumerate(NAMES)}
OWNER: Final = {address_of(instance): instance for instance in EVERYBODY}
