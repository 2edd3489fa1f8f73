"""The cluster tool itself."""
