"""The chart, the image and the daemon on a real Kubernetes."""
