"""A real Kubernetes on a bare machine, for the tests: `python -m tools.kube up`."""
