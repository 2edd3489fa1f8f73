"""One thing that `memgraph-ha run` can be told."""

from typing import Final, Generic, TypeVar

from attrs import field, frozen

from memgraph_ha.kube.kinds import Kind

T = TypeVar("T")

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S


@frozen(kw_only=True)
class Setting(Generic[T]):
    """One thing that can be set.

    Attributes:
        name: The environment variable; in the file the same in lower case.
        kind: How it is read.
        default: What holds if it is not given, as it would be written; None: nothing.
        doc: What it means.
        idle: Why it has no effect (any more); empty if it has one.
        old: Whether the predecessor had it.
        secret: Whether its value is never shown.
    """

    name: str
    kind: Kind[T] = field(eq=False)
    default: str | None = None
    doc: str
    idle: str = ""
    old: bool = False
    secret: bool = False

    @property
    def key(self) -> str:
        """Its name in the file."""
        return self.name.lower()
