"""The clock by which a controller judges everything."""

import time


def boottime() -> float:
    """Seconds on CLOCK_BOOTTIME, which goes on while the machine is suspended (design 7)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
