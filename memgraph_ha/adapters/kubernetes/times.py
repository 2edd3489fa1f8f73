"""Times as the API writes them."""

import datetime as dt
from typing import Final

_MICRO: Final = "%Y-%m-%dT%H:%M:%S.%fZ"


def micro_time(seconds: float) -> str:
    """Write a moment as a ``MicroTime``: always with six digits, which the API server insists on.

    Args:
        seconds: Since 1970.
    """
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime(_MICRO)
