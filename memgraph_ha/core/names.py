"""The names of things, as types: one word, one thing.

An *instance* is a Memgraph process's place; a *run* is one life of its process; an *incarnation* is what the
platform says of it; a *row* is MAIN's registration of one replica. See docs/explanation/words.md.
"""

from typing import NewType

InstanceName = NewType("InstanceName", str)
"""A place where a Memgraph process lives, e.g. ``memgraph-0``. Outlives every process in it."""

RunId = NewType("RunId", str)
"""One life of an instance's process: the ``run_id`` of every Bolt summary (transcripts Q16)."""

Incarnation = NewType("Incarnation", str)
"""What the platform says of a process: pod UID and container start, or pid and start time."""

RowName = NewType("RowName", str)
"""The name of MAIN's registration of a replica, as SHOW REPLICAS prints it."""

Address = NewType("Address", str)
"""``host:port``."""

Token = NewType("Token", str)
"""The version of the stored record, for compare-and-set; opaque to the core."""
