"""The ports of the daemon on the Kubernetes API: the record, the lease, pods, Events."""
