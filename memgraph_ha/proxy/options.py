"""What a gateway does besides relaying; everything is off until asked for."""

from collections.abc import Callable
from typing import Any, Final

from attrs import Attribute, field, frozen

from memgraph_ha.proxy.certificate import Certificate

MAX_RATE_PER_S: Final = 100_000
MAX_BURST: Final = 1_000_000
MIN_IDLE_S: Final = 1.0
MAX_IDLE_S: Final = 7 * 86_400.0
MIN_GREETING_S: Final = 0.1
MAX_GREETING_S: Final = 300.0

_Check = Callable[[Any, "Attribute[Any]", Any], None]


def _between(least: float, most: float, *, or_zero: bool = False) -> _Check:
    """Refuse a number outside of a range; NaN is outside of every range."""

    def check(_options: object, attribute: "Attribute[Any]", value: float) -> None:
        if least <= value <= most or (or_zero and value == 0):
            return
        zero = "0 to switch it off, or " if or_zero else ""
        raise ValueError(f"{attribute.name}: {value} is out of range: give {zero}a number from {least} to {most}")

    return check


@frozen(kw_only=True)
class Options:
    """How clients are received, and for how long they may be silent.

    Attributes:
        source_rate_per_s: New connections a second that one source (an IPv4 address, an IPv6 /64) may open for
            ever, 0.01 to 100,000; those over it are reset. 0: no limit.
        source_burst: How many it may open at once after a pause, 1 to 1,000,000.
        idle_timeout_s: A relayed connection on which no byte passed in either direction for so long is reset, within
            a quarter of that more; seconds, 1 to 604,800. 0: never. A query that runs longer without an answer is
            silent too.
        greeting_timeout_s: Longest time for the PROXY header and the TLS handshake together, seconds, 0.1 to 300.
        tls: Terminates TLS with this certificate; clients that speak anything else are refused. None: TLS, like
            everything, passes through.
        accept_proxy: Every client must begin with a PROXY protocol v2 header, and is believed to come from where
            that says: for a port that only load balancers can reach.
        send_proxy: Tell MAIN by such a header where each client comes from, and of the gateway's own connection
            that it is one: for a MAIN behind something that wants it. Memgraph itself does not.

    Raises:
        ValueError: A number is out of its range; the message names field, value and range.
    """

    source_rate_per_s: float = field(default=0, validator=_between(0.01, MAX_RATE_PER_S, or_zero=True))
    source_burst: int = field(default=100, validator=_between(1, MAX_BURST))
    idle_timeout_s: float = field(default=0, validator=_between(MIN_IDLE_S, MAX_IDLE_S, or_zero=True))
    greeting_timeout_s: float = field(default=10, validator=_between(MIN_GREETING_S, MAX_GREETING_S))
    tls: Certificate | None = None
    accept_proxy: bool = False
    send_proxy: bool = False


PLAIN: Final = Options()
"""Everything off."""
