"""The Kubernetes adapters, without an API server: what is pure."""
