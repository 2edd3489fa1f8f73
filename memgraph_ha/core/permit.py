"""The permit: to whom a gateway may relay, and until when. An address alone is never enough."""

from attrs import frozen

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId


@frozen(kw_only=True)
class Permit:
    """Leave to relay to one life of one process (design 7).

    Attributes:
        instance: Whose.
        address: Its Bolt address, ``host:port``.
        run: The run that was seen MAIN.
        incarnation: The platform's name for that process.
        generation: The reign.
        valid_until_s: On the caller's monotonic clock; past it nothing is relayed, whoever is asked.
    """

    instance: InstanceName
    address: Address
    run: RunId
    incarnation: Incarnation
    generation: int
    valid_until_s: float

    def extends(self, other: "Permit | None") -> bool:
        """Whether this one is the other with another end: connections may stay."""
        return other is not None and (
            self.instance == other.instance
            and self.address == other.address
            and self.run == other.run
            and self.incarnation == other.incarnation
            and self.generation == other.generation
        )


@frozen(kw_only=True)
class ReadPermit:
    """Leave to relay read-only connections to one life of one replica.

    Attributes:
        permit: To whom, and until when.
        takes_new: Whether new connections go there; one that lags too far keeps only those it has.
    """

    permit: Permit
    takes_new: bool


@frozen(kw_only=True)
class Route:
    """What the gateways of this process may do.

    Attributes:
        permit: The read/write permit; None shuts the gateway.
        hold: While it is shut, hold new connections (bounded) instead of refusing them.
        why: One sentence for logs and clients' operators.
        quiet: A quiet moment: established read/write connections stay, but no new transaction passes, and new
            connections are held (design 5).
        reads: Where the read-only gateway may relay to; empty shuts it.
        why_reads: One sentence about that.
    """

    permit: Permit | None
    hold: bool
    why: str
    quiet: bool = False
    reads: tuple[ReadPermit, ...] = ()
    why_reads: str = ""
