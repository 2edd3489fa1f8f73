"""High availability for Memgraph Community: pure failover rules, thin adapters, two gateways."""

__version__ = "0.1.0"
