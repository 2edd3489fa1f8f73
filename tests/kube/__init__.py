"""On a real Kubernetes API server, or a whole real cluster."""
