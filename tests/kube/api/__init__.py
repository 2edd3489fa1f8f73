"""Adapters on a real API server."""
