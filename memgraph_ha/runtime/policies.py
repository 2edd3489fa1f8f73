"""The operator's choices: read from a file, and which of them a running controller can follow."""

import tomllib
from pathlib import Path
from typing import Final

from memgraph_ha.runtime.usage import UsageError

RESTART_FIELDS: Final = frozenset(
    {
        "command_deadline_s",
        "lease_duration_s",
        "lease_renew_s",
        "probe_interval_s",
        "probe_timeout_s",
        "refused_count",
        "refused_gap_s",
        "hold_max_s",
        "hold_max_connections",
    }
)
"""Fields that the lease, the record, the probes or the gateways read once: both they and the rules go by the values of
the start until the controller starts again. All others hold from the next tick on."""


def read_policy_file(path: Path, option: str) -> dict[str, object]:
    """Read policy fields from a TOML file; they are not checked here.

    Args:
        path: With the fields at the top level.
        option: What named it, for the error.

    Raises:
        UsageError: It cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{option} {path}: {error}") from None
