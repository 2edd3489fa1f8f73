"""The daemon on a real API server: instances are real processes, what a kubelet does is played."""
