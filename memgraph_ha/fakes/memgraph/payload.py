"""Deltas as text: what stands in the log and travels to replicas."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False)


def encode_deltas(deltas: Sequence[Any]) -> bytes:
    """Return deltas as JSON text without line breaks."""
    return _ENCODER.encode(deltas).encode("utf-8", "surrogatepass")
