"""Scenario files: what a cluster starts from, what goes wrong and when, and what must come of it."""
