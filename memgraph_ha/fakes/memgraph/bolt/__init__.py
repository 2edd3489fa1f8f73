"""The Bolt protocol from the server's side.

`serve_connection` serves one client of an `Engine`; everything but `serve` is free of I/O.
"""

from memgraph_ha.fakes.memgraph.bolt.engine import Engine, EngineSession, RunResult
from memgraph_ha.fakes.memgraph.bolt.serve import Limits, serve_connection

__all__ = ["Engine", "EngineSession", "Limits", "RunResult", "serve_connection"]
